import assert from "node:assert/strict";
import {
  CreateBucketCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  GetPublicAccessBlockCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutObjectLockConfigurationCommand,
  PutPublicAccessBlockCommand,
  S3Client,
  type LifecycleRule,
} from "@aws-sdk/client-s3";
import { BackupBucket } from "../../components";
import { moto, whyNoMoto } from "../support/moto";
import { register, type RegisteredResources } from "../support/registered-resources";
import { skip } from "../support/skip";

/** What the AWS provider sends for a lifecycle rule of the component. */
function sdkRule(rule: Record<string, never>): LifecycleRule {
  const { id, status, filter, transitions, expiration, noncurrentVersionExpiration, abortIncompleteMultipartUpload } =
    rule as never as Record<string, Record<string, never>>;
  return {
    ID: id as never,
    Status: status as never,
    Filter: { Prefix: filter!.prefix },
    Transitions: (transitions as never as { days: number; storageClass: "GLACIER" }[] | undefined)?.map(
      ({ days, storageClass }) => ({ Days: days, StorageClass: storageClass }),
    ),
    Expiration: expiration && {
      Days: expiration.days,
      ExpiredObjectDeleteMarker: expiration.expiredObjectDeleteMarker,
    },
    NoncurrentVersionExpiration: noncurrentVersionExpiration && {
      NoncurrentDays: noncurrentVersionExpiration.noncurrentDays,
    },
    AbortIncompleteMultipartUpload: abortIncompleteMultipartUpload && {
      DaysAfterInitiation: abortIncompleteMultipartUpload.daysAfterInitiation,
    },
  };
}

describe("the bucket's settings, applied to an S3 and read back", function () {
  this.timeout(90_000);
  const Bucket = "architect-go-prod-backups-eu-central-1-111122223333";
  let s3: S3Client;
  let made: RegisteredResources;

  before(async function () {
    const reason = whyNoMoto();
    if (reason !== undefined) skip(this, reason);
    s3 = new S3Client({
      endpoint: await moto(),
      region: "eu-central-1",
      forcePathStyle: true,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
    made = await register(
      () =>
        void new BackupBucket("backups", {
          application: "architect-go",
          environment: "prod",
          region: "eu-central-1",
          accountId: "111122223333",
        }),
    );
    const { objectLockEnabled, bucket } = made.inputs("aws:s3/bucket:Bucket", "backups-bucket");
    assert.equal(bucket, Bucket);
    await s3.send(
      new CreateBucketCommand({
        Bucket,
        ObjectLockEnabledForBucket: objectLockEnabled as boolean,
        CreateBucketConfiguration: { LocationConstraint: "eu-central-1" },
      }),
    );
  });

  after(() => s3?.destroy());

  const inputs = (kind: string, suffix: string) =>
    made.inputs(
      `aws:s3/${kind[0]!.toLowerCase()}${kind.slice(1)}:${kind}`,
      `backups-bucket-${suffix}`,
    ) as never as Record<string, Record<string, never>>;

  it("[guide 16] keeps the lifecycle, rule by rule", async () => {
    const rules = inputs("BucketLifecycleConfiguration", "lifecycle").rules as never as Record<string, never>[];
    const Rules = rules.map(sdkRule);
    await s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }));
    const read = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    assert.deepEqual(JSON.parse(JSON.stringify(read.Rules)), JSON.parse(JSON.stringify(Rules)));
  });

  it("[guide 17] locks every new version for two weeks, and so keeps versions", async () => {
    const { defaultRetention } = inputs("BucketObjectLockConfiguration", "object-lock").rule! as never as {
      defaultRetention: { mode: "GOVERNANCE"; days: number };
    };
    await s3.send(
      new PutObjectLockConfigurationCommand({
        Bucket,
        ObjectLockConfiguration: {
          ObjectLockEnabled: "Enabled",
          Rule: { DefaultRetention: { Mode: defaultRetention.mode, Days: defaultRetention.days } },
        },
      }),
    );
    const { ObjectLockConfiguration } = await s3.send(new GetObjectLockConfigurationCommand({ Bucket }));
    const { Mode, Days } = ObjectLockConfiguration!.Rule!.DefaultRetention!;
    assert.deepEqual([Mode, Days], ["GOVERNANCE", 14]);
    assert.equal((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status, "Enabled");
  });

  it("[guide 15] encrypts by the key, with a bucket key", async () => {
    const [rule] = inputs("BucketServerSideEncryptionConfiguration", "encryption").rules as never as [
      { applyServerSideEncryptionByDefault: { kmsMasterKeyId: string }; bucketKeyEnabled: boolean },
    ];
    const KMSMasterKeyID = rule.applyServerSideEncryptionByDefault.kmsMasterKeyId;
    const Rules = [
      {
        ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms" as const, KMSMasterKeyID },
        BucketKeyEnabled: rule.bucketKeyEnabled,
      },
    ];
    await s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules } }));
    const read = await s3.send(new GetBucketEncryptionCommand({ Bucket }));
    assert.deepEqual(read.ServerSideEncryptionConfiguration?.Rules, Rules);
  });

  it("[guide 13] is public to nobody, and has a policy that S3 takes", async () => {
    const block = inputs("BucketPublicAccessBlock", "public-access") as never as Record<string, boolean>;
    const PublicAccessBlockConfiguration = {
      BlockPublicAcls: block.blockPublicAcls,
      IgnorePublicAcls: block.ignorePublicAcls,
      BlockPublicPolicy: block.blockPublicPolicy,
      RestrictPublicBuckets: block.restrictPublicBuckets,
    };
    await s3.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration }));
    const access = await s3.send(new GetPublicAccessBlockCommand({ Bucket }));
    assert.deepEqual(Object.values(access.PublicAccessBlockConfiguration!), [true, true, true, true]);
    const Policy = inputs("BucketPolicy", "policy").policy as never as string;
    await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    const read = await s3.send(new GetBucketPolicyCommand({ Bucket }));
    assert.deepEqual(JSON.parse(read.Policy!), JSON.parse(Policy));
  });
});
