import { Engine } from "../../recovery";
import { toldTo } from "./backup-stores";
import { type FoundDatabase } from "./found-database";
import { CronJobPurpose, cronJobsFor, isSuspended } from "./recovery-cron-jobs";
import { type StackResources } from "./stack-resources";

/** The databases that nothing of a stack is, and jobs of it back up: one behind each job. Where they are, nobody said. */
export function dumpedDatabases(stack: StackResources): FoundDatabase[] {
  return cronJobsFor(stack, CronJobPurpose.Backup)
    .filter((job) => !isSuspended(job))
    .map((job) => ({
      resource: job,
      engine: /sqlite|litestream|VACUUM INTO|\.db\b/i.test(toldTo(stack, job)) ? Engine.Sqlite : Engine.Postgres,
      placement: {},
      protections: [],
      canBeReplicated: true,
    }));
}
