import { randomBytes } from "node:crypto";
import {
  CreateBucketCommand,
  ListMultipartUploadsCommand,
  PutBucketVersioningCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { type S3Location } from "../../job-images/src/store/s3-errors";

/** Access to an S3 server as somebody. */
export interface S3Access {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** A plain client, for what a store does not do. */
export function s3Client({ endpoint, credentials }: S3Access): S3Client {
  return new S3Client({
    endpoint,
    credentials,
    region: "us-east-1",
    forcePathStyle: true,
    requestChecksumCalculation: "WHEN_REQUIRED",
  });
}

/** Makes a bucket of its own. */
export async function createBucket(
  client: S3Client,
  options: { readonly versioned?: boolean; readonly objectLock?: boolean } = {},
): Promise<string> {
  const Bucket = `dr-${randomBytes(6).toString("hex")}`;
  await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: options.objectLock }));
  if (options.versioned) {
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  }
  return Bucket;
}

/** The location of a store in a bucket. */
export function locationOf(bucket: string, endpoint: string, prefix = ""): S3Location {
  return { kind: "s3", bucket, prefix, endpoint, region: "us-east-1", pathStyle: true };
}

/** Keys of the uploads that were begun and neither completed nor aborted. */
export async function unfinishedUploads(client: S3Client, Bucket: string, Prefix = ""): Promise<string[]> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket, Prefix }));
  return Uploads.map(({ Key }) => Key!);
}
