import { createHash } from "node:crypto";
import * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { copyScratchGib, RecoveryJob, scratchGib } from "../recovery";
import {
  authorityMountPath,
  databaseEndpoints,
  type JobResourcesArgs,
  loggingIn,
  passwordMountPath,
  type ProtectedDatabaseArgs,
  type RecoveryPodArgs,
} from "./job-arguments";
import { IdentityProvider, jobNetworkPolicy, NetworkPolicyKind } from "./job-network";
import { labelsOf } from "./labels-and-tags";

/** What a pod of `dr` does, and what it needs for that. */
export interface PodWork {
  readonly job: RecoveryJob;
  /** The words after `dr`. */
  readonly command: readonly string[];
  readonly resources: Required<JobResourcesArgs>;
  /** Shared memory, which PostgreSQL's parallel index builds need more of than the 64 MiB of a container. @default none */
  readonly sharedMemory?: string;
}

/** A volume beside configuration, scratch and secrets, and where it is mounted. */
export interface Mount {
  /** Absent where the pod's owner brings the volume. */
  readonly volume?: kubernetes.types.input.core.v1.Volume;
  readonly mount: kubernetes.types.input.core.v1.VolumeMount;
}

/** Whose files a pod works on, where it is not the image's own user. */
export interface PodUser {
  readonly userId: number;
  readonly groupId: number;
}

/** What one pod has that others have not. */
export interface PodPlacement {
  /** @default the image's */
  readonly user?: PodUser;
  /** @default none */
  readonly mounts?: readonly Mount[];
  /** @default none */
  readonly labels?: Readonly<Record<string, string>>;
  /** @default any node */
  readonly affinity?: kubernetes.types.input.core.v1.Affinity;
}

/** What surrounds the pods of one component: whom they are, what they are told, whom they reach. */
export interface PodSurroundings {
  readonly metadata: { name: string; namespace: pulumi.Input<string>; labels: Record<string, string> };
  readonly labels: Record<string, string>;
  readonly serviceAccount: kubernetes.core.v1.ServiceAccount;
  readonly configMap: kubernetes.core.v1.ConfigMap;
  readonly config: pulumi.Output<string>;
  /** What has to be there before a pod starts. */
  readonly dependsOn: pulumi.Resource[];
}

const configFolder = "/etc/dr";
const configFile = "dr.json";
const scratchFolder = "/scratch";
// The image's user (job-images/Dockerfile). Known by number, since the kubelet cannot check a name for being root.
const imageUser: PodUser = { userId: 10001, groupId: 10001 };

/** Registers what surrounds a component's pods. */
export function podSurroundings(
  name: string,
  component: string,
  job: RecoveryJob,
  args: RecoveryPodArgs,
  config: pulumi.Output<string>,
  opts: pulumi.CustomResourceOptions,
): PodSurroundings {
  const marks = { application: args.application, environment: args.environment, component };
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
  const networkPolicy = jobNetworkPolicy(
    name,
    {
      job,
      kind: args.network?.kind ?? NetworkPolicyKind.Kubernetes,
      awsCidrs: args.network?.awsCidrs,
      databases: databaseEndpoints(job, args.databases),
      identityProvider,
      region: args.region,
      podLabels: { "app.kubernetes.io/name": component, "app.kubernetes.io/instance": name },
      metadata,
    },
    opts,
  );
  // A pod that starts before its limits do has none.
  const dependsOn = networkPolicy === undefined ? [] : [networkPolicy];
  return { metadata, labels, serviceAccount, configMap, config, dependsOn };
}

/** The metadata of the pods: a changed configuration is a changed pod, and no autoscaler may end one. */
export function podMetadata(
  { labels, config }: PodSurroundings,
  placement: PodPlacement = {},
): kubernetes.types.input.meta.v1.ObjectMeta {
  return {
    labels: { ...placement.labels, ...labels },
    annotations: {
      "recovery.config-hash": config.apply((text) => createHash("sha256").update(text).digest("hex")),
      // A backup that is evicted to save a node starts again from nothing.
      "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
      "karpenter.sh/do-not-disrupt": "true",
    },
  };
}

/**
 * A pod with one container that runs `dr`. It holds no more rights than its work needs: no root, no capabilities, nothing
 * writable but its own volumes, no token of the Kubernetes API.
 */
export function hardenedPod(
  work: PodWork,
  args: RecoveryPodArgs,
  { serviceAccount, configMap }: PodSurroundings,
  placement: PodPlacement = {},
): kubernetes.types.input.core.v1.PodSpec {
  const mounts = [...mountsOf(work, args), ...(placement.mounts ?? [])];
  const resources = { ...work.resources, ...definedOf(args.resources ?? {}) };
  const { userId, groupId } = placement.user ?? imageUser;
  return {
    serviceAccountName: serviceAccount.metadata.name,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 60,
    ...(args.priorityClassName === undefined ? {} : { priorityClassName: args.priorityClassName }),
    ...(args.nodeSelector === undefined ? {} : { nodeSelector: args.nodeSelector }),
    ...(placement.affinity === undefined ? {} : { affinity: placement.affinity }),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: userId,
      runAsGroup: groupId,
      fsGroup: groupId,
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [
      {
        name: work.job,
        image: args.image,
        command: ["dr", ...work.command],
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
        securityContext: hardenedContainer,
        terminationMessagePolicy: "FallbackToLogsOnError",
        volumeMounts: [
          { name: "config", mountPath: configFolder, readOnly: true },
          { name: "scratch", mountPath: scratchFolder },
          ...mounts.map(({ mount }) => mount),
        ],
      },
    ],
    volumes: [
      { name: "config", configMap: { name: configMap.metadata.name } },
      {
        name: "scratch",
        ephemeral: { volumeClaimTemplate: { metadata: { labels: claimLabels(args) }, spec: scratchClaim(work, args) } },
      },
      ...mounts.flatMap(({ volume }) => volume ?? []),
    ],
  };
}

/** What no container of a recovery may do. */
export const hardenedContainer = {
  allowPrivilegeEscalation: false,
  privileged: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
};

export const claimLabels = ({ application }: Pick<RecoveryPodArgs, "application">) => ({
  "app.kubernetes.io/part-of": application,
});

function scratchClaim(
  { job }: PodWork,
  args: RecoveryPodArgs,
): kubernetes.types.input.core.v1.PersistentVolumeClaimSpec {
  const sizes = args.databases.map(({ sizeGib }) => sizeGib);
  const copied = args.databases.filter(({ file }) => file !== undefined).map(({ sizeGib }) => sizeGib);
  const incremental = args.databases.some(({ wal }) => (wal?.incrementalsPerFull ?? 0) > 0);
  const own = scratchGib(job, sizes, incremental);
  const gib = job === RecoveryJob.Backup ? Math.max(own, copyScratchGib(copied)) : own;
  return {
    accessModes: ["ReadWriteOnce"],
    ...(args.storageClassName === undefined ? {} : { storageClassName: args.storageClassName }),
    resources: { requests: { storage: `${gib}Gi` } },
  };
}

/** What a job mounts beside its configuration and scratch volume; passwords only where somebody logs in. */
function mountsOf({ job, sharedMemory }: PodWork, { databases }: RecoveryPodArgs): Mount[] {
  const shared: Mount[] =
    sharedMemory === undefined
      ? []
      : [
          {
            volume: { name: "shared-memory", emptyDir: { medium: "Memory", sizeLimit: sharedMemory } },
            mount: { name: "shared-memory", mountPath: "/dev/shm" },
          },
        ];
  return [...shared, ...(loggingIn.includes(job) ? databases.flatMap(loginMounts) : [])];
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
