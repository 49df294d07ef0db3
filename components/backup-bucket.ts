import * as pulumi from "@pulumi/pulumi";
import {
  defaultStoreRetention,
  Identity,
  StorageClass,
  type StoreLock,
  storeRetentionProblems,
  type StoreRetention,
} from "../recovery";
import { ArgumentProblems } from "./argument-problems";
import { expectAccountId, expectRegion } from "./aws-names";
import { bucketArnOf, replicateBucket } from "./bucket-replication";
import {
  accessLogBucket,
  Encryption,
  hardenedBucket,
  ObjectLockMode,
  type StoreBucket,
  type StoreBucketSettings,
} from "./hardened-bucket";
import { markExpectation, markPattern, tagsOf } from "./labels-and-tags";

/** How long backups are kept. Days count from an object's creation, and hot and archive days add up. */
export interface BackupRetentionArgs {
  /** Days in STANDARD, from which recoveries are made. @default 30 (guide, "Backup Schedule") */
  hotDays?: number;
  /** Days in the archive after those; 0 for no archive. @default 90 (guide, "Backup Schedule") */
  archiveDays?: number;
  /** The archive. Reading from GLACIER takes up to 5 hours, from GLACIER_IR none. @default GLACIER (guide) */
  archiveClass?: StorageClass;
  /** Days that an overwritten or deleted version is still kept. @default 30 */
  noncurrentDays?: number;
  /** Days that the write-ahead log is kept; never archived. @default 14 */
  logDays?: number;
  /** Days that evidence is kept; never archived. @default 400 */
  evidenceDays?: number;
}

/** S3's refusal to delete a version before its time. */
export interface ObjectLockArgs {
  /** `COMPLIANCE` cannot be undone by anybody: choose it knowingly. @default GOVERNANCE */
  mode?: ObjectLockMode;
  /** Days that every version is held, from its creation. @default 14 */
  days?: number;
  /** Days after which silent corruption, or a thief, is certainly noticed; the lock must last as long. @default 7 */
  detectCorruptionDays?: number;
}

/** Role ARNs of the identities that work with a bucket; `RecoveryIdentity` makes such roles. */
export interface StorePrincipalsArgs {
  backupWriter?: pulumi.Input<string>;
  restoreReader?: pulumi.Input<string>;
  evidenceWriter?: pulumi.Input<string>;
  auditor?: pulumi.Input<string>;
}

/** The copy of the bucket in another region. */
export interface BackupReplicaArgs {
  /** The recovery region. */
  region: string;
  /**
   * An existing bucket to copy to, for instance one of a copy account that was made by a `BackupBucket` there with
   * `acceptReplicationFrom`. @default one is made
   */
  bucketName?: string;
  /** The account that owns the existing bucket; needs `bucketName`. @default this account */
  accountId?: string;
  /** The KMS key there. Required with `bucketName` and KMS encryption. @default one is made */
  kmsKeyArn?: pulumi.Input<string>;
  /** Roles of the recovery site that work with the copy. @default none */
  principals?: StorePrincipalsArgs;
}

export interface BackupBucketArgs {
  /** The application that is protected; goes into tags and the bucket's name. */
  application: string;
  /** The environment, for instance `prod`. */
  environment: string;
  /** The bucket's region: always explicit, so that a backup never lands where the shell happened to point. */
  region: string;
  /** The account that owns the bucket. Jobs refuse a bucket of this name that belongs to anybody else. */
  accountId: string;
  /** @default `APPLICATION-ENVIRONMENT-backups-REGION-ACCOUNT`, known before anything is deployed */
  bucketName?: string;
  /** @default KMS with a key made here */
  encryption?: Encryption;
  /** An existing KMS key in the region. @default one is made, rotated every year */
  kmsKeyArn?: pulumi.Input<string>;
  retention?: BackupRetentionArgs;
  objectLock?: ObjectLockArgs;
  /** The roles that work with the bucket; the policy refuses each everything that is not in the identities' table. */
  principals?: StorePrincipalsArgs;
  /** Copy everything to another region. @default no copy */
  replica?: BackupReplicaArgs;
  /** ARN of the role of another account that replicates into this bucket. @default none */
  acceptReplicationFrom?: pulumi.Input<string>;
  /** An existing bucket in the region that takes access logs. @default one is made for each region */
  accessLogBucketName?: string;
  /** Days that access logs are kept in the bucket that is made for them. @default 90 */
  accessLogDays?: number;
  /** Topics in the region that are told when replication fails or is late. @default none: the alarms only show */
  alarmTopicArns?: pulumi.Input<string>[];
  /** Tags beside the `recovery.*` set. */
  tags?: Record<string, string>;
}

