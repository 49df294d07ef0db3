/**
 * Where everything lies in the store. The prefixes differ because lifecycle, object lock and rights differ: only
 * `parts/` may be archived and expires with its retention; `catalog/`, `evidence/`, `incidents/` and `runbooks/` are
 * small, never archived, and outlive the parts that they speak of.
 */
export const StorePrefix = {
  Parts: "parts/",
  Catalog: "catalog/",
  Wal: "wal/",
  WalPartial: "wal-partial/",
  Evidence: "evidence/",
  Incidents: "incidents/",
  Runbooks: "runbooks/",
  Decoy: "decoy/",
} as const;
export type StorePrefix = (typeof StorePrefix)[keyof typeof StorePrefix];

/** How one recovery point was taken: a logical dump, a physical base backup, or a copy of a SQLite file. */
export const BackupMethod = { Dump: "dump", Base: "base", Copy: "copy" } as const;
export type BackupMethod = (typeof BackupMethod)[keyof typeof BackupMethod];

/** What a database may be called in the job configuration: it becomes a folder of the store and a label. */
export const databaseNamePattern = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;

/** The name of a part inside its recovery point: a plain file name, so that a key can never leave its folder. */
export const partNamePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;

const recoveryPointIdPattern = /^([a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?)-(\d{8}T\d{6}Z)-(dump|base|copy)-([0-9a-f]{8})$/;

/** What a recovery point's id says by itself. */
export interface RecoveryPointId {
  readonly database: string;
  readonly startedAt: Date;
  readonly method: BackupMethod;
}

/**
 * The id of a recovery point, for instance `architect-20261123T140500Z-dump-5f3a91c2`. Within one database ids sort by
 * the time that they were started at, always in UTC (a local time would repeat when the clocks go back).
 *
 * @param nonce eight hexadecimal digits that tell apart two backups started within a second.
 */
export function recoveryPointId(database: string, startedAt: Date, method: BackupMethod, nonce: string): string {
  const id = `${database}-${compactUtc(startedAt)}-${method}-${nonce}`;
  if (!recoveryPointIdPattern.test(id)) throw new Error(`Not a recovery point id: ${JSON.stringify(id)}.`);
  return id;
}

/** Reads an id; `undefined` when it is not one, so that it can never be used as a path. */
export function parseRecoveryPointId(id: string): RecoveryPointId | undefined {
  const match = recoveryPointIdPattern.exec(id);
  if (!match) return undefined;
  const [, database, at, method] = match;
  const startedAt = new Date(at!.replace(/^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (Number.isNaN(startedAt.getTime())) return undefined;
  return { database: database!, startedAt, method: method as BackupMethod };
}

/** `2026-11-23T14:05:00.123Z` as `20261123T140500Z`. */
export function compactUtc(at: Date): string {
  return at
    .toISOString()
    .replace(/[-:]/g, "")
    .replace(/\.\d+Z$/, "Z");
}

/** The key of one part of a recovery point. */
export function partKey(database: string, id: string, part: string): string {
  return `${StorePrefix.Parts}${database}/${id}/${part}`;
}

/** The key of a recovery point's manifest. The recovery point exists when this object does. */
export function manifestKey(database: string, id: string): string {
  return `${StorePrefix.Catalog}${database}/${id}.json`;
}

/** Reads the id out of a manifest's key; `undefined` for any object that is not a manifest. */
export function idOfManifestKey(key: string): string | undefined {
  const match = /^catalog\/([^/]+)\/([^/]+)\.json$/.exec(key);
  const id = match?.[2];
  return id !== undefined && parseRecoveryPointId(id)?.database === match?.[1] ? id : undefined;
}

const fileListSuffix = ".files.zst";

/** The key of the list of files that the next incremental base backup is taken against. */
export function fileListKey(database: string, id: string): string {
  return `${StorePrefix.Catalog}${database}/${id}${fileListSuffix}`;
}

/** Whether an object of the catalog is such a list. */
export function isFileListKey(key: string): boolean {
  const [, database, name = "", more] = key.split("/");
  if (more !== undefined || !name.endsWith(fileListSuffix)) return false;
  return parseRecoveryPointId(name.slice(0, -fileListSuffix.length))?.database === database;
}

/** Where evidence about the whole store lies, in the place of a database's name. No database can be called that. */
export const storeWide = "_store";

/** The key of one evidence record: by database (or `_store`), then by time. */
export function evidenceKey(database: string, at: Date, kind: string, nonce: string): string {
  return `${StorePrefix.Evidence}${database}/${compactUtc(at)}-${kind}-${nonce}.json`;
}
