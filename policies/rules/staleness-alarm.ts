import { maxRecoveryPointAgeMinutes, scheduleProblems, StatusMetric } from "../../recovery";
import { Framework } from "../frameworks";
import { type AlarmProps, isStalenessAlarm } from "../inventory/alarms";
import { type CronJobProps } from "../inventory/kubernetes-properties";
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
    return backups.map(({ urn, props: job }) => ({
      urn,
      check: () => {
        if (alarms.length === 0) {
          return `no alarm watches how old its newest backup is (as ${StatusMetric.RecoveryPointAgeSeconds} does)`;
        }
        const deadMan = alarms.filter(({ props }) => (props as AlarmProps).treatMissingData === "breaching");
        if (deadMan.length === 0) {
          return "the alarm on its newest backup does not treat missing data as breaching: a job that never ran is silent";
        }
        if (!deadMan.some(({ props }) => (props as AlarmProps).actionsEnabled !== false)) {
          return "the actions of the alarm on its newest backup are off: set actionsEnabled once the first backup is there";
        }
        const { schedule, timeZone } = (job as CronJobProps).spec ?? {};
        if (schedule === undefined || scheduleProblems(schedule, timeZone).length > 0) return undefined;
        const most = maxRecoveryPointAgeMinutes({
          rpoMinutes: 0,
          schedule,
          ...(timeZone === undefined ? {} : { timeZone }),
        });
        const late = deadMan.map(({ props }) => latestMinutes(props as AlarmProps));
        return late.some((minutes) => minutes === undefined || minutes <= most)
          ? undefined
          : `the alarm on its newest backup fires when that is ${Math.min(...late.map((one) => one!))} minutes old; expected ${most} or less (${schedule}, and an hour)`;
      },
    }));
  },
});

const UNIT_MINUTES = { seconds: 1 / 60, minutes: 1, hours: 60, days: 1440 } as const;

/** The age at which the alarm fires; undefined when its metric does not say in which unit it counts. */
function latestMinutes({ metricName = "", threshold, comparisonOperator = "" }: AlarmProps): number | undefined {
  if (comparisonOperator.startsWith("LessThan")) return Infinity;
  const [unit] = /(seconds|minutes|hours|days)$/.exec(metricName.toLowerCase()) ?? [];
  if (unit === undefined || threshold === undefined) return undefined;
  return threshold * UNIT_MINUTES[unit as keyof typeof UNIT_MINUTES];
}
