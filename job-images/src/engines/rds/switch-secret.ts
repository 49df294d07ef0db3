import { randomUUID } from "node:crypto";
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { type DatabaseEndpoint, type RdsSettings, switchedSecret } from "../../../../recovery";
import "../../aws-sdk-notice";
import { messageOf, OperationError } from "../../errors";

/** A secret that was switched. */
export interface SwitchedSecretVersion {
  readonly arn: string;
  readonly versionId: string;
  /** The version before, which Secrets Manager keeps as AWSPREVIOUS. */
  readonly previousVersionId: string;
  /** The fields that name the new place. */
  readonly changed: readonly string[];
}

/**
 * Points clients to the copy: the secret gets a new version in which the new endpoint stands in the place of the old one.
 * The version before stays; back is one call (`aws secretsmanager update-secret-version-stage`).
 *
 * @throws OperationError when the secret does not name the old endpoint, or belongs to RDS
 */
export async function switchSecret(
  { region, endpoint, secretArn }: RdsSettings & { readonly secretArn: string },
  from: DatabaseEndpoint,
  to: DatabaseEndpoint,
): Promise<SwitchedSecretVersion> {
  const client = new SecretsManagerClient({ region: secretArn.split(":")[3] ?? region, endpoint });
  const refuse = (why: string): OperationError =>
    new OperationError(
      `The secret ${secretArn} was not switched: ${why}. The copy stands; its endpoint is ${to.host}.`,
    );
  try {
    const { OwningService } = await client.send(new DescribeSecretCommand({ SecretId: secretArn }));
    if (OwningService) throw refuse(`it belongs to ${OwningService}, which alone may write it`);
    const current = await client.send(new GetSecretValueCommand({ SecretId: secretArn }));
    if (current.SecretString === undefined || current.VersionId === undefined) throw refuse("it holds no text");
    const { text, changed, problem } = switchedSecret(current.SecretString, from, to);
    if (problem !== undefined) throw refuse(problem);
    const put = await client.send(
      new PutSecretValueCommand({ SecretId: secretArn, SecretString: text, ClientRequestToken: randomUUID() }),
    );
    const now = await client.send(new GetSecretValueCommand({ SecretId: secretArn }));
    const previous = await client.send(new GetSecretValueCommand({ SecretId: secretArn, VersionStage: "AWSPREVIOUS" }));
    if (now.SecretString !== text || previous.VersionId !== current.VersionId) {
      throw refuse("somebody else wrote it at the same moment: look at its versions");
    }
    return { arn: secretArn, versionId: put.VersionId!, previousVersionId: current.VersionId, changed };
  } catch (error) {
    if (error instanceof OperationError) throw error;
    throw refuse(messageOf(error));
  } finally {
    client.destroy();
  }
}
