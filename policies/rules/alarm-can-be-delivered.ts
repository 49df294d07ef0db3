import { Framework } from "../frameworks";
import { isRecoveryAlarm } from "../inventory/alarms";
import { matchesAction, type PolicyStatement, statementsOf, values } from "../inventory/policy-statements";
import { ResourceTypes } from "../inventory/resource-types";
import { type JudgedResource, leadsTo, type StackResources } from "../inventory/stack-resources";
import { stackRule } from "../rule";

const CLOUDWATCH = "cloudwatch.amazonaws.com";

/** CloudWatch changes its state, tries to tell the topic, is refused, and says so in a history that nobody reads. */
export const alarmCanBeDelivered = stackRule({
  name: "alarm-can-be-delivered",
  description: "The topics that recovery alarms tell, and the keys that encrypt them, admit CloudWatch.",
  severity: "high",
  framework: Framework.Alarms,
  remediationSteps:
    "Encrypt the topic with a key of your own whose policy allows cloudwatch.amazonaws.com kms:Decrypt and kms:GenerateDataKey, and allow it sns:Publish in the topic's policy.",
  url: "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html",
  checks: (stack) =>
    stack
      .ofTypes(ResourceTypes.Topic)
      .filter((topic) => isToldByRecovery(stack, topic))
      .map((topic) => ({ urn: topic.urn, check: () => whatRefuses(stack, topic) })),
});

const isToldByRecovery = (stack: StackResources, topic: JudgedResource): boolean =>
  stack
    .ofTypes(ResourceTypes.MetricAlarm)
    .some((alarm) => isRecoveryAlarm(alarm.props) && leadsTo(alarm, "alarmActions", topic) === true);

function whatRefuses(stack: StackResources, topic: JudgedResource): string | undefined {
  const [key] = stack.ofTypes(ResourceTypes.Key).filter((one) => leadsTo(topic, "kmsMasterKeyId", one) === true);
  if (key !== undefined) {
    const admits = admitsCloudWatch(key.props.policy, ["kms:Decrypt", "kms:GenerateDataKey"]);
    if (!admits) return `the policy of its key ${key.name} does not allow ${CLOUDWATCH} to use it: no alarm arrives`;
  } else if (/(^|[:/])alias\/aws\/sns$/.test((topic.props.kmsMasterKeyId as string | undefined) ?? "")) {
    return "it is encrypted with the key that AWS manages for SNS, which admits no CloudWatch: no alarm arrives";
  }
  const policies = [
    ...stack.ofTypes(ResourceTypes.TopicPolicy).filter((one) => leadsTo(one, "arn", topic) === true),
    ...(topic.props.policy === undefined ? [] : [topic]),
  ];
  // The one that SNS makes lets the account's own alarms in.
  const refusing = policies.find(({ props }) => !admitsCloudWatch(props.policy, ["sns:Publish"]));
  return refusing === undefined ? undefined : `its policy does not allow ${CLOUDWATCH} to publish: no alarm arrives`;
}

function admitsCloudWatch(policy: unknown, actions: readonly string[]): boolean {
  const statements = statementsOf(policy).filter(({ Effect }) => Effect === "Allow");
  return actions.every((action) =>
    statements.some(
      (statement) => names(statement) && values(statement.Action).some((one) => matchesAction(one, action)),
    ),
  );
}

/** Whether CloudWatch is among whom a statement is about; an account is not its services. */
function names({ Principal }: PolicyStatement): boolean {
  if (Principal === "*") return true;
  const { AWS, Service } = (Principal ?? {}) as Record<"AWS" | "Service", string | readonly string[] | undefined>;
  return values(Service).includes(CLOUDWATCH) || values(AWS).includes("*");
}
