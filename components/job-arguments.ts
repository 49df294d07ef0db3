import * as pulumi from "@pulumi/pulumi";
import {
  databaseNamePattern,
  type DatabaseConfig,
  Engine,
  type JobConfig,
  jobConfigDefaults,
  longestChain,
  type OrphanRule,
  parseJobConfig,
  parsePostgresUrl,
  ProofLevel,
  RecoveryJob,
  type RetentionSettings,
  scheduleProblems,
  spreadSchedule,
} from "../recovery";
import { type ArgumentProblems } from "./argument-problems";
import { expectRegion } from "./aws-names";
import { type BackupRetentionArgs, expectRetention, retentionOf } from "./backup-bucket";
import { IdentityProvider, type JobNetworkArgs, NetworkPolicyKind } from "./job-network";
import { markExpectation, markPattern } from "./labels-and-tags";
import { expectRdsSource, rdsConfig, type RdsSourceArgs } from "./rds-source";

/** One key of a Kubernetes Secret or ConfigMap in the jobs' namespace. */
export interface KeyReferenceArgs {
  name: pulumi.Input<string>;
  key: string;
}

/** The log of a self-managed PostgreSQL server, which `WalArchive` brings into the store: any moment can be recovered. */
export interface WalArgs {
  /**
   * Size of the volume for log that is not in the store yet, in GiB. Four fifths of it are used; what comes after that
   * stays on the server, behind the replication slot. @default 12
   */
  spoolGib?: number;
  /** Longest time that a committed change stays out of the store, in seconds. @default 60 */
  flushSeconds?: number;
  /** Cron schedule of the base backups. One that begins on the hour is moved by some minutes. @default daily at one */
  baseBackupSchedule?: string;
  /**
   * How many incremental base backups may follow each full one: less to read and to store, more to fetch in a recovery.
   * PostgreSQL 17 and newer with `summarize_wal`; an older one takes full ones and says so. @default 0
   */
  incrementalsPerFull?: number;
  /** The replication slot, which `dr prepare` makes. @default `dr_` and the database's name, with underscores */
  slot?: string;
}

/** Where the file of a SQLite database is, and whose it is. */
export interface SqliteFileArgs {
  /** The volume claim that holds it, in the application's namespace; of a StatefulSet's pod as in `data-notes-0`. */
  claimName: pulumi.Input<string>;
  /** Its path on the volume, for instance `notes.db`. */
  pathOnVolume: string;
  /** Where pods mount the volume. @default "/data" */
  mountPath?: string;
  /** What the volume is called in the application's pods. @default "data" */
  volumeName?: string;
  /** The user that the application runs as. Jobs run as the same one: files of another beside it would lock it out. */
  userId: number;
  /** The `fsGroup` of the application's pods. @default `userId` */
  groupId?: number;
  /** The application's namespace. @default the jobs' own */
  namespace?: string;
}

/** Litestream's stream of a SQLite file: what the RPO is met with between two copies. */
export interface SqliteStreamArgs {
  /** Longest time that a committed change stays out of the store, in seconds. @default 10 */
  flushSeconds?: number;
  /** The service account of the application's pods, which gets a role that may write this stream. */
  serviceAccountName?: pulumi.Input<string>;
  /** The name of the role that those pods have already, which is given the rights. Instead of `serviceAccountName`. */
  roleName?: pulumi.Input<string>;
  /** Set until the first start: then a store that holds no stream is no reason not to start. @default false */
  firstDeployment?: boolean;
  /**
   * Commit a heartbeat beside the application, so that a stream that stands still is told from a quiet night, and a restore
   * test knows what would have been lost. Begins once `dr prepare NAME` has made its table. @default true
   */
  heartbeat?: boolean;
}

