import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { StorePrefix } from "../recovery";
import { ArgumentProblems } from "./argument-problems";
import { expectBucketName, registryRegionOf } from "./aws-names";
import { expectRetention, storeUrlOf } from "./backup-bucket";
import { defaultBackupSchedule } from "./backup-job";
import { bucketArnOf } from "./bucket-replication";
import { type AlertingArgs, type ExistingStoreArgs } from "./disaster-recovery";
import { type JobObjectivesArgs, type ProtectedDatabaseArgs } from "./job-arguments";
import { tagsOf } from "./labels-and-tags";
import {
  managedDatabaseArgsOf,
  protectedDatabaseOf,
  type ProtectedManagedDatabaseArgs,
  unmadeDatabase,
} from "./managed-database";
import { RecoveryAlerts, recoveryAlertsProblems } from "./recovery-alerts";
import {
  type ClusterArgs,
  type JobScheduleArgs,
  recoveryJobs,
  type RecoveryJobs,
  recoveryJobsProblems,
  sqlitePodsOf,
  testedLogsOf,
} from "./recovery-jobs";
import { type ExistingDatabaseArgs, ReplicaDatabase, replicaDatabaseProblems } from "./replica-database";
import { expectRunbooks, runbookObjects } from "./runbook-objects";

/** The standby of a database in another region. */
export interface StandbyDatabaseArgs extends ProtectedManagedDatabaseArgs {
  /** The database that it replicates. */
  source: ExistingDatabaseArgs;
  /** Also copy the source's snapshots and log here. @default true */
  sourceAutomatedBackups?: boolean;
}

export interface RecoverySiteArgs {
  application: string;
  environment: string;
  /** The recovery region. */
  region: string;
  accountId: string;
  /** @default the guide's: RPO 60 minutes, RTO 15 minutes */
  objectives?: JobObjectivesArgs;
  /** The cluster in the recovery region. Its provider is the component's: `{ providers: { kubernetes } }`. */
  cluster: ClusterArgs;
  /** The job image in a registry of the recovery region, pinned by digest. */
  image: string;
  /** The store's copy in the recovery region. */
  store: ExistingStoreArgs;
  /** The standby to make. */
  standbyDatabase?: StandbyDatabaseArgs;
  /** Standbys that exist; and files of SQLite, whose application restores them from the store's copy when it starts. */
  databases?: ProtectedDatabaseArgs[];
  /** When backups run once the site is woken. @default every six hours */
  backup?: JobScheduleArgs;
  /** When restore tests run once the site is woken. @default daily at three */
  restoreTest?: JobScheduleArgs;
  /** When the restore test is put to the test once the site is woken. @default weekly, on Tuesday at five */
  proof?: JobScheduleArgs;
  /** When RDS's own log is tested once the site is woken. @default weekly, on Wednesday at five */
  pointInTimeTest?: JobScheduleArgs;
  /** ARN of the copy of the database's secret in this region. It is written into the site's card. */
  databaseSecretArn?: pulumi.Input<string>;
  /** Runbooks of the site, texts by file name: kept in the store's copy under `runbooks/REGION/`. @default none */
  runbooks?: Record<string, pulumi.Input<string>>;
  alerts?: AlertingArgs;
  /** Tags beside the `recovery.*` set. */
  tags?: Record<string, string>;
}

/**
 * The recovery region's half of an application's disaster recovery, as a stack of its own: a standby of the database, the
 * roles, the jobs, the alarms. It is deployed on a quiet day, so that the recovery of a region creates nothing in IAM or
 * DNS and calls nothing in the region that failed.
 *
 * Backup and restore test are installed suspended; a failover wakes them, and no later `up` puts them back to sleep. The
 * status job runs from the first day: it judges the copy of the store where it will be needed.
 *
 * The site's card, `runbooks/REGION/recovery-site.json` in the store's copy, names everything that a failover touches,
 * for the night in which neither this stack's state nor its author can be reached.
 */
