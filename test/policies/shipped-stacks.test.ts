import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { rules } from "../../policies/rules";
import { type Fixture, judgeBy, spoiled } from "../support/judged-stack";
import { registeredStack } from "../support/registered-stack";

const configOf = (stack: string) =>
  JSON.parse(readFileSync(`policies/config/${stack.split("-")[0]}.json`, "utf8")) as Record<
    string,
    Record<string, unknown>
  >;

/** What is written around an ARN, before there is one. */
const POLICIES = ["alarm-can-be-delivered", "backup-writer-cannot-delete", "bucket-tls-only"];
/** By itself prod takes its other half on trust, and says so. */
const ADVISORY: Readonly<Record<string, readonly string[]>> = {
  staging: ["copy-out-of-reach", "drill-monthly"],
  prod: ["copy-out-of-reach", "drill-monthly", "objectives-judged"],
  "prod-recovery": [],
};
const UNKNOWN_AT_FIRST: Readonly<Record<string, readonly string[]>> = {
  // What a job is told names the store, and with it the databases that it tests.
  staging: [...POLICIES, "point-in-time-test-alarm"],
  prod: [...POLICIES, "point-in-time-test-alarm"],
  // What a role may do with a key is not known before the key is.
  "prod-recovery": ["alarm-can-be-delivered", "backup-writer-cannot-delete"],
};

const POD = "spec.jobTemplate.spec.template.spec";

/** Rule, type and name of a resource of prod, property and what replaces its value (undefined: nothing). */
const SPOILED: readonly (readonly [string, string, string, unknown])[] = [
  [
    "bucket-versioning",
    "aws:s3/bucketVersioning:BucketVersioning architect-go-store-bucket-versioning",
    "versioningConfiguration.status",
    "Suspended",
  ],
  [
    "bucket-versioning",
    "aws:s3/bucketVersioning:BucketVersioning architect-go-store-replica-versioning",
    "versioningConfiguration.status",
    "Suspended",
  ],
  [
    "bucket-encryption",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration architect-go-store-bucket-encryption",
    "rules.0.bucketKeyEnabled",
    undefined,
  ],
  [
    "bucket-public-access",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock architect-go-store-bucket-public-access",
    "blockPublicPolicy",
    false,
  ],
  ["bucket-tls-only", "aws:s3/bucketPolicy:BucketPolicy architect-go-store-bucket-policy", "policy", "{}"],
  [
    "bucket-lifecycle",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration architect-go-store-bucket-lifecycle",
    "transitionDefaultMinimumObjectSize",
    undefined,
  ],
  [
    "bucket-lifecycle",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration architect-go-store-bucket-lifecycle",
    "rules.0.expiration.days",
    90,
  ],
  [
    "bucket-object-lock",
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration architect-go-store-bucket-object-lock",
    "rule.defaultRetention.days",
    1,
  ],
  [
    "bucket-replication",
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig architect-go-store-bucket-replication",
    "rules.0.destination.replicationTime",
    undefined,
  ],
  ["bucket-kept", "aws:s3/bucket:Bucket architect-go-store-bucket", "forceDestroy", true],
  [
    "backup-writer-cannot-delete",
    "aws:iam/rolePolicy:RolePolicy architect-go-identity-backup-writer",
    "policy",
    '{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}',
  ],
  ["kms-key", "aws:kms/key:Key architect-go-store-bucket-key", "enableKeyRotation", undefined],
  ["rds-backup-window", "aws:rds/instance:Instance architect-go-database", "backupRetentionPeriod", undefined],
  ["objectives-met", "aws:rds/instance:Instance architect-go-database", "backupRetentionPeriod", undefined],
  ["rds-multi-az", "aws:rds/instance:Instance architect-go-database", "multiAz", false],
  ["rds-kept", "aws:rds/instance:Instance architect-go-database", "deletionProtection", false],
  ["rds-private", "aws:rds/instance:Instance architect-go-database", "storageEncrypted", false],
  ["rds-failover-safe", "aws:rds/instance:Instance architect-go-database", "opts.protect", false],
  ["cron-job-schedule", "kubernetes:batch/v1:CronJob architect-go-backup", "spec.schedule", "0 0 * * *"],
  ["cron-job-schedule", "kubernetes:batch/v1:CronJob architect-go-pitr-test-architect", "spec.schedule", "0 5 1 * *"],
  ["cron-job-deadlines", "kubernetes:batch/v1:CronJob architect-go-backup", "spec.concurrencyPolicy", "Allow"],
  ["pinned-image", "kubernetes:batch/v1:CronJob architect-go-backup", `${POD}.containers.0.image`, "dr:latest"],
  [
    "pod-hardening",
    "kubernetes:batch/v1:CronJob architect-go-restore-test",
    `${POD}.containers.0.securityContext.privileged`,
    true,
  ],
  ["restore-test-present", "kubernetes:batch/v1:CronJob architect-go-restore-test", "spec.suspend", true],
  [
    "staleness-alarm",
    "aws:cloudwatch/metricAlarm:MetricAlarm architect-go-alerts-architect-recovery-point-age",
    "treatMissingData",
    "missing",
  ],
  ["alarm-can-be-delivered", "aws:kms/key:Key architect-go-alerts-key", "policy", "{}"],
  ["alarm-can-be-delivered", "aws:sns/topicPolicy:TopicPolicy architect-go-alerts-p2", "policy", "{}"],
  [
    "alarm-reaches-somebody",
    "aws:cloudwatch/metricAlarm:MetricAlarm architect-go-alerts-architect-recovery-point-age",
    "alarmActions",
    [],
  ],
  [
    "alarm-says-what-to-do",
    "aws:cloudwatch/metricAlarm:MetricAlarm architect-go-alerts-architect-recovery-point-age",
    "alarmDescription",
    "too old",
  ],
  [
    "real-contacts",
    "aws:sns/topicSubscription:TopicSubscription architect-go-alerts-p1-1",
    "endpoint",
    "https://pager.example.com",
  ],
];

