import { Engine } from "../../recovery";
import { toldTo } from "./backup-stores";
import { type FoundDatabase, nameOf } from "./found-database";
import { databasesOf } from "./job-databases";
import { CronJobPurpose, cronJobsFor, isSuspended } from "./recovery-cron-jobs";
import { type JudgedResource, known, type StackResources, UNKNOWN } from "./stack-resources";

/**
 * The databases that nothing of a stack is, and jobs of it back up: those that a job's configuration names, else one
 * behind each job. Where they are, nobody said.
 */
export function dumpedDatabases(stack: StackResources): FoundDatabase[] {
  const found = new Map<string, FoundDatabase>();
  for (const job of cronJobsFor(stack, CronJobPurpose.Backup).filter((one) => !isSuspended(one))) {
    for (const name of namesOf(stack, job)) {
      if (found.has(name)) continue;
      found.set(name, {
        resource: job,
        name,
        engine: /sqlite|litestream|VACUUM INTO|\.db\b/i.test(toldTo(stack, job)) ? Engine.Sqlite : Engine.Postgres,
        placement: {},
        protections: [],
        canBeReplicated: true,
      });
    }
  }
  return [...found.values()];
}

function namesOf(stack: StackResources, job: JudgedResource): readonly string[] {
  const names = known(() => databasesOf(stack, job));
  return names === UNKNOWN || names.length === 0 ? [nameOf(job)] : names;
}
