import * as pulumi from "@pulumi/pulumi";
import {
  databaseNamePattern,
  Engine,
  type JobConfig,
  type OrphanRule,
  parseJobConfig,
  parsePostgresUrl,
  ProofLevel,
  RecoveryJob,
  scheduleProblems,
} from "../recovery";
import { type ArgumentProblems } from "./argument-problems";
import { expectRegion } from "./aws-names";
import { IdentityProvider, type JobNetworkArgs, NetworkPolicyKind } from "./job-network";
import { markExpectation, markPattern } from "./labels-and-tags";

/** One key of a Kubernetes Secret or ConfigMap in the jobs' namespace. */
export interface KeyReferenceArgs {
  name: pulumi.Input<string>;
  key: string;
}

/** One database to protect. */
export interface ProtectedDatabaseArgs {
  /** Its name in the store, in evidence and in alarms. */
  name: string;
  /** `postgres` or `rds`. */
  engine: Engine;
  /** `postgresql://user@host:5432/database?sslmode=verify-full`, without a password. */
  url: pulumi.Input<string>;
  /** A standby of the same database to read backups from, as a URL of the same form. @default the database itself */
  standbyUrl?: pulumi.Input<string>;
  /** The key of a Secret that holds the password. @default none: the server trusts the role otherwise */
  passwordSecret?: KeyReferenceArgs;
  /**
   * The key of a ConfigMap that holds the certificate authority of the server. It is mounted as
   * `/var/run/dr/authorities/NAME/ca.pem`, which `url` then names as `sslrootcert`. @default none
   */
  certificateAuthority?: KeyReferenceArgs;
  /** Size on the server's disk, in GiB, as expected until the next deployment; the restore test's volume follows it. */
  sizeGib: number;
  /** Where the server is, standby included: the backup job may reach these addresses, and no other job may. */
  cidrs: string[];
  /** @default 5432 */
  port?: number;
  /** How deep a restored copy is compared. @default by size: all content up to 20 GiB, a sample above */
  proofLevel?: ProofLevel;
  /** Foreign keys that the application keeps and the database does not declare (guide, "Consistency Checks"). */
  orphanRules?: OrphanRule[];
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

/** What the jobs have in common. */
export interface JobArgs {
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
  databases: ProtectedDatabaseArgs[];
  /** Cron schedule as Kubernetes reads it. One that begins on the hour is moved by some minutes, the same ones always. */
  schedule?: string;
  /** IANA time zone of the schedule. @default "Etc/UTC" */
  timeZone?: string;
  /** A run is stopped after this time. @default nine tenths of the schedule's smallest gap, at most 6 hours */
  activeDeadlineSeconds?: number;
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
  /** Install the job, and never start it: the recovery site's jobs wait like this. @default false */
  suspend?: boolean;
}

const defaultPort = 5432;
// A CronJob's name may have 52 characters: its jobs append eleven.
const objectNamePattern = /^[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?$/;
const cidrPattern = /^((\d{1,3}\.){3}\d{1,3}\/(\d|[12]\d|3[0-2])|[0-9a-f:]+\/\d{1,3})$/i;

/** Where a password is mounted. */
export const passwordMountPath = (database: string): string => `/var/run/dr/passwords/${database}`;
/** Where a certificate authority is mounted. */
export const authorityMountPath = (database: string): string => `/var/run/dr/authorities/${database}`;

/** Everything that is wrong with a job's arguments, before anything is registered. */
export function expectJobArguments(problems: ArgumentProblems, name: string, args: JobArgs, schedule: string): void {
  problems.expect(
    objectNamePattern.test(name),
    "name",
    "at most 52 lower-case letters, digits and dashes: it is the CronJob's name too",
    name,
  );
  problems.expect(markPattern.test(args.application), "application", markExpectation, args.application);
  problems.expect(markPattern.test(args.environment), "environment", markExpectation, args.environment);
  expectRegion(problems, "region", args.region);
  problems.expect(
    /^[^\s@]+@sha256:[0-9a-f]{64}$/.test(args.image),
    "image",
    "an image pinned by digest (registry/name@sha256:...), since a tag may be another image tomorrow",
    args.image,
  );
  problems.expectOneOf("identityProvider", args.identityProvider, IdentityProvider);
  problems.expectOneOf("network.kind", args.network?.kind, NetworkPolicyKind);
  expectCidrs(problems, "network.awsCidrs", args.network?.awsCidrs ?? []);
  for (const problem of scheduleProblems(schedule, args.timeZone)) problems.add("schedule", problem);
  if (args.identityProvider === IdentityProvider.Irsa && args.roleArn === undefined) {
    problems.add("roleArn", "is missing: with irsa the service account names its role");
  }
  for (const field of ["rpoMinutes", "rtoMinutes"] as const) {
    const minutes = args.objectives?.[field];
    problems.expect(minutes === undefined || minutes > 0, `objectives.${field}`, "a number above 0", minutes);
  }
  expectDatabases(problems, args.databases);
}

function expectDatabases(problems: ArgumentProblems, databases: readonly ProtectedDatabaseArgs[]): void {
  problems.expect(databases.length > 0, "databases", "at least one database", databases);
  const names = databases.map(({ name }) => name);
  databases.forEach((database, at) => {
    const path = (field: string) => `databases[${at}].${field}`;
    problems.expect(
      databaseNamePattern.test(database.name),
      path("name"),
      "lower-case letters, digits and dashes, at most 40",
      database.name,
    );
    if (names.indexOf(database.name) !== at) {
      problems.add(path("name"), `${database.name} is used twice: recovery points of two databases would mix`);
    }
    problems.expect(
      database.engine === Engine.Postgres || database.engine === Engine.Rds,
      path("engine"),
      "postgres or rds",
      database.engine,
    );
    problems.expect(database.sizeGib > 0, path("sizeGib"), "a size in GiB above 0", database.sizeGib);
    problems.expectInteger(path("port"), database.port, 1, 65_535);
    problems.expectOneOf(path("proofLevel"), database.proofLevel, ProofLevel);
    problems.expect(
      database.cidrs.length > 0,
      path("cidrs"),
      "the addresses of the server, as in 10.0.4.0/24; without them no backup reaches it",
      database.cidrs,
    );
    expectCidrs(problems, path("cidrs"), database.cidrs);
    for (const field of ["url", "standbyUrl"] as const) {
      const url = database[field];
      // An output is checked once it is known, where the configuration is written.
      if (typeof url !== "string") continue;
      for (const problem of parsePostgresUrl(url).problems) problems.add(path(field), problem);
    }
  });
}

function expectCidrs(problems: ArgumentProblems, propertyPath: string, cidrs: readonly string[]): void {
  cidrs.forEach((cidr, at) =>
    problems.expect(cidrPattern.test(cidr), `${propertyPath}[${at}]`, "an address range, as in 10.0.4.0/24", cidr),
  );
}

/** The network's view of the databases. */
export function databaseEndpoints(databases: readonly ProtectedDatabaseArgs[]) {
  return databases.map(({ cidrs, port }) => ({ cidrs, port: port ?? defaultPort }));
}

/**
 * The text of the job configuration. It is parsed as the runner will parse it, so that what a job could not read never
 * reaches a cluster.
 */
export function jobConfigText(
  job: RecoveryJob,
  args: JobArgs,
  backup: { readonly schedule: string; readonly timeZone?: string } | undefined,
): pulumi.Output<string> {
  const databases = args.databases.map((database) => databaseConfig(job, database, backup));
  const config = { store: args.storeUrl, environment: args.environment, objectives: args.objectives, databases };
  return pulumi.output(config).apply((known) => {
    const text = JSON.stringify(known satisfies JobConfig, undefined, 2);
    const { problems } = parseJobConfig(text);
    if (problems === undefined) return text;
    throw new Error(`The job configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
  });
}

function databaseConfig(job: RecoveryJob, database: ProtectedDatabaseArgs, backup: object | undefined) {
  const { name, engine, url, standbyUrl, passwordSecret, proofLevel, orphanRules } = database;
  return {
    name,
    engine,
    url,
    standbyUrl,
    // Only the backup logs in anywhere.
    passwordFile:
      job === RecoveryJob.Backup && passwordSecret !== undefined ? `${passwordMountPath(name)}/password` : undefined,
    backup,
    proof: proofLevel === undefined ? undefined : { level: proofLevel },
    checks: orphanRules === undefined ? undefined : { orphans: orphanRules },
  };
}
