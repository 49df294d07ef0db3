import { BackupMethod, type DatabaseConfig, Engine, type Manifest } from "../../../recovery";
import { OperationError, UsageError } from "../errors";
import { type DatabaseKind, type RecoveryEngine } from "./engine";
import { postgresKind } from "./postgres/kind";
import { rdsKind } from "./rds/kind";
import { sqliteKind } from "./sqlite/kind";

/** Every kind of database that the runner knows. */
const kinds: Readonly<Record<Engine, DatabaseKind>> = {
  [Engine.Postgres]: postgresKind,
  [Engine.Rds]: rdsKind,
  [Engine.Sqlite]: sqliteKind,
};

/** What a database needs besides its backups. */
export function databaseKindOf({ engine }: Pick<DatabaseConfig, "engine">): DatabaseKind {
  return kinds[engine];
}

/**
 * What takes a backup of this database by this method.
 *
 * @param method @default the first that its kind has
 * @throws UsageError when its kind has no such method
 */
export function recoveryEngineFor(database: DatabaseConfig, method?: string): RecoveryEngine {
  const known = databaseKindOf(database).engines;
  const engine = method === undefined ? known[0] : known.find((candidate) => candidate.method === method);
  if (engine) return engine;
  const has = known.map((candidate) => candidate.method).join(", ");
  const asked = method ?? Object.values(BackupMethod).join(", ");
  throw new UsageError(`Database ${database.name}: engine ${database.engine} has no method ${asked}; it has ${has}.`);
}

/** What restores and proves a recovery point. @throws OperationError when this runner does not know its method */
export function recoveryEngineOf({ id, engine, method }: Manifest): RecoveryEngine {
  const found = databaseKindOf({ engine }).engines.find((candidate) => candidate.method === method);
  if (found) return found;
  throw new OperationError(`${id} was taken by ${engine}'s method ${method}, which this runner cannot restore.`);
}

/** Whether a recovery point can be restored into a place: a dump becomes a database, the others become files. */
export function acceptsPlace({ method }: Manifest, place: string): boolean {
  return (method === BackupMethod.Dump) === !isPath(place);
}

/** A place in the file system; else the URL of a server's database. */
export function isPath(place: string): boolean {
  return !/^postgres(ql)?:/.test(place);
}
