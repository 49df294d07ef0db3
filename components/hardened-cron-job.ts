import { createHash } from "node:crypto";
import * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import {
  ExitCode,
  jobDeadlines,
  parseSchedule,
  RecoveryJob,
  scheduleProblems,
  scratchGib,
  spreadSchedule,
} from "../recovery";
import { ArgumentProblems } from "./argument-problems";
import {
  authorityMountPath,
  databaseEndpoints,
  expectJobArguments,
  type JobArgs,
  type JobResourcesArgs,
  passwordMountPath,
  type ProtectedDatabaseArgs,
} from "./job-arguments";
import { IdentityProvider, jobNetworkPolicy, NetworkPolicyKind } from "./job-network";
import { labelsOf } from "./labels-and-tags";

/** What makes one job different from the others. */
export interface JobKind {
  readonly job: RecoveryJob;
  /** The component's type, as in `BackupJob`. */
  readonly component: string;
  /** When it runs unless told otherwise. */
  readonly schedule: string;
  /** The words after `dr`. */
  readonly command: readonly string[];
  readonly resources: Required<JobResourcesArgs>;
  /** How often a run that failed is tried again; 2 and 3 never are. */
  readonly retries: number;
  /** Shared memory, which PostgreSQL's parallel index builds need more of than the 64 MiB of a container. @default none */
  readonly sharedMemory?: string;
}

/** When a job runs, and when it is given up. */
export interface JobTiming {
  /** The schedule in force: the one asked for, moved within its hour. */
  readonly schedule: string;
  readonly timeZone: string;
  readonly startingDeadlineSeconds: number;
  readonly activeDeadlineSeconds: number;
}

/** What a hardened job consists of. */
export interface HardenedCronJob {
  readonly cronJob: kubernetes.batch.v1.CronJob;
  readonly serviceAccount: kubernetes.core.v1.ServiceAccount;
}

const configFolder = "/etc/dr";
const configFile = "dr.json";
const scratchFolder = "/scratch";
// The image's user (job-images/Dockerfile). Known by number, since the kubelet cannot check a name for being root.
const userId = 10001;
const keptSeconds = 3 * 24 * 3600;

/** A schedule that a job reads about and does not run by. */
export interface OtherSchedule {
  readonly propertyPath: string;
  readonly expression: string;
  readonly timeZone?: string;
}

/** Everything that is wrong with a job's arguments. */
export function jobProblems(kind: JobKind, name: string, args: JobArgs, other?: OtherSchedule): ArgumentProblems {
  const problems = new ArgumentProblems();
  const schedule = args.schedule ?? kind.schedule;
  expectJobArguments(problems, name, args, schedule);
  if (other !== undefined) {
    for (const problem of scheduleProblems(other.expression, other.timeZone)) problems.add(other.propertyPath, problem);
  }
  problems.expectInteger("activeDeadlineSeconds", args.activeDeadlineSeconds, 1);
  if (scheduleProblems(schedule).length > 0) return problems;
  const { intervalSeconds } = jobDeadlines(parseSchedule(schedule));
  if ((args.activeDeadlineSeconds ?? 0) >= intervalSeconds) {
    problems.add(
      "activeDeadlineSeconds",
      `expected less than ${intervalSeconds}, after which the next run is due, got ${args.activeDeadlineSeconds}`,
    );
  }
  return problems;
}

/** When a job with nothing wrong with it runs. */
export function jobTiming(kind: JobKind, name: string, args: JobArgs): JobTiming {
  const schedule = spreadSchedule(args.schedule ?? kind.schedule, `${args.application}/${args.environment}/${name}`);
  const { startingDeadlineSeconds, activeDeadlineSeconds } = jobDeadlines(parseSchedule(schedule));
  return {
    schedule,
    timeZone: args.timeZone ?? "Etc/UTC",
    startingDeadlineSeconds,
    activeDeadlineSeconds: args.activeDeadlineSeconds ?? activeDeadlineSeconds,
  };
}

/**
 * A CronJob that runs `dr`, with its own service account, configuration and network policy. It holds no more rights than
 * its work needs: no root, no capabilities, nothing writable but its scratch volume, no token of the Kubernetes API.
 */
