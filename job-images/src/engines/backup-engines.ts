import { BackupMethod, type DatabaseConfig, Engine } from "../../../recovery";
import { UsageError } from "../errors";
import { type BackupEngine } from "./engine";
import { postgresDump } from "./postgres/dump";

const engines: Readonly<Record<Engine, readonly BackupEngine[]>> = {
  [Engine.Postgres]: [postgresDump],
  [Engine.Rds]: [postgresDump],
  [Engine.Sqlite]: [],
};

/**
 * What takes a backup of this database by this method.
 *
 * @param method @default the first that the engine has
 * @throws UsageError when the engine has no such method
 */
export function backupEngineFor(database: DatabaseConfig, method?: string): BackupEngine {
  const known = engines[database.engine];
  const engine = method === undefined ? known[0] : known.find((candidate) => candidate.method === method);
  if (engine) return engine;
  const has = known.map((candidate) => candidate.method).join(", ") || "none yet";
  const asked = method ?? Object.values(BackupMethod).join(", ");
  throw new UsageError(`Database ${database.name}: engine ${database.engine} has no method ${asked}; it has ${has}.`);
}
