import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { type Client } from "pg";
import { type DatabaseConfig } from "../../../../recovery";
import { messageOf, OperationError } from "../../errors";
import { one } from "./facts";
import { accessOf, describeAccess, quoteIdentifier, quoteLiteral } from "./libpq";
import { connect } from "./session";

const scramIterations = 4096;

/** What PostgreSQL stores of a password (RFC 5803): the server and its log never see the password itself. */
export function scramVerifier(password: string, salt = randomBytes(16)): string {
  const salted = pbkdf2Sync(password.normalize("NFKC"), salt, scramIterations, 32, "sha256");
  const hmac = (text: string): Buffer => createHmac("sha256", salted).update(text).digest();
  const storedKey = createHash("sha256").update(hmac("Client Key")).digest("base64");
  return `SCRAM-SHA-256$${scramIterations}:${salt.toString("base64")}$${storedKey}:${hmac("Server Key").toString("base64")}`;
}

/** A dump of the roles has no passwords where the server hides them. @throws OperationError that names every missing role */
export async function setRolePasswords(client: Client, passwords: ReadonlyMap<string, string>): Promise<void> {
  const { rows } = await client.query<{ name: string }>("SELECT rolname::text AS name FROM pg_roles");
  const missing = [...passwords.keys()].filter((role) => !rows.some(({ name }) => name === role));
  if (missing.length > 0)
    throw new OperationError(`The server has no role ${missing.join(", ")}: no password was set.`);
  await client.query("BEGIN");
  for (const [role, password] of passwords) {
    await client.query(`ALTER ROLE ${quoteIdentifier(role)} PASSWORD ${quoteLiteral(scramVerifier(password))}`);
  }
  await client.query("COMMIT");
}

/**
 * Moves every sequence so many steps on: ids that were given out after the moment that the copy holds are known outside,
 * and must not be given to something else.
 *
 * @returns how many were moved
 */
export async function leaveSequenceGap(client: Client, gap: number): Promise<number> {
  const { rows } = await client.query<{ sequence: string; limit: string; step: string; cycles: boolean }>(
    `SELECT format('%I.%I', schemaname, sequencename) AS sequence, increment_by::text AS step, cycle AS cycles,
       (CASE WHEN increment_by > 0 THEN max_value ELSE min_value END)::text AS limit
     FROM pg_sequences WHERE last_value IS NOT NULL AND schemaname <> 'dr_canary'`,
  );
  for (const { sequence, limit, step } of rows.filter(({ cycles }) => !cycles)) {
    const nearest = step.startsWith("-") ? "greatest" : "least";
    await client.query(
      `SELECT setval(${quoteLiteral(sequence)}, ${nearest}(last_value::numeric + ${step}::numeric * ${gap}, ${limit}::numeric)::bigint) FROM ${sequence}`,
    );
  }
  return rows.filter(({ cycles }) => !cycles).length;
}

/** Whether the configured standby follows the new primary. */
export async function standbyState(
  database: DatabaseConfig,
  systemIdentifier: string,
): Promise<{ readonly streaming: boolean; readonly detail: string }> {
  const access = accessOf(database, "standbyUrl");
  try {
    const client = await connect(access, { applicationName: "dr re-protect" });
    try {
      const { standby, identifier, status } = await one<{
        standby: boolean;
        identifier: string;
        status: string | null;
      }>(
        client,
        `SELECT pg_is_in_recovery() AS standby, (SELECT system_identifier::text FROM pg_control_system()) AS identifier,
           (SELECT status FROM pg_stat_wal_receiver) AS status`,
      );
      const where = describeAccess(access);
      if (!standby) return { streaming: false, detail: `${where} is no standby` };
      if (identifier !== systemIdentifier) return { streaming: false, detail: `${where} follows another server` };
      return { streaming: status === "streaming", detail: `${where} is ${status ?? "not receiving"}` };
    } finally {
      await client.end();
    }
  } catch (error) {
    return { streaming: false, detail: messageOf(error) };
  }
}
