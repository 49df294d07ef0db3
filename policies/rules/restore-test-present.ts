import { Framework } from "../frameworks";
import { CronJobPurpose, cronJobsFor, isSuspended } from "../inventory/recovery-cron-jobs";
import { stackRule } from "../rule";
import { type CronJobProps } from "../inventory/kubernetes-properties";

/** A backup is what was restored, not what was uploaded. */
export const restoreTestPresent = stackRule({
  name: "restore-test-present",
  description: "Every namespace whose backups run also runs a restore test of them.",
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
        const own = tests.filter(({ props }) => namespaceOf(props) === namespace);
        if (own.length === 0) {
          return `no CronJob in namespace ${namespace} restores what it backs up: nobody knows whether its backups restore`;
        }
        return own.every(isSuspended) ? "every restore test of its namespace is suspended" : undefined;
      },
    }));
  },
});

const namespaceOf = (props: CronJobProps): string => props.metadata?.namespace ?? "default";
