import type * as S3Module from "@aws-sdk/client-s3";
import "../../aws-sdk-notice";
import { type StoreLocation } from "../../../../recovery";

/**
 * The environment that Litestream is started with. Its version 0.3 is built on an AWS SDK that is older than EKS Pod
 * Identity and finds no credentials in such a pod: there it is given the ones that our own SDK finds. They last for hours,
 * which is longer than a restore; a sidecar that streams for ever needs IRSA.
 */
export async function litestreamEnvironment(location: StoreLocation): Promise<NodeJS.ProcessEnv> {
  const isPodIdentity = process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE !== undefined;
  if (location.kind !== "s3" || !isPodIdentity) return process.env;
  // Loaded when it is needed: the AWS SDK takes longer to load than most commands take to run.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { S3Client } = require("@aws-sdk/client-s3") as typeof S3Module;
  const client = new S3Client({ region: location.region ?? process.env.AWS_REGION ?? "us-east-1" });
  try {
    const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials();
    return {
      ...process.env,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      ...(sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: sessionToken }),
    };
  } finally {
    client.destroy();
  }
}
