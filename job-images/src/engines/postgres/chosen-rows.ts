import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Client } from "pg";
import { chooseTable, type TableName, tableText } from "../../../../recovery";
import { messageOf, UsageError } from "../../errors";
import { checkedOutput } from "../../process/child";
import { one } from "./facts";
import { type PostgresAccess, quoteIdentifier } from "./libpq";
import { RowsHash, type RowsDigest, startPsql } from "./side-transaction";
import { type PostgresTools } from "./tools";

/** A column as a side table needs it: without anything that could act. */
export interface PlainColumn {
  readonly name: string;
  /**
   * As SQL writes it. Of a domain, what it is based on: a rule of today must not refuse a row of yesterday. `text` for every
   * type that is not PostgreSQL's own: the live database may not have it, and a side table must not stand in its way.
   */
  readonly type: string;
}

/** Which rows, of which tables. */
export interface ChosenRows {
  readonly tables: readonly {
    readonly table: TableName;
    readonly columns: readonly PlainColumn[];
    /** The query that gives them. */
    readonly query: string;
  }[];
  /** The tables that hold what the queries read: partitions, children and whatever the condition looks into. */
  readonly holders: readonly TableName[];
  /** The database keeps text as UTF-8, or as something that converts to it. */
  readonly utf8: boolean;
}

/** One table's rows in a file, as COPY writes them. */
export interface RowsFile {
  readonly table: TableName;
  readonly columns: readonly PlainColumn[];
  readonly path: string;
  readonly digest: RowsDigest;
  readonly utf8: boolean;
}

/** What a person asked for. */
export interface RowsWanted {
  readonly tables: readonly string[];
  readonly ofSchema?: string;
  readonly where?: string;
  /** Every table has its rows; else only those do that are asked for, and a condition must not look into others unseen. */
  readonly rowsAreThere: boolean;
}

/** Finds the tables and tries the condition on each. @throws UsageError with every problem at once */
export async function chooseRows(client: Client, wanted: RowsWanted): Promise<ChosenRows> {
  const tables = await chooseTables(client, wanted);
  const problems: string[] = [];
  const holders = new Map<number, TableName>();
  const chosen: ChosenRows["tables"][number][] = [];
  for (const table of tables) {
    const query = queryOf(table, wanted.where);
    try {
      for (const holder of await readBy(client, query, wanted.rowsAreThere)) holders.set(holder.oid, holder);
      chosen.push({ table, columns: await columnsOf(client, table), query });
    } catch (error) {
      problems.push(`${tableText(table)}: ${messageOf(error)}`);
    }
  }
  if (problems.length > 0) throw new UsageError("The rows cannot be chosen like this; nothing was done:", problems);
  const { encoding } = await one<{ encoding: string }>(client, "SELECT current_setting('server_encoding') AS encoding");
  return { tables: chosen, holders: [...holders.values()], utf8: encoding !== "SQL_ASCII" };
}

const userTables = `FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'`;

async function chooseTables(client: Client, { tables, ofSchema }: RowsWanted): Promise<TableName[]> {
  const { rows: known } = await client.query<TableName & { partition: boolean }>(
    `SELECT n.nspname::text AS schema, c.relname::text AS name, c.relispartition AS partition ${userTables} ORDER BY 1, 2`,
  );
  const problems: string[] = [];
  const found: TableName[] = [];
  if (ofSchema !== undefined) {
    found.push(...known.filter(({ schema, partition }) => schema === ofSchema && !partition));
    const schemas = [...new Set(known.map(({ schema }) => schema))].join(", ");
    if (found.length === 0)
      problems.push(`there is no table in schema ${JSON.stringify(ofSchema)}; there are tables in ${schemas}`);
  }
  for (const word of tables) {
    const { table, problem } = chooseTable(word, known);
    if (problem !== undefined) problems.push(problem);
    else found.push(table);
  }
  const byName = new Map<string, TableName>();
  for (const { schema, name } of found) {
    const same = byName.get(name);
    if (same)
      problems.push(
        `${tableText(same)} and ${tableText({ schema, name })} would both become ${name}: extract one at a time`,
      );
    byName.set(name, { schema, name });
  }
  if (problems.length > 0)
    throw new UsageError("The tables cannot be recovered like this; nothing was done:", problems);
  return [...byName.values()];
}