export function hardenedCronJob(
  name: string,
  kind: JobKind,
  args: JobArgs,
  timing: JobTiming,
  config: pulumi.Output<string>,
  opts: pulumi.CustomResourceOptions,
): HardenedCronJob {
  const marks = { application: args.application, environment: args.environment, component: `${kind.job}-job` };
  const labels = labelsOf(marks, name);
  const metadata = { name, namespace: args.namespace, labels };
  const identityProvider = args.identityProvider ?? IdentityProvider.PodIdentity;
  const serviceAccount = new kubernetes.core.v1.ServiceAccount(
    name,
    {
      metadata: {
        ...metadata,
        ...(identityProvider === IdentityProvider.Irsa
          ? { annotations: { "eks.amazonaws.com/role-arn": args.roleArn! } }
          : {}),
      },
      automountServiceAccountToken: false,
    },
    opts,
  );
  const configMap = new kubernetes.core.v1.ConfigMap(
    name,
    // Named by Pulumi: a changed configuration is a new object, and a running job keeps the one it started with.
    { metadata: { namespace: args.namespace, labels }, immutable: true, data: { [configFile]: config } },
    opts,
  );
  const podLabels = { "app.kubernetes.io/name": labels["app.kubernetes.io/name"]!, "app.kubernetes.io/instance": name };
  const networkPolicy = jobNetworkPolicy(
    name,
    {
      job: kind.job,
      kind: args.network?.kind ?? NetworkPolicyKind.Kubernetes,
      awsCidrs: args.network?.awsCidrs,
      databases: databaseEndpoints(args.databases),
      identityProvider,
      region: args.region,
      podLabels,
      metadata,
    },
    opts,
  );
  const cronJob = new kubernetes.batch.v1.CronJob(
    name,
    {
      metadata,
      spec: {
        schedule: timing.schedule,
        timeZone: timing.timeZone,
        concurrencyPolicy: "Forbid",
        startingDeadlineSeconds: timing.startingDeadlineSeconds,
        suspend: args.suspend ?? false,
        successfulJobsHistoryLimit: 3,
        failedJobsHistoryLimit: 5,
        jobTemplate: {
          metadata: { labels },
          spec: {
            activeDeadlineSeconds: timing.activeDeadlineSeconds,
            backoffLimit: kind.retries,
            ttlSecondsAfterFinished: keptSeconds,
            podFailurePolicy: podFailurePolicy(kind.job),
            template: {
              metadata: {
                labels,
                annotations: {
                  "recovery.config-hash": config.apply((text) => createHash("sha256").update(text).digest("hex")),
                  // A backup that is evicted to save a node starts again from nothing.
                  "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                  "karpenter.sh/do-not-disrupt": "true",
                },
              },
              spec: podSpec(kind, args, { serviceAccount, configMap }),
            },
          },
        },
      },
    },
    {
      ...opts,
      // A pod that starts before its limits do has none.
      dependsOn: networkPolicy === undefined ? [] : [networkPolicy],
      // Installed asleep, woken by a failover: no later `up` may put it to sleep again.
      ignoreChanges: args.suspend === true ? ["spec.suspend"] : [],
    },
  );
  return { cronJob, serviceAccount };
}

/**
 * What becomes of a run by its exit code: repeating a wrong configuration (2) or a judgement that could not be made (3)
 * cannot help, and a pod that lost its node has not failed.
 */
