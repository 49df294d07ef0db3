import * as pulumi from "@pulumi/pulumi";
import { RecoveryJob } from "../recovery";
import { type ArgumentProblems } from "./argument-problems";
import { hardenedCronJob, type JobKind, jobProblems, jobTiming } from "./hardened-cron-job";
import { allEngines, type JobArgs, jobConfigText } from "./job-arguments";

/** Often enough that a missed backup is an alarm within minutes, seldom enough to cost nothing. */
export const defaultStatusSchedule = "*/5 * * * *";

export interface StatusJobArgs extends JobArgs {
  /** Cron schedule as Kubernetes reads it. @default every five minutes */
  schedule?: string;
  /** The schedule of the backups that are judged: how old the newest may be follows from it. */
  backupSchedule: string;
  /** IANA time zone of the backups' schedule. @default "Etc/UTC" */
  backupTimeZone?: string;
}

const kind: JobKind = {
  job: RecoveryJob.Status,
  engines: allEngines,
  component: "StatusJob",
  schedule: defaultStatusSchedule,
  command: ["status", "--publish", "--json"],
  resources: { cpu: "50m", cpuLimit: "500m", memory: "256Mi" },
  // The next run is minutes away.
  retries: 0,
};

/**
 * Judges the store every few minutes and publishes what it finds as metrics: `dr status --publish`. It looks at what is
 * in the store and not at whether jobs ended well, so it tells the truth also about the backup that never ran. Its
 * alarms (`RecoveryAlerts`) take its silence for the worst.
 */
export class StatusJob extends pulumi.ComponentResource {
  public readonly cronJobName: pulumi.Output<string>;
  public readonly serviceAccountName: pulumi.Output<string>;
  /** The schedule in force, moved within its hour. */
  public readonly schedule: pulumi.Output<string>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: StatusJobArgs, opts: pulumi.ComponentResourceOptions = {}) {
    statusJobProblems(name, args).throwIfAny("StatusJob", name);
    super("disaster-recovery:index:StatusJob", name, args, opts);
    const { backupSchedule: schedule, backupTimeZone: timeZone } = args;
    const timing = jobTiming(kind, name, args);
    const config = jobConfigText(kind.job, args, { schedule, timeZone });
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
export function statusJobProblems(name: string, args: StatusJobArgs): ArgumentProblems {
  return jobProblems(kind, name, args, {
    propertyPath: "backupSchedule",
    expression: args.backupSchedule,
    timeZone: args.backupTimeZone,
  });
}
