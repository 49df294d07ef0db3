import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { Engine, RecoveryJob, scheduleProblems } from "../recovery";
import { ArgumentProblems } from "./argument-problems";
import { claimLabels, hardenedPod, podMetadata, podSurroundings, type PodWork } from "./hardened-pod";
import {
  expectPodArguments,
  jobConfigText,
  type ProtectedDatabaseArgs,
  type RecoveryPodArgs,
  spoolGib,
  spoolMountPath,
} from "./job-arguments";

export interface WalArchiveArgs extends RecoveryPodArgs {
  /** One self-managed PostgreSQL database, with `wal`. */
  databases: ProtectedDatabaseArgs[];
  /** IANA time zone of the base backups' schedule. @default "Etc/UTC" */
  timeZone?: string;
}

/**
 * Brings the log of a self-managed PostgreSQL server into the store as it is written, so that any moment can be
 * recovered: one pod that runs `dr stream`, which also takes the base backups and commits the heartbeat. Nothing is
 * installed on the database's host; `dr prepare` makes the replication slot that it reads through.
 *
 * There is one pod and never two, since a slot has one reader. While it is away the slot keeps the log on the server,
 * and `max_slot_wal_keep_size` there says for how long: set it, or the log fills the server's disk.
 *
 * ```ts
 * new WalArchive("architect-wal", {
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
 *       engine: Engine.Postgres,
 *       url: "postgresql://backup@db.internal:5432/architect?sslmode=verify-full",
 *       sizeGib: 40,
 *       cidrs: ["10.0.4.0/24"],
 *       wal: { flushSeconds: 60 },
 *     },
 *   ],
 * });
 * ```
 */
export class WalArchive extends pulumi.ComponentResource {
  /** Name of the StatefulSet; its pod is this name and `-0`. */
  public readonly statefulSetName: pulumi.Output<string>;
  public readonly serviceAccountName: pulumi.Output<string>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: WalArchiveArgs, opts: pulumi.ComponentResourceOptions = {}) {
    walArchiveProblems(name, args).throwIfAny("WalArchive", name);
    super("disaster-recovery:index:WalArchive", name, args, opts);
    const [database] = args.databases;
    const work: PodWork = {
      job: RecoveryJob.Stream,
      command: ["stream", database!.name],
      // A base backup is compressed on the way.
      resources: { cpu: "250m", cpuLimit: "2", memory: "768Mi" },
    };
    const config = jobConfigText(work.job, args, args.timeZone === undefined ? undefined : { timeZone: args.timeZone });
    const surroundings = podSurroundings(name, "wal-archive", work.job, args, config, { parent: this });
    const { metadata, labels, serviceAccount, dependsOn } = surroundings;
    const statefulSet = new kubernetes.apps.v1.StatefulSet(
      name,
      {
        metadata,
        spec: {
          replicas: args.suspend === true ? 0 : 1,
          serviceName: name,
          selector: { matchLabels: podLabelsOf(labels) },
          updateStrategy: { type: "RollingUpdate" },
          // What is in the spool and not in the store yet is nowhere else.
          persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
          template: {
            metadata: podMetadata(surroundings),
            spec: hardenedPod(work, args, surroundings, {
              mounts: [{ mount: { name: "spool", mountPath: spoolMountPath } }],
            }),
          },
          volumeClaimTemplates: [
            {
              metadata: { name: "spool", labels: claimLabels(args) },
              spec: {
                accessModes: ["ReadWriteOnce"],
                ...(args.storageClassName === undefined ? {} : { storageClassName: args.storageClassName }),
                resources: { requests: { storage: `${spoolGib(database!.wal!)}Gi` } },
              },
            },
          ],
        },
      },
      {
        parent: this,
        dependsOn,
        // Installed asleep, woken by a failover: no later `up` may put it to sleep again.
        ignoreChanges: args.suspend === true ? ["spec.replicas"] : [],
      },
    );
    this.statefulSetName = statefulSet.metadata.name;
    this.serviceAccountName = serviceAccount.metadata.name;
    this.registerOutputs({ statefulSetName: this.statefulSetName, serviceAccountName: this.serviceAccountName });
  }
}

const podLabelsOf = (labels: Readonly<Record<string, string>>) => ({
  "app.kubernetes.io/name": labels["app.kubernetes.io/name"]!,
  "app.kubernetes.io/instance": labels["app.kubernetes.io/instance"]!,
});

/** Everything that is wrong with the arguments. */
export function walArchiveProblems(name: string, args: WalArchiveArgs): ArgumentProblems {
  const problems = new ArgumentProblems();
  expectPodArguments(problems, name, args, [Engine.Postgres]);
  if (args.databases.length > 1) {
    problems.add("databases", `expected one, got ${args.databases.length}: a slot has one reader`);
  }
  if (args.databases[0]?.wal === undefined) problems.add("databases[0].wal", "is missing: `{}` is the least");
  // The schedule of the base backups has been checked; what is left is the zone that it is read in.
  for (const problem of scheduleProblems("0 0 * * *", args.timeZone)) problems.add("timeZone", problem);
  return problems;
}
