import assert from "node:assert/strict";
import fc from "fast-check";
import * as pulumi from "@pulumi/pulumi";
import { BackupBucket, type BackupBucketArgs, Encryption, ObjectLockMode } from "../../components";
import { retentionOf } from "../../components/backup-bucket";
import { StorageClass, storeLifecycles, storeRetentionProblems } from "../../recovery";
import { register } from "../support/registered-resources";

const encryptionType = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration";
const lifecycleType = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration";
const lockType = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration";
const replicationType = "aws:s3/bucketReplicationConfig:BucketReplicationConfig";

const args: BackupBucketArgs = {
  application: "architect-go",
  environment: "prod",
  region: "eu-central-1",
  accountId: "111122223333",
};
const withReplica: BackupBucketArgs = { ...args, replica: { region: "eu-west-1" } };

const make = (given: BackupBucketArgs, opts?: pulumi.ComponentResourceOptions) => () =>
  void new BackupBucket("backups", given, opts);

describe("BackupBucket", () => {
  it("[guide 13, 14, 15] is private, owned, versioned and encrypted with a rotating key", async () => {
    const made = await register(make(args));
    const access = made.inputs(
      "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
      "backups-bucket-public-access",
    );
    assert.deepEqual(access, {
      bucket: "architect-go-prod-backups-eu-central-1-111122223333",
      region: "eu-central-1",
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    });
    const ownership = made.inputs("aws:s3/bucketOwnershipControls:BucketOwnershipControls", "backups-bucket-ownership");
    assert.deepEqual(ownership.rule, { objectOwnership: "BucketOwnerEnforced" });
    const versioning = made.inputs("aws:s3/bucketVersioning:BucketVersioning", "backups-bucket-versioning");
    assert.deepEqual(versioning.versioningConfiguration, { status: "Enabled" });
    const key = made.inputs("aws:kms/key:Key", "backups-bucket-key");
    assert.equal(key.enableKeyRotation, true);
    assert.equal(key.deletionWindowInDays, 30);
    assert.deepEqual(made.inputs(encryptionType, "backups-bucket-encryption").rules, [
      {
        applyServerSideEncryptionByDefault: {
          sseAlgorithm: "aws:kms",
          kmsMasterKeyId: "arn:aws:kms:eu-central-1:111122223333:key/backups-bucket-key",
        },
        bucketKeyEnabled: true,
      },
    ]);
  });

  it("takes S3's own encryption, and then makes no key", async () => {
    const made = await register(make({ ...withReplica, encryption: Encryption.S3 }));
    assert.equal(made.ofType("aws:kms/key:Key").length, 0);
    assert.deepEqual(made.inputs(encryptionType, "backups-bucket-encryption").rules, [
      { applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } },
    ]);
  });

  it("[guide 9, 16, 20] expires after hot and archive days together, and archives parts alone", async () => {
    const made = await register(make(args));
    const lifecycle = made.inputs(lifecycleType, "backups-bucket-lifecycle");
    assert.equal(lifecycle.transitionDefaultMinimumObjectSize, "varies_by_storage_class");
    const rules = lifecycle.rules as { id: string; transitions?: unknown; expiration?: unknown }[];
    assert.deepEqual(rules[0], {
      id: "parts",
      status: "Enabled",
      filter: { prefix: "parts/" },
      transitions: [{ days: 30, storageClass: "GLACIER" }],
      expiration: { days: 120 },
      noncurrentVersionExpiration: { noncurrentDays: 30 },
      abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
    });
    assert.deepEqual(
      rules.map(({ id, expiration }) => [id, expiration]),
      [
        ["parts", { days: 120 }],
        ["catalog", { days: 150 }],
        ["wal", { days: 14 }],
        ["wal-partial", { days: 14 }],
        ["evidence", { days: 400 }],
        ["incidents", undefined],
        ["runbooks", undefined],
        ["decoy", { days: 1 }],
        ["delete-markers", { expiredObjectDeleteMarker: true }],
      ],
    );
    const archived = rules.filter(({ transitions }) => transitions !== undefined).map(({ id }) => id);
    assert.deepEqual(archived, ["parts"]);
  });

  it("[guide 17] locks versions by governance unless compliance is asked for", async () => {
    const lockOf = async (given: BackupBucketArgs) =>
      (await register(make(given))).inputs(lockType, "backups-bucket-object-lock").rule;
    assert.deepEqual(await lockOf(args), { defaultRetention: { mode: "GOVERNANCE", days: 14 } });
    const compliance = { mode: ObjectLockMode.Compliance, days: 10 };
    assert.deepEqual(await lockOf({ ...args, objectLock: compliance }), {
      defaultRetention: { mode: "COMPLIANCE", days: 10 },
    });
    const unlocked = await register(make({ ...args, objectLock: { mode: ObjectLockMode.None } }));
    assert.equal(unlocked.ofType(lockType).length, 0);
    assert.equal(unlocked.inputs("aws:s3/bucket:Bucket", "backups-bucket").objectLockEnabled, false);
  });

  it("[guide 18] gives the replica the same rules, its own key, time control and alarms", async () => {
    const made = await register(make(withReplica));
    for (const [type, suffix] of [
      [lifecycleType, "lifecycle"],
      [lockType, "object-lock"],
    ] as const) {
      const source = made.inputs(type, `backups-bucket-${suffix}`);
      const replica = made.inputs(type, `backups-replica-${suffix}`);
      assert.equal(replica.region, "eu-west-1");
      assert.deepEqual({ ...replica, bucket: source.bucket as string, region: source.region as string }, source);
    }
    assert.deepEqual(made.inputs(replicationType, "backups-bucket-replication").rules, [
      {
        id: "recovery-region",
        status: "Enabled",
        priority: 1,
        filter: { prefix: "" },
        deleteMarkerReplication: { status: "Disabled" },
        sourceSelectionCriteria: { sseKmsEncryptedObjects: { status: "Enabled" } },
        destination: {
          bucket: "arn:aws:s3:::architect-go-prod-backups-eu-west-1-111122223333",
          replicationTime: { status: "Enabled", time: { minutes: 15 } },
          metrics: { status: "Enabled", eventThreshold: { minutes: 15 } },
          encryptionConfiguration: { replicaKmsKeyId: "arn:aws:kms:eu-west-1:111122223333:key/backups-replica-key" },
        },
      },
    ]);
    const alarm = made.inputs("aws:cloudwatch/metricAlarm:MetricAlarm", "backups-bucket-replication-failed");
    assert.equal(alarm.metricName, "OperationsFailedReplication");
    assert.equal(alarm.region, "eu-central-1");
  });

  it("copies to a bucket of another account, and makes none itself", async () => {
    const made = await register(
      make({
        ...args,
        replica: {
          region: "eu-west-1",
          bucketName: "copies-of-architect-go",
          accountId: "444455556666",
          kmsKeyArn: "arn:aws:kms:eu-west-1:444455556666:key/abc",
        },
      }),
    );
    assert.equal(made.ofType("aws:s3/bucket:Bucket").length, 2);
    const { rules } = made.inputs(replicationType, "backups-bucket-replication");
    const { destination } = (rules as { destination: Record<string, unknown> }[])[0]!;
    assert.equal(destination.account, "444455556666");
    assert.deepEqual(destination.accessControlTranslation, { owner: "Destination" });
  });

  it("protects and retains every part of it, and threads the region to each", async () => {
    const made = await register(make(withReplica));
    const parts = made.all.filter(({ type }) => type.startsWith("aws:"));
    assert.ok(parts.length > 25, `only ${parts.length} resources`);
    for (const { name, type, inputs, options } of parts) {
      assert.equal(options.protect, true, `${name} is not protected`);
      assert.equal(options.retainOnDelete, true, `${name} is not retained`);
      assert.notEqual(inputs.forceDestroy, true, `${name} may be emptied`);
      if (!type.startsWith("aws:iam/")) assert.match(inputs.region as string, /^eu-(central|west)-1$/, name);
    }
    const open = await register(make(args, { protect: false, retainOnDelete: false }));
    for (const { options } of open.ofType("aws:s3/bucket:Bucket")) {
      assert.deepEqual([options.protect, options.retainOnDelete], [false, false]);
    }
  });

  it("previews with nothing known", async () => {
    const made = await register(make(withReplica), { preview: true });
    assert.equal(made.ofType("aws:s3/bucket:Bucket").length, 4);
  });

  it("names every invalid argument in one message, and registers nothing", async () => {
    const invalid: BackupBucketArgs = {
      application: "Architect Go",
      environment: "prod",
      region: "Frankfurt",
      accountId: "12",
      retention: { hotDays: 0 },
      replica: { region: "eu-west-1", accountId: "444455556666" },
    };
    const expected = [
      'BackupBucket "backups": ',
      'application: expected lower-case letters, digits and dashes, at most 32, as in architect-go, got "Architect Go"',
      'region: expected the code of an AWS region, as in eu-central-1, got "Frankfurt"',
      'accountId: expected the twelve digits of an AWS account, got "12"',
      "retention.hotDays: expected a whole number of days, 1 or more, got 0",
      "replica.bucketName: is missing",
    ];
    const made = await register(() =>
      assert.throws(make(invalid), (error: Error) => {
        assert.ok(pulumi.InputPropertiesError.isInstance(error));
        for (const text of expected) assert.ok(error.message.includes(text), `${text}\nis not in\n${error.message}`);
        return true;
      }),
    );
    assert.deepEqual(made.all, []);
  });

  it("refuses a lock that outlives what it locks, and an archive that bills for more than it keeps", () => {
    assert.throws(make({ ...args, objectLock: { days: 31 }, retention: { hotDays: 10, archiveDays: 0 } }), /outlives/);
    assert.throws(make({ ...args, objectLock: { days: 3 } }), /ends before damage is noticed/);
    assert.throws(make({ ...args, retention: { archiveDays: 20 } }), /in GLACIER for 50 days .* paid for 90/);
  });

  it("accepts exactly the retentions that the model has nothing against", async () => {
    const days = fc.integer({ min: -1, max: 200 });
    const retentions = fc.record(
      {
        hotDays: days,
        archiveDays: days,
        archiveClass: fc.constantFrom(...Object.values(StorageClass)),
        noncurrentDays: days,
        logDays: days,
        evidenceDays: days,
      },
      { requiredKeys: [] },
    );
    let accepted = 0;
    const property = async (retention: BackupBucketArgs["retention"], lockDays: number) => {
      const problems = storeRetentionProblems(retentionOf(retention), { lockDays, detectCorruptionDays: 7 });
      let refused = false;
      const made = await register(() => {
        try {
          make({ ...args, retention, objectLock: { days: lockDays } })();
        } catch {
          refused = true;
        }
      });
      assert.equal(refused, problems.length > 0, problems.map(({ message }) => message).join("; "));
      if (refused) return assert.deepEqual(made.all, []);
      accepted += 1;
      const { rules } = made.inputs(lifecycleType, "backups-bucket-lifecycle");
      const parts = (rules as { id: string; expiration: unknown }[]).find(({ id }) => id === "parts");
      const { expirationDays } = storeLifecycles(retentionOf(retention))["parts/"];
      assert.deepEqual(parts?.expiration, { days: expirationDays });
    };
    await fc.assert(fc.asyncProperty(retentions, fc.integer({ min: 1, max: 60 }), property), {
      numRuns: 40,
      examples: [[{}, 14]],
    });
    assert.ok(accepted > 0);
  });
});