/** One database to protect. */
export interface ProtectedDatabaseArgs {
  /** Its name in the store, in evidence and in alarms. */
  name: string;
  /** `postgres`, `rds` or `sqlite`. */
  engine: Engine;
  /** `postgresql://user@host:5432/database?sslmode=verify-full`, without a password. Of `postgres` and `rds`. */
  url?: pulumi.Input<string>;
  /** A standby of the same database to read backups from, as a URL of the same form. @default the database itself */
  standbyUrl?: pulumi.Input<string>;
  /** The key of a Secret that holds the password. @default none: the server trusts the role otherwise */
  passwordSecret?: KeyReferenceArgs;
  /**
   * The key of a ConfigMap that holds the certificate authority of the server. It is mounted as
   * `/var/run/dr/authorities/NAME/ca.pem`, which `url` then names as `sslrootcert`. @default none
   */
  certificateAuthority?: KeyReferenceArgs;
  /** Size on disk, in GiB, as expected until the next deployment; the restore test's volume follows it. */
  sizeGib: number;
  /** Where the server is, standby included: the jobs that log in may reach these addresses, and no other job may. */
  cidrs?: string[];
  /** @default 5432 */
  port?: number;
  /** How deep a restored copy is compared. @default by size: all content up to 20 GiB, a sample above */
  proofLevel?: ProofLevel;
  /** Foreign keys that the application keeps and the database does not declare (guide, "Consistency Checks"). */
  orphanRules?: OrphanRule[];
  /** Stream its log as well; of `postgres` alone, since RDS keeps its own. @default none: what came after a dump is lost */
  wal?: WalArgs;
  /** The instance or cluster, which RDS restores to any moment. Of `rds` alone. @default RDS's own backups are in no plan */
  rds?: RdsSourceArgs;
  /** Where the file is. Of `sqlite` alone. */
  file?: SqliteFileArgs;
  /** Stream the file as well, by Litestream. Of `sqlite` alone. @default none: what came after a copy is lost */
  stream?: SqliteStreamArgs;
}

/** The objectives that a job judges by. */
export interface JobObjectivesArgs {
  /** Maximum data loss acceptable, in minutes. @default 60 (guide, "Recovery Objectives") */
  rpoMinutes?: number;
  /** Time to recover service, in minutes. @default 15 (guide, "Recovery Objectives") */
  rtoMinutes?: number;
}

/** What a job's container gets. */
export interface JobResourcesArgs {
  /** CPU requested, as Kubernetes writes it. */
  cpu?: string;
  /** CPU that it may use. */
  cpuLimit?: string;
  /** Memory, requested and limited alike: the pods that use more than they asked for are the first to be evicted. */
  memory?: string;
}

/** What everything that runs `dr` in a pod has in common. */
export interface RecoveryPodArgs {
  /** The application that is protected; goes into labels. */
  application: string;
  /** The environment's name, in labels and in evidence. */
  environment: string;
  /** The AWS region of the store. */
  region: string;
  /** An existing namespace. */
  namespace: pulumi.Input<string>;
  /** The job image, pinned by digest: `registry/name@sha256:...`. */
  image: string;
  /** The store as the job configuration names it; `BackupBucket` has it as an output. */
  storeUrl: pulumi.Input<string>;
  /**
   * What the store's bucket was given as `retention`, so that a recovery point whose time is over is told from one that was
   * destroyed; `{}` for a bucket with the guide's. @default parts are never expected to go
   */
  retention?: BackupRetentionArgs;
  databases: ProtectedDatabaseArgs[];
  objectives?: JobObjectivesArgs;
  /** How the service account gets its role. @default pod-identity */
  identityProvider?: IdentityProvider;
  /** The role of the service account; needed here with IRSA alone, which reads it from an annotation. */
  roleArn?: pulumi.Input<string>;
  network?: JobNetworkArgs;
  resources?: JobResourcesArgs;
  /** Storage class of the scratch volume. @default the cluster's */
  storageClassName?: string;
  /** Existing priority class. @default the cluster's */
  priorityClassName?: string;
  /** Labels of the nodes that the job may run on. @default any node */
  nodeSelector?: Record<string, string>;
  /** Install it, and never start it: what waits in the recovery site waits like this. @default false */
  suspend?: boolean;
}

/** What the jobs have in common. */
export interface JobArgs extends RecoveryPodArgs {
  /** Cron schedule as Kubernetes reads it. One that begins on the hour is moved by some minutes, the same ones always. */
  schedule?: string;
  /** IANA time zone of the schedule. @default "Etc/UTC" */
  timeZone?: string;
  /** A run is stopped after this time. @default nine tenths of the schedule's smallest gap, at most 6 hours */
  activeDeadlineSeconds?: number;
}

