import * as pulumi from "@pulumi/pulumi";
import { Engine, RecoveryJob } from "../recovery";
import { type ArgumentProblems } from "./argument-problems";
import { defaultBackupSchedule } from "./backup-job";
import { hardenedCronJob, type JobKind, jobProblems, jobTiming, type JobTiming } from "./hardened-cron-job";
import { type PodPlacement } from "./hardened-pod";
import { fileMountPath, type JobArgs, jobConfigText, type ProtectedDatabaseArgs } from "./job-arguments";
import { sqlitePodLabels } from "./labels-and-tags";

export interface SqliteBackupJobArgs extends JobArgs {
  /** The application's namespace: a volume claim is used in its own alone. */
  namespace: pulumi.Input<string>;
  /** One database of engine `sqlite`. */
  databases: ProtectedDatabaseArgs[];
  /** Cron schedule as Kubernetes reads it. @default every six hours (guide, "Backup Schedule") */
  schedule?: string;
  /** A run is stopped after this time: it holds the volume. @default nine tenths of the schedule's smallest gap, at most an hour */
  activeDeadlineSeconds?: number;
}

const kind: JobKind = {
  job: RecoveryJob.Backup,
  engines: [Engine.Sqlite],
  component: "SqliteBackupJob",
  schedule: defaultBackupSchedule,
  command: ["backup", "--json"],
  resources: { cpu: "250m", cpuLimit: "2", memory: "512Mi" },
  retries: 2,
};

// While the application is down, its volume is where the backup is; the application has to wait for it to end.
const longestRunSeconds = 3600;

/**
 * Backs up a SQLite file on a schedule, beside the application that has it open: on its node, as its user, with its
 * volume writable, since even a reader of a database in WAL mode writes to the files beside it.
 *
 * The application's pods carry the label `recovery.sqlite/NAME: file` (`SqliteReplication` has it as an output). Where
 * one runs, the backup goes to its node; where none does, the backup's own label satisfies the rule, and the file is
 * backed up as the application left it. A `ReadWriteOncePod` volume admits no second pod and cannot be backed up so.
 *
 * ```ts
 * new SqliteBackupJob("notes-backup", {
 *   application: "notes",
 *   environment: "prod",
 *   region: "eu-central-1",
 *   namespace: "notes",
 *   image: "registry.example.com/dr@sha256:...",
 *   storeUrl: bucket.storeUrl,
 *   retention: {},
 *   databases: [
 *     {
 *       name: "notes",
 *       engine: Engine.Sqlite,
 *       sizeGib: 1,
 *       file: { claimName: "data-notes-0", pathOnVolume: "notes.db", userId: 1000 },
 *     },
 *   ],
 * });
 * ```
 */
export class SqliteBackupJob extends pulumi.ComponentResource {
  /** Name of the CronJob: `kubectl create job --from=cronjob/NAME` takes a backup now. */
  public readonly cronJobName: pulumi.Output<string>;
  public readonly serviceAccountName: pulumi.Output<string>;
  /** The schedule in force, moved within its hour. */
  public readonly schedule: pulumi.Output<string>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: SqliteBackupJobArgs, opts: pulumi.ComponentResourceOptions = {}) {
    sqliteBackupJobProblems(name, args).throwIfAny("SqliteBackupJob", name);
    super("disaster-recovery:index:SqliteBackupJob", name, args, opts);
    const timing = timingOf(name, args);
    const config = jobConfigText(kind.job, args, { schedule: timing.schedule, timeZone: timing.timeZone });
    const placement = besideApplication(args.databases[0]!);
    const made = hardenedCronJob(name, kind, args, timing, config, { parent: this }, placement);
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

function timingOf(name: string, args: SqliteBackupJobArgs): JobTiming {
  const timing = jobTiming(kind, name, args);
  const { activeDeadlineSeconds = Math.min(timing.activeDeadlineSeconds, longestRunSeconds) } = args;
  return { ...timing, activeDeadlineSeconds };
}

function besideApplication({ name, file }: ProtectedDatabaseArgs): PodPlacement {
  const { claimName, userId, groupId = userId } = file!;
  const labels = sqlitePodLabels(name);
  return {
    user: { userId, groupId },
    labels,
    affinity: {
      podAffinity: {
        // A pod that satisfies the rule itself is scheduled where no other pod does (Kubernetes, "Assigning Pods to Nodes").
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: labels }, topologyKey: "kubernetes.io/hostname" },
        ],
      },
    },
    mounts: [
      {
        volume: { name: "data", persistentVolumeClaim: { claimName } },
        mount: { name: "data", mountPath: fileMountPath(file!) },
      },
    ],
  };
}

/** Everything that is wrong with the arguments. */
export function sqliteBackupJobProblems(name: string, args: SqliteBackupJobArgs): ArgumentProblems {
  const problems = jobProblems(kind, name, args);
  if (args.databases.length > 1) {
    problems.add("databases", `expected one, got ${args.databases.length}: each file is backed up beside its own pods`);
  }
  return problems;
}
