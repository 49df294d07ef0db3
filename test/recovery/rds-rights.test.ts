import assert from "node:assert/strict";
import { runSimulation } from "@cloud-copilot/iam-simulate";
import { RdsActor, rdsPolicy, restoredFromTag, ThrowAwayTag } from "../../recovery";

const accountId = "111122223333";
const secretArn = `arn:aws:secretsmanager:eu-central-1:${accountId}:secret:architect-go/prod/database-AbCdEf`;
const keyArn = `arn:aws:kms:eu-central-1:${accountId}:key/data`;
const arn = (kind: string, name: string) => `arn:aws:rds:eu-central-1:${accountId}:${kind}:${name}`;
const production = arn("db", "architect-prod");
const copy = arn("db", "architect-prod-restored");
const throwAway = arn("db", "dr-test-architect-1");
const tagged = { [`aws:ResourceTag/${ThrowAwayTag.Purpose}`]: "restore-test" };
const asked = {
  [`aws:RequestTag/${ThrowAwayTag.Purpose}`]: "restore-test",
  "aws:TagKeys": Object.values(ThrowAwayTag),
};

const asCopy = { [`aws:RequestTag/${restoredFromTag}`]: "architect-prod" };

/** What AWS would answer; the simulator also refuses policies that are not valid. */
async function allows(
  actor: RdsActor,
  action: string,
  resource: string,
  context: Readonly<Record<string, string | string[]>> = {},
): Promise<boolean> {
  const policy = rdsPolicy(actor, {
    region: "eu-central-1",
    accountId,
    instanceIdentifiers: ["architect-prod"],
    secretArns: [secretArn],
    dataKeyArns: [keyArn],
  });
  const result = await runSimulation(
    {
      request: {
        principal: `arn:aws:iam::${accountId}:role/${actor}`,
        action,
        resource: { resource, accountId },
        contextVariables: context,
      },
      identityPolicies: [{ name: "role", policy: policy as never }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      // The key policy that AWS gives a key leaves it to the account's IAM policies.
      resourcePolicy: action.startsWith("kms:")
        ? ({
            Version: "2012-10-17",
            Statement: [
              { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${accountId}:root` }, Action: "kms:*", Resource: "*" },
            ],
          } as never)
        : undefined,
    },
    {},
  );
  assert.notEqual(result.resultType, "error", JSON.stringify(result));
  return "overallResult" in result && result.overallResult === "Allowed";
}

describe("who may do what in RDS", function () {
  this.timeout(30_000);

  for (const actor of Object.values(RdsActor)) {
    it(`[guide 8] ${actor} can delete nothing but throw-aways, and production never`, async () => {
      const deletes = actor === RdsActor.Tester || actor === RdsActor.Reaper;
      assert.equal(await allows(actor, "rds:DeleteDBInstance", throwAway, tagged), deletes);
      assert.equal(await allows(actor, "rds:DeleteDBInstance", throwAway), false, "without the tag");
      assert.equal(await allows(actor, "rds:DeleteDBInstance", production), false);
      assert.equal(
        await allows(actor, "rds:DeleteDBInstance", production, tagged),
        false,
        "whatever it is tagged with",
      );
      assert.equal(await allows(actor, "rds:DeleteDBSnapshot", arn("snapshot", "x")), false);
      assert.equal(await allows(actor, "rds:ModifyDBInstance", production), false);
    });
  }

  it("only the restorer makes a copy that stays, and only it touches the secret", async () => {
    for (const actor of Object.values(RdsActor)) {
      const restores = actor === RdsActor.Restorer;
      assert.equal(await allows(actor, "rds:RestoreDBInstanceToPointInTime", copy, asCopy), restores, actor);
      assert.equal(await allows(actor, "rds:RestoreDBInstanceToPointInTime", copy), false, actor);
      assert.equal(await allows(actor, "secretsmanager:PutSecretValue", secretArn), restores, actor);
      assert.equal(await allows(actor, "secretsmanager:PutSecretValue", `${secretArn}x`), false, actor);
    }
  });

  it("[guide 8] the restorer changes what it made, and no replica that is called alike", async () => {
    const may = (name: string, tags: Readonly<Record<string, string>> = {}) =>
      allows(RdsActor.Restorer, "rds:ModifyDBInstance", arn("db", name), tags);
    const ours = { [`aws:ResourceTag/${restoredFromTag}`]: "architect-prod" };
    assert.equal(await may("architect-prod-2", ours), true);
    assert.equal(await may("architect-prod-replica"), false);
    assert.equal(await may("architect-prod-replica", { "aws:ResourceTag/application": "architect-go" }), false);
    assert.equal(await may("architect-prod-2", { [`aws:ResourceTag/${restoredFromTag}`]: "shop-prod" }), false);
    assert.equal(await may("architect-prod", ours), false, "the source is never its copy");
    assert.equal(await may("shop-prod-2", ours), false, "nor what is called otherwise");
    assert.equal(await allows(RdsActor.Restorer, "rds:AddTagsToResource", copy, { "aws:RequestTag/a": "b" }), false);
  });

  it("the tester makes only what carries the throw-away's tag from its first moment", async () => {
    assert.equal(await allows(RdsActor.Tester, "rds:RestoreDBInstanceToPointInTime", throwAway, asked), true);
    assert.equal(await allows(RdsActor.Tester, "rds:RestoreDBInstanceToPointInTime", throwAway), false);
    assert.equal(await allows(RdsActor.Tester, "rds:RestoreDBInstanceToPointInTime", copy, asked), false);
  });

  it("keys are used by whoever restores, and through RDS alone", async () => {
    const viaRds = { "kms:ViaService": "rds.eu-central-1.amazonaws.com" };
    for (const actor of Object.values(RdsActor)) {
      const restores = actor === RdsActor.Restorer || actor === RdsActor.Tester;
      assert.equal(await allows(actor, "kms:CreateGrant", keyArn, viaRds), restores, actor);
      assert.equal(await allows(actor, "kms:CreateGrant", keyArn, { "kms:ViaService": "s3.amazonaws.com" }), false);
      assert.equal(await allows(actor, "kms:Decrypt", keyArn, viaRds), false, actor);
    }
  });

  it("the observer and the reaper make nothing", async () => {
    for (const actor of [RdsActor.Observer, RdsActor.Reaper]) {
      assert.equal(await allows(actor, "rds:RestoreDBInstanceToPointInTime", throwAway, asked), false);
      assert.equal(await allows(actor, "rds:AddTagsToResource", production, asked), false, "nor tag it for the reaper");
      assert.equal(await allows(actor, "rds:DescribeDBInstances", production), true);
    }
  });
});
