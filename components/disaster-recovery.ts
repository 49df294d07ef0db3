import * as pulumi from "@pulumi/pulumi";
import { ArgumentProblems } from "./argument-problems";
import {
  BackupBucket,
  backupBucketProblems,
  type BackupRetentionArgs,
  type ObjectLockArgs,
  storeUrlOf,
  expectRetention,
} from "./backup-bucket";
import { defaultBackupSchedule } from "./backup-job";
import { expectBucketName } from "./aws-names";
import { bucketArnOf } from "./bucket-replication";
import { type Encryption } from "./hardened-bucket";
import { type JobObjectivesArgs, type ProtectedDatabaseArgs } from "./job-arguments";
import { tagsOf } from "./labels-and-tags";
import {
  managedDatabaseArgsOf,
  protectedDatabaseOf,
  type ProtectedManagedDatabaseArgs,
  unmadeDatabase,
} from "./managed-database";
import {
  RecoveryAlerts,
  recoveryAlertsProblems,
  type SeverityTopicsArgs,
  type SubscriptionArgs,
} from "./recovery-alerts";
import { type ImageCopyArgs, RecoveryCopies, recoveryCopiesProblems, type StateBucketArgs } from "./recovery-copies";
import { rolePrincipalsOf } from "./recovery-identity";
import {
  type ClusterArgs,
  type JobScheduleArgs,
  recoveryJobs,
  recoveryJobsProblems,
  sqlitePodsOf,
  testedLogsOf,
} from "./recovery-jobs";
import { ReplicaDatabase, replicaDatabaseProblems } from "./replica-database";
import { expectRunbooks, runbookObjects } from "./runbook-objects";

/** A bucket that exists. */
export interface ExistingStoreArgs {
  bucketName: string;
  /** The key that encrypts it. @default none: S3's own */
  dataKeyArn?: pulumi.Input<string>;
  /**
   * How long its lifecycle keeps backups, so that one whose time is over is told from one that was destroyed.
   * @default they are never expected to go
   */
  retention?: BackupRetentionArgs;
}

/** Who is told when something is wrong. */
export interface AlertingArgs {
  /** @default nobody: the topics exist, and whoever subscribes is told */
  subscriptions?: SubscriptionArgs[];
  /** Existing topics. @default topics and their key are made */
  topics?: SeverityTopicsArgs;
  /** Show what the alarms find, and tell nobody, until the first backup and restore test are done. @default false */
  firstDeployment?: boolean;
}

/** What a recovery needs besides the data, copied to the recovery region. */
export interface CopiesArgs {
  /** @default the region's registry copies nothing */
  images?: ImageCopyArgs;
  /** @default Pulumi's state is in no bucket of this region */
  stateBucket?: StateBucketArgs;
}

export interface DisasterRecoveryArgs {
  /** The application that is protected. */
  application: string;
  /** The environment, for instance `prod`. */
  environment: string;
  /** The region that serves. */
  region: string;
  accountId: string;
  /** @default the guide's: RPO 60 minutes, RTO 15 minutes */
  objectives?: JobObjectivesArgs;
  cluster: ClusterArgs;
  /** The job image, pinned by digest. */
  image: string;
  /** Databases that exist: servers, and files that an application has open. */
  databases?: ProtectedDatabaseArgs[];
  /** A database to make and protect. */
  managedDatabase?: ProtectedManagedDatabaseArgs;
  /** @default every six hours */
  backup?: JobScheduleArgs;
  /** @default daily at three */
  restoreTest?: JobScheduleArgs;
  /** When the restore test is itself put to the test. @default weekly, on Tuesday at five */
  proof?: JobScheduleArgs;
  /** When RDS restores its own log into a throw-away instance, to be proven. @default weekly, on Wednesday at five */
  pointInTimeTest?: JobScheduleArgs;
  /** @default 30 days hot, 90 in Glacier */
  retention?: BackupRetentionArgs;
  /** @default 14 days, governance */
  objectLock?: ObjectLockArgs;
  /** @default KMS with a key made here */
  encryption?: Encryption;
  /** A bucket of one's own, whose settings are then one's own too. @default a `BackupBucket` is made */
  existingStore?: ExistingStoreArgs;
  /**
   * Copy the store, and the database's secret, to this region, and let the recovery site there (`RecoverySite`, a stack
   * of its own) work with them. @default no copies: the loss of the region is not survived
   */
  recoveryRegion?: string;
  /** What else is copied there. @default nothing */
  copies?: CopiesArgs;
  /** Runbooks, texts by file name: kept in the store under `runbooks/REGION/`, and in its copy. @default none */
  runbooks?: Record<string, pulumi.Input<string>>;
  alerts?: AlertingArgs;
  /** Tags beside the `recovery.*` set. */
  tags?: Record<string, string>;
}

