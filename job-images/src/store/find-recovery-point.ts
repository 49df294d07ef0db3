import { type JobConfig, parseRecoveryPointId } from "../../../recovery";
import { oneDatabase } from "../config-file";
import { NoRecoveryPointError, UsageError } from "../errors";
import { type CatalogEntry, readCatalog, RecoveryPointState } from "./catalog";
import { type ObjectStore } from "./object-store";

/**
 * The recovery point that a person named: by its id, or `latest` (also when nothing is named) for the newest one of the
 * only database.
 *
 * @throws UsageError when the word is not an id
 * @throws NoRecoveryPointError when the store holds no such recovery point
 */
export async function findRecoveryPoint(
  store: ObjectStore,
  config: JobConfig,
  word: string | undefined,
): Promise<CatalogEntry> {
  if (word === undefined || word === "latest") {
    const [newest] = await recoveryPointsOf(store, oneDatabase(config, undefined).name);
    if (newest) return newest;
    throw new NoRecoveryPointError(`${store.url} holds no recovery point. \`dr backup\` makes one.`);
  }
  const parsed = parseRecoveryPointId(word);
  if (!parsed) throw new UsageError(`${JSON.stringify(word)} is not a recovery point. \`dr list\` prints their names.`);
  const entries = await readCatalog(store, { database: parsed.database });
  const entry = entries.find(({ id }) => id === word);
  if (entry && entry.state !== RecoveryPointState.Orphaned) return entry;
  const why = entry ? ` only parts of (${entry.problems.join("; ")})` : "";
  throw new NoRecoveryPointError(`${store.url} holds${why || " no"} ${word}. \`dr list\` prints what there is.`);
}

/** The recovery points of a database that have a manifest, readable or not, newest first. */
export async function recoveryPointsOf(store: ObjectStore, database: string): Promise<CatalogEntry[]> {
  const entries = await readCatalog(store, { database });
  return entries.filter(({ state }) => state !== RecoveryPointState.Orphaned);
}
