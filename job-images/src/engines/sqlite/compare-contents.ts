import { type EvidenceCheck, type Manifest } from "../../../../recovery";
import { judged } from "../../proof/check";
import { type TableComparison } from "../../proof/proof-run";
import { type SqliteContents, type SqliteFacts } from "./facts";

/** Every table, index, trigger and view with its definition. */
export function compareSchema(expected: SqliteContents, got: SqliteContents): EvidenceCheck {
  const left = new Map(got.schema.map((object) => [`${object.type} ${object.name}`, object]));
  const differences = expected.schema.flatMap((object) => {
    const key = `${object.type} ${object.name}`;
    const found = left.get(key);
    left.delete(key);
    if (!found) return [`${key} is missing`];
    return found.sql === object.sql && found.table === object.table ? [] : [`${key} is defined otherwise`];
  });
  differences.push(...[...left.keys()].map((key) => `${key} was not there`));
  return judged("structure", differences, `${expected.schema.length} objects with their definitions`);
}

/** What the file itself sets. */
export function compareSettings(expected: SqliteContents, got: SqliteContents): EvidenceCheck {
  const differences = (Object.keys(expected.settings) as (keyof SqliteContents["settings"])[]).flatMap((name) =>
    got.settings[name] === expected.settings[name]
      ? []
      : [`${name} is ${got.settings[name]}, was ${expected.settings[name]}`],
  );
  return judged("settings", differences, "page size, encoding, user_version, application_id and auto_vacuum");
}

/** Counters of AUTOINCREMENT tables: one that is behind gives out ids again that were used before. */
export function compareSequences(expected: SqliteContents, got: SqliteContents): EvidenceCheck {
  const values = new Map(got.sequences.map(({ table, last }) => [table, BigInt(last)]));
  const differences = expected.sequences.flatMap(({ table, last }) => {
    const found = values.get(table);
    if (found === undefined) return [`the counter of ${table} is missing, stood at ${last}`];
    return found < BigInt(last) ? [`the counter of ${table} stands at ${found}, stood at ${last}`] : [];
  });
  return judged("sequences", differences, `${expected.sequences.length} counters at or past where they stood`);
}

/** Row counts against the manifest's. */
export function compareCounts(
  { tables }: Manifest,
  got: SqliteContents,
): { check: EvidenceCheck; comparisons: TableComparison[] } {
  const rows = new Map(got.tables.map((table) => [table.name, table.rows]));
  const comparisons = tables.map((table) => ({
    table: table.name,
    expectedRows: table.rows,
    rows: rows.get(table.name) ?? 0,
    sampledRows: 0,
    equal: rows.get(table.name) === table.rows,
  }));
  const differences = comparisons.flatMap(({ table, expectedRows, rows: found, equal }) => {
    if (equal) return [];
    return [
      rows.has(table)
        ? `${table} holds ${found} rows, held ${expectedRows}`
        : `${table} is missing, held ${expectedRows} rows`,
    ];
  });
  const sum = tables.reduce((total, table) => total + table.rows, 0);
  return { check: judged("counts", differences, `${sum} rows in ${tables.length} tables`), comparisons };
}

/** Every value of every table by its digest; `undefined` where the backup recorded none. */
export function compareDigests(expected: SqliteFacts, got: SqliteContents): EvidenceCheck | undefined {
  if (expected.tables.some(({ digest }) => digest === undefined)) return undefined;
  const digests = new Map(got.tables.map(({ name, digest }) => [name, digest]));
  const differences = expected.tables.flatMap(({ name, digest }) =>
    digests.get(name) === digest ? [] : [`the rows of ${name} differ from those that were backed up`],
  );
  return judged("content", differences, `every value of ${expected.tables.length} tables as it was backed up`);
}
