import { StatusMetric } from "../../recovery";
import { Framework } from "../frameworks";
import { type AlarmProps, isPointInTimeTestAlarm } from "../inventory/alarms";
import { databasesOf } from "../inventory/job-databases";
import { logStreams, streamedDatabaseName } from "../inventory/log-streams";
import { CronJobPurpose, cronJobsFor, isSuspended, restoresStream } from "../inventory/recovery-cron-jobs";
import { ResourceTypes } from "../inventory/resource-types";
import { type JudgedResource, type StackResources } from "../inventory/stack-resources";
import { stackRule } from "../rule";

/** A log that cannot be restored is found in the worst hour, while the dump's test passes every morning. */
export const pointInTimeTestAlarm = stackRule({
  name: "point-in-time-test-alarm",
  description: "Tests of a log or a stream have an alarm that fires when one fails, and when none was reported.",
  severity: "high",
  framework: Framework.TestBackup,
  remediationSteps:
    "Add a MetricAlarm on the outcome of point-in-time tests with treatMissingData breaching, actions and actionsEnabled (RecoveryAlerts: testedLogs, testedByRds).",
  url: "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html#alarms-and-missing-data",
  checks: (stack) => {
    const alarms = stack
      .ofTypes(ResourceTypes.MetricAlarm)
      .map(({ props }) => props as AlarmProps)
      .filter(isPointInTimeTestAlarm);
    const tests = [CronJobPurpose.PointInTimeTest, CronJobPurpose.RestoreTest].flatMap((purpose) =>
      cronJobsFor(stack, purpose)
        .filter((test) => !isSuspended(test))
        .map((test) => ({ test, purpose })),
    );
    return tests.map(({ test, purpose }) => ({
      urn: test.urn,
      check: () => {
        const isOfLog = purpose === CronJobPurpose.PointInTimeTest || restoresStream(test);
        const databases = isOfLog ? databasesOf(stack, test) : streamedAmong(stack, databasesOf(stack, test));
        // A test that says of no database what it restores is still to be heard of.
        const watched = databases.length > 0 ? databases : isOfLog ? [undefined] : [];
        for (const database of watched) {
          const ofIt = alarms.filter(({ dimensions }) => {
            const named = dimensions?.Database;
            return named === undefined || database === undefined || named === database;
          });
          const what = database === undefined ? "" : ` for ${database}`;
          if (ofIt.length === 0) {
            return `no alarm watches its outcome${what} (as ${StatusMetric.PointInTimeTestNotPassed} does)`;
          }
          if (
            !ofIt.some(
              ({ treatMissingData, actionsEnabled }) => treatMissingData === "breaching" && actionsEnabled !== false,
            )
          ) {
            return `no alarm on it${what} is armed and treats missing data as breaching: a test that never ran is silent`;
          }
        }
        return undefined;
      },
    }));
  },
});

/** Those whose log `dr stream` receives: a restore test restores the base backup with it. */
function streamedAmong(stack: StackResources, databases: readonly string[]): string[] {
  const streamed = new Set(logStreams(stack).map((stream: JudgedResource) => streamedDatabaseName(stream)));
  return databases.filter((database) => streamed.has(database));
}
