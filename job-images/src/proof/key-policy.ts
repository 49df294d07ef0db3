import { GetKeyPolicyCommand, KMSClient } from "@aws-sdk/client-kms";
import "../aws-sdk-notice";

/**
 * The policy of a KMS key, where there is a key to ask for. It must be named by its ARN, which says the region.
 *
 * @throws Error when this identity may not read it
 */
export async function readKeyPolicy(keyArn: string | undefined): Promise<string | undefined> {
  const region = keyArn?.split(":")[3];
  if (region === undefined) return undefined;
  const client = new KMSClient({ region });
  try {
    return (await client.send(new GetKeyPolicyCommand({ KeyId: keyArn, PolicyName: "default" }))).Policy;
  } finally {
    client.destroy();
  }
}