/**
 * Disaster recovery of one application: the store and its copy, the identities, the jobs that back up, prove and report,
 * a database with its standby where one is wanted, and the alarms.
 *
 * Each part is a component of its own, and can be replaced by one's own: the store by `existingStore`, the databases by
 * `databases`, the topics by `alerts.topics`, the namespace by `cluster`.
 *
 * ```ts
 * new DisasterRecovery("architect", {
 *   application: "architect-go",
 *   environment: "prod",
 *   region: "eu-central-1",
 *   recoveryRegion: "eu-west-1",
 *   accountId: "111122223333",
 *   cluster: { namespace: "architect-go", clusterName: "prod" },
 *   image: "registry.example.com/dr@sha256:...",
 *   databases: [{ name: "architect", engine: Engine.Postgres, url: "postgresql://...", sizeGib: 40, cidrs: ["10.0.4.0/24"] }],
 * });
 * ```
 */
export class DisasterRecovery extends pulumi.ComponentResource {
  public readonly bucketName: pulumi.Output<string>;
  public readonly storeUrl: pulumi.Output<string>;
  public readonly replicaBucketName: pulumi.Output<string | undefined>;
  public readonly replicaDataKeyArn: pulumi.Output<string | undefined>;
  /** ARNs of the identities' roles, by identity. */
  public readonly roleArns: pulumi.Output<Record<string, string>>;
  /** ARNs of the topics, by severity. */
  public readonly topicArns: pulumi.Output<Record<string, string>>;
  /** Host name of the managed database. */
  public readonly databaseAddress: pulumi.Output<string | undefined>;
  /** ARN of the managed database, which the recovery site replicates. */
  public readonly databaseArn: pulumi.Output<string | undefined>;
  /** The secret from which clients read where the managed database is. */
  public readonly databaseSecretArn: pulumi.Output<string | undefined>;
  /**
   * What the pods of an application whose SQLite file is streamed are given, by database: `podLabels`,
   * `initContainers`, `volumes` and `serviceAccountAnnotations`, as `SqliteReplication` has them.
   */
  // Parts of a pod have no type in a plugin's schema.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  public readonly sqlitePods: pulumi.Output<any>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: DisasterRecoveryArgs, opts: pulumi.ComponentResourceOptions = {}) {
    disasterRecoveryProblems(name, args).throwIfAny("DisasterRecovery", name);
    super("disaster-recovery:index:DisasterRecovery", name, args, opts);
    const { application, environment, region, accountId, objectives, tags } = args;
    const scope = { application, environment, region, accountId };
    const database = args.managedDatabase && this.database(name, args, args.managedDatabase, opts);
    const databases = [
      ...(args.databases ?? []),
      ...(database ? [protectedDatabaseOf(args.managedDatabase!, database, args.managedDatabase!.databaseName!)] : []),
    ];
    const alerts = new RecoveryAlerts(
      `${name}-alerts`,
      {
        ...scope,
        ...args.alerts,
        databases: databases.map((each) => each.name),
        streamedDatabases: databases.filter(isStreamed).map((each) => each.name),
        ...testedLogsOf(databases),
        backupSchedule: args.backup?.schedule ?? defaultBackupSchedule,
        backupTimeZone: args.backup?.timeZone,
        objectives,
        tags,
      },
      { parent: this },
    );
    const bucket = args.existingStore ? undefined : this.bucket(name, args, alerts, opts);
    const store = bucket
      ? {
          url: bucket.storeUrl,
          bucketArn: bucket.bucketArn,
          dataKeyArn: bucket.dataKeyArn,
          retention: args.retention ?? {},
        }
      : existingStoreOf(args);
    const jobs = recoveryJobs(
      name,
      {
        ...scope,
        cluster: args.cluster,
        image: args.image,
        databases,
        objectives,
        store,
        backup: args.backup,
        restoreTest: args.restoreTest,
        proof: args.proof,
        pointInTimeTest: args.pointInTimeTest,
        asleep: false,
        tags,
      },
      this,
    );
    if (args.copies !== undefined) this.copies(name, args, args.copies, alerts, opts);
    const tagged = tagsOf({ application, environment, component: "disaster-recovery" }, tags);
    runbookObjects(
      name,
      { bucketName: bucket?.bucketName ?? args.existingStore!.bucketName, region, tags: tagged },
      args.runbooks ?? {},
      // They outlive the stack, as the rest of the store does.
      { parent: this, retainOnDelete: opts.retainOnDelete ?? true },
    );
    this.bucketName = bucket?.bucketName ?? pulumi.output(args.existingStore!.bucketName);
    this.storeUrl = pulumi.output(store.url);
    this.replicaBucketName = pulumi.output(bucket?.replicaBucketName);
    this.replicaDataKeyArn = pulumi.output(bucket?.replicaDataKeyArn);
    this.roleArns = jobs.identity.roleArns();
    this.topicArns = alerts.topicArns();
    this.databaseAddress = pulumi.output(database?.address);
    this.databaseArn = pulumi.output(database?.arn);
    this.databaseSecretArn = pulumi.output(database?.secretArn);
    this.sqlitePods = sqlitePodsOf(jobs);
    this.registerOutputs({
      bucketName: this.bucketName,
      storeUrl: this.storeUrl,
      replicaBucketName: this.replicaBucketName,
      replicaDataKeyArn: this.replicaDataKeyArn,
      roleArns: this.roleArns,
      topicArns: this.topicArns,
      databaseAddress: this.databaseAddress,
      databaseArn: this.databaseArn,
      databaseSecretArn: this.databaseSecretArn,
      sqlitePods: this.sqlitePods,
    });
  }

  private database(
    name: string,
    args: DisasterRecoveryArgs,
    database: ProtectedManagedDatabaseArgs,
    opts: pulumi.ComponentResourceOptions,
  ): ReplicaDatabase {
    const { application, environment, region, recoveryRegion, tags } = args;
    return new ReplicaDatabase(
      `${name}-database`,
      {
        ...managedDatabaseArgsOf(database),
        application,
        environment,
        region,
        secretReplicaRegions: recoveryRegion === undefined ? [] : [recoveryRegion],
        tags,
      },
      { parent: this, protect: opts.protect ?? true },
    );
  }

  private copies(
    name: string,
    args: DisasterRecoveryArgs,
    copies: CopiesArgs,
    alerts: RecoveryAlerts,
    opts: pulumi.ComponentResourceOptions,
  ): void {
    const { application, environment, region, recoveryRegion, accountId, tags } = args;
    const scope = { application, environment, region, recoveryRegion: recoveryRegion!, accountId };
    const { protect, retainOnDelete } = opts;
    new RecoveryCopies(
      `${name}-copies`,
      { ...scope, ...copies, alarmTopicArns: [alerts.p2TopicArn], tags },
      { parent: this, protect: protect ?? true, retainOnDelete: retainOnDelete ?? true },
    );
  }

  private bucket(
    name: string,
    args: DisasterRecoveryArgs,
    alerts: RecoveryAlerts,
    opts: pulumi.ComponentResourceOptions,
  ): BackupBucket {
    const { application, environment, region, accountId, recoveryRegion, retention, objectLock, encryption } = args;
    const scope = { application, environment, accountId };
    return new BackupBucket(
      `${name}-store`,
      {
        ...scope,
        region,
        retention,
        objectLock,
        encryption,
        principals: rolePrincipalsOf({ ...scope, region }),
        replica:
          recoveryRegion === undefined
            ? undefined
            : { region: recoveryRegion, principals: rolePrincipalsOf({ ...scope, region: recoveryRegion }) },
        alarmTopicArns: [alerts.p2TopicArn],
        tags: args.tags,
      },
      { parent: this, protect: opts.protect ?? true, retainOnDelete: opts.retainOnDelete ?? true },
    );
  }
}