const defaultPort = 5432;
const defaultMountPath = "/data";
const defaultSpoolGib = 12;
// What is being received while the spool is found full, and what the file system keeps for itself.
const spoolShare = 0.8;
const GIB = 1024 ** 3;
// A CronJob's name may have 52 characters: its jobs append eleven.
const objectNamePattern = /^[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?$/;
const cidrPattern = /^((\d{1,3}\.){3}\d{1,3}\/(\d|[12]\d|3[0-2])|[0-9a-f:]+\/\d{1,3})$/i;

/** Where a password is mounted. */
export const passwordMountPath = (database: string): string => `/var/run/dr/passwords/${database}`;
/** Where a certificate authority is mounted. */
export const authorityMountPath = (database: string): string => `/var/run/dr/authorities/${database}`;

/** Where the spool of a log is mounted. */
export const spoolMountPath = "/var/spool/dr";
/** Size of the spool's volume. */
export const spoolGib = ({ spoolGib: gib = defaultSpoolGib }: WalArgs): number => gib;
/** Where pods mount the volume of a SQLite file. */
export const fileMountPath = ({ mountPath = defaultMountPath }: SqliteFileArgs): string => mountPath;
/** Where pods find a SQLite file. */
export const filePath = (file: SqliteFileArgs): string => `${fileMountPath(file)}/${file.pathOnVolume}`;

/** The engines of servers, which a job reaches over the network. */
export const serverEngines: readonly Engine[] = [Engine.Postgres, Engine.Rds];
export const allEngines: readonly Engine[] = Object.values(Engine);

/**
 * Everything that is wrong with the arguments of what runs `dr`, before anything is registered.
 *
 * @param engines those whose databases it is for
 */
export function expectPodArguments(
  problems: ArgumentProblems,
  name: string,
  args: RecoveryPodArgs,
  engines: readonly Engine[],
): void {
  problems.expect(
    objectNamePattern.test(name),
    "name",
    "at most 52 lower-case letters, digits and dashes: it is the CronJob's name too",
    name,
  );
  problems.expect(markPattern.test(args.application), "application", markExpectation, args.application);
  problems.expect(markPattern.test(args.environment), "environment", markExpectation, args.environment);
  expectRegion(problems, "region", args.region);
  expectPinnedImage(problems, args.image);
  problems.expectOneOf("identityProvider", args.identityProvider, IdentityProvider);
  problems.expectOneOf("network.kind", args.network?.kind, NetworkPolicyKind);
  expectCidrs(problems, "network.awsCidrs", args.network?.awsCidrs ?? []);
  if (args.identityProvider === IdentityProvider.Irsa && args.roleArn === undefined) {
    problems.add("roleArn", "is missing: with irsa the service account names its role");
  }
  for (const field of ["rpoMinutes", "rtoMinutes"] as const) {
    const minutes = args.objectives?.[field];
    problems.expect(minutes === undefined || minutes > 0, `objectives.${field}`, "a number above 0", minutes);
  }
  expectRetention(problems, "retention", args.retention);
  expectDatabases(problems, args.databases, engines);
}

function expectDatabases(
  problems: ArgumentProblems,
  databases: readonly ProtectedDatabaseArgs[],
  engines: readonly Engine[],
): void {
  problems.expect(databases.length > 0, "databases", "at least one database", databases);
  const names = databases.map(({ name }) => name);
  databases.forEach((database, at) => {
    const path = (field: string) => `databases[${at}].${field}`;
    if (names.indexOf(database.name) !== at) {
      problems.add(path("name"), `${database.name} is used twice: recovery points of two databases would mix`);
    }
    expectDatabase(problems, database, path, engines);
  });
}

/** Notes what is wrong with one database. */
export function expectDatabase(
  problems: ArgumentProblems,
  database: ProtectedDatabaseArgs,
  path: (field: string) => string,
  engines: readonly Engine[],
): void {
  problems.expect(
    databaseNamePattern.test(database.name),
    path("name"),
    "lower-case letters, digits and dashes, at most 40",
    database.name,
  );
  problems.expect(engines.includes(database.engine), path("engine"), engines.join(" or "), database.engine);
  problems.expect(database.sizeGib > 0, path("sizeGib"), "a size in GiB above 0", database.sizeGib);
  problems.expectOneOf(path("proofLevel"), database.proofLevel, ProofLevel);
  if (database.engine === Engine.Sqlite) expectFile(problems, database, path);
  else expectServer(problems, database, path);
}

/** Notes that an image may be another one tomorrow. */
export function expectPinnedImage(problems: ArgumentProblems, image: string): void {
  problems.expect(
    /^[^\s@]+@sha256:[0-9a-f]{64}$/.test(image),
    "image",
    "an image pinned by digest (registry/name@sha256:...), since a tag may be another image tomorrow",
    image,
  );
}

function expectServer(
  problems: ArgumentProblems,
  database: ProtectedDatabaseArgs,
  path: (field: string) => string,
): void {
  const { engine, cidrs = [], wal, rds } = database;
  problems.expectInteger(path("port"), database.port, 1, 65_535);
  problems.expect(
    cidrs.length > 0,
    path("cidrs"),
    "the addresses of the server, as in 10.0.4.0/24; without them no backup reaches it",
    cidrs,
  );
  expectCidrs(problems, path("cidrs"), cidrs);
  if (database.url === undefined)
    problems.add(path("url"), `is missing: ${engine} needs postgresql://user@host/database`);
  for (const field of ["url", "standbyUrl"] as const) {
    const url = database[field];
    // An output is checked once it is known, where the configuration is written.
    if (typeof url !== "string") continue;
    for (const problem of parsePostgresUrl(url).problems) problems.add(path(field), problem);
  }
  for (const field of ["file", "stream"] as const) {
    if (database[field] !== undefined) problems.add(path(field), `does not belong to engine ${engine}`);
  }
  if (rds !== undefined) {
    if (engine !== Engine.Rds) problems.add(path("rds"), `does not belong to engine ${engine}`);
    expectRdsSource(problems, rds, path);
    expectCidrs(problems, path("rds.test.cidrs"), rds.test?.cidrs ?? []);
  }
  if (wal === undefined) return;
  if (engine !== Engine.Postgres) {
    problems.add(path("wal"), `does not belong to engine ${engine}, which keeps a log of its own`);
  }
  problems.expectInteger(path("wal.spoolGib"), wal.spoolGib, 1);
  problems.expectInteger(path("wal.flushSeconds"), wal.flushSeconds, 1);
  problems.expectInteger(path("wal.incrementalsPerFull"), wal.incrementalsPerFull, 0);
  problems.expect(
    (wal.incrementalsPerFull ?? 0) <= longestChain,
    path("wal.incrementalsPerFull"),
    `at most ${longestChain}`,
    wal.incrementalsPerFull,
  );
  if (wal.baseBackupSchedule === undefined) return;
  for (const problem of scheduleProblems(wal.baseBackupSchedule)) problems.add(path("wal.baseBackupSchedule"), problem);
}

function expectFile(
  problems: ArgumentProblems,
  database: ProtectedDatabaseArgs,
  path: (field: string) => string,
): void {
  for (const field of [
    "url",
    "standbyUrl",
    "passwordSecret",
    "certificateAuthority",
    "cidrs",
    "port",
    "wal",
    "rds",
  ] as const) {
    if (database[field] !== undefined) problems.add(path(field), "does not belong to engine sqlite");
  }
  const { file, stream } = database;
  if (file === undefined) problems.add(path("file"), "is missing: the volume and the path of the database file");
  else {
    problems.expect(
      /^[^/\s][^\s]*[^/\s]$/.test(file.pathOnVolume) && !file.pathOnVolume.split("/").includes(".."),
      path("file.pathOnVolume"),
      "a path on the volume, as in notes.db",
      file.pathOnVolume,
    );
    problems.expect(
      /^(\/[^/\s]+)+$/.test(fileMountPath(file)),
      path("file.mountPath"),
      "an absolute path, as in /data",
      file.mountPath,
    );
    problems.expectInteger(path("file.userId"), file.userId, 1);
    problems.expectInteger(path("file.groupId"), file.groupId, 1);
  }
  if (stream === undefined) return;
  problems.expectInteger(path("stream.flushSeconds"), stream.flushSeconds, 1);
  if ((stream.serviceAccountName === undefined) === (stream.roleName === undefined)) {
    problems.add(path("stream"), "expected either serviceAccountName or roleName: the pods that stream write as one");
  }
}

function expectCidrs(problems: ArgumentProblems, propertyPath: string, cidrs: readonly string[]): void {
  cidrs.forEach((cidr, at) =>
    problems.expect(cidrPattern.test(cidr), `${propertyPath}[${at}]`, "an address range, as in 10.0.4.0/24", cidr),
  );
}

/** The network's view of the databases: of the copies that RDS makes for its test, and else of where they are. */
export function databaseEndpoints(job: RecoveryJob, databases: readonly ProtectedDatabaseArgs[]) {
  return databases.flatMap(({ cidrs: here, port, rds }) => {
    const cidrs = job === RecoveryJob.PointInTimeTest ? (rds?.test?.cidrs ?? here) : here;
    return cidrs === undefined ? [] : { cidrs, port: port ?? defaultPort };
  });
}

/**
 * The text of the job configuration. It is parsed as the runner will parse it, so that what a job could not read never
 * reaches a cluster.
 */
export function jobConfigText(
  job: RecoveryJob,
  args: RecoveryPodArgs,
  backup: { readonly schedule?: string; readonly timeZone?: string } | undefined,
): pulumi.Output<string> {
  const databases = args.databases.map((database) => databaseConfig(job, args, database, backup));
  const { storeUrl: store, environment, objectives } = args;
  const retention = args.retention && partsKept(args.retention);
  const config = { store, environment, objectives, retention, databases };
  return pulumi.output(config).apply((known) => {
    const text = JSON.stringify(known satisfies JobConfig, undefined, 2);
    const { problems } = parseJobConfig(text);
    if (problems === undefined) return text;
    throw new Error(`The job configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
  });
}

function partsKept(retention: BackupRetentionArgs): RetentionSettings {
  const { hotDays, archiveDays } = retentionOf(retention);
  return { hotDays, archiveDays };
}

/** The jobs that log in to a database, or to a copy that RDS has made of it. */
export const loggingIn: readonly RecoveryJob[] = [RecoveryJob.Backup, RecoveryJob.Stream, RecoveryJob.PointInTimeTest];

function databaseConfig(
  job: RecoveryJob,
  args: RecoveryPodArgs,
  database: ProtectedDatabaseArgs,
  backup: DatabaseConfig["backup"],
) {
  const { name, engine, url, standbyUrl, passwordSecret, proofLevel, orphanRules, wal, file, rds } = database;
  return {
    name,
    engine,
    url,
    standbyUrl,
    path: file && filePath(file),
    passwordFile:
      loggingIn.includes(job) && passwordSecret !== undefined ? `${passwordMountPath(name)}/password` : undefined,
    backup:
      wal?.incrementalsPerFull === undefined ? backup : { ...backup, incrementalsPerFull: wal.incrementalsPerFull },
    proof: proofLevel === undefined ? undefined : { level: proofLevel },
    checks: orphanRules === undefined ? undefined : { orphans: orphanRules },
    wal: wal && walConfig(args, name, wal),
    rds: rds && rdsConfig(args.region, rds),
  };
}

/** The log as every job is told of it. */
function walConfig(
  { application, environment }: RecoveryPodArgs,
  name: string,
  wal: WalArgs,
): NonNullable<DatabaseConfig["wal"]> {
  const schedule = wal.baseBackupSchedule ?? jobConfigDefaults.baseBackupSchedule;
  return {
    spool: `${spoolMountPath}/${name}`,
    ...(wal.slot === undefined ? {} : { slot: wal.slot }),
    ...(wal.flushSeconds === undefined ? {} : { flushSeconds: wal.flushSeconds }),
    maxSpoolBytes: Math.floor(spoolGib(wal) * GIB * spoolShare),
    baseBackupSchedule: spreadSchedule(schedule, `${application}/${environment}/${name}`),
  };
}
