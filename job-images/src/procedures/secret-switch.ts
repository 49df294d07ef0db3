import { type DatabaseConfig } from "../../../recovery";
import { openRdsSource } from "../engines/rds/open-source";
import { type SwitchedSecretVersion } from "../engines/rds/switch-secret";
import { messageOf, OperationError } from "../errors";
import { type RecordedRestore } from "./recorded-restore";

/** What became of the secret after a recovery: the copy stands whatever it is. */
export type SecretSwitch =
  ({ readonly switched: true } & SwitchedSecretVersion) | { readonly switched: false; readonly why: string };

/** Who is asked; nobody where nobody has to be. */
interface Approval {
  confirmSwitch(database: string, where: string): Promise<boolean>;
}

/** Points the clients of a database to its proven copy, once a person has said so. */
export async function offerSwitch(
  database: DatabaseConfig,
  { endpoint }: RecordedRestore,
  approval: Approval | undefined,
): Promise<SecretSwitch> {
  const { rds, name } = database;
  if (rds?.secretArn === undefined || endpoint === undefined) {
    return { switched: false, why: "what was recovered is no instance of its own: change the secret by hand" };
  }
  const where = `${endpoint.host}:${endpoint.port}`;
  if (approval && !(await approval.confirmSwitch(name, where))) {
    return { switched: false, why: "nobody said so" };
  }
  const { switchSecret } = await import("../engines/rds/switch-secret.js");
  const source = openRdsSource(rds);
  try {
    const secret = await switchSecret({ ...rds, secretArn: rds.secretArn }, await source.endpoint(), endpoint);
    return { switched: true, ...secret };
  } catch (error) {
    if (error instanceof OperationError) return { switched: false, why: messageOf(error) };
    throw error;
  } finally {
    source.close();
  }
}

/** For a person. */
export function describeSwitch(secret: SecretSwitch): string {
  return secret.switched
    ? `the secret ${secret.arn} names the copy (${secret.changed.join(", ")}); back: aws secretsmanager update-secret-version-stage --secret-id ${secret.arn} --version-stage AWSCURRENT --move-to-version-id ${secret.previousVersionId} --remove-from-version-id ${secret.versionId}`
    : `the secret was not switched: ${secret.why}`;
}
