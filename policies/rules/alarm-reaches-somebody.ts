import { Framework } from "../frameworks";
import { type AlarmProps, isRecoveryAlarm } from "../inventory/alarms";
import { ResourceTypes } from "../inventory/resource-types";
import { leadsTo, UNKNOWN, known } from "../inventory/stack-resources";
import { stackRule } from "../rule";

/** An alarm on a topic that nobody subscribed to is a light in an empty room. */
export const alarmReachesSomebody = stackRule({
  name: "alarm-reaches-somebody",
  description: "Every recovery alarm has an action, and every topic of this stack that it tells has a subscriber.",
  severity: "high",
  framework: Framework.Alarms,
  remediationSteps: "Give the alarm alarmActions, and its topic a TopicSubscription (alerts.subscriptions).",
  url: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html",
  checks: (stack) => {
    const topics = stack.ofTypes(ResourceTypes.Topic);
    const isSubscribed = (topic: (typeof topics)[number]) =>
      stack.ofTypes(ResourceTypes.TopicSubscription).some((one) => leadsTo(one, "topic", topic) === true);
    return stack
      .ofTypes(ResourceTypes.MetricAlarm)
      .filter(({ props }) => isRecoveryAlarm(props as AlarmProps))
      .map((alarm) => ({
        urn: alarm.urn,
        check: () => {
          if ((alarm.props as AlarmProps).actionsEnabled === false) {
            return "actionsEnabled is false: it tells nobody; set it once the first backup is there";
          }
          const told = topics.filter((topic) => leadsTo(alarm, "alarmActions", topic) === true);
          const silent = told.filter((topic) => !isSubscribed(topic));
          if (silent.length > 0)
            return `nobody subscribes to ${silent.map(({ name }) => name).join(", ")}, which it tells`;
          if (told.length > 0) return undefined;
          const actions = known(() => (alarm.props as AlarmProps).alarmActions ?? []);
          return actions !== UNKNOWN && actions.length === 0 ? "has no alarmActions: it tells nobody" : undefined;
        },
      }));
  },
});
