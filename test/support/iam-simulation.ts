import assert from "node:assert/strict";
import { runSimulation } from "@cloud-copilot/iam-simulate";

const accountId = "111122223333";

type Policy = object | undefined;

/** What AWS would answer; the simulator also refuses policies that are not valid. */
export async function allows(request: {
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  readonly identityPolicy?: Policy;
  readonly resourcePolicy?: Policy;
  readonly context?: Readonly<Record<string, string>>;
  /** Whose the resource is. @default the account of the principal */
  readonly ownerAccountId?: string;
}): Promise<boolean> {
  const { principal, action, resource, identityPolicy, resourcePolicy, context } = request;
  const result = await runSimulation(
    {
      request: {
        principal,
        action,
        resource: { resource, accountId: request.ownerAccountId ?? accountId },
        contextVariables: {
          ...(principal.startsWith("arn:") ? { "aws:PrincipalArn": principal } : {}),
          "aws:SecureTransport": "true",
          "s3:TlsVersion": "1.3",
          ...context,
        },
      },
      identityPolicies: identityPolicy === undefined ? [] : [{ name: "role", policy: identityPolicy as never }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: resourcePolicy as never,
    },
    {},
  );
  assert.notEqual(result.resultType, "error", JSON.stringify(result));
  return "overallResult" in result && result.overallResult === "Allowed";
}