/**
 * The store of an application's backups: encrypted, versioned, locked, private, over TLS only, with the lifecycle that
 * the retention asks for, and on request a copy of it all in another region.
 *
 * Everything in it is protected and stays when the stack is destroyed, unless the component's own `protect` and
 * `retainOnDelete` options say otherwise. Nothing ever empties the bucket.
 *
 * ```ts
 * const bucket = new BackupBucket("backups", {
 *   application: "architect-go",
 *   environment: "prod",
 *   region: "eu-central-1",
 *   accountId: "111122223333",
 *   replica: { region: "eu-west-1" },
 * });
 * ```
 */
export class BackupBucket extends pulumi.ComponentResource {
  public readonly bucketName: pulumi.Output<string>;
  public readonly bucketArn: pulumi.Output<string>;
  /** The KMS key that encrypts the bucket; absent with `encryption: Encryption.S3`. */
  public readonly dataKeyArn: pulumi.Output<string | undefined>;
  /** The store as the job configuration names it. */
  public readonly storeUrl: pulumi.Output<string>;
  /** The copy; absent without `replica`. */
  public readonly replicaBucketName: pulumi.Output<string | undefined>;
  public readonly replicaBucketArn: pulumi.Output<string | undefined>;
  public readonly replicaDataKeyArn: pulumi.Output<string | undefined>;
  public readonly replicaStoreUrl: pulumi.Output<string | undefined>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: BackupBucketArgs, opts: pulumi.ComponentResourceOptions = {}) {
    backupBucketProblems(args).throwIfAny("BackupBucket", name);
    super("disaster-recovery:index:BackupBucket", name, args, opts);
    const settings = settingsOf(args);
    const kept: pulumi.CustomResourceOptions = {
      parent: this,
      protect: opts.protect ?? true,
      retainOnDelete: opts.retainOnDelete ?? true,
    };
    const { region, accountId, replica } = args;
    const bucketName = backupBucketNameOf(args);
    const source = hardenedBucket(
      `${name}-bucket`,
      settings,
      {
        bucketName,
        bucketArn: bucketArnOf(bucketName, region),
        region,
        kmsKeyArn: args.kmsKeyArn,
        principals: principalsOf(args.principals),
        otherSidePrincipals: principalsOf(replica?.principals),
        acceptReplicationFrom: args.acceptReplicationFrom,
        accessLogBucket:
          args.accessLogBucketName ?? this.accessLogs(`${name}-access-logs`, args, region, settings, kept),
      },
      kept,
    );
    this.bucketName = source.bucket.bucket;
    this.bucketArn = source.bucket.arn;
    this.dataKeyArn = pulumi.output(source.keyArn);
    this.storeUrl = source.bucket.bucket.apply((bucket) => storeUrlOf(bucket, region, accountId));

    const copy = replica && this.replicaOf(name, args, replica, settings, source, kept);
    this.replicaBucketName = pulumi.output(copy?.bucketName);
    this.replicaBucketArn = pulumi.output(copy?.bucketArn);
    this.replicaDataKeyArn = pulumi.output(copy?.keyArn);
    this.replicaStoreUrl = pulumi.output(copy && storeUrlOf(copy.bucketName, copy.region, copy.accountId));
    this.registerOutputs({
      bucketName: this.bucketName,
      bucketArn: this.bucketArn,
      dataKeyArn: this.dataKeyArn,
      storeUrl: this.storeUrl,
      replicaBucketName: this.replicaBucketName,
      replicaBucketArn: this.replicaBucketArn,
      replicaDataKeyArn: this.replicaDataKeyArn,
      replicaStoreUrl: this.replicaStoreUrl,
    });
  }

  private replicaOf(
    name: string,
    args: BackupBucketArgs,
    replica: BackupReplicaArgs,
    settings: StoreBucketSettings,
    source: StoreBucket,
    kept: pulumi.CustomResourceOptions,
  ) {
    const { region } = replica;
    const existing = replica.bucketName !== undefined;
    const bucketName = replica.bucketName ?? backupBucketNameOf({ ...args, region, bucketName: undefined });
    const bucketArn = bucketArnOf(bucketName, region);
    const made = existing
      ? undefined
      : hardenedBucket(
          `${name}-replica`,
          settings,
          {
            bucketName,
            bucketArn,
            region,
            kmsKeyArn: replica.kmsKeyArn,
            principals: principalsOf(replica.principals),
            otherSidePrincipals: principalsOf(args.principals),
            accessLogBucket: this.accessLogs(`${name}-replica-access-logs`, args, region, settings, kept),
          },
          kept,
        );
    const keyArn = made ? made.keyArn : replica.kmsKeyArn;
    const accountId = replica.accountId ?? args.accountId;
    const sourceName = backupBucketNameOf(args);
    replicateBucket(
      `${name}-bucket`,
      {
        source: {
          bucket: source.bucket,
          bucketName: sourceName,
          bucketArn: bucketArnOf(sourceName, args.region),
          region: args.region,
          keyArn: source.keyArn,
        },
        destination: {
          bucketName,
          bucketArn,
          region,
          keyArn,
          otherAccountId: accountId === args.accountId ? undefined : accountId,
        },
        accountId: args.accountId,
        alarmTopicArns: args.alarmTopicArns ?? [],
        tags: settings.tags,
      },
      kept,
      // S3 refuses replication from or to a bucket that keeps no versions.
      [source.versioning, ...(made ? [made.versioning] : [])],
    );
    return { bucketName, bucketArn, keyArn, region, accountId };
  }

  private accessLogs(
    name: string,
    args: BackupBucketArgs,
    region: string,
    settings: StoreBucketSettings,
    kept: pulumi.CustomResourceOptions,
  ): pulumi.Output<string> {
    const bucketName = accessLogBucketNameOf(args, region);
    return accessLogBucket(
      name,
      {
        bucketName,
        bucketArn: bucketArnOf(bucketName, region),
        region,
        accountId: args.accountId,
        days: args.accessLogDays ?? defaultAccessLogDays,
      },
      settings.tags,
      kept,
    ).bucket;
  }
}

