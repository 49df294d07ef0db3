import assert from "node:assert/strict";
import {
  GetBucketLifecycleConfigurationCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  PutBucketLifecycleConfigurationCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { proveImmutability } from "../../../job-images/src/proof/immutability";
import { S3Store } from "../../../job-images/src/store/s3-store";
import {
  combineVerdicts,
  dataKeyRefusals,
  type EvidenceCheck,
  Identity,
  type PolicyDocument,
  Verdict,
} from "../../../recovery";
import { identityBucket, type IdentityUsers } from "../../support/four-identities";
import { radosgw, type RadosGateway, whyNoRadosgw } from "../../support/radosgw";
import { writeRecoveryPoint } from "../../support/recovery-point";
import { locationOf } from "../../support/s3-bucket";
import { skip } from "../../support/skip";

/** A policy that gives the backup writer one call more: its refusal is taken out, and it is allowed. */
function allowing(...actions: string[]) {
  return (policy: PolicyDocument): PolicyDocument => {
    const [writer] = policy.Statement.filter(({ Sid }) => Sid === "BackupWriterOtherActions");
    const Statement = policy.Statement.map((statement) =>
      statement === writer
        ? { ...statement, Action: (statement.Action as string[]).filter((action) => !actions.includes(action)) }
        : statement,
    );
    return {
      ...policy,
      Statement: [
        ...Statement,
        { Sid: "Weak", Effect: "Allow", Principal: writer!.Principal, Action: actions, Resource: writer!.Resource },
      ],
    };
  };
}

/** Takes out what keeps the writer to its prefixes. */
function allowingEvidence(policy: PolicyDocument): PolicyDocument {
  const Statement = policy.Statement.filter(({ Sid }) => !/^BackupWriterOtherObjects/.test(Sid));
  const [objects] = Statement.filter(({ Sid }) => Sid === "BackupWriterObjects0");
  const widened = {
    ...objects!,
    Sid: "Weak",
    Resource: [objects!.Resource].flat().map((arn) => arn!.replace("decoy", "evidence")),
  };
  return { ...policy, Statement: [...Statement, widened] };
}

const weakenings: readonly {
  readonly name: string;
  readonly weaken: (policy: PolicyDocument) => PolicyDocument;
  readonly fails: RegExp;
}[] = [
  { name: "s3:DeleteObject", weaken: allowing("s3:DeleteObject"), fails: /^DeleteObject$/ },
  {
    name: "s3:DeleteObjectVersion",
    weaken: allowing("s3:DeleteObjectVersion"),
    fails: /^s3:DeleteObjectVersion on .*parts/,
  },
  {
    name: "s3:DeleteObjectVersion and s3:BypassGovernanceRetention",
    weaken: allowing("s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"),
    fails: /^DeleteObject past its retention$/,
  },
  { name: "s3:PutObjectRetention", weaken: allowing("s3:PutObjectRetention"), fails: /^PutObjectRetention, longer$/ },
  { name: "s3:PutObjectLegalHold", weaken: allowing("s3:PutObjectLegalHold"), fails: /^PutObjectLegalHold$/ },
  {
    name: "s3:PutObjectTagging",
    weaken: allowing("s3:PutObjectTagging", "s3:PutObjectVersionTagging"),
    fails: /^PutObjectTagging$/,
  },
  { name: "s3:PutObjectAcl", weaken: allowing("s3:PutObjectAcl", "s3:PutObjectVersionAcl"), fails: /^PutObjectAcl$/ },
  {
    name: "s3:PutLifecycleConfiguration",
    weaken: allowing("s3:PutLifecycleConfiguration"),
    fails: /^PutBucketLifecycleConfiguration$/,
  },
  { name: "s3:PutBucketPolicy", weaken: allowing("s3:PutBucketPolicy"), fails: /^PutBucketPolicy$/ },
  { name: "s3:PutBucketVersioning", weaken: allowing("s3:PutBucketVersioning"), fails: /^PutBucketVersioning$/ },
  {
    name: "s3:PutBucketObjectLockConfiguration",
    weaken: allowing("s3:PutBucketObjectLockConfiguration"),
    fails: /^PutObjectLockConfiguration$/,
  },
  { name: "s3:DeleteBucketPolicy", weaken: allowing("s3:DeleteBucketPolicy"), fails: /^s3:DeleteBucketPolicy on / },
  { name: "s3:PutObject on evidence/", weaken: allowingEvidence, fails: /^s3:PutObject on .*evidence/ },
];

const namesOf = (checks: readonly EvidenceCheck[], verdict: Verdict): string[] =>
  checks.filter((check) => check.verdict === verdict).map(({ name }) => name);

describe("cannot-delete proof", () => {
  let gateway: RadosGateway;

  before(async function () {
    this.timeout(180_000);
    const reason = whyNoRadosgw();
    if (reason !== undefined) skip(this, reason);
    gateway = await radosgw();
  });

  async function inBucket(weaken?: (policy: PolicyDocument) => PolicyDocument) {
    const made = await identityBucket(gateway, weaken);
    await made.owner.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: made.bucket,
        LifecycleConfiguration: {
          Rules: [{ ID: "parts", Status: "Enabled", Filter: { Prefix: "parts/" }, Expiration: { Days: 5000 } }],
        },
      }),
    );
    return made;
  }

  const prove = (bucket: string, users: IdentityUsers, more: { writerArn?: string; dataKeyPolicy?: string } = {}) =>
    proveImmutability({
      location: locationOf(bucket, gateway.endpoint),
      writer: { credentials: users[Identity.BackupWriter].credentials },
      prover: { credentials: users[Identity.EvidenceWriter].credentials },
      writerArn: users[Identity.BackupWriter].arn,
      ...more,
    });

  it("[guide 17] passes on the generated policy, and changes nothing but decoys", async function () {
    this.timeout(60_000);
    const { bucket, users, owner } = await inBucket();
    const { credentials } = users[Identity.BackupWriter];
    const store = new S3Store(locationOf(bucket, gateway.endpoint), { credentials });
    await writeRecoveryPoint(store);
    store.close();
    const before = await stateOf(owner, bucket);
    const checks = await prove(bucket, users);
    assert.deepEqual(
      checks.filter(({ verdict }) => verdict !== Verdict.Pass),
      [],
    );
    assert.ok(checks.length >= 25, `only ${checks.length} checks`);
    assert.deepEqual(await stateOf(owner, bucket), before);
    owner.destroy();
  });

  for (const { name, weaken, fails } of weakenings) {
    it(`fails, naming the call, where the writer also has ${name}`, async function () {
      this.timeout(60_000);
      const { bucket, users, owner } = await inBucket(weaken);
      const checks = await prove(bucket, users);
      assert.equal(combineVerdicts(checks.map(({ verdict }) => verdict)), Verdict.Fail);
      const failures = namesOf(checks, Verdict.Fail);
      assert.ok(
        failures.some((failure) => fails.test(failure)),
        failures.join(", "),
      );
      for (const check of checks.filter(({ verdict }) => verdict === Verdict.Fail)) assert.match(check.detail, /^P1: /);
      owner.destroy();
    });
  }

  it("is inconclusive, and no pass, where settings cannot be read or the writer's name is not known", async () => {
    const { bucket, users, owner } = await inBucket();
    const alone = await proveImmutability({
      location: locationOf(bucket, gateway.endpoint),
      writer: { credentials: users[Identity.BackupWriter].credentials },
    });
    assert.deepEqual(namesOf(alone, Verdict.Fail), []);
    assert.ok(namesOf(alone, Verdict.Inconclusive).includes("PutBucketLifecycleConfiguration"));
    const unnamed = await prove(bucket, users, { writerArn: undefined });
    assert.deepEqual(namesOf(unnamed, Verdict.Inconclusive), ["bucket policy"]);
    owner.destroy();
  });

  it("judges the policy of the key: its deletion must be refused, not merely be granted to nobody", async () => {
    const { bucket, users, owner } = await inBucket();
    const writerArn = users[Identity.BackupWriter].arn;
    const root = {
      Sid: "Root",
      Effect: "Allow",
      Principal: { AWS: "arn:aws:iam::111122223333:root" },
      Action: "kms:*",
      Resource: "*",
    };
    const judge = async (...Statement: object[]) => {
      const dataKeyPolicy = JSON.stringify({ Version: "2012-10-17", Statement });
      const checks = await prove(bucket, users, { dataKeyPolicy });
      return checks.find(({ name }) => name.startsWith("kms:ScheduleKeyDeletion"))!.verdict;
    };
    const [refusal] = dataKeyRefusals({ [Identity.BackupWriter]: writerArn });
    // The gateway's policies know no NotAction, so the refusal is judged by name here.
    const byName = { ...refusal!, NotAction: undefined, Action: "kms:*" };
    assert.equal(await judge(root, byName), Verdict.Pass);
    assert.equal(await judge(root), Verdict.Inconclusive);
    assert.equal(await judge({ ...root, Principal: "*" }), Verdict.Fail);
    owner.destroy();
  });

  it("tries nothing when the writer cannot write", async () => {
    const { bucket, users, owner } = await inBucket();
    const { credentials } = users[Identity.Auditor];
    const location = locationOf(bucket, gateway.endpoint);
    await assert.rejects(proveImmutability({ location, writer: { credentials } }), /may not/);
    owner.destroy();
  });
});

/** All that could have been changed. */
async function stateOf(owner: S3Client, Bucket: string): Promise<unknown> {
  const answers = await Promise.all([
    owner.send(new GetBucketPolicyCommand({ Bucket })),
    owner.send(new GetBucketLifecycleConfigurationCommand({ Bucket })),
    owner.send(new GetBucketVersioningCommand({ Bucket })),
    owner.send(new GetObjectLockConfigurationCommand({ Bucket })),
  ]);
  return answers.map((answer) => ({ ...answer, $metadata: undefined }));
}
