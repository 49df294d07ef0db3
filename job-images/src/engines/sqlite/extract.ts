import { rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { chooseTable, rowFilterProblem, sideSchemaProblem, type TableName, tableText } from "../../../../recovery";
import { OperationError, UsageError } from "../../errors";
import { inScratchFolder } from "../../process/scratch-folder";
import { failed, judged, passed } from "../../proof/check";
import { ProofRun, type RestoreProof } from "../../proof/proof-run";
import { type ExtractedTable, type Extraction, type ExtractRequest, type RowsRequest } from "../engine";
import { restoreAndProve } from "./copy-proof";
import { inspectSource } from "./database-file";
import { databaseUri, readRows, runSql, type SqliteAccess, sqlName, sqlText } from "./shell";

/** A chosen table, and the plain one that its rows go into. */
interface SideTable {
  readonly table: TableName;
  readonly side: string;
  /** Columns with their affinity alone: no default, no constraint, nothing that acts. */
  readonly definition: string;
  readonly columns: readonly string[];
  /** Those of them that can be written: the others are computed. */
  readonly stored: readonly string[];
}

/** Copies rows of a recovery point. */
export function extractFromSqlite(request: ExtractRequest): Promise<Extraction> {
  return extractFromCopy(request, (path) => restoreAndProve({ ...request, path, onRestored: undefined }));
}

/**
 * Copies rows of a copy into new tables of a live file, or into a new file. The copy is restored and proven in a folder
 * of its own first; the rows are chosen there, and the live file sees one transaction of ours alone.
 *
 * @param restore makes the copy and proves it
 */
export async function extractFromCopy(
  request: RowsRequest & Pick<ExtractRequest, "progress" | "signal">,
  restore: (path: string) => Promise<RestoreProof>,
): Promise<Extraction> {
  const into = await inspectTarget(request);
  return inScratchFolder(async (folder) => {
    const run = new ProofRun(request.signal, "file");
    const path = join(folder, "recovered.db");
    let tables: ExtractedTable[] = [];
    let chosen: SideTable[] = [];
    const proof = await run.toItsEnd(async () => {
      const restored = await run.phase("restore", "restore", () => restore(path));
      run.checks.push(...restored.checks);
      if (run.checks.some(({ verdict }) => verdict !== "pass")) return;
      const copy = { path, writable: true, safe: true, signal: request.signal };
      chosen = await chooseTables(copy, request);
      const rows = await run.phase("read", "rows", () => fillSideTables(copy, chosen, request.where));
      run.checks.push(checkAnyRow(request, rows));
      run.stopAfterFailure();
      request.progress.step("copying beside the live tables");
      tables = await run.phase("copy", "copy", () => copyInto(into, path, chosen, rows, request.signal));
      run.checks.push(judged("content", [], `${tables.length} tables hold the rows and the hash of the copy`));
    });
    return { proof, tables, notes: [], putBack: tables.length === 0 ? "" : putBackSql(chosen) };
  }, request.scratch);
}

interface Target {
  readonly path: string;
  readonly isNew: boolean;
  readonly side: string;
}

async function inspectTarget({ into, side, where, ofSchema }: RowsRequest): Promise<Target> {
  const problems: string[] = [];
  const sideProblem = sideSchemaProblem(side);
  if (sideProblem !== undefined) problems.push(`--schema ${JSON.stringify(side)}: ${sideProblem}`);
  const filterProblem = where === undefined ? undefined : rowFilterProblem(where, { sqlite: true });
  if (filterProblem !== undefined) problems.push(`--where: ${filterProblem}`);
  if (ofSchema !== undefined) problems.push("--from-schema: SQLite has no schemas; name the tables with --table");
  if (/^[a-z][a-z0-9+.-]*:/i.test(into) || into === "")
    problems.push(`--into ${JSON.stringify(into)}: expected a file, the live one or a new one`);
  if (problems.length > 0) throw new UsageError("Nothing was done:", problems);
  const path = resolve(into);
  const isNew = !(await stat(path).catch(() => undefined));
  if (isNew) {
    await stat(dirname(path)).catch(() => {
      throw new UsageError(`${dirname(path)} does not exist: nothing was done.`);
    });
  } else {
    await inspectSource(path);
    const names = await readRows<{ name: string }>(
      { path },
      `SELECT json_object('name', name) FROM sqlite_schema WHERE lower(substr(name, 1, ${side.length + 1})) = lower(${sqlText(`${side}_`)});`,
    );
    if (names.length > 0) {
      throw new UsageError(
        `${path} has ${names.map(({ name }) => name).join(", ")}, and nothing is ever put over what is there: give another --schema.`,
      );
    }
  }
  return { path, isNew, side };
}

async function chooseTables(copy: SqliteAccess, { tables, side, where }: RowsRequest): Promise<SideTable[]> {
  const known = await readRows<TableName>(
    copy,
    `SELECT json_object('schema', '', 'name', name) FROM pragma_table_list
     WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name;`,
  );
  const problems: string[] = [];
  const chosen = new Map<string, SideTable>();
  for (const word of tables) {
    const { table, problem } = chooseTable(word, known);
    if (problem !== undefined) {
      problems.push(problem);
      continue;
    }
    const columns = await columnsOf(copy, table.name);
    const condition = where === undefined ? undefined : await conditionProblem(copy, table.name, where);
    if (condition !== undefined) problems.push(`${tableText(table)}: ${condition}`);
    chosen.set(table.name, {
      table,
      side: `${side}_${table.name}`,
      columns: columns.map(({ name }) => name),
      stored: columns.filter(({ generated }) => generated === 0).map(({ name }) => name),
      definition: columns.map(({ name, affinity }) => `${sqlName(name)} ${affinity}`.trim()).join(", "),
    });
  }
  if (problems.length > 0) throw new UsageError("The rows cannot be chosen like this; nothing was done:", problems);
  return [...chosen.values()];
}

/** Every column that `SELECT *` gives, with the affinity that its declared type means (sqlite.org/datatype3.html, 3.1). */
async function columnsOf(
  copy: SqliteAccess,
  table: string,
): Promise<{ name: string; affinity: string; generated: number }[]> {
  return readRows(
    copy,
    `SELECT json_object('name', c.name, 'affinity', CASE
       WHEN upper(c.type) LIKE '%INT%' THEN 'INTEGER'
       WHEN upper(c.type) LIKE '%CHAR%' OR upper(c.type) LIKE '%CLOB%' OR upper(c.type) LIKE '%TEXT%' THEN 'TEXT'
       WHEN c.type = '' OR upper(c.type) LIKE '%BLOB%' OR (t.strict AND upper(c.type) = 'ANY') THEN ''
       WHEN upper(c.type) LIKE '%REAL%' OR upper(c.type) LIKE '%FLOA%' OR upper(c.type) LIKE '%DOUB%' THEN 'REAL'
       ELSE 'NUMERIC' END, 'generated', c.hidden IN (2, 3))
     FROM pragma_table_list AS t, pragma_table_xinfo(${sqlText(table)}) AS c
     WHERE t.schema = 'main' AND t.name = ${sqlText(table)} AND c.hidden <> 1 ORDER BY c.cid;`,
  );
}

/** A misspelt name in double quotes would be taken for a text: SQLite is told not to. */
const strictQuotes = ".dbconfig dqs_dml off\n";

async function conditionProblem(copy: SqliteAccess, table: string, where: string): Promise<string | undefined> {
  try {
    await runSql(copy, `${strictQuotes}SELECT count(*) FROM ${sqlName(table)} WHERE (\n${where}\n);`);
    return undefined;
  } catch (error) {
    if (copy.signal?.aborted || !(error instanceof OperationError)) throw error;
    return error.message.replace(/^setpriv ended with exit code \d+: line \d+: /, "");
  }
}

interface SideRows {
  readonly rows: number;
  readonly digest: string;
}

/** SQLite hashes the query's own text as well: it must be the same in both files. */
const digestOf = (table: string): string =>
  `lower(hex(sha3_query(${sqlText(`SELECT * FROM ${table} ORDER BY rowid`)}, 256)))`;

/** Chooses the rows in the copy, where whatever the condition does can harm nothing. */
async function fillSideTables(copy: SqliteAccess, chosen: readonly SideTable[], where: string | undefined) {
  const found: SideRows[] = [];
  for (const { table, side, definition, columns } of chosen) {
    const list = columns.map(sqlName).join(", ");
    const condition = where === undefined ? "" : ` WHERE (\n${where}\n)`;
    const said = await runSql(
      copy,
      `${strictQuotes}CREATE TABLE ${sqlName(side)} (${definition});
INSERT INTO ${sqlName(side)} (${list}) SELECT ${list} FROM ${sqlName(table.name)}${condition};
SELECT json_object('rows', (SELECT count(*) FROM ${sqlName(side)}), 'digest', ${digestOf(sqlName(side))});`,
    );
    // Before it the shell says what it was told about quotes.
    found.push(JSON.parse(said.at(-1)!) as SideRows);
  }
  return found;
}

function checkAnyRow({ where }: RowsRequest, rows: readonly SideRows[]) {
  const total = rows.reduce((sum, each) => sum + each.rows, 0);
  return where !== undefined && total === 0
    ? failed("rows", `no row meets the condition ${where}: nothing was made`)
    : passed("rows", `${total} rows of ${rows.length} tables`);
}

/** One transaction; a comparison that fails breaks a CHECK, which ends it with nothing made. */
async function copyInto(
  target: Target,
  copyPath: string,
  chosen: readonly SideTable[],
  rows: readonly SideRows[],
  signal: AbortSignal,
): Promise<ExtractedTable[]> {
  const statements = chosen.flatMap(({ side, definition, columns }, index) => {
    const name = sqlName(side);
    const list = columns.map(sqlName).join(", ");
    return [
      `CREATE TABLE main.${name} (${definition});`,
      `INSERT INTO main.${name} (${list}) SELECT ${list} FROM recovered.${name} ORDER BY rowid;`,
      `INSERT INTO temp.equal SELECT (SELECT count(*) FROM main.${name}) = ${rows[index]!.rows} AND ${digestOf(name)} = '${rows[index]!.digest}';`,
    ];
  });
  try {
    await runSql(
      { path: target.path, writable: true, create: target.isNew, signal },
      `ATTACH ${sqlText(databaseUri({ path: copyPath }))} AS recovered;
CREATE TEMP TABLE equal (is_equal INTEGER NOT NULL CHECK (is_equal = 1));
BEGIN IMMEDIATE;
${statements.join("\n")}
COMMIT;`,
    );
  } catch (error) {
    if (target.isNew) await rm(target.path, { force: true });
    throw error;
  }
  return chosen.map(({ table, side }, index) => ({
    table: tableText(table),
    into: sqlName(side),
    rows: rows[index]!.rows,
    hash: rows[index]!.digest,
  }));
}

function putBackSql(chosen: readonly SideTable[]): string {
  return [
    "BEGIN IMMEDIATE;",
    ...chosen.flatMap(({ table, side, stored }) => {
      const list = stored.map(sqlName).join(", ");
      return [
        `-- ${tableText(table)}: rows that are missing; REPLACE instead of IGNORE also brings back what was changed since.`,
        `INSERT OR IGNORE INTO ${sqlName(table.name)} (${list}) SELECT ${list} FROM ${sqlName(side)};`,
      ];
    }),
    "-- Look at what it did (SELECT changes();), then COMMIT.",
    "ROLLBACK;",
  ].join("\n");
}
