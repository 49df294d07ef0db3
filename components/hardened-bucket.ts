import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import {
  bucketPolicy,
  dataKeyRefusals,
  type Lifecycle,
  type PolicyDocument,
  storeLifecycles,
  type StoreRetention,
} from "../recovery";
import { partitionOf } from "./aws-names";
import { replicaKeyActions, throughS3 } from "./replication-key-use";

/** Who holds the key that encrypts the bucket. */
export const Encryption = {
  /** A KMS key of the customer's, rotated every year, with a bucket key (one KMS call for many objects). */
  Kms: "aws:kms",
  /** S3's own keys: no key to lose, and none to withhold. */
  S3: "AES256",
} as const;
export type Encryption = (typeof Encryption)[keyof typeof Encryption];

/** Whether, and how firmly, S3 refuses to delete a version before its time. */
export const ObjectLockMode = {
  None: "NONE",
  /** An administrator with `s3:BypassGovernanceRetention` can still delete. */
  Governance: "GOVERNANCE",
  /** Nobody can delete or shorten it, the account's root user included, and the bill runs on. */
  Compliance: "COMPLIANCE",
} as const;
export type ObjectLockMode = (typeof ObjectLockMode)[keyof typeof ObjectLockMode];

/** What both sides of a replicated store have in common. */
export interface StoreBucketSettings {
  readonly encryption: Encryption;
  readonly retention: StoreRetention;
  readonly lockMode: ObjectLockMode;
  readonly lockDays: number;
  readonly accountId: string;
  readonly tags: Record<string, string>;
}

/** One bucket of a store and where it is. */
export interface StoreBucketPlace {
  readonly bucketName: string;
  readonly bucketArn: string;
  readonly region: string;
  readonly kmsKeyArn?: pulumi.Input<string>;
  /** ARN of the role of each identity that works with this bucket. */
  readonly principals: Readonly<Record<string, pulumi.Input<string>>>;
  /** The same for the other bucket of the pair: to this one's key they must not do more either. */
  readonly otherSidePrincipals: Readonly<Record<string, pulumi.Input<string>>>;
  /** ARN of the role in another account that may replicate into this bucket. */
  readonly acceptReplicationFrom?: pulumi.Input<string>;
  readonly accessLogBucket: pulumi.Input<string>;
}

/** One bucket of a store with all of its settings applied. */
export interface StoreBucket {
  readonly bucket: aws.s3.Bucket;
  readonly versioning: aws.s3.BucketVersioning;
  readonly keyArn: pulumi.Output<string> | undefined;
}

/**
 * A bucket with every setting of a backup store, each applied after the ones that it builds on. Never `forceDestroy`:
 * the option that empties a bucket to delete it has no place on a backup.
 */
export function hardenedBucket(
  name: string,
  settings: StoreBucketSettings,
  place: StoreBucketPlace,
  opts: pulumi.CustomResourceOptions,
): StoreBucket {
  const { region, bucketArn } = place;
  const { tags } = settings;
  const keyArn = settings.encryption === Encryption.Kms ? dataKeyOf(name, settings, place, opts) : undefined;
  const bucket = new aws.s3.Bucket(
    name,
    { bucket: place.bucketName, region, objectLockEnabled: settings.lockMode !== ObjectLockMode.None, tags },
    opts,
  );
  const bucketId = bucket.bucket;
  const accessBlock = blockPublicAccess(name, bucketId, region, opts);
  new aws.s3.BucketServerSideEncryptionConfiguration(
    `${name}-encryption`,
    { bucket: bucketId, region, rules: [encryptionRule(settings.encryption, keyArn)] },
    opts,
  );
  const versioning = new aws.s3.BucketVersioning(
    `${name}-versioning`,
    { bucket: bucketId, region, versioningConfiguration: { status: "Enabled" } },
    opts,
  );
  const afterVersioning = { ...opts, dependsOn: [versioning] };
  if (settings.lockMode !== ObjectLockMode.None) {
    new aws.s3.BucketObjectLockConfiguration(
      `${name}-object-lock`,
      { bucket: bucketId, region, rule: { defaultRetention: { mode: settings.lockMode, days: settings.lockDays } } },
      afterVersioning,
    );
  }
  new aws.s3.BucketLifecycleConfiguration(
    `${name}-lifecycle`,
    {
      bucket: bucketId,
      region,
      // The default, all_storage_classes_128K, would leave small dumps in STANDARD for ever.
      transitionDefaultMinimumObjectSize: "varies_by_storage_class",
      rules: lifecycleRules(settings.retention),
    },
    afterVersioning,
  );
  new aws.s3.BucketPolicy(
    `${name}-policy`,
    {
      bucket: bucketId,
      region,
      policy: pulumi
        .all([pulumi.output(place.principals), keyArn ?? pulumi.output(undefined), place.acceptReplicationFrom])
        .apply(([principals, dataKeyArn, replicationRoleArn]) =>
          JSON.stringify(storePolicy({ bucketArn, principals, dataKeyArn, replicationRoleArn })),
        ),
    },
    { ...opts, dependsOn: [accessBlock] },
  );
  new aws.s3.BucketLogging(
    `${name}-logging`,
    { bucket: bucketId, region, targetBucket: place.accessLogBucket, targetPrefix: `${place.bucketName}/` },
    opts,
  );
  return { bucket, versioning, keyArn };
}

