import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import * as aws from "@pulumi/aws";
import * as kubernetes from "@pulumi/kubernetes";
import { ResourceTypes } from "../../policies/inventory/resource-types";
import { rules } from "../../policies/rules";
import { rulesMarkdown } from "../../policies/rules-page";
import { judgeBy, spoiled, unknownValue, urnOf } from "../support/judged-stack";
import { rawRecoveryStack } from "../support/raw-recovery-stack";

const TOMORROW = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
const OBJECTIVES = {
  objectives: { scenarios: { "data-corruption": { rtoMinutes: 60, looserBecause: "RDS makes a new instance" } } },
  workload: { replicas: 3, automaticRollback: true, progressDeadlineSeconds: 120, pooler: true },
  recoverySite: { region: "eu-west-1" },
};
const FLOOR = {
  than: "staging",
  floor: { atLeast: { "days of object lock": 7, "copies of a store": 1 }, atMost: { "minutes between backups": 360 } },
};
const CONFIG: Readonly<Record<string, Record<string, unknown>>> = {
  "plan-reviewed": { nextReview: TOMORROW },
  "as-strict-as": FLOOR,
  "objectives-met": OBJECTIVES,
  "objectives-judged": OBJECTIVES,
};
const POD = "spec.jobTemplate.spec.template.spec";
const CONTAINER = `${POD}.containers.0`;

