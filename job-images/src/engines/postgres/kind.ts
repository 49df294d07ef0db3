import { type DatabaseConfig, walSlotName } from "../../../../recovery";
import { messageOf, OperationError } from "../../errors";
import { type DatabaseKind, type Heart } from "../engine";
import { diagnosePostgres } from "./doctor";
import { postgresBase } from "./base-backup";
import { postgresDump } from "./dump";
import { extractFromPostgres } from "./extract";
import { accessOf, describeAccess } from "./libpq";
import { beat, prepareStatements } from "./prepare";
import { connect } from "./session";

/** PostgreSQL on a server of one's own. */
export const postgresKind: DatabaseKind = {
  engines: [postgresDump, postgresBase],
  extract: extractFromPostgres,
  prepare,
  openHeart,
  diagnose: diagnosePostgres,
};

async function prepare(database: DatabaseConfig, printOnly: boolean): Promise<readonly string[]> {
  const { user } = accessOf(database);
  const admin = accessOf(database, "adminUrl");
  const client = await connect(admin, { applicationName: "dr prepare" });
  try {
    const statements = await prepareStatements(client, user, database.wal && walSlotName(database));
    if (printOnly) return statements;
    await client.query("BEGIN");
    for (const statement of statements) {
      await client.query(statement).catch((error: unknown) => {
        throw new OperationError(
          `${describeAccess(admin)}: ${admin.user} could not run\n  ${statement}\n${messageOf(error)}\n` +
            "Nothing was changed. Give an adminUrl whose role may, or hand the output of --print to whoever can.",
        );
      });
    }
    await client.query("COMMIT");
    return statements;
  } finally {
    await client.end();
  }
}

async function openHeart(database: DatabaseConfig): Promise<Heart> {
  const client = await connect(accessOf(database), { applicationName: "dr heartbeat" });
  return { beat: () => beat(client), close: () => client.end() };
}