function queryOf({ schema, name }: TableName, where: string | undefined): string {
  const query = `SELECT * FROM ${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
  // On lines of its own: what it ends with cannot swallow the parenthesis.
  return where === undefined ? query : `${query} WHERE (\n${where}\n)`;
}

/** What a query reads, by what PostgreSQL itself records of a view of it; nothing of that view remains. */
async function readBy(client: Client, query: string, rowsAreThere: boolean): Promise<(TableName & { oid: number })[]> {
  await client.query("BEGIN");
  try {
    // The extended protocol takes one statement and no more.
    const single = { text: `CREATE TEMP VIEW "dr extract" AS ${query}`, queryMode: "extended" };
    await client.query(single);
    const view = `SELECT d.refclassid, d.refobjid FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
       WHERE w.ev_class = '"dr extract"'::regclass AND d.refobjid <> w.ev_class`;
    const { rows: unseen } = await client.query<{ what: string }>(
      `SELECT DISTINCT pg_describe_object(v.refclassid, v.refobjid, 0) AS what FROM (${view}) v
       WHERE (v.refclassid = 'pg_proc'::regclass AND NOT EXISTS (
           SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = v.refobjid AND e.deptype = 'e'))
         OR (v.refclassid = 'pg_class'::regclass AND (SELECT relkind FROM pg_class WHERE oid = v.refobjid) NOT IN ('r', 'p'))`,
    );
    if (unseen.length > 0 && !rowsAreThere) {
      throw new UsageError(
        `the condition uses ${unseen.map(({ what }) => what).join(", ")}: what that reads is not known, so its rows would be missing; use tables and built-in functions`,
      );
    }
    const { rows } = await client.query<TableName & { oid: number }>(
      `WITH RECURSIVE read(oid) AS (
         SELECT refobjid FROM (${view}) v WHERE refclassid = 'pg_class'::regclass
         UNION SELECT i.inhrelid FROM read r JOIN pg_inherits i ON i.inhparent = r.oid)
       SELECT c.oid::int8::int AS oid, n.nspname::text AS schema, c.relname::text AS name
       FROM read JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 2, 3`,
    );
    return rows;
  } finally {
    await client.query("ROLLBACK");
  }
}

async function columnsOf(client: Client, { schema, name }: TableName): Promise<PlainColumn[]> {
  const { rows } = await client.query<PlainColumn>(
    `WITH RECURSIVE base(position, name, type, modifier) AS (
       SELECT a.attnum, a.attname::text, a.atttypid, a.atttypmod FROM pg_attribute a
       WHERE a.attrelid = format('%I.%I', $1::text, $2::text)::regclass AND a.attnum > 0 AND NOT a.attisdropped
       UNION ALL
       SELECT b.position, b.name, t.typbasetype, t.typtypmod FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype = 'd')
     SELECT b.name,
       CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN format_type(b.type, b.modifier) ELSE 'text' END AS type
     FROM base b JOIN pg_type t ON t.oid = b.type WHERE t.typtype <> 'd' ORDER BY b.position`,
    [schema, name],
  );
  return rows;
}

/** Writes each table's rows into a file. */
export async function writeRows(source: {
  readonly tools: PostgresTools;
  readonly access: PostgresAccess;
  readonly folder: string;
  readonly chosen: ChosenRows;
  readonly signal: AbortSignal;
}): Promise<RowsFile[]> {
  const { tools, access, folder, chosen, signal } = source;
  const files: RowsFile[] = [];
  for (const [index, { table, columns, query }] of chosen.tables.entries()) {
    const path = join(folder, `rows-${index}.copy`);
    const hash = new RowsHash();
    const { utf8 } = chosen;
    const psql = startPsql(tools, access, [`--command=COPY (${query}) TO STDOUT`], { signal, utf8 });
    await pipeline(
      async function* () {
        for await (const chunk of checkedOutput([psql])) {
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(path, { mode: 0o600 }),
    );
    files.push({ table, columns, path, digest: hash.digest(), utf8 });
  }
  return files;
}
