import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import * as aws from "@pulumi/aws";
import * as kubernetes from "@pulumi/kubernetes";
import { ResourceTypes } from "../../policies/inventory/resource-types";
import { rules } from "../../policies/rules";
import { rulesMarkdown } from "../../policies/rules-page";
import { judgeBy, spoiled, unknownValue, urnOf } from "../support/judged-stack";
import { CONFIG, SPOILED } from "../support/spoiled-values";
import { rawRecoveryStack } from "../support/raw-recovery-stack";

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
    // The last three are spoiled in every way on a stack of their own (sqlite-rules.test.ts).
    const own = [
      "plan-reviewed",
      "evidence-gate",
      "evidence-standing",
      "sqlite-backup-beside",
      "sqlite-fails-closed",
      "sqlite-restored-first",
    ];
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
        aws.sns.TopicPolicy,
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

  it("alarm-can-be-delivered refuses a topic under the key that AWS manages for SNS, and takes one under none", async () => {
    const judge = async (kmsMasterKeyId: string | undefined) => {
      const stack = spoiled(rawRecoveryStack(), "p2", "kmsMasterKeyId", kmsMasterKeyId).map((one) =>
        one.name === "p2" ? { ...one, dependsOn: {} } : one,
      );
      const { violations } = await judgeBy(ruleNamed("alarm-can-be-delivered"), stack);
      return violations.map(({ message }) => message).join();
    };
    for (const name of ["alias/aws/sns", "arn:aws:kms:eu-central-1:111122223333:alias/aws/sns"]) {
      assert.match(await judge(name), /the key that AWS manages for SNS, which admits no CloudWatch/);
    }
    assert.equal(await judge(undefined), "");
    assert.equal(await judge("alias/of-ours"), "");
  });

  it("policies/RULES.md has the rules that the code has; UPDATE_DOCS=1 writes them", () => {
    const page = "policies/RULES.md";
    if (process.env.UPDATE_DOCS === "1") writeFileSync(page, rulesMarkdown(rules));
    assert.equal(readFileSync(page, "utf8"), rulesMarkdown(rules), "stale: run this test with UPDATE_DOCS=1");
  });
});