describe("the policy pack on the shipped stacks", function () {
  this.timeout(120_000);

  before(async () => {
    // Two at a time: each is a process of its own that loads all of Pulumi.
    for (const stack of ["staging", "prod", "prod-recovery"]) {
      await Promise.all([registeredStack(stack), registeredStack(stack, { preview: true })]);
    }
  });

  for (const stack of ["staging", "prod", "prod-recovery"]) {
    for (const preview of [false, true]) {
      it(`finds nothing mandatory wrong with ${stack} in ${preview ? "a first preview after a failover" : "an update"}`, async () => {
        const resources = await registeredStack(stack, { preview });
        assert.ok(resources.length > 50);
        const config = configOf(stack);
        const found: string[] = [];
        const unjudged: string[] = [];
        for (const rule of rules) {
          const { violations, inconclusive } = await judgeBy(rule, resources, config[rule.name]);
          found.push(...violations.map(({ message, urn }) => `${rule.name}: ${urn}: ${message}`));
          if (inconclusive !== undefined) unjudged.push(rule.name);
        }
        // What is true of the stacks, and an advisory.
        assert.deepEqual(found.map((one) => one.split(": ")[0]).sort(), [...ADVISORY[stack]!]);
        assert.deepEqual(unjudged, preview ? UNKNOWN_AT_FIRST[stack] : []);
      });
    }
  }

  it("[guide 52, 59] says what a failed-over recovery site does not survive, and refuses no deployment of it", async () => {
    const config = configOf("prod-recovery");
    const standby = "aws:rds/instance:Instance architect-go-database";
    const promoted = spoiled(await registeredStack("prod-recovery"), standby, "replicateSourceDb", undefined).map(
      (one) => ({
        ...one,
        props: structuredClone(one.props),
        dependsOn: one.name === standby ? withoutProperty(one.dependsOn, "replicateSourceDb") : one.dependsOn,
      }),
    );
    // Who fails over wakes the jobs.
    for (const { type, props } of promoted) {
      if (type === "kubernetes:batch/v1:CronJob") (props.spec as { suspend: boolean }).suspend = false;
    }
    const refusedBy = async (stack: readonly Fixture[]): Promise<string[]> => {
      const refusing: string[] = [];
      for (const rule of rules.filter(({ enforcementLevel }) => enforcementLevel === "mandatory")) {
        const level = config[rule.name]?.enforcementLevel ?? "mandatory";
        const { violations } = await judgeBy(rule, stack, config[rule.name]);
        if (level === "mandatory" && violations.length > 0) refusing.push(rule.name);
      }
      return refusing;
    };
    assert.deepEqual(await refusedBy(promoted), []);
    const judged = rules.find(({ name }) => name === "objectives-judged")!;
    const { violations } = await judgeBy(judged, promoted, config["objectives-judged"]);
    assert.match(violations.map(({ message }) => message).join("\n"), /failed over: .*eu-west-1, regional-failure/);
    // A database of any other kind of stack has no such excuse.
    const others = promoted.map((one) => ({ ...one, within: [] }));
    assert.deepEqual(await refusedBy(others), ["objectives-met", "rds-cross-region-copy"]);
  });

  it("refuses prod with one value spoiled, whichever it is", async () => {
    const prod = await registeredStack("prod");
    const config = configOf("prod");
    const survivors: string[] = [];
    for (const [name, resource, path, value] of SPOILED) {
      const rule = rules.find((one) => one.name === name)!;
      const spoiledStack = spoiled(prod, resource, path, value).map((one) =>
        // Whoever replaces a computed value by a plain one computes it from nothing.
        one.name === resource ? { ...one, dependsOn: withoutProperty(one.dependsOn, path) } : one,
      );
      const { violations } = await judgeBy(rule, spoiledStack, config[name]);
      if (violations.length === 0) survivors.push(`${name}: ${resource} ${path}`);
    }
    assert.deepEqual(survivors, []);
  });
});

const withoutProperty = (dependsOn: Fixture["dependsOn"] = {}, path: string): Fixture["dependsOn"] =>
  Object.fromEntries(Object.entries(dependsOn).filter(([property]) => property !== path));
