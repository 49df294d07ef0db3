import { randomBytes } from "node:crypto";
import { radosgw, whyNoRadosgw } from "./radosgw";
import { createBucket, s3Client } from "./s3-bucket";

/** A store for a test to work with, as a job configuration names it. */
export interface TestStore {
  readonly url: string;
  /** What the runner needs in its environment to use it. */
  readonly env: NodeJS.ProcessEnv;
}

/** A kind of store that the same tests are run on. */
export interface StoreKind {
  readonly name: string;
  /**
   * Why there can be none on this machine, or none in this run; `undefined` when there can.
   *
   * @param essential whether a run without `DR_STORE_KINDS=all` has it as well
   */
  whyNot(essential: boolean): string | undefined;
  /** An empty one. @param folder of the test itself */
  make(folder: string): Promise<TestStore>;
}

/** A directory, and a bucket with versions of a real S3 server. */
export const storeKinds: readonly StoreKind[] = [
  {
    name: "directory",
    whyNot: () => undefined,
    make: (folder) => Promise.resolve({ url: `file://${folder}/store`, env: {} }),
  },
  {
    name: "radosgw",
    whyNot: (essential) =>
      essential || process.env.DR_STORE_KINDS === "all" ? whyNoRadosgw() : "run with DR_STORE_KINDS=all",
    make: () => bucketStore(),
  },
];

let bucket: Promise<string> | undefined;

async function bucketStore(): Promise<TestStore> {
  const { endpoint, admin } = await radosgw();
  const client = s3Client({ endpoint, ...admin });
  bucket ??= createBucket(client, { versioned: true });
  const url = `s3://${await bucket}/${randomBytes(6).toString("hex")}?endpoint=${encodeURIComponent(endpoint)}&region=us-east-1`;
  client.destroy();
  const { accessKeyId, secretAccessKey } = admin.credentials;
  return { url, env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } };
}