const defaultAccessLogDays = 90;
const defaultLockDays = 14;
const defaultDetectCorruptionDays = 7;

/** The name of an application's backup bucket, known before anything is deployed. */
export function backupBucketNameOf(
  args: Pick<BackupBucketArgs, "application" | "environment" | "region" | "accountId" | "bucketName">,
): string {
  return args.bucketName ?? `${args.application}-${args.environment}-backups-${args.region}-${args.accountId}`;
}

function accessLogBucketNameOf(args: BackupBucketArgs, region: string): string {
  return `${args.application}-${args.environment}-s3-logs-${region}-${args.accountId}`;
}

/** The store as the job configuration names it. */
export function storeUrlOf(bucketName: string, region: string, accountId: string): string {
  return `s3://${bucketName}?region=${region}&expectedBucketOwner=${accountId}`;
}

/** The retention in force: what is not stated is the guide's. */
export function retentionOf(args: BackupRetentionArgs = {}): StoreRetention {
  const stated = Object.entries(args).filter(([, value]) => value !== undefined);
  return { ...defaultStoreRetention, ...(Object.fromEntries(stated) as BackupRetentionArgs) };
}

function principalsOf(args: StorePrincipalsArgs = {}): Record<string, pulumi.Input<string>> {
  const byIdentity = {
    [Identity.BackupWriter]: args.backupWriter,
    [Identity.RestoreReader]: args.restoreReader,
    [Identity.EvidenceWriter]: args.evidenceWriter,
    [Identity.Auditor]: args.auditor,
  };
  return Object.fromEntries(Object.entries(byIdentity).filter(([, arn]) => arn !== undefined)) as Record<
    string,
    pulumi.Input<string>
  >;
}

