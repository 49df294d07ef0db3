import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { ArgumentProblems } from "./argument-problems";
import { Engine } from "../recovery";
import { type BackupRetentionArgs } from "./backup-bucket";
import { BackupJob, backupJobProblems, defaultBackupSchedule } from "./backup-job";
import {
  type JobArgs,
  type JobObjectivesArgs,
  type JobResourcesArgs,
  type ProtectedDatabaseArgs,
} from "./job-arguments";
import { IdentityProvider, type JobNetworkArgs } from "./job-network";
import { labelsOf } from "./labels-and-tags";
import { PointInTimeTestJob, pointInTimeTestJobProblems } from "./point-in-time-test-job";
import { ProofJob, proofJobProblems } from "./proof-job";
import { ReaperJob, reaperJobProblems } from "./reaper-job";
import {
  type OidcProviderArgs,
  RecoveryIdentity,
  recoveryIdentityProblems,
  type ServiceAccountArgs,
} from "./recovery-identity";
import { RestoreTestJob, restoreTestJobProblems } from "./restore-test-job";
import { SqliteBackupJob, sqliteBackupJobProblems } from "./sqlite-backup-job";
import { SqliteReplication, sqliteReplicationProblems } from "./sqlite-replication";
import { StatusJob } from "./status-job";
import { WalArchive, walArchiveProblems } from "./wal-archive";

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
  /** Required with IRSA, and for streams of SQLite files, since Litestream knows no Pod Identity. */
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
    readonly retention?: BackupRetentionArgs;
  };
  readonly backup?: JobScheduleArgs;
  readonly restoreTest?: JobScheduleArgs;
  readonly proof?: JobScheduleArgs;
  readonly pointInTimeTest?: JobScheduleArgs;
  /** Install what backs up and proves without starting it. The status is judged, and throw-aways deleted, all the same. */
  readonly asleep: boolean;
  readonly tags?: Record<string, string>;
}