export class RecoverySite extends pulumi.ComponentResource {
  public readonly storeUrl: pulumi.Output<string>;
  /** ARNs of the identities' roles, by identity. */
  public readonly roleArns: pulumi.Output<Record<string, string>>;
  /** ARNs of the topics, by severity. */
  public readonly topicArns: pulumi.Output<Record<string, string>>;
  /** Host name of the standby. */
  public readonly databaseAddress: pulumi.Output<string | undefined>;
  /** Key of the site's card in the store. */
  public readonly cardKey: pulumi.Output<string>;
  /** What the pods of an application whose SQLite file is streamed are given here, as `DisasterRecovery` has it. */
  // Parts of a pod have no type in a plugin's schema.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  public readonly sqlitePods: pulumi.Output<any>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: RecoverySiteArgs, opts: pulumi.ComponentResourceOptions = {}) {
    recoverySiteProblems(name, args).throwIfAny("RecoverySite", name);
    super("disaster-recovery:index:RecoverySite", name, args, opts);
    const { application, environment, region, accountId, objectives, tags, standbyDatabase } = args;
    const scope = { application, environment, region, accountId };
    const database = standbyDatabase && this.standby(name, args, standbyDatabase, opts);
    const databases = [
      ...(args.databases ?? []),
      ...(database ? [this.protectedStandby(args, standbyDatabase, database)] : []),
    ];
    const alerts = new RecoveryAlerts(
      `${name}-alerts`,
      {
        ...scope,
        ...args.alerts,
        databases: databases.map((each) => each.name),
        ...testedLogsOf(databases),
        backupSchedule: args.backup?.schedule ?? defaultBackupSchedule,
        backupTimeZone: args.backup?.timeZone,
        objectives,
        replicas: database ? [{ name: standbyDatabase.name, identifier: database.identifier }] : [],
        tags,
      },
      { parent: this },
    );
    const store = {
      url: storeUrlOf(args.store.bucketName, region, accountId),
      bucketArn: bucketArnOf(args.store.bucketName, region),
      dataKeyArn: args.store.dataKeyArn,
      retention: args.store.retention,
    };
    const { cluster, image, backup, restoreTest, proof, pointInTimeTest } = args;
    const schedules = { backup, restoreTest, proof, pointInTimeTest };
    const jobs = recoveryJobs(
      name,
      { ...scope, cluster, image, databases, objectives, store, ...schedules, asleep: true, tags },
      this,
    );
    this.storeUrl = pulumi.output(store.url);
    this.roleArns = jobs.identity.roleArns();
    this.topicArns = alerts.topicArns();
    this.databaseAddress = pulumi.output(database?.address);
    this.cardKey = this.card(name, args, jobs, database, opts);
    this.sqlitePods = sqlitePodsOf(jobs);
    const tagged = tagsOf({ application, environment, component: "recovery-site" }, tags);
    runbookObjects(name, { bucketName: args.store.bucketName, region, tags: tagged }, args.runbooks ?? {}, {
      parent: this,
      retainOnDelete: opts.retainOnDelete ?? true,
    });
    this.registerOutputs({
      storeUrl: this.storeUrl,
      roleArns: this.roleArns,
      topicArns: this.topicArns,
      databaseAddress: this.databaseAddress,
      cardKey: this.cardKey,
      sqlitePods: this.sqlitePods,
    });
  }

  private standby(
    name: string,
    args: RecoverySiteArgs,
    standby: StandbyDatabaseArgs,
    opts: pulumi.ComponentResourceOptions,
  ): ReplicaDatabase {
    return new ReplicaDatabase(`${name}-database`, replicaArgsOf(args, standby), {
      parent: this,
      protect: opts.protect ?? true,
    });
  }

  /** The standby as the jobs see it; the secret that names it is its source's, copied to this region. */
  private protectedStandby(
    { databaseSecretArn }: RecoverySiteArgs,
    standby: StandbyDatabaseArgs,
    database: ReplicaDatabase,
  ): ProtectedDatabaseArgs {
    const { identifier, address, port, dataKeyArn, monitoringRoleArn } = database;
    const secretArn = pulumi.output(databaseSecretArn);
    const known = { identifier, address, port, dataKeyArn, monitoringRoleArn, secretArn };
    return protectedDatabaseOf(standby, known, standby.databaseName!);
  }

  private card(
    name: string,
    args: RecoverySiteArgs,
    jobs: RecoveryJobs,
    database: ReplicaDatabase | undefined,
    opts: pulumi.ComponentResourceOptions,
  ): pulumi.Output<string> {
    const { application, environment, region, accountId, cluster, store, image, tags } = args;
    const card = {
      application,
      environment,
      region,
      accountId,
      cluster: cluster.clusterName,
      namespace: cluster.namespace,
      image,
      store: this.storeUrl,
      cronJobs: {
        backup: jobs.backup?.cronJobName,
        restoreTest: jobs.restoreTest.cronJobName,
        status: jobs.status.cronJobName,
        sqliteBackups: namesOf(jobs.sqliteBackups, ({ cronJobName }) => cronJobName),
        streamTests: namesOf(jobs.streamTests, ({ cronJobName }) => cronJobName),
        proofs: namesOf(jobs.proofs, ({ cronJobName }) => cronJobName),
        pointInTimeTests: namesOf(jobs.pointInTimeTests, ({ cronJobName }) => cronJobName),
        reaper: jobs.reaper?.cronJobName,
      },
      walArchives: namesOf(jobs.walArchives, ({ statefulSetName }) => statefulSetName),
      roles: this.roleArns,
      topics: this.topicArns,
      database: database && { identifier: database.identifier, arn: database.arn, address: database.address },
      databaseSecret: args.databaseSecretArn,
    };
    return new aws.s3.BucketObjectv2(
      `${name}-card`,
      {
        bucket: store.bucketName,
        region,
        key: `${StorePrefix.Runbooks}${region}/recovery-site.json`,
        contentType: "application/json",
        content: pulumi.jsonStringify(card, undefined, 2),
        tags: tagsOf({ application, environment, component: "recovery-site" }, tags),
      },
      // The card outlives the stack, as the rest of the store does.
      { parent: this, retainOnDelete: opts.retainOnDelete ?? true },
    ).key;
  }
}

