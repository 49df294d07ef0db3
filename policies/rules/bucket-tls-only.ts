import { Framework } from "../frameworks";
import { type PolicyStatement, statementsOf, values } from "../inventory/policy-statements";
import { ResourceTypes } from "../inventory/resource-types";
import { stackRule } from "../rule";

/** Every bucket: a policy that allows something does not refuse what comes in plain text. */
export const bucketTlsOnly = stackRule({
  name: "bucket-tls-only",
  description: "Every bucket refuses requests without TLS.",
  severity: "high",
  framework: Framework.SecureBackup,
  remediationSteps:
    'Add to the BucketPolicy a Deny of s3:* for principal * on the bucket and its objects where aws:SecureTransport is "false".',
  url: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html",
  checks: (stack) =>
    stack.ofTypes(ResourceTypes.Bucket).map((bucket) => ({
      urn: bucket.urn,
      check: () => {
        const [policy] = stack.naming(ResourceTypes.BucketPolicy, "bucket", bucket);
        if (policy === undefined) return "has no BucketPolicy, so requests without TLS are served";
        return statementsOf(policy.props.policy).some(refusesPlainText)
          ? undefined
          : "its BucketPolicy has no Deny of s3:* for everybody on the bucket and its objects where aws:SecureTransport is false";
      },
    })),
});

function refusesPlainText({ Effect, Principal, Action, Resource, Condition = {} }: PolicyStatement): boolean {
  const everybody = Principal === "*" || values((Principal as { AWS?: string } | undefined)?.AWS).includes("*");
  const operators = Object.entries(Condition);
  const [operator, keys] = operators[0] ?? [];
  return (
    Effect === "Deny" &&
    everybody &&
    values(Action).some((action) => action === "s3:*" || action === "*") &&
    values(Resource).some((resource) => resource.endsWith("/*") || resource === "*") &&
    // A second condition would narrow the refusal.
    operators.length === 1 &&
    operator === "Bool" &&
    Object.keys(keys ?? {}).length === 1 &&
    values(keys?.["aws:SecureTransport"]).every((value) => String(value) === "false") &&
    keys?.["aws:SecureTransport"] !== undefined
  );
}