/** Rule, resource, property, the values that spoil it (undefined: absent), and what the message has to say. */
const SPOILED: readonly (readonly [string, string, string, readonly unknown[], RegExp])[] = [
  [
    "objectives-met",
    "database",
    "backupRetentionPeriod",
    [undefined, 0],
    /data-corruption: loses[\s\S]*Smallest change: /,
  ],
  ["objectives-met", "replica-lag", "threshold", [7200], /regional-failure: loses 120 min \(RPO 60 min\)/],
  ["objectives-judged", "database", "region", [undefined], /nobody said in which region/],
  ["objectives-judged", "replica-lag", "threshold", [undefined], /regional-failure: /],
  [
    "bucket-encryption",
    "backups-encryption",
    "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm",
    [undefined, "AES256"],
    /expected aws:kms/,
  ],
  [
    "bucket-encryption",
    "backups-encryption",
    "rules.0.applyServerSideEncryptionByDefault",
    [undefined, { sseAlgorithm: "aws:kms" }],
    /./,
  ],
  ["bucket-encryption", "backups-encryption", "rules.0.bucketKeyEnabled", [undefined, false], /bucketKeyEnabled/],
  [
    "bucket-versioning",
    "backups-versioning",
    "versioningConfiguration.status",
    [undefined, "Suspended"],
    /expected Enabled/,
  ],
  ["bucket-public-access", "backups-public-access", "blockPublicAcls", [undefined, false], /blockPublicAcls/],
  ["bucket-public-access", "backups-public-access", "blockPublicPolicy", [undefined, false], /blockPublicPolicy/],
  ["bucket-public-access", "backups-public-access", "ignorePublicAcls", [undefined, false], /ignorePublicAcls/],
  [
    "bucket-public-access",
    "backups-public-access",
    "restrictPublicBuckets",
    [undefined, false],
    /restrictPublicBuckets/,
  ],
  ["bucket-tls-only", "backups-policy", "policy.Statement.0.Effect", ["Allow"], /SecureTransport/],
  ["bucket-tls-only", "backups-policy", "policy.Statement.0.Action", ["s3:GetObject"], /SecureTransport/],
  ["bucket-tls-only", "backups-policy", "policy.Statement.0.Condition", [undefined, {}], /SecureTransport/],
  [
    "bucket-tls-only",
    "backups-policy",
    "policy.Statement.0.Resource",
    ["arn:aws:s3:::backups-111122223333"],
    /SecureTransport/,
  ],
  ["bucket-lifecycle", "backups-lifecycle", "rules.0.expiration.days", [undefined, 90, 30, 121], /expected 120|days/],
  ["bucket-lifecycle", "backups-lifecycle", "rules.0.status", ["Disabled"], /without a rule in force/],
  [
    "bucket-lifecycle",
    "backups-lifecycle",
    "rules.0.transitions",
    [[], [{ days: 10, storageClass: "GLACIER" }]],
    /days/,
  ],
  ["bucket-lifecycle", "backups-lifecycle", "rules.0.transitions.0.storageClass", ["FLOPPY"], /no storage class/],
  ["bucket-lifecycle", "backups-lifecycle", "rules.0.noncurrentVersionExpiration", [undefined], /noncurrent/],
  ["bucket-lifecycle", "backups-lifecycle", "rules.0.abortIncompleteMultipartUpload", [undefined], /uploads/],
  ["bucket-lifecycle", "backups-lifecycle", "rules.1.status", ["Disabled"], /delete markers/],
  ["bucket-lifecycle", "backups-lifecycle", "transitionDefaultMinimumObjectSize", [undefined], /128K/],
  ["bucket-object-lock", "backups", "objectLockEnabled", [undefined, false], /objectLockEnabled/],
  ["bucket-object-lock", "backups-lock", "rule.defaultRetention.days", [undefined, 0, 6, 121], /days/],
  ["bucket-object-lock", "backups-lock", "rule.defaultRetention.mode", [undefined, "NONE"], /mode/],
  ["bucket-kept", "backups", "forceDestroy", [true], /forceDestroy/],
  ["bucket-replication", "replication", "rules.0.status", ["Disabled"], /in force/],
  ["bucket-replication", "replication", "rules.0.destination.replicationTime.status", ["Disabled"], /replicationTime/],
  [
    "bucket-replication",
    "replication",
    "rules.0.destination.replicationTime.time.minutes",
    [undefined, 16],
    /replicationTime/,
  ],
  ["bucket-replication", "replication", "rules.0.deleteMarkerReplication.status", ["Enabled"], /deletions/],
  [
    "backup-writer-cannot-delete",
    "writer",
    "policy.Statement.0.Action",
    ["s3:*", "*", ["s3:PutObject", "s3:Delete*"]],
    /s3:DeleteObject/,
  ],
  ["kms-key", "key", "deletionWindowInDays", [0, 7, 29], /expected 30/],
  ["kms-key", "key", "enableKeyRotation", [undefined, false], /enableKeyRotation/],
  ["kms-key", "key", "isEnabled", [false], /isEnabled/],
  ["cron-job-schedule", "backup", "spec.schedule", [undefined, "0 0 * * *", "0 */6 * * L", "@every 6h"], /./],
  ["cron-job-schedule", "backup", "spec.timeZone", [undefined, "Mars/Olympus"], /zone/i],
  ["cron-job-schedule", "backup", "spec.suspend", [true], /suspended/],
  ["cron-job-schedule", "restore-test", "spec.schedule", ["0 4 * * 0"], /10080 minutes/],
  ["cron-job-deadlines", "backup", "spec.concurrencyPolicy", [undefined, "Allow", "Replace"], /Forbid/],
  ["cron-job-deadlines", "backup", "spec.startingDeadlineSeconds", [undefined, 9], /startingDeadlineSeconds/],
  [
    "cron-job-deadlines",
    "backup",
    "spec.jobTemplate.spec.activeDeadlineSeconds",
    [undefined, 21_600],
    /activeDeadlineSeconds/,
  ],
  ["cron-job-deadlines", "backup", "spec.jobTemplate.spec.backoffLimit", [undefined, 3], /backoffLimit/],
  ["cron-job-deadlines", "backup", "spec.jobTemplate.spec.ttlSecondsAfterFinished", [undefined], /ttlSeconds/],
  ["pinned-image", "backup", `${CONTAINER}.image`, [undefined, "dr:latest", "dr@sha256:abc"], /sha256/],
  ["pod-hardening", "backup", `${POD}.securityContext.runAsNonRoot`, [undefined, false], /runAsNonRoot/],
  ["pod-hardening", "backup", `${POD}.securityContext.runAsUser`, [0], /root/],
  ["pod-hardening", "backup", `${POD}.securityContext.seccompProfile.type`, [undefined, "Unconfined"], /seccomp/],
  ["pod-hardening", "backup", `${CONTAINER}.securityContext.allowPrivilegeEscalation`, [undefined, true], /Escalation/],
  ["pod-hardening", "backup", `${CONTAINER}.securityContext.privileged`, [true], /privileged/],
  ["pod-hardening", "backup", `${CONTAINER}.securityContext.readOnlyRootFilesystem`, [undefined, false], /readOnly/],
  [
    "pod-hardening",
    "backup",
    `${CONTAINER}.securityContext.capabilities`,
    [undefined, { drop: ["ALL"], add: ["SYS_ADMIN"] }],
    /capabilities/,
  ],
  ["pod-hardening", "backup", `${CONTAINER}.resources.limits.memory`, [undefined], /limits.memory/],
  ["pod-hardening", "backup", `${CONTAINER}.resources.requests.cpu`, [undefined], /requests/],
  ["pod-hardening", "backup", `${POD}.automountServiceAccountToken`, [undefined, true], /token/],
  ["pod-hardening", "backup", `${POD}.hostNetwork`, [true], /hostNetwork/],
  ["pod-hardening", "backup", `${POD}.volumes.0`, [{ name: "scratch", hostPath: { path: "/backups" } }], /node/],
  ["bucket-replication", "replication", "rules.0.filter.prefix", ["parts/"], /whole bucket/],
  ["bucket-replication", "replication", "rules.0.sourceSelectionCriteria", [undefined], /KMS/],
  ["bucket-replication", "replication", "rules.0.destination.encryptionConfiguration", [undefined], /replicaKmsKeyId/],
  ["copy-out-of-reach", "replication", "rules.0.destination.account", [undefined, ""], /COMPLIANCE/],
  ["drill-monthly", "drill", "spec.schedule", ["0 9 1 1 *", "0 9 * * L"], /./],
  ["drill-monthly", "drill", "spec.suspend", [true], /no CronJob drills/],
  ["restore-test-alarm", "restore-test-failed", "metricName", [undefined, "CPUUtilization"], /no alarm/],
  ["restore-test-alarm", "restore-test-failed", "treatMissingData", [undefined, "missing"], /breaching/],
  ["restore-test-alarm", "restore-test-failed", "actionsEnabled", [false], /armed/],
  ["alarm-reaches-somebody", "replica-lag", "actionsEnabled", [false], /actionsEnabled/],
  ["staleness-alarm", "backup-age", "threshold", [25_201, 86_400], /expected 420 or less/],
  ["staleness-alarm", "backup-age", "comparisonOperator", ["LessThanThreshold"], /Infinity/],
  ["rds-cross-region-copy", "database", "backupRetentionPeriod", [0], /neither a replica/],
  ["rds-cross-region-copy", "replica", "region", ["eu-central-1"], /neither a replica/],
  ["as-strict-as", "backups-lock", "rule.defaultRetention.days", [6], /days of object lock: 6, was 7/],
  ["as-strict-as", "backup", "spec.schedule", ["0 */8 * * *"], /minutes between backups: 480, was 360/],
  ["restore-test-present", "restore-test", "spec.suspend", [true], /suspended/],
  [
    "restore-test-present",
    "restore-test",
    "metadata.namespace",
    [undefined, "elsewhere"],
    /no CronJob in namespace recovery/,
  ],
  ["staleness-alarm", "backup-age", "metricName", [undefined, "CPUUtilization"], /no alarm/],
  ["staleness-alarm", "backup-age", "treatMissingData", [undefined, "missing", "notBreaching"], /breaching/],
  ["staleness-alarm", "backup-age", "actionsEnabled", [false], /actionsEnabled/],
  [
    "alarm-says-what-to-do",
    "backup-age",
    "alarmDescription",
    [undefined, "too old", "P2: too old"],
    /alarmDescription/,
  ],
  ["real-contacts", "pager", "endpoint", ["ops@example.com", "https://pager.example.org/x", "a@b.test"], /examples/],
  ["rds-backup-window", "database", "backupRetentionPeriod", [undefined, 0, 6], /expected 7 or more/],
  ["rds-kept", "database", "deletionProtection", [undefined, false], /deletionProtection/],
  ["rds-kept", "database", "skipFinalSnapshot", [true], /skipFinalSnapshot/],
  ["rds-kept", "database", "finalSnapshotIdentifier", [undefined, ""], /finalSnapshotIdentifier/],
  ["rds-private", "database", "storageEncrypted", [undefined, false], /storageEncrypted/],
  ["rds-private", "database", "publiclyAccessible", [true], /publiclyAccessible/],
  ["rds-multi-az", "database", "multiAz", [undefined, false], /multiAz/],
  ["rds-managed-password", "database", "manageMasterUserPassword", [true], /replica replicates it/],
  ["rds-replica-parity", "replica-parameters", "parameters.0.value", ["0"], /rds.force_ssl is 0 and there 1/],
  ["rds-replica-parity", "replica-parameters", "family", ["postgres15"], /family/],
  ["rds-failover-safe", "replica", "opts.ignoreChanges", [[]], /replicateSourceDb/],
  ["rds-failover-safe", "database", "opts.protect", [false], /protected/],
  ["sqlite-one-writer", "notes", "spec.replicas", [2], /expected 1/],
  ["sqlite-one-writer", "notes", "spec.strategy.type", [undefined, "RollingUpdate"], /Recreate/],
  ["sqlite-one-writer", "ledger", "spec.volumeClaimTemplates.0.spec.accessModes", [["ReadWriteMany"]], /ReadWriteOnce/],
  ["deployment-rollback", "app", "spec.template.spec.containers.0.readinessProbe", [undefined], /readinessProbe/],
  ["deployment-rollback", "app", "spec.template.spec.containers.0.livenessProbe", [undefined], /livenessProbe/],
  ["deployment-rollback", "app", "spec.revisionHistoryLimit", [0, 1], /revisionHistoryLimit/],
  ["deployment-rollback", "app", "spec.progressDeadlineSeconds", [undefined, 181], /progressDeadlineSeconds/],
  [
    "disruption-budget",
    "budget",
    "spec.selector.matchLabels",
    [undefined, {}, { app: "other" }],
    /PodDisruptionBudget/,
  ],
  ["disruption-budget", "budget", "metadata.namespace", [undefined, "other"], /PodDisruptionBudget/],
];