/** What is made for each database, by the database; absent where there is none. */
function namesOf<Made>(made: ReadonlyMap<string, Made>, nameOf: (one: Made) => pulumi.Output<string>) {
  return made.size === 0 ? undefined : Object.fromEntries([...made].map(([name, one]) => [name, nameOf(one)] as const));
}

/** A standby has its source's name and administrator, and does not state them to RDS. */
function replicaArgsOf(
  args: Pick<RecoverySiteArgs, "application" | "environment" | "region" | "tags">,
  standby: StandbyDatabaseArgs,
) {
  const { application, environment, region, tags } = args;
  const { source, sourceAutomatedBackups } = standby;
  const inherited = { databaseName: undefined, allocatedStorageGib: undefined };
  return {
    ...managedDatabaseArgsOf(standby),
    ...inherited,
    application,
    environment,
    region,
    source,
    sourceAutomatedBackups,
    tags,
  };
}

/** Everything that is wrong with the arguments, those of every part included. */
export function recoverySiteProblems(name: string, args: RecoverySiteArgs): ArgumentProblems {
  const { application, environment, region, accountId, standbyDatabase } = args;
  const scope = { application, environment, region, accountId };
  const problems = new ArgumentProblems();
  const databases = [...(args.databases ?? []), ...(standbyDatabase ? [unmadeDatabase(standbyDatabase)] : [])];
  if (standbyDatabase !== undefined) {
    problems.addAll(replicaDatabaseProblems(replicaArgsOf(args, standbyDatabase)), (path) =>
      path in scope ? path : `standbyDatabase.${path}`,
    );
    if (standbyDatabase.databaseName === undefined) {
      problems.add("standbyDatabase.databaseName", "is missing: backups of a woken site name the database");
    }
    if (standbyDatabase.source.region === region) {
      problems.add("standbyDatabase.source.region", `is ${region}, the site's own: a standby there is lost with it`);
    }
  }
  expectBucketName(problems, "store.bucketName", args.store.bucketName);
  expectRetention(problems, "store.retention", args.store.retention);
  expectRunbooks(problems, args.runbooks);
  const registry = registryRegionOf(args.image);
  if (registry !== undefined && registry !== region) {
    problems.add("image", `is in the registry of ${registry}: when that region is gone, nothing starts here`);
  }
  problems.addAll(recoveryJobsProblems(name, { ...args, databases }), (path) => path);
  problems.addAll(
    recoveryAlertsProblems({
      ...scope,
      ...args.alerts,
      databases: databases.map((database) => database.name),
      backupSchedule: args.backup?.schedule ?? defaultBackupSchedule,
      backupTimeZone: args.backup?.timeZone,
    }),
    (path) => (path.startsWith("subscriptions") ? `alerts.${path}` : path.replace("backupSchedule", "backup.schedule")),
  );
  return problems;
}
