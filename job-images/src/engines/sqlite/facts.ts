import { readRows, runSql, type SqliteAccess, sqlName, sqlText } from "./shell";

/** One object of the schema, as it was written. */
export interface SchemaObject {
  readonly type: string;
  readonly name: string;
  /** The table that it belongs to. */
  readonly table: string;
  readonly sql: string | null;
}

/** What a table held. */
export interface SqliteTable {
  readonly name: string;
  readonly rows: number;
  /** SHA3-256 of every value with its type, in the order of the rows; absent where rows were only counted. */
  readonly digest?: string;
}

/** Where an AUTOINCREMENT table's counter stood. */
export interface SqliteSequence {
  readonly table: string;
  /** As text: it may not fit a JSON number. */
  readonly last: string;
}

/** Rows of a table whose declared parent is missing. */
export interface ForeignKeyViolation {
  readonly table: string;
  readonly parent: string;
  readonly rows: number;
}

/** The settings that live in the file. */
export interface SqliteSettings {
  readonly pageBytes: number;
  readonly encoding: string;
  readonly autoVacuum: number;
  readonly userVersion: number;
  readonly applicationId: number;
}

/** Whose the source was, for a restore where nothing is left to take it from. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
}

/** The heartbeat's row. */
export interface SqliteCanary {
  /** Made once by `dr prepare`: tells this database from every other. */
  readonly identity: string;
  /** `null` until the first heartbeat. */
  readonly newestAt: string | null;
}

/** What a copy holds; a restored one is compared with it. */
export interface SqliteContents {
  readonly settings: SqliteSettings;
  readonly schema: readonly SchemaObject[];
  readonly tables: readonly SqliteTable[];
  readonly sequences: readonly SqliteSequence[];
  /** Absent when nobody prepared a heartbeat. */
  readonly canary?: SqliteCanary;
}

/** The facts of a copy that was taken, stored beside it. */
export interface SqliteFacts extends SqliteContents {
  readonly formatVersion: 1;
  readonly databaseName: string;
  /** The source was in WAL mode; the copy never is. */
  readonly wal: boolean;
  readonly owner: FileOwner;
  readonly foreignKeyViolations: readonly ForeignKeyViolation[];
}

/** The table that holds the heartbeat. */
export const canaryTable = "dr_canary";

/** What one row of the queries below is. */
type Line =
  | { readonly settings: SqliteSettings }
  | { readonly object: SchemaObject }
  | { readonly name: string }
  /** SQLite's own table of counters is there. */
  | { readonly counters: number }
  | { readonly table: SqliteTable }
  | { readonly sequence: SqliteSequence }
  | { readonly canary: SqliteCanary };

/** Everything about a file that nobody else has open. @param withDigests also read and hash every value */
export async function readContents(access: SqliteAccess, withDigests: boolean): Promise<SqliteContents> {
  const catalog = await readRows<Line>(access, catalogQueries);
  const schema = catalog.flatMap((line) => ("object" in line ? [line.object] : []));
  const names = catalog.flatMap((line) => ("name" in line ? [line.name] : []));
  const has = (table: string): boolean => schema.some(({ type, name }) => type === "table" && name === table);
  const queries = [
    ...names.map((name) => tableQuery(name, withDigests)),
    ...(catalog.some((line) => "counters" in line) ? [sequencesQuery] : []),
    ...(has(canaryTable) ? [canaryQuery] : []),
  ];
  const rows = queries.length === 0 ? [] : await readRows<Line>(access, queries.join("\n"));
  return {
    settings: catalog.flatMap((line) => ("settings" in line ? [line.settings] : []))[0]!,
    schema,
    tables: rows.flatMap((line) => ("table" in line ? [line.table] : [])),
    sequences: rows.flatMap((line) => ("sequence" in line ? [line.sequence] : [])),
    canary: rows.flatMap((line) => ("canary" in line ? [line.canary] : []))[0],
  };
}

