import { type Manifest } from "./manifest";

/** What shrinkage is judged by. */
export type BackupContents = Pick<Manifest, "tables" | "parts" | "wal"> & {
  readonly source?: Pick<Manifest["source"], "bytes">;
  /** What it is an increment of. */
  readonly buildsOn?: readonly unknown[];
};

// A table this small may come and go in normal use.
const smallTableRows = 1000;

/**
 * Why a backup looks as if data had gone missing before it was taken; empty when it does not. An empty dump and a dump
 * of a truncated table are complete and restorable, and worthless: retention would then delete the good ones.
 *
 * @param previous the newest earlier recovery point of the same database and method, if there is one.
 * @param maxShrinkShare largest share, 0 to 1, of rows or size that may be lost from one backup to the next.
 */
export function shrinkageReasons(
  current: BackupContents,
  previous: (BackupContents & Pick<Manifest, "id">) | undefined,
  maxShrinkShare: number,
): string[] {
  const reasons: string[] = [];
  const rows = totalRows(current);
  // A physical copy is never read table by table: its size alone is judged.
  if (current.wal) return previous ? sizeReasons(current, previous, maxShrinkShare) : [];
  if (current.tables.length === 0) reasons.push("the database holds no table");
  else if (rows === 0) reasons.push(`all ${current.tables.length} tables are empty`);
  if (!previous) return reasons;

  const tooFew = (before: number, now: number): boolean => now < before * (1 - maxShrinkShare);
  const rowsBefore = totalRows(previous);
  if (tooFew(rowsBefore, rows)) {
    reasons.push(`${rows} rows, ${share(rowsBefore, rows)} than the ${rowsBefore} of ${previous.id}`);
  }
  const now = new Map(current.tables.map((table) => [`${table.schema}.${table.name}`, table.rows]));
  for (const table of previous.tables) {
    const name = `${table.schema}.${table.name}`;
    const left = now.get(name);
    if (table.rows < smallTableRows) continue;
    if (left === undefined) reasons.push(`${name} is gone; it held ${table.rows} rows in ${previous.id}`);
    else if (tooFew(table.rows, left)) {
      reasons.push(`${name} holds ${left} rows, ${share(table.rows, left)} than the ${table.rows} of ${previous.id}`);
    }
  }
  return [...reasons, ...sizeReasons(current, previous, maxShrinkShare)];
}

function sizeReasons(
  current: BackupContents,
  previous: BackupContents & Pick<Manifest, "id">,
  maxShrinkShare: number,
): string[] {
  // An increment is as large as what has changed: then what lies on the source's disk is compared.
  const isIncrement = (current.buildsOn ?? previous.buildsOn) !== undefined;
  const [bytes, before] = isIncrement
    ? [current.source?.bytes ?? 0, previous.source?.bytes ?? 0]
    : [totalBytes(current), totalBytes(previous)];
  if (bytes >= before * (1 - maxShrinkShare)) return [];
  return [`${bytes} bytes, ${share(before, bytes)} than the ${before} of ${previous.id}`];
}

function share(before: number, now: number): string {
  return `${Math.round((1 - now / before) * 100)} % fewer`;
}

function totalRows({ tables }: BackupContents): number {
  return tables.reduce((sum, table) => sum + table.rows, 0);
}

function totalBytes({ parts }: BackupContents): number {
  return parts.reduce((sum, part) => sum + part.bytes, 0);
}
