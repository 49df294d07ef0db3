import assert from "node:assert/strict";
import { runSimulation } from "@cloud-copilot/iam-simulate";
import {
  bucketPolicy,
  type BucketPolicySettings,
  Identity,
  identityPolicy,
  identityRights,
  mayDo,
  type PolicyDocument,
  PolicyDialect,
  SigningKeyKind,
  StorePrefix,
} from "../../recovery";

const account = "111122223333";
const identities = Object.values(Identity);
const principals = Object.fromEntries(
  identities.map((identity) => [identity, `arn:aws:iam::${account}:role/${identity}`]),
) as Record<Identity, string>;
const bucketArn = "arn:aws:s3:::architect-backups";
const dataKeyArn = `arn:aws:kms:eu-central-1:${account}:key/0d1e2f3a-0000-4000-8000-000000000001`;
const signingKeyArn = `arn:aws:kms:eu-central-1:${account}:key/0d1e2f3a-0000-4000-8000-000000000002`;
const anything: PolicyDocument = {
  Version: "2012-10-17",
  Statement: [{ Sid: "All", Effect: "Allow", Action: "*", Resource: "*" }],
};

const objectActions = [
  "s3:AbortMultipartUpload",
  "s3:BypassGovernanceRetention",
  "s3:DeleteObject",
  "s3:DeleteObjectVersion",
  "s3:GetObject",
  "s3:GetObjectVersion",
  "s3:PutObject",
  "s3:PutObjectAcl",
  "s3:PutObjectLegalHold",
  "s3:PutObjectRetention",
  "s3:PutObjectTagging",
  "s3:RestoreObject",
];
const listActions = ["s3:ListBucket", "s3:ListBucketVersions"];
const bucketActions = [
  "s3:DeleteBucket",
  "s3:DeleteBucketPolicy",
  "s3:GetBucketObjectLockConfiguration",
  "s3:GetBucketPolicy",
  "s3:GetBucketVersioning",
  "s3:GetLifecycleConfiguration",
  "s3:PutBucketObjectLockConfiguration",
  "s3:PutBucketPolicy",
  "s3:PutBucketVersioning",
  "s3:PutEncryptionConfiguration",
  "s3:PutLifecycleConfiguration",
  "s3:PutReplicationConfiguration",
];

interface Request {
  readonly identity?: Identity;
  readonly principal?: string;
  readonly action: string;
  readonly resource: string;
  readonly context?: Record<string, string>;
  readonly policy: PolicyDocument;
  readonly resourcePolicy?: PolicyDocument;
}

