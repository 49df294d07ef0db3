import { Framework } from "../frameworks";
import { type DatabaseInstanceProps } from "../inventory/database-instances";
import { ResourceTypes } from "../inventory/resource-types";
import { resourceRule } from "../rule";

// Of an instance no automated backups, and so no point-in-time recovery, unless they are asked for; of Aurora a day.
const DEFAULT_DAYS = { instance: 0, cluster: 1 } as const;

/** The window of RDS's point-in-time recovery, which is what meets an RPO between two dumps. */
export const rdsBackupWindow = resourceRule<DatabaseInstanceProps, { minDays: number }>({
  name: "rds-backup-window",
  description: "A database can be recovered to any time of the last days, replicas included.",
  severity: "critical",
  framework: Framework.AutomaticBackup,
  remediationSteps: "Set backupRetentionPeriod to minDays or more, and leave deleteAutomatedBackups false.",
  url: "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_WorkingWithAutomatedBackups.BackupRetention.html",
  types: [...ResourceTypes.DatabaseInstance, ...ResourceTypes.DatabaseCluster],
  settings: {
    minDays: {
      description: "Days back to which a recovery must be possible: longer than damage stays unnoticed.",
      type: "integer",
      minimum: 1,
      maximum: 35,
      default: 7,
    },
  },
  // A longer window changes nothing else; turning backups on stops a Single-AZ instance for seconds, and is left to people.
  remedy: (props, { minDays }, { type }) =>
    daysOf(props, type) < minDays && daysOf(props, type) > 0 ? { backupRetentionPeriod: minDays } : undefined,
  checks: (props, { minDays }, { type }) => [
    () => {
      const days = daysOf(props, type);
      return days < minDays ? `backupRetentionPeriod is ${days} days; expected ${minDays} or more` : undefined;
    },
  ],
});

function daysOf({ backupRetentionPeriod }: DatabaseInstanceProps, type: string): number {
  const kind = type === ResourceTypes.DatabaseCluster[0] ? "cluster" : "instance";
  return backupRetentionPeriod ?? DEFAULT_DAYS[kind];
}
