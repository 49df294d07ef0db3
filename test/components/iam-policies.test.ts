import assert from "node:assert/strict";
import { BackupBucket, IdentityProvider, RecoveryAlerts, RecoveryIdentity, Severity } from "../../components";
import { rolePrincipalsOf } from "../../components/recovery-identity";
import {
  Identity,
  identityRights,
  mayDo,
  RdsActor,
  rdsRights,
  RdsScope,
  StorePrefix,
  restoredFromTag,
  ThrowAwayTag,
} from "../../recovery";
import { allows } from "../support/iam-simulation";
import { register, type RegisteredResources } from "../support/registered-resources";

const accountId = "111122223333";
const scope = { application: "architect-go", environment: "prod", region: "eu-central-1", accountId };
const bucketArn = "arn:aws:s3:::architect-go-prod-backups-eu-central-1-111122223333";
const replicaArn = "arn:aws:s3:::architect-go-prod-backups-eu-west-1-111122223333";
const dataKeyArn = "arn:aws:kms:eu-central-1:111122223333:key/bucket-bucket-key";
const roleOf = (identity: Identity) => `arn:aws:iam::${accountId}:role/architect-go-prod-eu-central-1-${identity}`;
const account = (name: string) => ({ namespace: "dr", name });

describe("the policies that the components register", function () {
  this.timeout(60_000);
  let made: RegisteredResources;
  const policy = (type: string, name: string): object => JSON.parse(made.inputs(type, name).policy as string) as object;
  const bucketPolicyOf = (name: string) => policy("aws:s3/bucketPolicy:BucketPolicy", `${name}-policy`);
  const rolePolicyOf = (identity: Identity) => policy("aws:iam/rolePolicy:RolePolicy", `identity-${identity}`);

  before(async () => {
    made = await register(() => {
      const bucket = new BackupBucket("bucket", {
        ...scope,
        principals: rolePrincipalsOf(scope),
        replica: { region: "eu-west-1" },
      });
      new RecoveryIdentity("identity", {
        ...scope,
        bucketArn: bucket.bucketArn,
        dataKeyArn: bucket.dataKeyArn,
        clusterName: "prod",
        serviceAccounts: {
          backupWriter: account("backup"),
          restoreReader: account("restore"),
          evidenceWriter: account("restore-test"),
          auditor: account("status"),
        },
      });
      new RecoveryAlerts("alerts", { ...scope, databases: ["architect"], backupSchedule: "0 */6 * * *" });
    });
  });

  for (const identity of Object.values(Identity)) {
    it(`[guide 8, 9] ${identity} may do on objects what the table says, and nothing else`, async () => {
      const actions = [
        "s3:PutObject",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
      ];
      for (const prefix of Object.values(StorePrefix)) {
        for (const action of [...actions, "s3:PutObjectRetention", "s3:BypassGovernanceRetention"]) {
          const allowed = await allows({
            principal: roleOf(identity),
            action,
            resource: `${bucketArn}/${prefix}architect/x`,
            identityPolicy: rolePolicyOf(identity),
            resourcePolicy: bucketPolicyOf("bucket-bucket"),
            context: { "s3:RequestObjectTagKeys": "" },
          });
          assert.equal(allowed, mayDo(identity, action, `${prefix}architect/x`), `${action} on ${prefix}`);
        }
      }
    });
  }

  it("a request without TLS, or with an old one, is denied to everybody", async () => {
    const read = {
      principal: roleOf(Identity.RestoreReader),
      action: "s3:GetObject",
      resource: `${bucketArn}/parts/architect/x`,
      identityPolicy: rolePolicyOf(Identity.RestoreReader),
      resourcePolicy: bucketPolicyOf("bucket-bucket"),
    };
    assert.equal(await allows(read), true);
    assert.equal(await allows({ ...read, context: { "aws:SecureTransport": "false" } }), false);
    assert.equal(await allows({ ...read, context: { "s3:TlsVersion": "1.1" } }), false);
  });

  it("a put with another key or encryption is denied, one that leaves it to the bucket is not", async () => {
    const put = {
      principal: roleOf(Identity.BackupWriter),
      action: "s3:PutObject",
      resource: `${bucketArn}/parts/architect/x`,
      identityPolicy: rolePolicyOf(Identity.BackupWriter),
      resourcePolicy: bucketPolicyOf("bucket-bucket"),
    };
    const encryption = "s3:x-amz-server-side-encryption";
    const key = "s3:x-amz-server-side-encryption-aws-kms-key-id";
    assert.equal(await allows(put), true);
    assert.equal(await allows({ ...put, context: { [encryption]: "aws:kms", [key]: dataKeyArn } }), true);
    assert.equal(await allows({ ...put, context: { [encryption]: "AES256" } }), false);
    const otherKey = "arn:aws:kms:eu-central-1:111122223333:key/other";
    assert.equal(await allows({ ...put, context: { [encryption]: "aws:kms", [key]: otherKey } }), false);
  });

  it("replication reads here, writes there, and deletes nowhere", async () => {
    const role = { principal: `arn:aws:iam::${accountId}:role/replication` };
    const identityPolicy = policy("aws:iam/rolePolicy:RolePolicy", "bucket-bucket-replication");
    for (const [action, resource, expected] of [
      ["s3:GetObjectVersionForReplication", `${bucketArn}/parts/x`, true],
      ["s3:ReplicateObject", `${replicaArn}/parts/x`, true],
      ["s3:ReplicateObject", `${bucketArn}/parts/x`, false],
      ["s3:ReplicateDelete", `${replicaArn}/parts/x`, false],
      ["s3:DeleteObject", `${replicaArn}/parts/x`, false],
    ] as const) {
      assert.equal(await allows({ ...role, action, resource, identityPolicy }), expected, `${action} ${resource}`);
    }
    // The key policy that AWS gives a key leaves it to the account's IAM policies.
    const resourcePolicy = {
      Version: "2012-10-17",
      Statement: [
        { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${accountId}:root` }, Action: "kms:*", Resource: "*" },
      ],
    };
    // The simulator drops encryption contexts, so this one goes under the name of a key that it keeps.
    const contextKey = "aws:PrincipalTag/encryption-context";
    const text = JSON.stringify(identityPolicy).replaceAll("kms:EncryptionContext:aws:s3:arn", contextKey);
    const renamed = JSON.parse(text) as object;
    const decrypt = { ...role, action: "kms:Decrypt", resource: dataKeyArn, identityPolicy: renamed, resourcePolicy };
    const context = { "kms:ViaService": "s3.eu-central-1.amazonaws.com", [contextKey]: bucketArn };
    assert.equal(await allows({ ...decrypt, context }), true);
    assert.equal(await allows(decrypt), false);
  });

  it("[guide 9] no identity can disable the key of the backups, delete it or hand it on, whatever IAM gives", async () => {
    const everything = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "kms:*", Resource: "*" }] };
    for (const key of ["bucket-bucket-key", "bucket-replica-key"]) {
      for (const identity of [...Object.values(Identity), undefined]) {
        const { dataKey = [], dataKeySettings = [] } = identity === undefined ? {} : identityRights[identity];
        for (const action of [
          "kms:ScheduleKeyDeletion",
          "kms:DisableKey",
          "kms:PutKeyPolicy",
          "kms:CreateGrant",
          "kms:GenerateDataKey",
          "kms:Decrypt",
        ]) {
          const allowed = await allows({
            principal: identity === undefined ? `arn:aws:iam::${accountId}:role/administrator` : roleOf(identity),
            action,
            resource: dataKeyArn,
            identityPolicy: everything,
            resourcePolicy: policy("aws:kms/key:Key", key),
          });
          const expected = identity === undefined || [...dataKey, ...dataKeySettings].includes(action);
          assert.equal(allowed, expected, `${identity ?? "administrator"} ${action} ${key}`);
        }
      }
    }
  });

  it("[guide 17, 18] a copy in another account takes replicas, and nobody of the first account can destroy it", async () => {
    const copyAccountId = "777788889999";
    const replicationRoleArn = `arn:aws:iam::${accountId}:role/replication`;
    const copy = await register(() => {
      new BackupBucket("copy", {
        ...scope,
        region: "eu-west-1",
        accountId: copyAccountId,
        acceptReplicationFrom: replicationRoleArn,
      });
    });
    const copyArn = `arn:aws:s3:::architect-go-prod-backups-eu-west-1-${copyAccountId}`;
    const document = (type: string, name: string) => JSON.parse(copy.inputs(type, name).policy as string) as object;
    const [bucketPolicyThere, keyPolicyThere] = [
      document("aws:s3/bucketPolicy:BucketPolicy", "copy-bucket-policy"),
      document("aws:kms/key:Key", "copy-bucket-key"),
    ];
    const everything = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };
    const key = `arn:aws:kms:eu-west-1:${copyAccountId}:key/copy-bucket-key`;
    const contextKey = "aws:PrincipalTag/encryption-context";
    const renamed = JSON.parse(
      JSON.stringify(keyPolicyThere).replaceAll("kms:EncryptionContext:aws:s3:arn", contextKey),
    ) as object;
    const context = { "kms:ViaService": "s3.eu-west-1.amazonaws.com", [contextKey]: copyArn };
    const role = { principal: replicationRoleArn, identityPolicy: everything, ownerAccountId: copyAccountId };
    const admin = { ...role, principal: `arn:aws:iam::${accountId}:role/administrator` };
    const onKey = { resource: key, resourcePolicy: renamed, context };
    const onObject = { resource: `${copyArn}/parts/x`, resourcePolicy: bucketPolicyThere };
    assert.equal(await allows({ ...role, ...onObject, action: "s3:ReplicateObject" }), true);
    assert.equal(await allows({ ...role, ...onKey, action: "kms:GenerateDataKey" }), true);
    assert.equal(await allows({ ...role, ...onKey, context: {}, action: "kms:GenerateDataKey" }), false);
    for (const action of ["kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy", "kms:Decrypt"]) {
      for (const who of [role, admin]) assert.equal(await allows({ ...who, ...onKey, action }), false, action);
    }
    for (const action of ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"]) {
      for (const who of [role, admin]) assert.equal(await allows({ ...who, ...onObject, action }), false, action);
    }
  });

  it("access logs come from log delivery of this account alone", async () => {
    const write = {
      principal: "logging.s3.amazonaws.com",
      action: "s3:PutObject",
      resource: "arn:aws:s3:::architect-go-prod-s3-logs-eu-central-1-111122223333/x",
      resourcePolicy: bucketPolicyOf("bucket-access-logs"),
    };
    assert.equal(await allows({ ...write, context: { "aws:SourceAccount": accountId } }), true);
    assert.equal(await allows({ ...write, context: { "aws:SourceAccount": "444455556666" } }), false);
  });

  it("topics are told by alarms of this account, over TLS, and their key admits the same", async () => {
    for (const severity of Object.values(Severity)) {
      const name = `alerts-${severity.toLowerCase()}`;
      const resourcePolicy = policy("aws:sns/topicPolicy:TopicPolicy", name);
      const resource = `arn:aws:sns:eu-central-1:${accountId}:architect-go-prod-recovery-${severity.toLowerCase()}`;
      const publish = { principal: "cloudwatch.amazonaws.com", action: "sns:Publish", resource, resourcePolicy };
      const here = { "aws:SourceAccount": accountId };
      assert.equal(await allows({ ...publish, context: here }), true, name);
      assert.equal(await allows({ ...publish, context: { "aws:SourceAccount": "444455556666" } }), false);
      assert.equal(await allows({ ...publish, context: { ...here, "aws:SecureTransport": "false" } }), false);
    }
    const key = {
      principal: "cloudwatch.amazonaws.com",
      action: "kms:GenerateDataKey",
      resource: `arn:aws:kms:eu-central-1:${accountId}:key/alerts-key`,
      resourcePolicy: policy("aws:kms/key:Key", "alerts-key"),
    };
    assert.equal(await allows({ ...key, context: { "aws:SourceAccount": accountId } }), true);
    assert.equal(await allows({ ...key, context: { "aws:SourceAccount": "444455556666" } }), false);
    assert.equal(await allows({ ...key, principal: "sns.amazonaws.com" }), false);
  });

  it("only the auditor publishes metrics, and only the status", async () => {
    for (const identity of Object.values(Identity)) {
      const publish = {
        principal: roleOf(identity),
        action: "cloudwatch:PutMetricData",
        resource: "*",
        identityPolicy: rolePolicyOf(identity),
      };
      const here = { "cloudwatch:namespace": "DisasterRecovery" };
      assert.equal(await allows({ ...publish, context: here }), identity === Identity.Auditor, identity);
      assert.equal(await allows({ ...publish, context: { "cloudwatch:namespace": "AWS/S3" } }), false, identity);
    }
  });

  it("a role is taken by the pods of its service account, and by no others", async () => {
    const trustOf = (name: string) =>
      JSON.parse(made.inputs("aws:iam/role:Role", name).assumeRolePolicy as string) as object;
    const take = {
      principal: "pods.eks.amazonaws.com",
      action: "sts:AssumeRole",
      resource: roleOf(Identity.BackupWriter),
      resourcePolicy: trustOf("identity-backup-writer"),
    };
    const mine = {
      "aws:SourceAccount": accountId,
      "aws:RequestTag/kubernetes-namespace": "dr",
      "aws:RequestTag/kubernetes-service-account": "backup",
    };
    assert.equal(await allows({ ...take, context: mine }), true);
    for (const [key, other] of [
      ["aws:SourceAccount", "444455556666"],
      ["aws:RequestTag/kubernetes-namespace", "default"],
      ["aws:RequestTag/kubernetes-service-account", "restore-test"],
    ] as const) {
      assert.equal(await allows({ ...take, context: { ...mine, [key]: other } }), false, key);
    }
    assert.equal(made.ofType("aws:eks/podIdentityAssociation:PodIdentityAssociation").length, 4);
  });

  it("IRSA trusts one service account of one cluster, by sub and aud", async () => {
    const irsa = await register(
      () =>
        void new RecoveryIdentity("irsa", {
          ...scope,
          bucketArn,
          identityProvider: IdentityProvider.Irsa,
          oidcProvider: {
            arn: `arn:aws:iam::${accountId}:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC`,
            issuerUrl: "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC",
          },
          serviceAccounts: { backupWriter: account("backup") },
        }),
    );
    assert.equal(irsa.ofType("aws:eks/podIdentityAssociation:PodIdentityAssociation").length, 0);
    const trust = irsa.inputs("aws:iam/role:Role", "irsa-backup-writer").assumeRolePolicy as string;
    assert.deepEqual((JSON.parse(trust) as { Statement: object[] }).Statement, [
      {
        Effect: "Allow",
        Principal: { Federated: `arn:aws:iam::${accountId}:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC` },
        Action: "sts:AssumeRoleWithWebIdentity",
        Condition: {
          StringEquals: {
            "oidc.eks.eu-central-1.amazonaws.com/id/ABC:sub": "system:serviceaccount:dr:backup",
            "oidc.eks.eu-central-1.amazonaws.com/id/ABC:aud": "sts.amazonaws.com",
          },
        },
      },
    ]);
  });

  it("without a database that RDS restores, nobody has a right in RDS", () => {
    assert.deepEqual(
      made.ofType("aws:iam/rolePolicy:RolePolicy").filter(({ inputs }) => /"rds:/.test(inputs.policy as string)),
      [],
    );
  });

  it("fits the 20 KiB of a bucket policy", () => {
    for (const name of ["bucket-bucket", "bucket-replica", "bucket-access-logs"]) {
      assert.ok(JSON.stringify(bucketPolicyOf(name)).length < 20_480, name);
    }
  });
});

describe("what the identities may do in RDS", function () {
  this.timeout(60_000);
  const arn = (kind: string, name: string) => `arn:aws:rds:eu-central-1:${accountId}:${kind}:${name}`;
  const secretArn = `arn:aws:secretsmanager:eu-central-1:${accountId}:secret:architect-go/prod/database-AbCdEf`;
  const keyArn = (name: string) => `arn:aws:kms:eu-central-1:${accountId}:key/${name}`;
  const monitoringRoleArn = `arn:aws:iam::${accountId}:role/monitoring`;
  const owners = { ...Identity, Reaper: RdsActor.Reaper };
  const actorOf: Readonly<Record<string, RdsActor | undefined>> = {
    [Identity.RestoreReader]: RdsActor.Restorer,
    [Identity.EvidenceWriter]: RdsActor.Tester,
    [Identity.Auditor]: RdsActor.Observer,
    [RdsActor.Reaper]: RdsActor.Reaper,
  };
  const asked = { [`aws:RequestTag/${ThrowAwayTag.Purpose}`]: "restore-test" };
  const tagged = { [`aws:ResourceTag/${ThrowAwayTag.Purpose}`]: "restore-test" };

  const ours = { [`aws:ResourceTag/${restoredFromTag}`]: "architect-prod" };

  /** Resources of each scope, by the kind of what an action is about, and the request that they are met in. */
  const met: Readonly<Record<RdsScope, readonly (readonly [string, Record<string, string>])[]>> = {
    [RdsScope.Everything]: [["*", {}]],
    [RdsScope.Sources]: [
      [arn("db", "architect-prod"), {}],
      [arn("cluster", "ledger-prod"), {}],
    ],
    [RdsScope.MadeAsThrowAway]: [
      [arn("db", "dr-test-architect-1"), asked],
      [arn("cluster", "dr-test-ledger-1"), asked],
    ],
    [RdsScope.ThrowAways]: [
      [arn("db", "dr-test-architect-1"), tagged],
      [arn("cluster", "dr-test-ledger-1"), tagged],
    ],
    [RdsScope.MadeAsCopy]: [
      [arn("db", "architect-prod-restored"), { [`aws:RequestTag/${restoredFromTag}`]: "architect-prod" }],
      [arn("cluster", "ledger-prod-restored"), { [`aws:RequestTag/${restoredFromTag}`]: "ledger-prod" }],
    ],
    [RdsScope.Copies]: [
      [arn("db", "architect-prod-restored"), ours],
      [arn("cluster", "ledger-prod-restored"), { [`aws:ResourceTag/${restoredFromTag}`]: "ledger-prod" }],
    ],
    [RdsScope.Secret]: [[secretArn, {}]],
    [RdsScope.SecretKey]: [[keyArn("secret"), { "kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com" }]],
    [RdsScope.DataKey]: [[keyArn("data"), { "kms:ViaService": "rds.eu-central-1.amazonaws.com" }]],
    [RdsScope.MonitoringRole]: [[monitoringRoleArn, { "iam:PassedToService": "monitoring.rds.amazonaws.com" }]],
  };
  /** What nobody may, whatever the tags. */
  const never: readonly (readonly [string, string, Record<string, string>])[] = [
    ["rds:DeleteDBInstance", arn("db", "architect-prod"), tagged],
    ["rds:DeleteDBCluster", arn("cluster", "ledger-prod"), tagged],
    ["rds:DeleteDBInstance", arn("db", "architect-prod-restored"), {}],
    ["rds:DeleteDBInstance", arn("db", "dr-test-architect-1"), {}],
    ["rds:ModifyDBInstance", arn("db", "architect-prod"), tagged],
    ["rds:ModifyDBInstance", arn("db", "architect-prod"), ours],
    ["rds:ModifyDBInstance", arn("db", "architect-prod-replica"), {}],
    ["rds:ModifyDBInstance", arn("db", "architect-prod-replica"), { "aws:ResourceTag/application": "architect-go" }],
    [
      "rds:ModifyDBInstance",
      arn("db", "architect-prod-replica"),
      { [`aws:ResourceTag/${restoredFromTag}`]: "another-prod" },
    ],
    ["rds:ModifyDBCluster", arn("cluster", "ledger-prod-replica"), {}],
    ["rds:AddTagsToResource", arn("db", "architect-prod-replica"), { "aws:RequestTag/owner": "ann" }],
    ["rds:RestoreDBInstanceToPointInTime", arn("db", "architect-prod-restored"), {}],
    ["rds:CreateDBInstance", arn("db", "architect-prod-restored"), { "aws:RequestTag/owner": "ann" }],
    ["rds:StopDBInstance", arn("db", "architect-prod"), {}],
    ["rds:DeleteDBSnapshot", arn("snapshot", "rds:architect-prod"), {}],
    ["rds:DeleteDBInstanceAutomatedBackup", arn("auto-backup", "ab-1"), {}],
    ["rds:AddTagsToResource", arn("db", "architect-prod"), asked],
    ["secretsmanager:DeleteSecret", secretArn, {}],
    ["secretsmanager:PutSecretValue", `${secretArn}x`, {}],
    ["kms:ScheduleKeyDeletion", keyArn("data"), { "kms:ViaService": "rds.eu-central-1.amazonaws.com" }],
    ["kms:CreateGrant", keyArn("data"), {}],
    ["iam:PassRole", monitoringRoleArn, { "iam:PassedToService": "ec2.amazonaws.com" }],
  ];
  const keyPolicy = {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${accountId}:root` }, Action: "kms:*", Resource: "*" },
    ],
  };
  let made: RegisteredResources;
  const policyOf = (owner: string): object => {
    const found = made.all.filter(
      ({ type, name }) => type === "aws:iam/rolePolicy:RolePolicy" && name === `identity-${owner}-rds`,
    );
    assert.equal(found.length, actorOf[owner] === undefined ? 0 : 1, owner);
    return found[0]
      ? (JSON.parse(found[0].inputs.policy as string) as object)
      : { Version: "2012-10-17", Statement: [{ Effect: "Deny", Action: "rds:*", Resource: "*" }] };
  };
  const may = (owner: string, action: string, resource: string, context: Record<string, string>) =>
    allows({
      principal: `arn:aws:iam::${accountId}:role/${owner}`,
      action,
      resource,
      identityPolicy: policyOf(owner),
      context,
      ...(action.startsWith("kms:") ? { resourcePolicy: keyPolicy } : {}),
    });

  before(async () => {
    made = await register(
      () =>
        void new RecoveryIdentity("identity", {
          ...scope,
          bucketArn,
          clusterName: "prod",
          rdsSources: [
            {
              instanceIdentifier: "architect-prod",
              secretArn,
              secretKeyArn: keyArn("secret"),
              dataKeyArn: keyArn("data"),
              monitoringRoleArn,
            },
            { clusterIdentifier: "ledger-prod" },
          ],
          serviceAccounts: {
            backupWriter: account("backup"),
            restoreReader: account("restore"),
            evidenceWriter: account("restore-test"),
            auditor: account("status"),
            reaper: account("reaper"),
          },
        }),
    );
  });

  for (const owner of Object.values(owners)) {
    it(`[guide 8] ${owner} may do what the table says, and nothing else`, async () => {
      const rights = Object.values(rdsRights).flat();
      const actor = actorOf[owner];
      let allowed = 0;
      for (const [inScope, resources] of Object.entries(met) as [RdsScope, (typeof met)[RdsScope]][]) {
        const actions = new Set(rights.filter(({ scope }) => scope === inScope).flatMap((right) => right.actions));
        for (const action of actions) {
          const isGiven =
            actor !== undefined &&
            rdsRights[actor].some((right) => right.scope === inScope && right.actions.includes(action));
          const about = /DBCluster/.test(action) ? "cluster" : /DBInstance/.test(action) ? "db" : ".*";
          for (const [resource, context] of resources) {
            if (inScope !== RdsScope.Everything && !new RegExp(`^arn:aws:(rds:.*:${about}:|(?!rds))`).test(resource))
              continue;
            assert.equal(await may(owner, action, resource, context), isGiven, `${action} on ${inScope} ${resource}`);
            if (isGiven) allowed += 1;
          }
        }
      }
      assert.equal(allowed > 0, actor !== undefined);
      for (const [action, resource, context] of never) {
        assert.equal(await may(owner, action, resource, context), false, `${action} on ${resource}`);
      }
    });
  }

  it("the reaper is an identity of its own, which sees nothing of the store", () => {
    const policies = made.ofType("aws:iam/rolePolicy:RolePolicy").filter(({ name }) => name.includes("reaper"));
    assert.deepEqual(
      policies.map(({ name }) => name),
      ["identity-reaper-rds"],
    );
    assert.ok(!/s3:|kms:|secretsmanager:/.test(policies[0]!.inputs.policy as string));
    const trust = made.inputs("aws:iam/role:Role", "identity-reaper").assumeRolePolicy as string;
    assert.ok(trust.includes(`"aws:RequestTag/kubernetes-service-account":"reaper"`));
    assert.throws(
      () =>
        new RecoveryIdentity("none", {
          ...scope,
          bucketArn,
          clusterName: "prod",
          serviceAccounts: { reaper: account("reaper") },
        }),
      /serviceAccounts.reaper: has nothing to look through: name rdsSources/,
    );
  });

  it("fits the 10 KiB that the policies in one role may have together", () => {
    for (const owner of Object.values(owners)) {
      const own = made
        .ofType("aws:iam/rolePolicy:RolePolicy")
        .filter(({ name }) => [`identity-${owner}`, `identity-${owner}-rds`].includes(name));
      const length = own.reduce((sum, { inputs }) => sum + (inputs.policy as string).length, 0);
      assert.ok(length > 0 && length < 10_240, `${owner}: ${length}`);
    }
  });
});
