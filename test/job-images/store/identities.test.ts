import assert from "node:assert/strict";
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteBucketLifecycleCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeleteObjectTaggingCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetObjectAclCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  PutObjectTaggingCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { Identity, mayDo, StorePrefix } from "../../../recovery";
import { identityBucket, type IdentityUsers } from "../../support/four-identities";
import { radosgw, type RadosGateway, whyNoRadosgw } from "../../support/radosgw";
import { s3Client } from "../../support/s3-bucket";
import { skip } from "../../support/skip";

/** An object that is there, in the version that is there. */
interface Target {
  readonly Bucket: string;
  readonly Key: string;
  readonly VersionId: string;
}

type Call = (client: S3Client, target: Target) => Promise<unknown>;

const tomorrow = new Date(Date.now() + 24 * 3600_000);

/** Calls on an object, with the right that each needs. */
const onObjects: readonly (readonly [string, string, Call])[] = [
  ["PutObject", "s3:PutObject", (c, { Bucket, Key }) => c.send(new PutObjectCommand({ Bucket, Key, Body: "x" }))],
  ["GetObject", "s3:GetObject", (c, { Bucket, Key }) => c.send(new GetObjectCommand({ Bucket, Key }))],
  ["HeadObject", "s3:GetObject", (c, { Bucket, Key }) => c.send(new HeadObjectCommand({ Bucket, Key }))],
  ["GetObject of a version", "s3:GetObjectVersion", (c, target) => c.send(new GetObjectCommand(target))],
  ["GetObjectAcl", "s3:GetObjectAcl", (c, { Bucket, Key }) => c.send(new GetObjectAclCommand({ Bucket, Key }))],
  ["GetObjectRetention", "s3:GetObjectRetention", (c, target) => c.send(new GetObjectRetentionCommand(target))],
  ["DeleteObject", "s3:DeleteObject", (c, { Bucket, Key }) => c.send(new DeleteObjectCommand({ Bucket, Key }))],
  ["DeleteObject of a version", "s3:DeleteObjectVersion", (c, target) => c.send(new DeleteObjectCommand(target))],
  [
    "DeleteObject past its retention",
    "s3:BypassGovernanceRetention",
    (c, target) => c.send(new DeleteObjectCommand({ ...target, BypassGovernanceRetention: true })),
  ],
  [
    "DeleteObjects",
    "s3:DeleteObjectVersion",
    async (c, { Bucket, Key, VersionId }) => {
      const { Errors = [] } = await c.send(
        new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key, VersionId }] } }),
      );
      if (Errors[0]) throw Object.assign(new Error(Errors[0].Message), { name: Errors[0].Code });
    },
  ],
  [
    "PutObjectRetention",
    "s3:PutObjectRetention",
    (c, target) =>
      c.send(
        new PutObjectRetentionCommand({ ...target, Retention: { Mode: "GOVERNANCE", RetainUntilDate: tomorrow } }),
      ),
  ],
  [
    "PutObjectLegalHold",
    "s3:PutObjectLegalHold",
    (c, target) => c.send(new PutObjectLegalHoldCommand({ ...target, LegalHold: { Status: "OFF" } })),
  ],
  [
    "PutObjectTagging",
    "s3:PutObjectTagging",
    (c, { Bucket, Key }) =>
      c.send(new PutObjectTaggingCommand({ Bucket, Key, Tagging: { TagSet: [{ Key: "a", Value: "b" }] } })),
  ],
  [
    "DeleteObjectTagging",
    "s3:DeleteObjectTagging",
    (c, { Bucket, Key }) => c.send(new DeleteObjectTaggingCommand({ Bucket, Key })),
  ],
  [
    "PutObjectAcl",
    "s3:PutObjectAcl",
    (c, { Bucket, Key }) => c.send(new PutObjectAclCommand({ Bucket, Key, ACL: "private" })),
  ],
  [
    "a multipart upload, begun and aborted",
    "s3:AbortMultipartUpload",
    async (c, { Bucket, Key }) => {
      const { UploadId } = await c.send(new CreateMultipartUploadCommand({ Bucket, Key }));
      await c.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    },
  ],
];

const onListings: readonly (readonly [
  string,
  string,
  (client: S3Client, Bucket: string, Prefix?: string) => Promise<unknown>,
])[] = [
  ["ListObjectsV2", "s3:ListBucket", (c, Bucket, Prefix) => c.send(new ListObjectsV2Command({ Bucket, Prefix }))],
  [
    "ListObjectVersions",
    "s3:ListBucketVersions",
    (c, Bucket, Prefix) => c.send(new ListObjectVersionsCommand({ Bucket, Prefix })),
  ],
];