/**
 * A bucket that can take access logs: log delivery cannot write to one whose default is SSE-KMS or that has a default
 * object lock (S3 User Guide, "Enabling Amazon S3 server access logging"), so a backup bucket cannot hold its own.
 */
export function accessLogBucket(
  name: string,
  settings: { bucketName: string; bucketArn: string; region: string; accountId: string; days: number },
  tags: Record<string, string>,
  opts: pulumi.CustomResourceOptions,
): aws.s3.Bucket {
  const { bucketArn, region, accountId, days } = settings;
  const bucket = new aws.s3.Bucket(name, { bucket: settings.bucketName, region, tags }, opts);
  const bucketId = bucket.bucket;
  const accessBlock = blockPublicAccess(name, bucketId, region, opts);
  new aws.s3.BucketServerSideEncryptionConfiguration(
    `${name}-encryption`,
    { bucket: bucketId, region, rules: [encryptionRule(Encryption.S3, undefined)] },
    opts,
  );
  new aws.s3.BucketLifecycleConfiguration(
    `${name}-lifecycle`,
    {
      bucket: bucketId,
      region,
      rules: [{ id: "logs", status: "Enabled", filter: { prefix: "" }, expiration: { days } }],
    },
    opts,
  );
  new aws.s3.BucketPolicy(
    `${name}-policy`,
    { bucket: bucketId, region, policy: JSON.stringify(accessLogPolicy(bucketArn, accountId)) },
    { ...opts, dependsOn: [accessBlock] },
  );
  return bucket;
}

/** The policy of a bucket that holds access logs: log delivery of this account writes, over TLS, and nobody else. */
export function accessLogPolicy(bucketArn: string, accountId: string): object {
  const { Statement: refusals } = bucketPolicy({ bucketArn, principals: {} });
  return {
    Version: "2012-10-17",
    Statement: [
      ...refusals,
      {
        Sid: "LogDelivery",
        Effect: "Allow",
        Principal: { Service: "logging.s3.amazonaws.com" },
        Action: "s3:PutObject",
        Resource: `${bucketArn}/*`,
        Condition: { StringEquals: { "aws:SourceAccount": accountId } },
      },
    ],
  };
}

