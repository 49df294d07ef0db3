import { Framework } from "../frameworks";
import { databasesOf } from "../inventory/job-databases";
import { CronJobPurpose, cronJobsFor, isSuspended } from "../inventory/recovery-cron-jobs";
import { type JudgedResource, type StackResources } from "../inventory/stack-resources";
import { stackRule } from "../rule";
import { type CronJobProps } from "../inventory/kubernetes-properties";

/** A backup is what was restored, not what was uploaded. */
export const restoreTestPresent = stackRule({
  name: "restore-test-present",
  description:
    "Every namespace whose backups run also runs a restore test of them, or another one tests the same databases.",
  severity: "critical",
  framework: Framework.TestBackup,
  remediationSteps: "Add a CronJob that restores the newest backup every day and compares it (RestoreTestJob).",
  url: "https://docs.aws.amazon.com/wellarchitected/latest/reliability-pillar/rel_backing_up_data_periodic_recovery_testing_data.html",
  checks: (stack) => {
    const tests = cronJobsFor(stack, CronJobPurpose.RestoreTest);
    return cronJobsFor(stack, CronJobPurpose.Backup).map((backup) => ({
      urn: backup.urn,
      check: () => {
        if (isSuspended(backup)) return undefined;
        const namespace = namespaceOf(backup.props);
        const near = tests.filter(({ props }) => namespaceOf(props) === namespace);
        // What is backed up beside an application is tested where nothing of it is mounted.
        const own = near.length > 0 ? near : tests.filter((test) => coversAll(stack, test, backup));
        if (own.length === 0) {
          return `no CronJob in namespace ${namespace} restores what it backs up: nobody knows whether its backups restore`;
        }
        return own.every(isSuspended) ? "every restore test of its namespace is suspended" : undefined;
      },
    }));
  },
});

function coversAll(stack: StackResources, test: JudgedResource, backup: JudgedResource): boolean {
  const wanted = databasesOf(stack, backup);
  const tested = databasesOf(stack, test);
  return wanted.length > 0 && wanted.every((database) => tested.includes(database));
}

const namespaceOf = (props: CronJobProps): string => props.metadata?.namespace ?? "default";
