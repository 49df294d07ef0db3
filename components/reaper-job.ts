import * as pulumi from "@pulumi/pulumi";
import { Engine, RecoveryJob } from "../recovery";
import { type ArgumentProblems } from "./argument-problems";
import { hardenedCronJob, type JobKind, jobProblems, jobTiming } from "./hardened-cron-job";
import { type JobArgs, jobConfigText, type ProtectedDatabaseArgs } from "./job-arguments";

/** Every hour: what was forgotten costs money until it is found. */
export const defaultReaperSchedule = "0 * * * *";

export interface ReaperJobArgs extends JobArgs {
  /** Databases of engine `rds`, with `rds`: the reaper looks through the region that they are in. */
  databases: ProtectedDatabaseArgs[];
  /** Cron schedule as Kubernetes reads it. @default hourly */
  schedule?: string;
}

const kind: JobKind = {
  job: RecoveryJob.Reap,
  engines: [Engine.Rds],
  component: "ReaperJob",
  schedule: defaultReaperSchedule,
  command: ["reap", "--json"],
  resources: { cpu: "50m", cpuLimit: "500m", memory: "256Mi" },
  // The next run is an hour away.
  retries: 0,
};

/**
 * Deletes the throw-away instances of RDS that a killed test left behind, every hour: `dr reap`. It runs outside of the
 * test, and as an identity of its own that can delete what carries a throw-away's tags, and that neither reads nor writes
 * the store. It is never asleep: whoever makes a throw-away by hand, on a site that waits, has it deleted all the same.
 */
export class ReaperJob extends pulumi.ComponentResource {
  /** Name of the CronJob: `kubectl create job --from=cronjob/NAME` runs it now. */
  public readonly cronJobName: pulumi.Output<string>;
  public readonly serviceAccountName: pulumi.Output<string>;
  /** The schedule in force, moved within its hour. */
  public readonly schedule: pulumi.Output<string>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: ReaperJobArgs, opts: pulumi.ComponentResourceOptions = {}) {
    reaperJobProblems(name, args).throwIfAny("ReaperJob", name);
    super("disaster-recovery:index:ReaperJob", name, args, opts);
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
export function reaperJobProblems(name: string, args: ReaperJobArgs): ArgumentProblems {
  const problems = jobProblems(kind, name, args);
  if (args.databases.every(({ rds }) => rds === undefined)) {
    problems.add("databases", "none has rds: there is no region to look through");
  }
  return problems;
}
