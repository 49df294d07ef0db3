import assert from "node:assert/strict";
import { runSimulation } from "@cloud-copilot/iam-simulate";
import fc from "fast-check";
import { bucketPolicy, explicitDenial, Identity, mayDo, PolicyDialect, StorePrefix } from "../../recovery";

const account = "111122223333";
const bucketArn = "arn:aws:s3:::backups";
const principals = Object.fromEntries(
  Object.values(Identity).map((identity) => [identity, `arn:aws:iam::${account}:role/${identity}`]),
) as Record<Identity, string>;
const writer = principals[Identity.BackupWriter];

const policyOf = (...Statement: object[]): string => JSON.stringify({ Version: "2012-10-17", Statement });
const deletion = { principalArn: writer, action: "s3:DeleteObjectVersion", resourceArn: `${bucketArn}/parts/a` };

describe("explicit refusal by a policy", () => {
  for (const dialect of Object.values(PolicyDialect)) {
    it(`finds what the generated policy refuses, dialect ${dialect}`, () => {
      const policy = JSON.stringify(bucketPolicy({ bucketArn, principals, dialect }));
      const harmful = ["s3:DeleteObjectVersion", "s3:PutObjectRetention", "s3:BypassGovernanceRetention"];
      for (const [identity, principalArn] of Object.entries(principals)) {
        for (const action of harmful) {
          assert.ok(explicitDenial(policy, { principalArn, action, resourceArn: `${bucketArn}/parts/a/b` }));
        }
        for (const action of ["s3:DeleteBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucket"]) {
          assert.ok(explicitDenial(policy, { principalArn, action, resourceArn: bucketArn }), `${identity} ${action}`);
        }
        for (const prefix of Object.values(StorePrefix)) {
          const resourceArn = `${bucketArn}/${prefix}a`;
          const denied = explicitDenial(policy, { principalArn, action: "s3:PutObject", resourceArn }) !== undefined;
          assert.equal(denied, !mayDo(identity as Identity, "s3:PutObject", prefix), `${identity} ${prefix}`);
        }
      }
      const stranger = { ...deletion, principalArn: `arn:aws:iam::${account}:role/other` };
      assert.equal(explicitDenial(policy, stranger), undefined);
    });
  }

  const refusal = { Sid: "No", Effect: "Deny", Principal: "*", Action: "s3:*", Resource: "*" };
  const certain: Record<string, object> = {
    "one that names everything": refusal,
    "wild cards and another case": { ...refusal, Action: "S3:delete*", Resource: `${bucketArn}/p?rts/*` },
    "the principal's own ARN": { ...refusal, Principal: { AWS: [writer] } },
    "NotAction and NotResource": {
      Effect: "Deny",
      Principal: "*",
      NotAction: "s3:Get*",
      NotResource: "arn:aws:s3:::x/*",
    },
    "a condition on the principal": {
      ...refusal,
      Condition: { ArnLike: { "aws:PrincipalArn": "arn:aws:iam::*:role/backup-*" } },
    },
    "a negated condition on the principal": {
      ...refusal,
      Condition: { StringNotEquals: { "AWS:PrincipalArn": ["x", "y"] } },
    },
  };
  for (const [name, statement] of Object.entries(certain)) {
    it(`is certain by ${name}`, () => assert.ok(explicitDenial(policyOf(statement), deletion)));
  }

  const uncertain: Record<string, object> = {
    "it allows": { ...refusal, Effect: "Allow" },
    "it is about another action": { ...refusal, Action: ["s3:DeleteObject", "s3:DeleteObjectTagging"] },
    "it is about another resource": { ...refusal, Resource: bucketArn },
    "it is about another principal": { ...refusal, Principal: { AWS: `arn:aws:iam::${account}:root` } },
    "it is about services": { ...refusal, Principal: { Service: "*" } },
    "it has a condition on something else": {
      ...refusal,
      Condition: { Bool: { "aws:MultiFactorAuthPresent": "false" } },
    },
    "one of its conditions is on something else": {
      ...refusal,
      Condition: { StringEquals: { "aws:PrincipalArn": writer, "aws:SourceVpc": "vpc-1" } },
    },
    "its condition exempts the principal": {
      ...refusal,
      Condition: { ArnNotLike: { "aws:PrincipalArn": `*/backup-writer` } },
    },
    "it uses NotPrincipal": { Effect: "Deny", NotPrincipal: { AWS: "x" }, Action: "*", Resource: "*" },
    "it uses a variable": { ...refusal, Resource: `${bucketArn}/\${aws:username}/*` },
    "it has no action": { Effect: "Deny", Principal: "*", Resource: "*" },
  };
  for (const [name, statement] of Object.entries(uncertain)) {
    it(`is not certain when ${name}`, () => assert.equal(explicitDenial(policyOf(statement), deletion), undefined));
  }

  it("takes a single statement, and none, and says which one refuses", () => {
    assert.deepEqual(explicitDenial(JSON.stringify({ Statement: refusal }), deletion), { sid: "No" });
    assert.deepEqual(explicitDenial(policyOf({}, { ...refusal, Sid: undefined }), deletion), { sid: "statement 2" });
    assert.equal(explicitDenial("{}", deletion), undefined);
    assert.throws(() => explicitDenial("<xml>", deletion), SyntaxError);
  });

  it("never says refused where a simulator of IAM says allowed", async () => {
    const pattern = fc.constantFrom(
      "s3:*",
      "s3:Delete*",
      "s3:DeleteObjectVersion",
      "s3:Get*",
      "*",
      "s3:DeleteObject?ersion",
    );
    const resource = fc.constantFrom(
      "*",
      `${bucketArn}/*`,
      `${bucketArn}/parts/*`,
      `${bucketArn}/catalog/*`,
      bucketArn,
    );
    const who = fc.constantFrom<unknown>("*", { AWS: writer }, { AWS: `arn:aws:iam::${account}:role/other` });
    const operator = fc.constantFrom("ArnEquals", "ArnLike", "ArnNotEquals", "StringNotLike", "StringEquals");
    const arn = fc.constantFrom(writer, "arn:aws:iam::*:role/*", `arn:aws:iam::${account}:role/other`);
    const statement = fc.record({
      Effect: fc.constantFrom("Allow", "Deny"),
      Principal: who,
      Action: pattern,
      Resource: resource,
      Condition: fc.option(
        fc.tuple(operator, arn).map(([name, value]) => ({ [name]: { "aws:PrincipalArn": value } })),
        { nil: undefined },
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(statement, { minLength: 1, maxLength: 3 }), async (statements) => {
        const policy = policyOf(...statements);
        const result = await runSimulation(
          {
            request: {
              principal: writer,
              action: deletion.action,
              resource: { resource: deletion.resourceArn, accountId: account },
              contextVariables: { "aws:PrincipalArn": writer },
            },
            identityPolicies: [
              {
                name: "all",
                policy: { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] },
              },
            ],
            serviceControlPolicies: [],
            resourceControlPolicies: [],
            resourcePolicy: JSON.parse(policy) as object,
          },
          {},
        );
        assert.ok(result.resultType === "single", JSON.stringify(result));
        assert.equal(explicitDenial(policy, deletion) !== undefined, result.overallResult === "ExplicitlyDenied");
      }),
      { numRuns: 200 },
    );
  });
});
