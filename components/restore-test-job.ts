import * as pulumi from "@pulumi/pulumi";
import { Engine, RecoveryJob } from "../recovery";
import { type ArgumentProblems } from "./argument-problems";
import { hardenedCronJob, type JobKind, jobProblems, jobTiming } from "./hardened-cron-job";
import { allEngines, type JobArgs, jobConfigText } from "./job-arguments";

/** Once a day (guide, "Backup Schedule"), when the night's backups are done. */
export const defaultRestoreTestSchedule = "0 3 * * *";

export interface RestoreTestJobArgs extends JobArgs {
  /** Cron schedule as Kubernetes reads it. @default daily at three (guide, "Backup Schedule") */
  schedule?: string;
  /** Test Litestream's streams instead of the backups; of databases of engine `sqlite` alone. @default false */
  fromStream?: boolean;
}

const kind: JobKind = {
  job: RecoveryJob.RestoreTest,
  engines: allEngines,
  component: "RestoreTestJob",
  schedule: defaultRestoreTestSchedule,
  command: ["restore-test", "--json"],
  resources: { cpu: "1", cpuLimit: "4", memory: "3Gi" },
  // A proof is repeated where its pod was lost, not until it passes.
  retries: 0,
  sharedMemory: "1Gi",
};

/**
 * Proves the newest recovery point of each database on a schedule: `dr restore-test` restores it into a throw-away
 * server inside the pod, compares the copy with what the manifest says of the source, and records the evidence.
 *
 * It holds no password and reaches no database: a copy that still knows where production is must not get there. The
 * server is of the major version that the manifest names, not of today's, so after an upgrade `image` has to hold both
 * (the Dockerfile's `POSTGRES_MAJORS`) for as long as the old version's recovery points are kept.
 */
export class RestoreTestJob extends pulumi.ComponentResource {
  /** Name of the CronJob: `kubectl create job --from=cronjob/NAME` runs a test now. */
  public readonly cronJobName: pulumi.Output<string>;
  public readonly serviceAccountName: pulumi.Output<string>;
  /** The schedule in force, moved within its hour. */
  public readonly schedule: pulumi.Output<string>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: RestoreTestJobArgs, opts: pulumi.ComponentResourceOptions = {}) {
    restoreTestJobProblems(name, args).throwIfAny("RestoreTestJob", name);
    super("disaster-recovery:index:RestoreTestJob", name, args, opts);
    const timing = jobTiming(kind, name, args);
    const config = jobConfigText(kind.job, args, undefined);
    const made = hardenedCronJob(name, kindOf(args), args, timing, config, { parent: this });
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

function kindOf({ fromStream }: RestoreTestJobArgs): JobKind {
  if (fromStream !== true) return kind;
  return { ...kind, engines: [Engine.Sqlite], command: [...kind.command, "--from-stream"] };
}

/** Everything that is wrong with the arguments. */
export function restoreTestJobProblems(name: string, args: RestoreTestJobArgs): ArgumentProblems {
  return jobProblems(kindOf(args), name, args);
}
