import { StatusMetric } from "../../recovery";
import { Framework } from "../frameworks";
import { type AlarmProps } from "../inventory/alarms";
import { CronJobPurpose, cronJobsFor, isSuspended } from "../inventory/recovery-cron-jobs";
import { ResourceTypes } from "../inventory/resource-types";
import { stackRule } from "../rule";

// The age of the newest test does not tell how it ended.
const ABOUT_OUTCOMES = /restore-?test.*(not-?passed|fail|outcome|result|success)/i;

/** A restore test that nobody hears of might as well not run. */
export const restoreTestAlarm = stackRule({
  name: "restore-test-alarm",
  description: "Restore tests have an alarm that fires when one fails, and when none was reported.",
  severity: "high",
  framework: Framework.TestBackup,
  remediationSteps:
    "Add a MetricAlarm on the outcome or the age of restore tests with treatMissingData breaching, actions and actionsEnabled (RecoveryAlerts).",
  url: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarms-and-missing-data",
  checks: (stack) => {
    const tests = cronJobsFor(stack, CronJobPurpose.RestoreTest).filter((test) => !isSuspended(test));
    const alarms = stack
      .ofTypes(ResourceTypes.MetricAlarm)
      .map(({ props }) => props as AlarmProps)
      .filter(({ metricName = "" }) => ABOUT_OUTCOMES.test(metricName));
    return tests.map(({ urn }) => ({
      urn,
      check: () => {
        if (alarms.length === 0) return `no alarm watches its outcome (as ${StatusMetric.RestoreTestNotPassed} does)`;
        return alarms.some(
          ({ treatMissingData, actionsEnabled }) => treatMissingData === "breaching" && actionsEnabled !== false,
        )
          ? undefined
          : "no alarm on it is armed and treats missing data as breaching: a test that never ran is silent";
      },
    }));
  },
});
