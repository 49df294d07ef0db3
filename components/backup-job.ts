import * as pulumi from "@pulumi/pulumi";
import { RecoveryJob } from "../recovery";
import { type ArgumentProblems } from "./argument-problems";
import { hardenedCronJob, type JobKind, jobProblems, jobTiming } from "./hardened-cron-job";
import { type JobArgs, jobConfigText, serverEngines } from "./job-arguments";

/** Every six hours, as the guide's "Backup Schedule" has it. */
export const defaultBackupSchedule = "0 */6 * * *";

export interface BackupJobArgs extends JobArgs {
  /** Cron schedule as Kubernetes reads it. @default every six hours (guide, "Backup Schedule") */
  schedule?: string;
}

const kind: JobKind = {
  job: RecoveryJob.Backup,
  engines: serverEngines,
  component: "BackupJob",
  schedule: defaultBackupSchedule,
  command: ["backup", "--json"],
  resources: { cpu: "250m", cpuLimit: "2", memory: "512Mi" },
  retries: 2,
};

/**
 * Backs up PostgreSQL databases on a schedule: `dr backup` streams a dump of each to the store, and a recovery point
 * exists once its manifest is written, last. The job adds to the store; it can neither change nor delete what is there.
 *
 * ```ts
 * new BackupJob("architect-backup", {
 *   application: "architect-go",
 *   environment: "prod",
 *   region: "eu-central-1",
 *   namespace: "architect-go",
 *   image: "registry.example.com/dr@sha256:...",
 *   storeUrl: bucket.storeUrl,
 *   retention: {},
 *   databases: [
 *     {
 *       name: "architect",
 *       engine: Engine.Rds,
 *       url: "postgresql://backup@db.internal:5432/architect?sslmode=verify-full",
 *       passwordSecret: { name: "architect-backup", key: "password" },
 *       sizeGib: 40,
 *       cidrs: ["10.0.4.0/24"],
 *     },
 *   ],
 * });
 * ```
 */
export class BackupJob extends pulumi.ComponentResource {
  /** Name of the CronJob: `kubectl create job --from=cronjob/NAME` takes a backup now. */
  public readonly cronJobName: pulumi.Output<string>;
  public readonly serviceAccountName: pulumi.Output<string>;
  /** The schedule in force, moved within its hour. */
  public readonly schedule: pulumi.Output<string>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: BackupJobArgs, opts: pulumi.ComponentResourceOptions = {}) {
    backupJobProblems(name, args).throwIfAny("BackupJob", name);
    super("disaster-recovery:index:BackupJob", name, args, opts);
    const timing = jobTiming(kind, name, args);
    const config = jobConfigText(kind.job, args, { schedule: timing.schedule, timeZone: timing.timeZone });
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
export function backupJobProblems(name: string, args: BackupJobArgs): ArgumentProblems {
  return jobProblems(kind, name, args);
}