/** The policy of one bucket of the store: the refusals of the identities' table, and what replication needs. */
export function storePolicy(parts: {
  readonly bucketArn: string;
  readonly principals: Readonly<Record<string, string>>;
  readonly dataKeyArn?: string;
  readonly replicationRoleArn?: string;
}): PolicyDocument {
  const { bucketArn, principals, dataKeyArn, replicationRoleArn } = parts;
  const statements = [...bucketPolicy({ bucketArn, principals, dataKeyArn }).Statement];
  if (dataKeyArn !== undefined) {
    const encryption = "s3:x-amz-server-side-encryption";
    // A request that names no encryption gets the bucket's default, and so passes: both operators must match a value.
    statements.push({
      Sid: "OtherEncryption",
      Effect: "Deny",
      Principal: "*",
      Action: "s3:PutObject",
      Resource: `${bucketArn}/*`,
      Condition: { StringLike: { [encryption]: "*" }, StringNotEquals: { [encryption]: Encryption.Kms } },
    });
  }
  if (replicationRoleArn !== undefined) {
    statements.push(
      {
        Sid: "ReplicatedObjects",
        Effect: "Allow",
        Principal: { AWS: replicationRoleArn },
        Action: ["s3:ReplicateObject", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"],
        Resource: `${bucketArn}/*`,
      },
      {
        Sid: "ReplicationChecks",
        Effect: "Allow",
        Principal: { AWS: replicationRoleArn },
        Action: ["s3:GetBucketVersioning", "s3:PutBucketVersioning"],
        Resource: bucketArn,
      },
    );
  }
  return { Version: "2012-10-17", Statement: statements };
}

/** The lifecycle rules of a store as S3 takes them: one for each prefix, and one for what every prefix leaves behind. */
export function lifecycleRules(retention: StoreRetention): aws.types.input.s3.BucketLifecycleConfigurationRule[] {
  const rules = Object.values(storeLifecycles(retention)).map(lifecycleRule);
  return [
    ...rules,
    // A rule of its own: S3 refuses the removal of delete markers beside an expiry in days.
    {
      id: "delete-markers",
      status: "Enabled",
      filter: { prefix: "" },
      expiration: { expiredObjectDeleteMarker: true },
    },
  ];
}

function lifecycleRule(lifecycle: Lifecycle): aws.types.input.s3.BucketLifecycleConfigurationRule {
  const {
    prefix = "",
    transitions,
    expirationDays,
    noncurrentExpirationDays,
    abortIncompleteMultipartDays,
  } = lifecycle;
  return {
    id: prefix.replace(/\/$/, ""),
    status: "Enabled",
    filter: { prefix },
    ...(transitions.length > 0 ? { transitions: transitions.map((transition) => ({ ...transition })) } : {}),
    ...(expirationDays === undefined ? {} : { expiration: { days: expirationDays } }),
    ...(noncurrentExpirationDays === undefined
      ? {}
      : { noncurrentVersionExpiration: { noncurrentDays: noncurrentExpirationDays } }),
    ...(abortIncompleteMultipartDays === undefined
      ? {}
      : { abortIncompleteMultipartUpload: { daysAfterInitiation: abortIncompleteMultipartDays } }),
  };
}

function dataKeyOf(
  name: string,
  settings: StoreBucketSettings,
  place: StoreBucketPlace,
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  if (place.kmsKeyArn !== undefined) return pulumi.output(place.kmsKeyArn);
  return new aws.kms.Key(
    `${name}-key`,
    {
      region: place.region,
      description: `Encrypts the backups in ${place.bucketName}. Without it they cannot be restored.`,
      enableKeyRotation: true,
      deletionWindowInDays: 30,
      policy: pulumi
        .all([pulumi.output(place.principals), pulumi.output(place.otherSidePrincipals), place.acceptReplicationFrom])
        .apply(([principals, otherSidePrincipals, replicationRoleArn]) => {
          const { region, bucketArn } = place;
          const roles = { principals, otherSidePrincipals, replicationRoleArn };
          return JSON.stringify(dataKeyPolicy({ region, bucketArn, accountId: settings.accountId, ...roles }));
        }),
      tags: settings.tags,
    },
    opts,
  ).arn;
}

/**
 * The policy of the key that encrypts a bucket of the store. The account's IAM decides who uses it, but for what no
 * identity of the store may ever do; of another account only the replication encrypts with it, through S3. So nobody
 * there can disable it or schedule its deletion (KMS Developer Guide, "Allowing users in other accounts to use a KMS key").
 */
export function dataKeyPolicy(parts: {
  readonly accountId: string;
  readonly region: string;
  readonly bucketArn: string;
  readonly principals: Readonly<Record<string, string>>;
  readonly otherSidePrincipals: Readonly<Record<string, string>>;
  readonly replicationRoleArn?: string;
}): object {
  const { accountId, region, bucketArn, principals, otherSidePrincipals, replicationRoleArn } = parts;
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "Account",
        Effect: "Allow",
        Principal: { AWS: `arn:${partitionOf(region)}:iam::${accountId}:root` },
        Action: "kms:*",
        Resource: "*",
      },
      ...dataKeyRefusals(principals),
      ...dataKeyRefusals(otherSidePrincipals).map((refusal) => ({ ...refusal, Sid: `OtherSide${refusal.Sid}` })),
      ...(replicationRoleArn === undefined
        ? []
        : [
            {
              Sid: "ReplicationFromAnotherAccount",
              Effect: "Allow",
              Principal: { AWS: replicationRoleArn },
              Action: replicaKeyActions,
              Resource: "*",
              Condition: throughS3(region, bucketArn),
            },
          ]),
    ],
  };
}

function encryptionRule(
  encryption: Encryption,
  keyArn: pulumi.Input<string> | undefined,
): aws.types.input.s3.BucketServerSideEncryptionConfigurationRule {
  return encryption === Encryption.Kms
    ? {
        applyServerSideEncryptionByDefault: { sseAlgorithm: Encryption.Kms, kmsMasterKeyId: keyArn },
        bucketKeyEnabled: true,
      }
    : { applyServerSideEncryptionByDefault: { sseAlgorithm: Encryption.S3 } };
}

function blockPublicAccess(
  name: string,
  bucket: pulumi.Input<string>,
  region: string,
  opts: pulumi.CustomResourceOptions,
): aws.s3.BucketPublicAccessBlock {
  new aws.s3.BucketOwnershipControls(
    `${name}-ownership`,
    { bucket, region, rule: { objectOwnership: "BucketOwnerEnforced" } },
    opts,
  );
  return new aws.s3.BucketPublicAccessBlock(
    `${name}-public-access`,
    {
      bucket,
      region,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    },
    opts,
  );
}
