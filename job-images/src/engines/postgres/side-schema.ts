import { type Client } from "pg";
import { tableText } from "../../../../recovery";
import { OperationError, UsageError } from "../../errors";
import { type ExtractedTable } from "../engine";
import { type PlainColumn, type RowsFile } from "./chosen-rows";
import { one } from "./facts";
import { describeAccess, type PostgresAccess, quoteIdentifier, quoteLiteral } from "./libpq";
import { connect } from "./session";
import { SideTransaction } from "./side-transaction";
import { type PostgresTools } from "./tools";

/** What matters of the live database before anything is made in it. */
export interface LiveDatabase {
  readonly serverMajor: number;
  /** A publication of all tables would send the side tables to subscribers, which do not have them. */
  readonly publishesAll: boolean;
  readonly utf8: boolean;
}

/** Looks at the live database. @throws UsageError when the schema exists; OperationError when none can be made */
export async function inspectSide(target: PostgresAccess, side: string): Promise<LiveDatabase> {
  const client = await connect(target, { applicationName: "dr extract" });
  try {
    const live = await one<LiveDatabase & { standby: boolean; mayCreate: boolean; exists: boolean }>(
      client,
      `SELECT current_setting('server_version_num')::int / 10000 AS "serverMajor", pg_is_in_recovery() AS standby,
         has_database_privilege(current_database(), 'CREATE') AS "mayCreate",
         current_setting('server_encoding') <> 'SQL_ASCII' AS utf8,
         EXISTS (SELECT FROM pg_publication WHERE puballtables) AS "publishesAll",
         EXISTS (SELECT FROM pg_namespace WHERE nspname = ${quoteLiteral(side)}) AS exists`,
    );
    const where = describeAccess(target);
    if (live.exists) {
      throw new UsageError(
        `Schema ${quoteIdentifier(side)} exists in ${where}, and nothing is ever put over what is there: name another one with --schema.`,
      );
    }
    if (live.standby) throw new OperationError(`${where} is a standby and takes no writes: give the primary's URL.`);
    if (!live.mayCreate) {
      throw new OperationError(
        `${where}: ${target.user} may not create a schema there. GRANT CREATE ON DATABASE, or give the URL of a role that may.`,
      );
    }
    return live;
  } finally {
    await client.end();
  }
}

/** Rows in files, and where they go. */
export interface SideLoad {
  readonly tools: PostgresTools;
  readonly target: PostgresAccess;
  readonly live: LiveDatabase;
  readonly side: string;
  readonly rows: readonly RowsFile[];
  readonly signal: AbortSignal;
}

/** What was made; nothing at all where there are differences. */
export interface SideLoaded {
  readonly tables: readonly ExtractedTable[];
  readonly differences: readonly string[];
  readonly notes: readonly string[];
}

/** Makes the schema and its plain tables, fills them and compares them, in one transaction. */
export async function loadSide(load: SideLoad): Promise<SideLoaded> {
  const { tools, target, live, side, rows, signal } = load;
  const notes = live.publishesAll
    ? [
        "the side tables are UNLOGGED: a publication of all tables would send them to its subscribers. A crash empties them.",
      ]
    : [];
  const utf8 = live.utf8 && rows.every((each) => each.utf8);
  const transaction = await SideTransaction.begin(tools, target, { signal, utf8 });
  try {
    await transaction.statement(`CREATE SCHEMA ${quoteIdentifier(side)}`);
    const tables: ExtractedTable[] = [];
    const differences: string[] = [];
    for (const { table, columns, path, digest } of rows) {
      const into = `${quoteIdentifier(side)}.${quoteIdentifier(table.name)}`;
      const definitions = columns.map((column) => `${quoteIdentifier(column.name)} ${column.type}`).join(", ");
      await transaction.statement(`CREATE ${live.publishesAll ? "UNLOGGED " : ""}TABLE ${into} (${definitions})`);
      await transaction.copyIn(into, path);
      const got = await transaction.digest(into);
      if (got.rows !== digest.rows) differences.push(`${into} holds ${got.rows} rows of ${digest.rows}`);
      else if (got.sha256 !== digest.sha256) differences.push(`the rows of ${into} differ from the recovery point's`);
      tables.push({ table: tableText(table), into, rows: got.rows, hash: digest.sha256 });
    }
    if (differences.length === 0) await transaction.commit();
    return { tables, differences, notes };
  } finally {
    await transaction.abandon();
  }
}