/** Settings, the schema without what SQLite makes by itself, and the tables that hold rows of their own: a virtual one keeps them in others. */
const catalogQueries = `
SELECT json_object('settings', json_object('pageBytes', (SELECT page_size FROM pragma_page_size),
  'encoding', (SELECT encoding FROM pragma_encoding), 'autoVacuum', (SELECT auto_vacuum FROM pragma_auto_vacuum),
  'userVersion', (SELECT user_version FROM pragma_user_version), 'applicationId', (SELECT application_id FROM pragma_application_id)));
SELECT json_object('object', json_object('type', type, 'name', name, 'table', tbl_name, 'sql', sql)) FROM sqlite_schema
  WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, name;
SELECT json_object('name', name) FROM pragma_table_list
  WHERE schema = 'main' AND type IN ('table', 'shadow') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name;
SELECT json_object('counters', count(*)) FROM sqlite_schema WHERE name = 'sqlite_sequence' HAVING count(*) > 0;`;

/** NOT INDEXED: the rows themselves are read, never an index that says the same. */
function tableQuery(name: string, withDigests: boolean): string {
  const table = `${sqlName(name)} NOT INDEXED`;
  const digest = withDigests ? `, 'digest', lower(hex(sha3_query(${sqlText(`SELECT * FROM ${table}`)}, 256)))` : "";
  return `SELECT json_object('table', json_object('name', ${sqlText(name)}, 'rows', (SELECT count(*) FROM ${table})${digest}));`;
}

const sequencesQuery =
  "SELECT json_object('sequence', json_object('table', name, 'last', CAST(seq AS TEXT))) FROM sqlite_sequence ORDER BY name;";

const canaryQuery = `SELECT json_object('canary', json_object('identity', identity, 'newestAt', at)) FROM ${canaryTable};`;

/** The heartbeat's row, when there is one. */
export async function readCanary(access: SqliteAccess): Promise<SqliteCanary | undefined> {
  const present = `SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ${sqlText(canaryTable)};`;
  if ((await runSql(access, present)).length === 0) return undefined;
  return (await readRows<{ canary: SqliteCanary }>(access, canaryQuery))[0]?.canary;
}

/** Size of each table with its indexes; nothing where SQLite's shell was built without dbstat. */
export async function readTableBytes(access: SqliteAccess): Promise<ReadonlyMap<string, number>> {
  if ((await runSql(access, "SELECT 1 FROM pragma_module_list WHERE name = 'dbstat';")).length === 0) return new Map();
  const rows = await readRows<{ name: string; bytes: number }>(
    access,
    `SELECT json_object('name', s.tbl_name, 'bytes', sum(d.pgsize)) FROM dbstat d JOIN sqlite_schema s ON s.name = d.name
     WHERE d.aggregate = TRUE GROUP BY s.tbl_name;`,
  );
  return new Map(rows.map(({ name, bytes }) => [name, bytes]));
}

/** `PRAGMA foreign_key_check` (guide, Database Consistency Checks), by table. */
export async function readForeignKeyViolations(access: SqliteAccess): Promise<ForeignKeyViolation[]> {
  return readRows(
    access,
    `SELECT json_object('table', "table", 'parent', parent, 'rows', count(*)) FROM pragma_foreign_key_check
     GROUP BY "table", parent ORDER BY "table", parent;`,
  );
}

/** What `PRAGMA integrity_check` complained of: damage, and rows that break a constraint of their own table. */
export interface IntegrityProblems {
  readonly damage: readonly string[];
  readonly constraints: readonly string[];
}

const constraintProblem = /^(NULL value in|CHECK constraint failed in|(TEXT|NUMERIC|non-\w+) value in) /;

/** `PRAGMA integrity_check` (guide, Database Consistency Checks). @throws SqliteError when it cannot even be run */
export async function checkIntegrity(access: SqliteAccess): Promise<IntegrityProblems> {
  const said = await runSql(access, "PRAGMA integrity_check;");
  if (said.length === 0) return { damage: ["it said nothing, not even ok"], constraints: [] };
  const lines = said.filter((line) => line !== "ok");
  return {
    damage: lines.filter((line) => !constraintProblem.test(line)),
    constraints: lines.filter((line) => constraintProblem.test(line)),
  };
}
