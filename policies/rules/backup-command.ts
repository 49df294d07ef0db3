import { Framework } from "../frameworks";
import { backupStores } from "../inventory/backup-stores";
import { containersOf, type CronJobProps } from "../inventory/kubernetes-properties";
import { CronJobPurpose, cronJobsFor } from "../inventory/recovery-cron-jobs";
import { identifiersOf } from "../inventory/stack-resources";
import { stackRule } from "../rule";

interface Fault {
  readonly isIn: (script: string) => boolean;
  readonly problem: string;
}

const DUMP = /\b(pg_dump(all)?|pg_basebackup|mysqldump)\b/;

/** What was seen to end with exit code 0 and no backup, or a bad one. */
const FAULTS: readonly Fault[] = [
  {
    isIn: (script) => new RegExp(`${DUMP.source}[^\\n;&]*\\|`).test(script) && !/pipefail/.test(script),
    problem: "pipes a dump without set -o pipefail: a dump that fails is uploaded all the same",
  },
  {
    isIn: (script) => script.trim().split(/[\n;]/).length > 1 && !/set -[a-z]*e|set -o errexit|&&/.test(script),
    problem: "goes on after a command that failed: without set -e only its last command decides",
  },
  {
    isIn: (script) => /-mtime\s+\+?\d+.*-delete|\baws s3 rm\b|\bs3api delete-/.test(script),
    problem: "deletes backups itself, also when none was made: leave it to the bucket's lifecycle",
  },
  {
    isIn: (script) => /-U\s+postgres\b|--username[= ]postgres\b/.test(script),
    problem: "dumps as the superuser: a role with pg_read_all_data is enough",
  },
  {
    isIn: (script) =>
      /\b(gzip|cp|cat|tar)\b[^\n|]*\.(db|sqlite3?)\b/.test(script) && !/\.backup|VACUUM INTO/i.test(script),
    problem: "copies a SQLite file that is in use: use VACUUM INTO or .backup",
  },
];

/** A backup that a shell made is as good as its error handling; the guide's was announced as completed when it was empty. */
export const backupCommand = stackRule({
  name: "backup-command",
  description:
    "The commands of a backup or a restore test fail when a part of them fails, and write where the stack's store is.",
  severity: "high",
  framework: Framework.AutomaticBackup,
  remediationSteps:
    "Run dr backup and dr restore-test, or begin the script with set -euo pipefail and do what the message says.",
  url: "https://www.gnu.org/software/bash/manual/html_node/The-Set-Builtin.html",
  checks: (stack) => {
    const names = backupStores(stack).flatMap(identifiersOf);
    return [CronJobPurpose.Backup, CronJobPurpose.RestoreTest]
      .flatMap((purpose) => cronJobsFor(stack, purpose))
      .map(({ urn, props }) => ({
        urn,
        check: () => {
          const script = containersOf((props as CronJobProps).spec?.jobTemplate?.spec?.template?.spec)
            .flatMap(({ command = [], args = [] }) => [...command, ...args])
            .filter((word) => word.includes(" "))
            .join("\n");
          const foreign = [...script.matchAll(/s3:\/\/([a-z0-9.-]+)/g)]
            .map(([, bucket]) => bucket!)
            .filter((bucket) => names.length > 0 && !names.includes(bucket));
          const problems = [
            ...FAULTS.filter(({ isIn }) => isIn(script)).map(({ problem }) => problem),
            ...[...new Set(foreign)].map((bucket) => `uses s3://${bucket}, which is no store of this stack`),
          ];
          return problems.length === 0 ? undefined : problems.join("; ");
        },
      }));
  },
});