interface LiveTable {
  readonly columns: readonly { readonly name: string; readonly type: string; readonly key: boolean }[];
  readonly alwaysIdentity: boolean;
  readonly sequences: readonly { readonly column: string; readonly sequence: string }[];
}

/** SQL that would put the rows back into the live tables, by what those are like today. For a person to read first. */
export async function putBackSql(target: PostgresAccess, side: string, rows: readonly RowsFile[]): Promise<string> {
  const client = await connect(target, { applicationName: "dr extract" });
  try {
    const parts: string[] = [];
    for (const { table, columns } of rows) {
      const name = `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`;
      const live = await liveTable(client, name);
      parts.push(
        live
          ? putBackOne(name, `${quoteIdentifier(side)}.${quoteIdentifier(table.name)}`, live, columns)
          : `-- ${name} is gone: restore its definition first (pg_restore --schema-only --table).`,
      );
    }
    return `BEGIN;\n${parts.join("\n")}\n-- Look at what it did, then COMMIT.\nROLLBACK;`;
  } finally {
    await client.end();
  }
}

function putBackOne(name: string, side: string, live: LiveTable, recovered: readonly PlainColumn[]): string {
  const common = live.columns.filter((column) => recovered.some((each) => each.name === column.name));
  const keys = common.filter(({ key }) => key);
  const others = common.filter(({ key }) => !key);
  const list = common.map((column) => quoteIdentifier(column.name)).join(", ");
  const values = common.map((column) => `s.${quoteIdentifier(column.name)}::${column.type}`).join(", ");
  const same = keys
    .map(({ name: key, type }) => `t.${quoteIdentifier(key)} = s.${quoteIdentifier(key)}::${type}`)
    .join(" AND ");
  const lines = [
    `-- ${name}: rows that are missing`,
    `INSERT INTO ${name} (${list})${live.alwaysIdentity ? " OVERRIDING SYSTEM VALUE" : ""}`,
    `  SELECT ${values} FROM ${side} s${keys.length === 0 ? "" : `\n  WHERE NOT EXISTS (SELECT FROM ${name} t WHERE ${same})`};`,
  ];
  if (keys.length === 0)
    lines.unshift(`-- ${name} has no primary key: a row that is still there would be there twice.`);
  else if (others.length > 0) {
    lines.push(
      `-- ${name}: rows that are different today; leave this out to keep what was changed since`,
      `UPDATE ${name} t SET ${others.map(({ name: each, type }) => `${quoteIdentifier(each)} = s.${quoteIdentifier(each)}::${type}`).join(", ")}`,
      `  FROM ${side} s WHERE ${same}`,
      `  AND (${others.map(({ name: each }) => `t.${quoteIdentifier(each)}::text`).join(", ")})`,
      `    IS DISTINCT FROM (${others.map(({ name: each, type }) => `s.${quoteIdentifier(each)}::${type}::text`).join(", ")});`,
    );
  }
  for (const { column, sequence } of live.sequences) {
    lines.push(
      `SELECT setval(${quoteLiteral(sequence)}, greatest((SELECT max(${quoteIdentifier(column)}) FROM ${name}), nextval(${quoteLiteral(sequence)})));`,
    );
  }
  return lines.join("\n");
}

async function liveTable(client: Client, name: string): Promise<LiveTable | undefined> {
  const { oid } = await one<{ oid: string | null }>(
    client,
    `SELECT to_regclass(${quoteLiteral(name)})::oid::text AS oid`,
  );
  if (oid === null) return undefined;
  const { rows: columns } = await client.query<
    LiveTable["columns"][number] & { identity: string; sequence: string | null }
  >(
    `SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attidentity AS identity,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)) AS key,
       pg_get_serial_sequence(${quoteLiteral(name)}, a.attname) AS sequence
     FROM pg_attribute a
     WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum`,
    [oid],
  );
  return {
    columns,
    alwaysIdentity: columns.some(({ identity }) => identity === "a"),
    sequences: columns.flatMap(({ name: column, sequence }) => (sequence === null ? [] : [{ column, sequence }])),
  };
}