const ruleNamed = (name: string) => {
  const rule = rules.find((one) => one.name === name);
  assert.ok(rule, `there is no rule ${name}`);
  return rule;
};

describe("the rules of the policy pack", () => {
  for (const rule of rules) {
    it(`${rule.name} finds nothing wrong with an honest stack`, async () => {
      const judgement = await judgeBy(rule, rawRecoveryStack(), CONFIG[rule.name]);
      assert.deepEqual(judgement, { violations: [], inconclusive: undefined });
    });

    it(`${rule.name} says what it is, how bad, and what to do`, () => {
      assert.match(rule.name, /^[a-z]+(-[a-z]+)+$/);
      assert.match(rule.description, /^[A-Z].{20,}\.$/);
      assert.ok(["low", "medium", "high", "critical"].includes(rule.severity!));
      assert.match(rule.remediationSteps!, /^[A-Z].{15,}\.$/);
      assert.match(rule.url!, /^https:\/\//);
      assert.ok(rule.framework?.reference);
      for (const [name, setting] of Object.entries(rule.configSchema?.properties ?? {})) {
        assert.match(setting.description!, /\.$/, name);
        assert.notEqual(setting.default, undefined, `${name} has no default`);
      }
    });
  }

  for (const [name, resource, path, values, message] of SPOILED) {
    it(`${name} refuses ${resource} with another ${path}`, async () => {
      for (const value of values) {
        const stack = spoiled(rawRecoveryStack(), resource, path, value);
        const { violations } = await judgeBy(ruleNamed(name), stack, CONFIG[name]);
        assert.ok(violations.length > 0, `${JSON.stringify(value)} passed`);
        assert.ok(
          violations.some((violation) => message.test(violation.message)),
          violations.map((violation) => violation.message).join("\n"),
        );
        const isAboutStack = [
          "objectives-met",
          "objectives-judged",
          "drill-monthly",
          "rds-cross-region-copy",
          "as-strict-as",
        ];
        assert.ok(isAboutStack.includes(name) || violations.every(({ urn }) => urn?.startsWith("urn:pulumi:")));
      }
    });

    // Options are the program's own, and always known; a name that is computed is a name, whatever it becomes.
    if (path.startsWith("opts.") || path === "finalSnapshotIdentifier") continue;
    it(`${name} does not pass ${resource} while its ${path} is unknown`, async () => {
      const stack = spoiled(rawRecoveryStack(), resource, path, unknownValue);
      const { violations, inconclusive } = await judgeBy(ruleNamed(name), stack, CONFIG[name]);
      assert.ok(violations.length > 0 || inconclusive !== undefined, "it passed");
    });
  }

  for (const name of ["bucketVersioning", "bucketServerSideEncryptionConfiguration", "bucketPublicAccessBlock"]) {
    it(`a bucket without a ${name} is refused`, async () => {
      const stack = rawRecoveryStack().filter(({ type }) => !type.startsWith(`aws:s3/${name}:`));
      const judgements = await Promise.all(rules.map((rule) => judgeBy(rule, stack, CONFIG[rule.name])));
      assert.ok(judgements.some(({ violations }) => violations.length > 0));
    });
  }

  it("an alarm whose topic nobody subscribes to is refused, and so is one without actions", async () => {
    const rule = ruleNamed("alarm-reaches-somebody");
    const unread = rawRecoveryStack().filter(({ name }) => name !== "pager");
    assert.match((await judgeBy(rule, unread)).violations[0]!.message, /nobody subscribes to p2/);
    const silent = rawRecoveryStack().filter(({ name }) => name !== "p2" && name !== "pager");
    const judgement = await judgeBy(rule, spoiled(silent, "backup-age", "alarmActions", []));
    assert.match(judgement.violations[0]!.message, /tells nobody/);
  });

  it("a plan whose review is past, or that has none, is refused", async () => {
    const rule = ruleNamed("plan-reviewed");
    assert.match((await judgeBy(rule, [], { nextReview: "2026-05-18" })).violations[0]!.message, /due on 2026-05-18/);
    assert.match((await judgeBy(rule, [])).violations[0]!.message, /not set/);
  });

  it("one check that meets an unknown hides no other", async () => {
    const stack = spoiled(
      spoiled(rawRecoveryStack(), "database", "storageEncrypted", unknownValue),
      "database",
      "publiclyAccessible",
      true,
    );
    const { violations, inconclusive } = await judgeBy(ruleNamed("rds-private"), stack);
    assert.equal(violations.length, 1);
    assert.match(inconclusive!, /storageEncrypted/);
  });

  it("the settings of a bucket are found while its name is unknown", async () => {
    const stack = rawRecoveryStack().map((resource) =>
      "bucket" in resource.props ? { ...resource, props: { ...resource.props, bucket: unknownValue } } : resource,
    );
    for (const name of ["bucket-versioning", "bucket-public-access", "bucket-object-lock", "bucket-encryption"]) {
      assert.deepEqual(await judgeBy(ruleNamed(name), stack), { violations: [], inconclusive: undefined }, name);
    }
  });

  it("every rule is killed by at least one spoiled value", () => {
    const killed = new Set(SPOILED.map(([name]) => name));
    const own = ["plan-reviewed", "evidence-gate", "evidence-standing"];
    assert.deepEqual(
      rules.map(({ name }) => name).filter((name) => !killed.has(name) && !own.includes(name)),
      [],
    );
  });

  it("the type tokens are those of the SDKs", () => {
    const known = new Set(
      [
        aws.s3.Bucket,
        aws.s3.BucketVersioning,
        aws.s3.BucketServerSideEncryptionConfiguration,
        aws.s3.BucketPolicy,
        aws.s3.BucketPublicAccessBlock,
        aws.s3.BucketLifecycleConfiguration,
        aws.s3.BucketObjectLockConfiguration,
        aws.s3.BucketReplicationConfig,
        aws.s3.BucketLogging,
        aws.kms.Key,
        aws.iam.RolePolicy,
        aws.rds.Instance,
        aws.rds.InstanceAutomatedBackupsReplication,
        aws.rds.Cluster,
        aws.rds.ClusterInstance,
        aws.backup.Plan,
        aws.backup.Selection,
        aws.backup.Vault,
        aws.rds.ParameterGroup,
        aws.cloudwatch.MetricAlarm,
        aws.sns.Topic,
        aws.sns.TopicSubscription,
        kubernetes.batch.v1.CronJob,
        kubernetes.apps.v1.Deployment,
        kubernetes.apps.v1.StatefulSet,
        kubernetes.core.v1.ConfigMap,
        kubernetes.policy.v1.PodDisruptionBudget,
      ].map((resourceClass) => (resourceClass as unknown as { __pulumiType: string }).__pulumiType),
    );
    for (const [name, [first]] of Object.entries(ResourceTypes)) {
      // Custom resources, of which there is no SDK.
      if (name.startsWith("Postgres")) continue;
      const token = name === "IdentityPolicy" ? "aws:iam/rolePolicy:RolePolicy" : first;
      assert.ok(known.has(token), `${name}: ${token}`);
    }
    assert.match(urnOf({ type: "a:b:C", name: "d" }), /a:b:C::d$/);
  });

  it("policies/RULES.md has the rules that the code has; UPDATE_DOCS=1 writes them", () => {
    const page = "policies/RULES.md";
    if (process.env.UPDATE_DOCS === "1") writeFileSync(page, rulesMarkdown(rules));
    assert.equal(readFileSync(page, "utf8"), rulesMarkdown(rules), "stale: run this test with UPDATE_DOCS=1");
  });
});
