import { Framework } from "../frameworks";
import { type AlarmProps, isRecoveryAlarm } from "../inventory/alarms";
import { ResourceTypes } from "../inventory/resource-types";
import { resourceRule } from "../rule";

const LEAST_WORDS = 8;

/** It is read at 3 am by somebody who has never seen it. */
export const alarmSaysWhatToDo = resourceRule<AlarmProps>({
  name: "alarm-says-what-to-do",
  description: "Every recovery alarm states its severity, what it means and what to do.",
  severity: "medium",
  framework: Framework.Playbooks,
  remediationSteps:
    "Begin the alarmDescription with P1 to P4, then say what it means and what to do, or name the runbook's address.",
  url: "https://docs.aws.amazon.com/wellarchitected/latest/reliability-pillar/rel_testing_resiliency_playbook_resiliency.html",
  types: ResourceTypes.MetricAlarm,
  checks: (props) => [
    () => {
      if (!isRecoveryAlarm(props)) return undefined;
      const { alarmDescription = "" } = props;
      if (!/\bP[1-4]\b/.test(alarmDescription)) return "alarmDescription names no severity (P1 to P4)";
      return alarmDescription.split(/\s+/).length < LEAST_WORDS
        ? "alarmDescription does not say what it means and what to do: expected a sentence or the runbook's address"
        : undefined;
    },
  ],
});