function existingStoreOf({ existingStore, region, accountId }: DisasterRecoveryArgs) {
  const { bucketName, dataKeyArn, retention } = existingStore!;
  const url = storeUrlOf(bucketName, region, accountId);
  return { url, bucketArn: bucketArnOf(bucketName, region), dataKeyArn, retention };
}

/** Everything that is wrong with the arguments, those of every part included. */
export function disasterRecoveryProblems(name: string, args: DisasterRecoveryArgs): ArgumentProblems {
  const { application, environment, region, accountId, managedDatabase, existingStore, recoveryRegion } = args;
  const scope = { application, environment, region, accountId };
  const problems = new ArgumentProblems();
  const databases = [...(args.databases ?? []), ...(managedDatabase ? [unmadeDatabase(managedDatabase)] : [])];
  if (existingStore === undefined) {
    const { retention, objectLock, encryption } = args;
    const replica = recoveryRegion === undefined ? undefined : { region: recoveryRegion };
    problems.addAll(backupBucketProblems({ ...scope, retention, objectLock, encryption, replica }), (path) =>
      path === "replica.region" ? "recoveryRegion" : path,
    );
  } else {
    for (const field of ["retention", "objectLock", "encryption"] as const) {
      if (args[field] !== undefined) problems.add(field, "does not belong to an existing store, which has its own");
    }
    expectBucketName(problems, "existingStore.bucketName", existingStore.bucketName);
    expectRetention(problems, "existingStore.retention", existingStore.retention);
  }
  if (managedDatabase !== undefined) {
    const database = { ...managedDatabaseArgsOf(managedDatabase), application, environment, region };
    problems.addAll(replicaDatabaseProblems(database), (path) => (path in scope ? path : `managedDatabase.${path}`));
  }
  if (args.copies !== undefined && recoveryRegion === undefined) {
    problems.add("copies", "has nowhere to go: name the recoveryRegion");
  } else if (args.copies !== undefined) {
    problems.addAll(recoveryCopiesProblems({ ...scope, recoveryRegion: recoveryRegion!, ...args.copies }), (path) =>
      path in scope || path === "recoveryRegion" ? path : `copies.${path}`,
    );
  }
  expectRunbooks(problems, args.runbooks);
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

/** Whether the age of its log tells anything: without a heartbeat a quiet file has an old stream. */
function isStreamed({ wal, stream }: ProtectedDatabaseArgs): boolean {
  return wal !== undefined || (stream !== undefined && stream.heartbeat !== false);
}
