import { StatusMetric } from "../../recovery";
import { Framework } from "../frameworks";
import { type AlarmProps, isStalenessAlarm } from "../inventory/alarms";
import { CronJobPurpose, cronJobsFor, isSuspended } from "../inventory/recovery-cron-jobs";
import { ResourceTypes } from "../inventory/resource-types";
import { stackRule } from "../rule";

/** A job that never ran reports no failure: only the age of what it left behind tells. */
export const stalenessAlarm = stackRule({
  name: "staleness-alarm",
  description: "Backups have an alarm that fires when the newest one is too old, and when nothing is reported at all.",
  severity: "critical",
  framework: Framework.Alarms,
  remediationSteps:
    "Add a MetricAlarm on the age of the newest backup with treatMissingData breaching, actions and actionsEnabled (RecoveryAlerts).",
  url: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarms-and-missing-data",
  checks: (stack) => {
    const backups = cronJobsFor(stack, CronJobPurpose.Backup).filter((backup) => !isSuspended(backup));
    const alarms = stack
      .ofTypes(ResourceTypes.MetricAlarm)
      .filter(({ props }) => isStalenessAlarm(props as AlarmProps));
    return backups.map(({ urn }) => ({
      urn,
      check: () => {
        if (alarms.length === 0) {
          return `no alarm watches how old its newest backup is (as ${StatusMetric.RecoveryPointAgeSeconds} does)`;
        }
        const deadMan = alarms.filter(({ props }) => (props as AlarmProps).treatMissingData === "breaching");
        if (deadMan.length === 0) {
          return "the alarm on its newest backup does not treat missing data as breaching: a job that never ran is silent";
        }
        return deadMan.some(({ props }) => (props as AlarmProps).actionsEnabled !== false)
          ? undefined
          : "the actions of the alarm on its newest backup are off: set actionsEnabled once the first backup is there";
      },
    }));
  },
});