const onBucket: readonly (readonly [string, string, (client: S3Client, Bucket: string) => Promise<unknown>])[] = [
  ["GetBucketPolicy", "s3:GetBucketPolicy", (c, Bucket) => c.send(new GetBucketPolicyCommand({ Bucket }))],
  ["GetBucketVersioning", "s3:GetBucketVersioning", (c, Bucket) => c.send(new GetBucketVersioningCommand({ Bucket }))],
  [
    "GetObjectLockConfiguration",
    "s3:GetBucketObjectLockConfiguration",
    (c, Bucket) => c.send(new GetObjectLockConfigurationCommand({ Bucket })),
  ],
  [
    "GetBucketLifecycleConfiguration",
    "s3:GetLifecycleConfiguration",
    (c, Bucket) => c.send(new GetBucketLifecycleConfigurationCommand({ Bucket })),
  ],
  [
    "ListMultipartUploads",
    "s3:ListBucketMultipartUploads",
    (c, Bucket) => c.send(new ListMultipartUploadsCommand({ Bucket })),
  ],
  [
    "PutBucketPolicy",
    "s3:PutBucketPolicy",
    (c, Bucket) =>
      c.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify({ Version: "2012-10-17", Statement: [] }) })),
  ],
  ["DeleteBucketPolicy", "s3:DeleteBucketPolicy", (c, Bucket) => c.send(new DeleteBucketPolicyCommand({ Bucket }))],
  [
    "PutBucketVersioning",
    "s3:PutBucketVersioning",
    (c, Bucket) => c.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Suspended" } })),
  ],
  [
    "PutBucketLifecycleConfiguration",
    "s3:PutLifecycleConfiguration",
    (c, Bucket) =>
      c.send(
        new PutBucketLifecycleConfigurationCommand({
          Bucket,
          LifecycleConfiguration: {
            Rules: [{ ID: "all", Status: "Enabled", Filter: { Prefix: "" }, Expiration: { Days: 1 } }],
          },
        }),
      ),
  ],
  [
    "DeleteBucketLifecycle",
    "s3:PutLifecycleConfiguration",
    (c, Bucket) => c.send(new DeleteBucketLifecycleCommand({ Bucket })),
  ],
  [
    "PutObjectLockConfiguration",
    "s3:PutBucketObjectLockConfiguration",
    (c, Bucket) =>
      c.send(
        new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration: { ObjectLockEnabled: "Enabled" } }),
      ),
  ],
  ["DeleteBucket", "s3:DeleteBucket", (c, Bucket) => c.send(new DeleteBucketCommand({ Bucket }))],
];

/** Whether a call passed the policy, whatever came of it then. */
async function isAllowed(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
    return name !== "AccessDenied" && $metadata?.httpStatusCode !== 403;
  }
}

describe("the four identities on a real server", () => {
  let gateway: RadosGateway;
  let bucket: string;
  let users: IdentityUsers;
  let owner: S3Client;
  const targets = new Map<string, Target>();

  before(async function () {
    this.timeout(180_000);
    const reason = whyNoRadosgw();
    if (reason !== undefined) skip(this, reason);
    gateway = await radosgw();
    ({ bucket, users, owner } = await identityBucket(gateway));
    for (const prefix of Object.values(StorePrefix)) {
      const Key = `${prefix}architect/object`;
      const { VersionId } = await owner.send(new PutObjectCommand({ Bucket: bucket, Key, Body: "there" }));
      targets.set(prefix, { Bucket: bucket, Key, VersionId: VersionId! });
    }
  });
  after(() => owner?.destroy());

  for (const identity of Object.values(Identity)) {
    it(`[guide 9] ${identity} can do what the table gives it, and is refused all else`, async function () {
      this.timeout(60_000);
      const client = s3Client({ endpoint: gateway.endpoint, ...users[identity] });
      const wrong: string[] = [];
      let allowed = 0;
      let refused = 0;
      const expect = async (call: string, action: string, target: string | undefined, done: Promise<unknown>) => {
        const got = await isAllowed(done);
        if (got) allowed++;
        else refused++;
        if (got !== mayDo(identity, action, target))
          wrong.push(`${call} ${target ?? ""} was ${got ? "" : "not "}allowed`);
      };
      const eachPrefix = [...targets].map(async ([prefix, target]) => {
        for (const [name, action, call] of onObjects) await expect(name, action, prefix, call(client, target));
        for (const [name, action, call] of onListings) await expect(name, action, prefix, call(client, bucket, prefix));
      });
      await Promise.all(eachPrefix);
      for (const [name, , call] of onListings) {
        if (await isAllowed(call(client, bucket))) wrong.push(`${name} of everything was allowed`);
      }
      for (const [name, action, call] of onBucket) await expect(name, action, undefined, call(client, bucket));
      client.destroy();
      console.log(`      ${identity}: ${allowed} calls allowed, ${refused} refused`);
      assert.deepEqual(wrong, []);
    });
  }

  it("leaves everything there that was there before all these calls", async () => {
    for (const { Bucket, Key, VersionId } of targets.values()) {
      const { Body } = await owner.send(new GetObjectCommand({ Bucket, Key, VersionId }));
      assert.equal(await Body!.transformToString(), "there");
    }
  });
});