/** What AWS would answer, by a simulator that shares no code with the generator and validates what it is given. */
async function isAllowed(request: Request): Promise<boolean> {
  const principal = request.principal ?? principals[request.identity!];
  const result = await runSimulation(
    {
      request: {
        principal,
        action: request.action,
        resource: { resource: request.resource, accountId: account },
        contextVariables: {
          "aws:PrincipalArn": principal,
          "aws:SecureTransport": "true",
          "s3:TlsVersion": "1.3",
          ...request.context,
        },
      },
      identityPolicies: [{ name: "identity", policy: request.policy }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: request.resourcePolicy,
    },
    {},
  );
  assert.ok(result.resultType === "single", JSON.stringify(result));
  return result.overallResult === "Allowed";
}

const settings: BucketPolicySettings = { bucketArn, principals, dataKeyArn };

describe("identities of the store", () => {
  for (const keyPrefix of ["", "prod/eu"]) {
    const base = keyPrefix === "" ? "" : `${keyPrefix}/`;
    const store = { ...settings, keyPrefix };

    for (const identity of identities) {
      for (const [case_, policy] of [
        ["its IAM policy", identityPolicy(identity, store)],
        ["an IAM policy that allows everything", anything],
      ] as const) {
        if (base && policy === anything) continue;
        it(`${identity} with ${case_} may do what the table says and nothing else${base && ", below a prefix"}`, async () => {
          const resourcePolicy = bucketPolicy(store);
          const wrong: string[] = [];
          const check = async (action: string, resource: string, target?: string, context?: Record<string, string>) => {
            const allowed = await isAllowed({ identity, action, resource, context, policy, resourcePolicy });
            if (allowed !== mayDo(identity, action, target))
              wrong.push(`${action} ${target ?? ""} allowed: ${allowed}`);
          };
          for (const prefix of [...Object.values(StorePrefix), "other/"]) {
            for (const action of objectActions) {
              await check(action, `${bucketArn}/${base}${prefix}a/b`, `${prefix}a/b`);
            }
            for (const action of listActions) {
              await check(action, bucketArn, prefix, { "s3:prefix": base + prefix });
            }
          }
          for (const action of bucketActions) await check(action, bucketArn);
          for (const action of listActions) {
            assert.equal(await isAllowed({ identity, action, resource: bucketArn, policy, resourcePolicy }), false);
          }
          assert.deepEqual(wrong, []);
        });
      }
    }
  }

  it("[guide 9] no identity may delete, unlock, re-tag or reconfigure anything", () => {
    const harmful = /Delete|Bypass|Retention|LegalHold|Tagging|Acl|s3:Put(?!Object$)|Restore|Replicate/;
    for (const identity of identities) {
      const { objects, listing, bucket } = identityRights[identity];
      const actions = [...objects, ...listing].flatMap((right) => right.actions).concat(bucket);
      assert.deepEqual(
        actions.filter((action) => harmful.test(action)),
        [],
      );
    }
  });

  it("[guide 8] the backup writer reads no backups and writes no evidence", () => {
    assert.equal(mayDo(Identity.BackupWriter, "s3:PutObject", "parts/a/b"), true);
    assert.equal(mayDo(Identity.BackupWriter, "s3:GetObject", "parts/a/b"), false);
    for (const identity of identities) {
      assert.equal(mayDo(identity, "s3:PutObject", "evidence/a"), identity === Identity.EvidenceWriter);
      assert.equal(mayDo(identity, "kms:ScheduleKeyDeletion"), false);
    }
  });

  it("keeps everybody but the evidence writer from writing evidence, also roles that it never heard of", async () => {
    const request = {
      principal: `arn:aws:iam::${account}:role/somebody`,
      action: "s3:PutObject",
      policy: anything,
      resourcePolicy: bucketPolicy(settings),
    };
    assert.equal(await isAllowed({ ...request, resource: `${bucketArn}/evidence/a` }), false);
    assert.equal(await isAllowed({ ...request, resource: `${bucketArn}/runbooks/a` }), true);
  });

  const refusedToAll: Record<string, { context: Record<string, string>; action?: string }> = {
    "plain text": { context: { "aws:SecureTransport": "false" } },
    "TLS 1.1": { context: { "s3:TlsVersion": "1.1" } },
    "a key that the customer sends along": {
      context: { "s3:x-amz-server-side-encryption-customer-algorithm": "AES256" },
    },
    "another KMS key": {
      context: { "s3:x-amz-server-side-encryption-aws-kms-key-id": signingKeyArn },
    },
  };
  for (const [name, { context }] of Object.entries(refusedToAll)) {
    it(`refuses ${name} to all`, async () => {
      for (const principal of [principals["backup-writer"], `arn:aws:iam::${account}:role/somebody`]) {
        const request = {
          principal,
          action: "s3:PutObject",
          resource: `${bucketArn}/parts/a/b`,
          policy: anything,
          resourcePolicy: bucketPolicy(settings),
        };
        assert.equal(await isAllowed(request), true);
        assert.equal(await isAllowed({ ...request, context }), false);
      }
    });
  }

  it("allows the bucket's own KMS key by name", async () => {
    const context = { "s3:x-amz-server-side-encryption-aws-kms-key-id": dataKeyArn };
    const resource = `${bucketArn}/parts/a/b`;
    const resourcePolicy = bucketPolicy(settings);
    const request = { identity: Identity.BackupWriter, action: "s3:PutObject", resource, policy: anything };
    assert.equal(await isAllowed({ ...request, context, resourcePolicy }), true);
  });

  it("lets records be created but never replaced when writes must be conditional", async () => {
    const request = (key: string, context: Record<string, string>) =>
      isAllowed({
        identity: Identity.BackupWriter,
        action: "s3:PutObject",
        resource: `${bucketArn}/${key}`,
        context: { "s3:ObjectCreationOperation": "true", ...context },
        policy: anything,
        resourcePolicy: bucketPolicy({ ...settings, writeOnce: true }),
      });
    assert.equal(await request("catalog/a/b.json", {}), false);
    assert.equal(await request("catalog/a/b.json", { "s3:if-none-match": "*" }), true);
    assert.equal(await request("parts/a/b", {}), true);
  });

  it("grants across accounts what the table gives, by the bucket policy alone", async () => {
    const resourcePolicy = bucketPolicy({ ...settings, grants: true });
    const nothing: PolicyDocument = { Version: "2012-10-17", Statement: [] };
    const ask = (policy: PolicyDocument) =>
      isAllowed({
        identity: Identity.Auditor,
        action: "s3:GetObjectVersion",
        resource: `${bucketArn}/catalog/a/b.json`,
        policy: nothing,
        resourcePolicy: policy,
      });
    assert.equal(await ask(resourcePolicy), true);
    assert.equal(await ask(bucketPolicy(settings)), false);
  });

  it("names users in the Principal element for servers without aws:PrincipalArn", () => {
    const policy = bucketPolicy({
      ...settings,
      dialect: PolicyDialect.Ceph,
      grants: true,
      requireTls: false,
    });
    const text = JSON.stringify(policy);
    assert.doesNotMatch(text, /aws:PrincipalArn/);
    for (const statement of policy.Statement) {
      if (statement.Sid === "CustomerKeys" || statement.Sid === "OtherKeys") continue;
      assert.notEqual(statement.Principal, "*", statement.Sid);
    }
  });

  it("gives the keys only to whom the table does, only through S3 and only for this bucket", async () => {
    const keyPolicy: PolicyDocument = {
      Version: "2012-10-17",
      Statement: [
        {
          Sid: "Iam",
          Effect: "Allow",
          Principal: { AWS: `arn:aws:iam::${account}:root` },
          Action: "kms:*",
          Resource: "*",
        },
      ],
    };
    // The simulator drops encryption contexts before it evaluates, so this one goes under the name of a key it keeps.
    const contextKey = "aws:PrincipalTag/encryption-context";
    const renamed = (policy: PolicyDocument) =>
      JSON.parse(JSON.stringify(policy).replaceAll("kms:EncryptionContext:aws:s3:arn", contextKey)) as PolicyDocument;
    const through = {
      "kms:ViaService": "s3.eu-central-1.amazonaws.com",
      [contextKey]: `${bucketArn}/parts/a/b`,
    };
    const actions = ["kms:Decrypt", "kms:GenerateDataKey", "kms:Sign", "kms:GenerateMac", "kms:VerifyMac"];
    actions.push("kms:GetPublicKey", "kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy");
    for (const identity of identities) {
      for (const kind of Object.values(SigningKeyKind)) {
        const policy = renamed(identityPolicy(identity, { ...settings, signingKey: { arn: signingKeyArn, kind } }));
        const { dataKey, signingKey } = identityRights[identity];
        for (const action of actions) {
          const ask = (resource: string, context: Record<string, string>) =>
            isAllowed({ identity, action, resource, context, policy, resourcePolicy: keyPolicy });
          assert.equal(await ask(dataKeyArn, through), dataKey.includes(action), `${identity} ${action} data`);
          assert.equal(
            await ask(signingKeyArn, {}),
            signingKey[kind].includes(action),
            `${identity} ${action} ${kind}`,
          );
          assert.equal(
            await ask(dataKeyArn, { ...through, "kms:ViaService": "rds.eu-central-1.amazonaws.com" }),
            false,
          );
          const elsewhere = { ...through, [contextKey]: "arn:aws:s3:::stolen/x" };
          assert.equal(await ask(dataKeyArn, elsewhere), false);
        }
      }
    }
  });

  it("stays below the 20 KB that S3 takes, with statement ids that are valid and unique", () => {
    const policy = bucketPolicy({ ...settings, keyPrefix: "x".repeat(60), grants: true, writeOnce: true });
    assert.ok(JSON.stringify(policy).length < 20 * 1024, `${JSON.stringify(policy).length}`);
    const sids = policy.Statement.map((statement) => statement.Sid);
    assert.equal(new Set(sids).size, sids.length);
    for (const sid of sids) assert.match(sid, /^[A-Za-z0-9]+$/);
  });

  it("keeps to the partition of the ARNs", () => {
    const china = {
      bucketArn: "arn:aws-cn:s3:::b",
      dataKeyArn: `arn:aws-cn:kms:cn-north-1:${account}:key/k`,
    };
    const text = JSON.stringify(identityPolicy(Identity.BackupWriter, china));
    assert.match(text, /"s3\.cn-north-1\.amazonaws\.com\.cn"/);
    assert.doesNotMatch(text, /arn:aws:/);
  });

  it("refuses what is no ARN, and a prefix that would widen a pattern", () => {
    assert.throws(
      () => identityPolicy(Identity.Auditor, { bucketArn: "architect-backups" }),
      /bucketArn: expected an ARN/,
    );
    assert.throws(() => bucketPolicy({ bucketArn, principals: { auditor: "*" } }), /principals: expected an ARN/);
    for (const keyPrefix of ["*", "a/", "/a", "$" + "{aws:username}"]) {
      assert.throws(() => identityPolicy(Identity.Auditor, { bucketArn, keyPrefix }), /keyPrefix/);
    }
  });
});
