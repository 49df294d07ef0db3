import { type DatabaseConfig } from "../../../../recovery";
import { OperationError } from "../../errors";
import { type Heart } from "../engine";
import { inspectSource } from "./database-file";
import { canaryTable } from "./facts";
import { runSql } from "./shell";

/** What the heartbeat needs: one row, with an identity that tells this database from every other. */
export const prepareStatements: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS ${canaryTable} (id INTEGER PRIMARY KEY CHECK (id = 1), identity TEXT NOT NULL, at TEXT)`,
  `INSERT OR IGNORE INTO ${canaryTable} (id, identity) VALUES (1, lower(hex(randomblob(16))))`,
];

/** Makes it, or only says how. */
export async function prepareSqlite({ path }: DatabaseConfig, printOnly: boolean): Promise<readonly string[]> {
  await inspectSource(path!);
  if (printOnly) return prepareStatements;
  const sql = ["BEGIN IMMEDIATE", ...prepareStatements, "COMMIT"].map((statement) => `${statement};`).join("\n");
  await runSql({ path: path!, writable: true }, sql);
  return prepareStatements;
}

/** Each heartbeat opens the file anew: a restore may have put another one in its place. */
export function openSqliteHeart({ name, path }: DatabaseConfig): Promise<Heart> {
  const beat = async (): Promise<Date> => {
    await inspectSource(path!);
    const [at] = await runSql(
      { path: path!, writable: true },
      `UPDATE ${canaryTable} SET at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') RETURNING at;`,
    );
    if (at === undefined) throw new OperationError(`${path} holds no row to write to: dr prepare ${name}`);
    return new Date(at);
  };
  return Promise.resolve({ beat, close: () => Promise.resolve() });
}
