import { PutBucketPolicyCommand, PutObjectLockConfigurationCommand, type S3Client } from "@aws-sdk/client-s3";
import { bucketPolicy, type BucketPolicySettings, Identity, PolicyDialect, type PolicyDocument } from "../../recovery";
import { type RadosGateway, type RadosUser } from "./radosgw";
import { createBucket, s3Client } from "./s3-bucket";

/** Real users of a gateway, one an identity. */
export type IdentityUsers = Readonly<Record<Identity, RadosUser>>;

let shared: Promise<IdentityUsers> | undefined;

/** The four users, made once. */
export function identityUsers(gateway: RadosGateway): Promise<IdentityUsers> {
  shared ??= Promise.all(
    Object.values(Identity).map(async (identity) => [identity, await gateway.createUser(identity)] as const),
  ).then((users) => Object.fromEntries(users) as Record<Identity, RadosUser>);
  return shared;
}

/** A bucket as the components make it: versions, object lock with a default retention, and the generated policy. */
export async function identityBucket(
  gateway: RadosGateway,
  weaken: (policy: PolicyDocument, settings: BucketPolicySettings) => PolicyDocument = (policy) => policy,
): Promise<{ bucket: string; users: IdentityUsers; owner: S3Client; settings: BucketPolicySettings }> {
  const users = await identityUsers(gateway);
  const owner = s3Client({ endpoint: gateway.endpoint, ...gateway.admin });
  const bucket = await createBucket(owner, { versioned: true, objectLock: true });
  await owner.send(
    new PutObjectLockConfigurationCommand({
      Bucket: bucket,
      ObjectLockConfiguration: {
        ObjectLockEnabled: "Enabled",
        Rule: { DefaultRetention: { Mode: "GOVERNANCE", Days: 1 } },
      },
    }),
  );
  const settings: BucketPolicySettings = {
    bucketArn: `arn:aws:s3:::${bucket}`,
    principals: Object.fromEntries(Object.entries(users).map(([identity, user]) => [identity, user.arn])),
    dialect: PolicyDialect.Ceph,
    grants: true,
    requireTls: false,
  };
  const policy = JSON.stringify(weaken(bucketPolicy(settings), settings));
  await owner.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: policy }));
  return { bucket, users, owner, settings };
}
