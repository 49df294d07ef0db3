import * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { ArgumentProblems } from "./argument-problems";
import { BackupJob, backupJobProblems, defaultBackupSchedule } from "./backup-job";
import {
  type JobArgs,
  type JobObjectivesArgs,
  type JobResourcesArgs,
  type ProtectedDatabaseArgs,
} from "./job-arguments";
import { IdentityProvider, type JobNetworkArgs } from "./job-network";
import { labelsOf } from "./labels-and-tags";
import { type OidcProviderArgs, RecoveryIdentity, recoveryIdentityProblems } from "./recovery-identity";
import { RestoreTestJob, restoreTestJobProblems } from "./restore-test-job";
import { StatusJob } from "./status-job";

/** The cluster that the jobs run in. */
export interface ClusterArgs {
  /** The jobs' namespace. */
  namespace: string;
  /** Make the namespace, under the `restricted` pod security standard. @default false: it exists */
  createNamespace?: boolean;
  /** The EKS cluster's name. Required with Pod Identity. */
  clusterName?: string;
  /** @default pod-identity */
  identityProvider?: IdentityProvider;
  /** Required with IRSA. */
  oidcProvider?: OidcProviderArgs;
  network?: JobNetworkArgs;
  /** @default the cluster's */
  storageClassName?: string;
  /** @default the cluster's */
  priorityClassName?: string;
}

/** When a job runs, and with what. */
export interface JobScheduleArgs {
  /** Cron schedule as Kubernetes reads it. */
  schedule?: string;
  /** IANA time zone of the schedule. @default "Etc/UTC" */
  timeZone?: string;
  /** @default nine tenths of the schedule's smallest gap, at most 6 hours */
  activeDeadlineSeconds?: number;
  resources?: JobResourcesArgs;
}

/** Everything that the jobs of one application in one cluster are made from. */
export interface RecoveryJobsSettings {
  readonly application: string;
  readonly environment: string;
  readonly region: string;
  readonly accountId: string;
  readonly cluster: ClusterArgs;
  readonly image: string;
  readonly databases: ProtectedDatabaseArgs[];
  readonly objectives?: JobObjectivesArgs;
  readonly store: {
    readonly url: pulumi.Input<string>;
    readonly bucketArn: pulumi.Input<string>;
    readonly dataKeyArn?: pulumi.Input<string | undefined>;
  };
  readonly backup?: JobScheduleArgs;
  readonly restoreTest?: JobScheduleArgs;
  /** Install backup and restore test without starting them. The status is judged all the same. */
  readonly asleep: boolean;
  readonly tags?: Record<string, string>;
}

/** The jobs of one application in one cluster, and the identities that they work as. */
export interface RecoveryJobs {
  readonly identity: RecoveryIdentity;
  readonly backup: BackupJob;
  readonly restoreTest: RestoreTestJob;
  readonly status: StatusJob;
}

/** What of the settings can be wrong. */
export type RecoveryJobsArgs = Omit<RecoveryJobsSettings, "store" | "asleep">;

/** Everything that is wrong with the settings, by the names that the composing components' arguments have. */
export function recoveryJobsProblems(name: string, args: RecoveryJobsArgs): ArgumentProblems {
  const { application, environment, region, accountId, cluster } = args;
  const problems = new ArgumentProblems();
  // What is only known later is not checked here, so that anything may stand for it.
  const roleArn = "known later";
  const storeUrl = "known later";
  const { identityProvider, network, namespace, clusterName, oidcProvider } = cluster;
  const { image, databases, objectives } = args;
  const scope = { application, environment, region };
  const common = { ...scope, namespace, image, databases, objectives, identityProvider, network, roleArn, storeUrl };
  const clusterPath = (path: string): string =>
    path in cluster || path.startsWith("network.") ? `cluster.${path}` : path;
  const jobPath = (job: string) => (path: string) =>
    ["schedule", "activeDeadlineSeconds"].includes(path) ? `${job}.${path}` : clusterPath(path);
  problems.addAll(backupJobProblems(`${name}-backup`, { ...common, ...args.backup }), jobPath("backup"));
  problems.addAll(
    restoreTestJobProblems(`${name}-restore-test`, { ...common, ...args.restoreTest }),
    jobPath("restoreTest"),
  );
  const serviceAccount = { namespace, name };
  problems.addAll(
    recoveryIdentityProblems({
      ...scope,
      accountId,
      bucketArn: "known later",
      serviceAccounts: { backupWriter: serviceAccount },
      identityProvider,
      clusterName,
      oidcProvider,
    }),
    (path) => (/^(identityProvider|clusterName|oidcProvider)/.test(path) ? `cluster.${path}` : path),
  );
  return problems;
}