function settingsOf(args: BackupBucketArgs): StoreBucketSettings {
  const { application, environment } = args;
  return {
    encryption: args.encryption ?? Encryption.Kms,
    retention: retentionOf(args.retention),
    lockMode: args.objectLock?.mode ?? ObjectLockMode.Governance,
    lockDays: args.objectLock?.days ?? defaultLockDays,
    accountId: args.accountId,
    tags: tagsOf({ application, environment, component: "backup-bucket" }, args.tags),
  };
}

/** Everything that is wrong with the arguments. */
export function backupBucketProblems(args: BackupBucketArgs): ArgumentProblems {
  const { application, environment } = args;
  const { encryption, lockMode, lockDays } = settingsOf(args);
  const detectCorruptionDays = args.objectLock?.detectCorruptionDays ?? defaultDetectCorruptionDays;
  const problems = new ArgumentProblems();
  problems.expect(markPattern.test(application), "application", markExpectation, application);
  problems.expect(markPattern.test(environment), "environment", markExpectation, environment);
  expectRegion(problems, "region", args.region);
  expectAccountId(problems, "accountId", args.accountId);
  problems.expectOneOf("encryption", args.encryption, Encryption);
  problems.expectOneOf("objectLock.mode", args.objectLock?.mode, ObjectLockMode);
  problems.expectInteger("accessLogDays", args.accessLogDays, 1);
  if (encryption === Encryption.S3 && args.kmsKeyArn !== undefined) {
    problems.add("kmsKeyArn", "is given and encryption is AES256: leave out one of them");
  }
  const lock = lockMode === ObjectLockMode.None ? undefined : { lockDays, detectCorruptionDays };
  expectRetention(problems, "retention", args.retention, lock);
  expectBucketName(problems, "bucketName", backupBucketNameOf(args));
  if (args.accessLogBucketName === undefined) {
    expectBucketName(problems, "application", accessLogBucketNameOf(args, args.region));
  }
  if (args.replica !== undefined) expectReplica(problems, args, args.replica, encryption);
  return problems;
}

/** Notes what is wrong with a store's retention, and with its lock. */
export function expectRetention(
  problems: ArgumentProblems,
  propertyPath: string,
  args: BackupRetentionArgs | undefined,
  lock?: StoreLock,
): void {
  problems.expectOneOf(`${propertyPath}.archiveClass`, args?.archiveClass, StorageClass);
  const retention = retentionOf(args);
  if (!Object.values(StorageClass).includes(retention.archiveClass)) return;
  for (const { path, message } of storeRetentionProblems(retention, lock)) {
    problems.add(path === "lockDays" ? "objectLock.days" : `${propertyPath}.${path}`, message);
  }
}

function expectReplica(
  problems: ArgumentProblems,
  args: BackupBucketArgs,
  replica: BackupReplicaArgs,
  encryption: Encryption,
): void {
  expectRegion(problems, "replica.region", replica.region);
  if (replica.region === args.region) {
    problems.add("replica.region", `is ${args.region}, the bucket's own: a copy there is lost with it`);
  }
  if (replica.bucketName !== undefined) {
    expectBucketName(problems, "replica.bucketName", replica.bucketName);
    if (encryption === Encryption.Kms && replica.kmsKeyArn === undefined) {
      problems.add(
        "replica.kmsKeyArn",
        "is missing: name the key of the existing bucket, S3 encrypts the copies with it",
      );
    }
  } else if (replica.accountId !== undefined) {
    problems.add(
      "replica.bucketName",
      "is missing: a bucket of another account is made there, by a BackupBucket with acceptReplicationFrom",
    );
  } else {
    expectBucketName(
      problems,
      "replica.region",
      backupBucketNameOf({ ...args, region: replica.region, bucketName: undefined }),
    );
  }
  if (replica.accountId !== undefined) expectAccountId(problems, "replica.accountId", replica.accountId);
  if (encryption === Encryption.S3 && replica.kmsKeyArn !== undefined) {
    problems.add("replica.kmsKeyArn", "is given and encryption is AES256: leave out one of them");
  }
}

function expectBucketName(problems: ArgumentProblems, propertyPath: string, bucketName: string): void {
  problems.expect(
    /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(bucketName),
    propertyPath,
    "a bucket name of 3 to 63 lower-case letters, digits and dashes",
    bucketName,
  );
}