/** The jobs of one application in one cluster, and the identities that they work as. */
export interface RecoveryJobs {
  readonly identity: RecoveryIdentity;
  /** Absent where no database is a server. */
  readonly backup: BackupJob | undefined;
  readonly restoreTest: RestoreTestJob;
  readonly status: StatusJob;
  /** By database. */
  readonly sqliteBackups: ReadonlyMap<string, SqliteBackupJob>;
  readonly sqliteReplications: ReadonlyMap<string, SqliteReplication>;
  readonly streamTests: ReadonlyMap<string, RestoreTestJob>;
  readonly walArchives: ReadonlyMap<string, WalArchive>;
  readonly proofs: ReadonlyMap<string, ProofJob>;
  readonly pointInTimeTests: ReadonlyMap<string, PointInTimeTestJob>;
  /** Absent where RDS restores no database. */
  readonly reaper: ReaperJob | undefined;
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
  const parts = partsOf(name, databases, namespace);
  // What a job says of its only database is about that one among all.
  const ofDatabase = (own: ProtectedDatabaseArgs, path: (path: string) => string) => (inner: string) =>
    path(inner.replace(/^databases\[0\]|^database\b/, `databases[${databases.indexOf(own)}]`));
  if (parts.servers.length > 0 || databases.length === 0) {
    const servers = parts.servers.map((database) => databases.indexOf(database));
    const path = (inner: string) =>
      jobPath("backup")(
        inner.replace(/^databases\[(\d+)\]/, (_all, at: string) => `databases[${servers[Number(at)]}]`),
      );
    problems.addAll(backupJobProblems(`${name}-backup`, { ...common, databases: parts.servers, ...args.backup }), path);
  }
  for (const { database, account } of parts.files) {
    problems.addAll(
      sqliteBackupJobProblems(account.name, { ...common, databases: [database], ...args.backup }),
      ofDatabase(database, jobPath("backup")),
    );
  }
  for (const { database, account } of parts.logs) {
    problems.addAll(
      walArchiveProblems(account.name, { ...common, databases: [database], timeZone: args.backup?.timeZone }),
      ofDatabase(database, clusterPath),
    );
  }
  for (const { database, account } of parts.proofs) {
    problems.addAll(
      proofJobProblems(account.name, { ...common, databases: [database], ...args.proof }),
      ofDatabase(database, jobPath("proof")),
    );
  }
  for (const { database, account } of parts.restoredByRds) {
    problems.addAll(
      pointInTimeTestJobProblems(account.name, { ...common, databases: [database], ...args.pointInTimeTest }),
      ofDatabase(database, jobPath("pointInTimeTest")),
    );
  }
  if (parts.restoredByRds.length > 0) {
    const own = parts.restoredByRds.map(({ database }) => database);
    problems.addAll(reaperJobProblems(`${name}-reaper`, { ...common, databases: own }), (path) =>
      clusterPath(
        path.replace(/^databases\[(\d+)\]/, (_all, at: string) => `databases[${databases.indexOf(own[Number(at)]!)}]`),
      ),
    );
  }
  for (const { database, account } of parts.streams) {
    problems.addAll(
      restoreTestJobProblems(account.name, { ...common, databases: [database], fromStream: true, ...args.restoreTest }),
      ofDatabase(database, jobPath("restoreTest")),
    );
    const replication = {
      ...scope,
      accountId,
      namespace,
      image,
      storeUrl,
      bucketArn: storeUrl,
      database,
      oidcProvider,
    };
    problems.addAll(
      sqliteReplicationProblems(`${name}-stream-${database.name}`, replication),
      ofDatabase(database, (path) => (path.startsWith("oidcProvider") ? `cluster.${path}` : path)),
    );
  }
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

/** One database, and the service account of the pods that work on it alone. */
interface DatabasePart {
  readonly database: ProtectedDatabaseArgs;
  readonly account: { readonly namespace: pulumi.Input<string>; readonly name: string };
}

/** Which databases are backed up how, and by whom. */
function partsOf(name: string, databases: readonly ProtectedDatabaseArgs[], namespace: pulumi.Input<string>) {
  const part =
    (suffix: string) =>
    (database: ProtectedDatabaseArgs): DatabasePart => ({
      database,
      account: { namespace, name: `${name}-${suffix}-${database.name}` },
    });
  const isFile = ({ engine }: ProtectedDatabaseArgs): boolean => engine === Engine.Sqlite;
  const files = databases.filter(isFile);
  const streams = files.filter(({ stream }) => stream !== undefined);
  return {
    servers: databases.filter((database) => !isFile(database)),
    // The volume of the file is in the application's namespace, and so is whoever mounts it.
    files: files.map((database) => {
      const { database: own, account } = part("backup")(database);
      return { database: own, account: { ...account, namespace: database.file?.namespace ?? namespace } };
    }),
    streams: streams.map(part("stream-test")),
    logs: databases.filter((database) => !isFile(database) && database.wal !== undefined).map(part("wal")),
    proofs: databases.map(part("prove")),
    restoredByRds: databases.filter(({ rds }) => rds !== undefined).map(part("pitr-test")),
  };
}

/** The namespace, the identities, the jobs and the service account of a restore by hand. */
export function recoveryJobs(name: string, settings: RecoveryJobsSettings, parent: pulumi.Resource): RecoveryJobs {
  const { application, environment, region, cluster, store, asleep: suspend } = settings;
  const namespace = namespaceOf(name, settings, parent);
  const names = {
    backup: `${name}-backup`,
    restore: `${name}-restore`,
    restoreTest: `${name}-restore-test`,
    status: `${name}-status`,
    reaper: `${name}-reaper`,
  };
  const parts = partsOf(name, settings.databases, namespace);
  const hasRds = parts.restoredByRds.length > 0;
  const accountsOf = (list: readonly DatabasePart[]): ServiceAccountArgs[] => list.map(({ account }) => account);
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
        backupWriter: parts.servers.length === 0 ? undefined : { namespace, name: names.backup },
        moreBackupWriters: accountsOf([...parts.files, ...parts.logs]),
        restoreReader: { namespace, name: names.restore },
        evidenceWriter: { namespace, name: names.restoreTest },
        moreEvidenceWriters: accountsOf([...parts.streams, ...parts.proofs, ...parts.restoredByRds]),
        auditor: { namespace, name: names.status },
        reaper: hasRds ? { namespace, name: names.reaper } : undefined,
      },
      rdsSources: parts.restoredByRds.map(({ database }) => database.rds!),
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
    retention: store.retention,
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
  const writer = { ...common, roleArn: roleArnOf(identity.backupWriterRoleArn), suspend };
  const prover = { ...common, roleArn: roleArnOf(identity.evidenceWriterRoleArn), suspend };
  const { backup, restoreTest, proof, pointInTimeTest } = settings;
  const each = <Made>(list: readonly DatabasePart[], make: (name: string, part: DatabasePart) => Made) =>
    new Map(list.map((part) => [part.database.name, make(part.account.name, part)]));
  return {
    identity,
    backup:
      parts.servers.length === 0
        ? undefined
        : new BackupJob(names.backup, { ...writer, databases: parts.servers, ...backup }, opts),
    restoreTest: new RestoreTestJob(names.restoreTest, { ...prover, ...restoreTest }, opts),
    status: new StatusJob(
      names.status,
      {
        ...common,
        roleArn: roleArnOf(identity.auditorRoleArn),
        backupSchedule: backup?.schedule ?? defaultBackupSchedule,
        backupTimeZone: backup?.timeZone,
      },
      opts,
    ),
    sqliteBackups: each(parts.files, (own, { database, account }) => {
      const args = { ...writer, namespace: account.namespace, databases: [database], ...backup };
      return new SqliteBackupJob(own, args, opts);
    }),
    sqliteReplications: each(parts.streams, (_own, { database }) => {
      const args = {
        application,
        environment,
        region,
        accountId: settings.accountId,
        namespace: database.file!.namespace ?? namespace,
        image: settings.image,
        storeUrl: store.url,
        bucketArn: store.bucketArn,
        dataKeyArn: store.dataKeyArn,
        database,
        oidcProvider: cluster.oidcProvider,
        tags: settings.tags,
      };
      return new SqliteReplication(`${name}-stream-${database.name}`, args, { parent });
    }),
    streamTests: each(parts.streams, (own, { database }) => {
      const args = { ...prover, databases: [database], fromStream: true, ...restoreTest };
      return new RestoreTestJob(own, args, opts);
    }),
    walArchives: each(parts.logs, (own, { database }) => {
      return new WalArchive(own, { ...writer, databases: [database], timeZone: backup?.timeZone }, opts);
    }),
    proofs: each(parts.proofs, (own, { database }) => {
      return new ProofJob(own, { ...prover, databases: [database], ...proof }, opts);
    }),
    pointInTimeTests: each(parts.restoredByRds, (own, { database }) => {
      return new PointInTimeTestJob(own, { ...prover, databases: [database], ...pointInTimeTest }, opts);
    }),
    reaper: hasRds
      ? new ReaperJob(
          names.reaper,
          {
            ...common,
            roleArn: roleArnOf(identity.reaperRoleArn),
            databases: parts.restoredByRds.map(({ database }) => database),
          },
          opts,
        )
      : undefined,
  };
}

/** Whose log is tested, and by which of the jobs: what the alarms on those tests are made from. */
export function testedLogsOf(databases: readonly ProtectedDatabaseArgs[]): {
  readonly testedLogs: string[];
  readonly testedByRds: string[];
} {
  const namesWhere = (has: (database: ProtectedDatabaseArgs) => boolean): string[] =>
    databases.filter(has).map(({ name }) => name);
  return {
    testedLogs: namesWhere(({ wal, stream }) => wal !== undefined || stream !== undefined),
    testedByRds: namesWhere(({ rds }) => rds !== undefined),
  };
}

/** What the pods of the applications whose files are streamed are given, by database. */
export function sqlitePodsOf({ sqliteReplications }: RecoveryJobs): pulumi.Output<unknown> {
  const pods = [...sqliteReplications].map(([database, made]) => {
    const { podLabels, initContainers, volumes, serviceAccountAnnotations } = made;
    return [database, pulumi.all({ podLabels, initContainers, volumes, serviceAccountAnnotations })] as const;
  });
  return pulumi.all(Object.fromEntries(pods));
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
