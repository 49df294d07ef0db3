import * as pulumi from "@pulumi/pulumi";
import { Engine, RecoveryJob, scheduleProblems } from "../recovery";
import { type ArgumentProblems } from "./argument-problems";
import { hardenedCronJob, type JobKind, jobProblems, jobTiming } from "./hardened-cron-job";
import { type JobArgs, jobConfigText, type ProtectedDatabaseArgs } from "./job-arguments";
import { minutesOf } from "./rds-source";

/** Once a week, on the morning of a day on which people are there, and not on the proof's. */
export const defaultPointInTimeTestSchedule = "0 5 * * 3";

export interface PointInTimeTestJobArgs extends JobArgs {
  /** One database of engine `rds`, with `rds`. */
  databases: ProtectedDatabaseArgs[];
  /** Cron schedule as Kubernetes reads it. @default weekly, on Wednesday at five */
  schedule?: string;
}

const kind: JobKind = {
  job: RecoveryJob.PointInTimeTest,
  engines: [Engine.Rds],
  component: "PointInTimeTestJob",
  schedule: defaultPointInTimeTestSchedule,
  command: ["restore-test", "--from-stream", "--json"],
  // The copy is a server of RDS: the pod asks and compares.
  resources: { cpu: "100m", cpuLimit: "1", memory: "512Mi" },
  // A proof is repeated where its pod was lost, not until it passes.
  retries: 0,
};

/**
 * Has RDS restore its own log into a throw-away instance, once a week, and proves the copy: `dr restore-test
 * --from-stream`. The instance carries its end in its tags from its first moment, and the job deletes it whatever
 * happened; what a killed job left, a `ReaperJob` deletes. Each run costs an instance for as long as it takes.
 *
 * It logs in to the copy with the database's own role, and its network policy lets it reach `rds.test.cidrs`: a subnet
 * group for tests, of which the database is no part, keeps it away from production.
 */
export class PointInTimeTestJob extends pulumi.ComponentResource {
  /** Name of the CronJob: `kubectl create job --from=cronjob/NAME` runs a test now. */
  public readonly cronJobName: pulumi.Output<string>;
  public readonly serviceAccountName: pulumi.Output<string>;
  /** The schedule in force, moved within its hour. */
  public readonly schedule: pulumi.Output<string>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: PointInTimeTestJobArgs, opts: pulumi.ComponentResourceOptions = {}) {
    pointInTimeTestJobProblems(name, args).throwIfAny("PointInTimeTestJob", name);
    super("disaster-recovery:index:PointInTimeTestJob", name, args, opts);
    const timing = jobTiming(kind, name, args);
    const config = jobConfigText(kind.job, args, undefined);
    const made = hardenedCronJob(name, kind, args, timing, config, { parent: this });
    this.cronJobName = made.cronJob.metadata.name;
    this.serviceAccountName = made.serviceAccount.metadata.name;
    this.schedule = pulumi.output(timing.schedule);
    this.registerOutputs({
      cronJobName: this.cronJobName,
      serviceAccountName: this.serviceAccountName,
      schedule: this.schedule,
    });
  }
}

/** Everything that is wrong with the arguments. */
export function pointInTimeTestJobProblems(name: string, args: PointInTimeTestJobArgs): ArgumentProblems {
  const problems = jobProblems(kind, name, args);
  if (args.databases.length > 1) {
    problems.add("databases", `expected one, got ${args.databases.length}: the deadline is that of one restore`);
  }
  const rds = args.databases[0]?.rds;
  if (rds === undefined) {
    problems.add("databases[0].rds", "is missing: the instance or cluster that RDS restores");
    return problems;
  }
  if (scheduleProblems(args.schedule ?? kind.schedule).length > 0) return problems;
  const deadlineMinutes = jobTiming(kind, name, args).activeDeadlineSeconds / 60;
  const { wait, life } = minutesOf(rds);
  if (wait >= deadlineMinutes) {
    problems.add(
      "databases[0].rds.restoreMinutes",
      `expected less than ${deadlineMinutes}, after which the test is stopped (activeDeadlineSeconds), got ${wait}`,
    );
  }
  if (life < deadlineMinutes) {
    problems.add(
      "databases[0].rds.test.ttlMinutes",
      `expected ${deadlineMinutes} or more, got ${life}: the reaper could delete a copy that is being proven (activeDeadlineSeconds)`,
    );
  }
  return problems;
}