function podFailurePolicy(container: string): kubernetes.types.input.batch.v1.PodFailurePolicy {
  return {
    rules: [
      { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
      {
        action: "FailJob",
        onExitCodes: { containerName: container, operator: "In", values: [ExitCode.Usage, ExitCode.Inconclusive] },
      },
    ],
  };
}

function podSpec(
  kind: JobKind,
  args: JobArgs,
  parts: { serviceAccount: kubernetes.core.v1.ServiceAccount; configMap: kubernetes.core.v1.ConfigMap },
): kubernetes.types.input.core.v1.PodSpec {
  const mounts = mountsOf(kind, args);
  const resources = { ...kind.resources, ...definedOf(args.resources ?? {}) };
  return {
    serviceAccountName: parts.serviceAccount.metadata.name,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    restartPolicy: "Never",
    terminationGracePeriodSeconds: 60,
    ...(args.priorityClassName === undefined ? {} : { priorityClassName: args.priorityClassName }),
    ...(args.nodeSelector === undefined ? {} : { nodeSelector: args.nodeSelector }),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: userId,
      runAsGroup: userId,
      fsGroup: userId,
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [
      {
        name: kind.job,
        image: args.image,
        command: ["dr", ...kind.command],
        env: [
          { name: "DR_CONFIG", value: `${configFolder}/${configFile}` },
          { name: "TMPDIR", value: scratchFolder },
          { name: "HOME", value: scratchFolder },
          { name: "AWS_REGION", value: args.region },
        ],
        resources: {
          requests: { cpu: resources.cpu, memory: resources.memory },
          limits: { cpu: resources.cpuLimit, memory: resources.memory },
        },
        securityContext: {
          allowPrivilegeEscalation: false,
          privileged: false,
          readOnlyRootFilesystem: true,
          runAsNonRoot: true,
          capabilities: { drop: ["ALL"] },
        },
        terminationMessagePolicy: "FallbackToLogsOnError",
        volumeMounts: [
          { name: "config", mountPath: configFolder, readOnly: true },
          { name: "scratch", mountPath: scratchFolder },
          ...mounts.map(({ mount }) => mount),
        ],
      },
    ],
    volumes: [
      { name: "config", configMap: { name: parts.configMap.metadata.name } },
      {
        name: "scratch",
        ephemeral: { volumeClaimTemplate: { metadata: { labels: claimLabels(args) }, spec: scratchClaim(kind, args) } },
      },
      ...mounts.map(({ volume }) => volume),
    ],
  };
}

const claimLabels = ({ application }: JobArgs) => ({ "app.kubernetes.io/part-of": application });

function scratchClaim(kind: JobKind, args: JobArgs): kubernetes.types.input.core.v1.PersistentVolumeClaimSpec {
  const sizes = args.databases.map(({ sizeGib }) => sizeGib);
  return {
    accessModes: ["ReadWriteOnce"],
    ...(args.storageClassName === undefined ? {} : { storageClassName: args.storageClassName }),
    resources: { requests: { storage: `${scratchGib(kind.job, sizes)}Gi` } },
  };
}

interface Mount {
  readonly volume: kubernetes.types.input.core.v1.Volume;
  readonly mount: kubernetes.types.input.core.v1.VolumeMount;
}

/** What a job mounts beside its configuration and scratch volume; passwords only where somebody logs in. */
function mountsOf(kind: JobKind, { databases }: JobArgs): Mount[] {
  const shared: Mount[] =
    kind.sharedMemory === undefined
      ? []
      : [
          {
            volume: { name: "shared-memory", emptyDir: { medium: "Memory", sizeLimit: kind.sharedMemory } },
            mount: { name: "shared-memory", mountPath: "/dev/shm" },
          },
        ];
  return [...shared, ...(kind.job === RecoveryJob.Backup ? databases.flatMap(loginMounts) : [])];
}

function loginMounts({ name, passwordSecret, certificateAuthority }: ProtectedDatabaseArgs): Mount[] {
  const mounts: Mount[] = [];
  if (passwordSecret !== undefined) {
    const items = [{ key: passwordSecret.key, path: "password" }];
    mounts.push({
      // Readable by the group: the kubelet gives secrets to root, and the pod's group with them.
      volume: { name: `password-${name}`, secret: { secretName: passwordSecret.name, items, defaultMode: 0o440 } },
      mount: { name: `password-${name}`, mountPath: passwordMountPath(name), readOnly: true },
    });
  }
  if (certificateAuthority !== undefined) {
    const items = [{ key: certificateAuthority.key, path: "ca.pem" }];
    mounts.push({
      volume: { name: `authority-${name}`, configMap: { name: certificateAuthority.name, items } },
      mount: { name: `authority-${name}`, mountPath: authorityMountPath(name), readOnly: true },
    });
  }
  return mounts;
}

function definedOf<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Partial<T>;
}