/** The namespace, the identities, the jobs and the service account of a restore by hand. */
export function recoveryJobs(name: string, settings: RecoveryJobsSettings, parent: pulumi.Resource): RecoveryJobs {
  const { application, environment, region, cluster, store } = settings;
  const namespace = namespaceOf(name, settings, parent);
  const names = {
    backup: `${name}-backup`,
    restore: `${name}-restore`,
    restoreTest: `${name}-restore-test`,
    status: `${name}-status`,
  };
  const identity = new RecoveryIdentity(
    `${name}-identity`,
    {
      application,
      environment,
      region,
      accountId: settings.accountId,
      bucketArn: store.bucketArn,
      dataKeyArn: store.dataKeyArn,
      identityProvider: cluster.identityProvider,
      clusterName: cluster.clusterName,
      oidcProvider: cluster.oidcProvider,
      serviceAccounts: {
        backupWriter: { namespace, name: names.backup },
        restoreReader: { namespace, name: names.restore },
        evidenceWriter: { namespace, name: names.restoreTest },
        auditor: { namespace, name: names.status },
      },
      tags: settings.tags,
    },
    { parent },
  );
  restoreServiceAccount(names.restore, settings, namespace, identity, parent);
  const common = {
    application,
    environment,
    region,
    namespace,
    image: settings.image,
    storeUrl: store.url,
    databases: settings.databases,
    objectives: settings.objectives,
    identityProvider: cluster.identityProvider,
    network: cluster.network,
    storageClassName: cluster.storageClassName,
    priorityClassName: cluster.priorityClassName,
  } satisfies Partial<JobArgs>;
  // A pod that starts before its role is there gets no credentials, and keeps none.
  const opts = { parent, dependsOn: [identity] };
  const roleArnOf = (arn: pulumi.Output<string | undefined>) => arn as pulumi.Output<string>;
  return {
    identity,
    backup: new BackupJob(
      names.backup,
      { ...common, ...settings.backup, roleArn: roleArnOf(identity.backupWriterRoleArn), suspend: settings.asleep },
      opts,
    ),
    restoreTest: new RestoreTestJob(
      names.restoreTest,
      {
        ...common,
        ...settings.restoreTest,
        roleArn: roleArnOf(identity.evidenceWriterRoleArn),
        suspend: settings.asleep,
      },
      opts,
    ),
    status: new StatusJob(
      names.status,
      {
        ...common,
        roleArn: roleArnOf(identity.auditorRoleArn),
        backupSchedule: settings.backup?.schedule ?? defaultBackupSchedule,
        backupTimeZone: settings.backup?.timeZone,
      },
      opts,
    ),
  };
}

function namespaceOf(name: string, settings: RecoveryJobsSettings, parent: pulumi.Resource): pulumi.Input<string> {
  const { application, environment, cluster } = settings;
  if (cluster.createNamespace !== true) return cluster.namespace;
  const labels = labelsOf({ application, environment, component: "namespace" }, name);
  return new kubernetes.core.v1.Namespace(
    `${name}-namespace`,
    {
      metadata: {
        name: cluster.namespace,
        labels: { ...labels, "pod-security.kubernetes.io/enforce": "restricted" },
      },
    },
    { parent },
  ).metadata.name;
}

/** The service account that a restore by hand runs under: there before the night in which it is needed. */
function restoreServiceAccount(
  name: string,
  settings: RecoveryJobsSettings,
  namespace: pulumi.Input<string>,
  identity: RecoveryIdentity,
  parent: pulumi.Resource,
): void {
  const { application, environment, cluster } = settings;
  const annotations =
    cluster.identityProvider === IdentityProvider.Irsa
      ? { "eks.amazonaws.com/role-arn": identity.restoreReaderRoleArn as pulumi.Output<string> }
      : undefined;
  new kubernetes.core.v1.ServiceAccount(
    name,
    {
      metadata: {
        name,
        namespace,
        labels: labelsOf({ application, environment, component: "restore-job" }, name),
        annotations,
      },
      automountServiceAccountToken: false,
    },
    { parent },
  );
}
