import { type Client } from "pg";
import { messageOf, OperationError } from "../../errors";
import { runTool } from "../../process/child";
import { serverJobs } from "../../process/parallelism";
import { type Progress } from "../../progress";
import { type DatabaseFacts, one, type PostgresFacts } from "./facts";
import { applyGlobals, settingStatement } from "./globals";
import {
  describeAccess,
  databaseConnectionString,
  libpqEnvironment,
  type PostgresAccess,
  quoteIdentifier,
  quoteLiteral,
} from "./libpq";
import { connect } from "./session";
import { type PostgresTools } from "./tools";

/** A restore of a dump into a database that does not exist yet. */
export interface DumpRestore {
  readonly tools: PostgresTools;
  /** The decompressed archive. */
  readonly archivePath: string;
  readonly facts: PostgresFacts;
  /** SQL of the roles. */
  readonly globals: string;
  /** The database to make; its server must be there, it must not. */
  readonly target: PostgresAccess;
  /** Sessions that load at the same time. @default one for each CPU here, up to 8 */
  readonly jobs?: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Connects beside the database that is to be made. */
export function maintenanceAccess(target: PostgresAccess): PostgresAccess {
  return { ...target, databaseName: target.databaseName === "postgres" ? "template1" : "postgres" };
}

/**
 * Makes the roles that are missing and an empty database like the one that was backed up.
 *
 * @throws OperationError when the database exists: a restore never writes over one (guide, PostgreSQL Recovery, did).
 */
export async function createDatabase(restore: DumpRestore): Promise<void> {
  const client = await connect(maintenanceAccess(restore.target), { applicationName: "dr restore" });
  try {
    await refuseExisting(client, restore.target);
    const { database, serverMajor } = restore.facts;
    await applyGlobals(client, restore.globals);
    await client.query(createStatement(restore.target.databaseName, database, serverMajor)).catch((error: unknown) => {
      throw new OperationError(`${describeAccess(restore.target)} could not be created: ${messageOf(error)}`);
    });
  } finally {
    await client.end();
  }
}

/** @throws OperationError when there is a database of that name. */
export async function refuseExisting(client: Client, target: PostgresAccess): Promise<void> {
  const { rowCount } = await client.query("SELECT FROM pg_database WHERE datname = $1", [target.databaseName]);
  if (rowCount !== 0) {
    throw new OperationError(
      `${describeAccess(target)} exists, and a restore never writes over a database. Restore under another name, verify, then rename.`,
    );
  }
}

function createStatement(name: string, like: DatabaseFacts, serverMajor: number): string {
  const options = [
    "TEMPLATE template0",
    `OWNER ${quoteIdentifier(like.owner)}`,
    `ENCODING ${quoteLiteral(like.encoding)}`,
    `LC_COLLATE ${quoteLiteral(like.collate)}`,
    `LC_CTYPE ${quoteLiteral(like.ctype)}`,
    ...(serverMajor >= 15 && like.localeProvider === "i"
      ? [`LOCALE_PROVIDER icu`, `ICU_LOCALE ${quoteLiteral(like.icuLocale ?? "und")}`]
      : []),
    ...(serverMajor >= 17 && like.localeProvider === "b"
      ? [`LOCALE_PROVIDER builtin`, `BUILTIN_LOCALE ${quoteLiteral(like.icuLocale ?? "C")}`]
      : []),
    `CONNECTION LIMIT ${like.connectionLimit}`,
  ];
  return `CREATE DATABASE ${quoteIdentifier(name)} ${options.join(" ")}`;
}

/** Loads the archive. What could act on production while unproven (subscriptions) stays out. */
export async function loadArchive(restore: DumpRestore): Promise<void> {
  await loadSelected(restore, []);
}

/** Everything of the archive that comes before rows: types, functions, tables; no trigger, index or foreign key. */
export async function loadDefinitions(restore: DumpRestore): Promise<void> {
  await loadSelected(restore, ["--section=pre-data"]);
}

/** The rows of the tables of these names, whatever schema they are in: pg_restore matches names alone. */
export async function loadRowsOf(restore: DumpRestore, names: readonly string[]): Promise<void> {
  // An empty list would select everything.
  if (names.length === 0) return;
  await loadSelected(restore, ["--section=data", ...[...new Set(names)].map((name) => `--table=${name}`)]);
}

async function loadSelected(restore: DumpRestore, selection: readonly string[]): Promise<void> {
  await runTool(
    restore.tools.program("pg_restore"),
    [
      "--exit-on-error",
      "--no-password",
      "--no-subscriptions",
      "--no-tablespaces",
      ...selection,
      `--jobs=${serverJobs(restore.jobs)}`,
      `--dbname=${databaseConnectionString(restore.target.databaseName)}`,
      restore.archivePath,
    ],
    // Event triggers of the archive are created last; those of the server must not see the restore at all.
    { env: libpqEnvironment(restore.target, "dr restore", { maintenance_work_mem: "256MB" }), signal: restore.signal },
  );
}

/** Statistics: a database without them plans every query badly, which is an RTO missed after the restore "worked". */
export async function analyze(restore: DumpRestore): Promise<void> {
  await runTool(
    restore.tools.program("vacuumdb"),
    [
      "--analyze-only",
      "--no-password",
      "--quiet",
      `--jobs=${serverJobs(restore.jobs)}`,
      `--dbname=${databaseConnectionString(restore.target.databaseName)}`,
    ],
    { env: libpqEnvironment(restore.target, "dr restore"), signal: restore.signal },
  );
}

/** A sequence that was moved past its column's largest value. */
export interface MovedSequence {
  readonly sequence: string;
  readonly from: string | null;
  readonly to: string;
}

/**
 * Moves every sequence that feeds a column and stands below its largest value. A dump reads tables in one snapshot but
 * sequences as they are, and a source may carry such a sequence itself: the next insert would fail.
 */
export async function advanceSequences(client: Client): Promise<MovedSequence[]> {
  const { rows: owned } = await client.query<{ sequence: string; table: string; column: string; increment: string }>(
    `SELECT s.seqrelid::regclass::text AS sequence, d.refobjid::regclass::text AS table, quote_ident(a.attname) AS column,
       s.seqincrement::text AS increment
     FROM pg_sequence s JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid
       AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
     JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
       -- An identity column, or one whose default draws from the sequence: merely owned is not fed.
       AND (d.deptype = 'i' OR EXISTS (
         SELECT FROM pg_attrdef f JOIN pg_depend u ON u.classid = 'pg_attrdef'::regclass AND u.objid = f.oid
         WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum AND u.refclassid = 'pg_class'::regclass AND u.refobjid = s.seqrelid))`,
  );
  const moved: MovedSequence[] = [];
  for (const { sequence, table, column, increment } of owned) {
    const extreme = increment.startsWith("-") ? "min" : "max";
    const behind = increment.startsWith("-") ? "<" : ">";
    const { used, last, called } = await one<{ used: string | null; last: string; called: boolean }>(
      client,
      `SELECT (SELECT ${extreme}(${column})::text FROM ${table}) AS used, last_value::text AS last, is_called AS called FROM ${sequence}`,
    );
    if (used === null) continue;
    const { isBehind } = await one<{ isBehind: boolean }>(
      client,
      `SELECT ${used}::numeric ${called ? behind : `${behind}=`} ${last}::numeric AS "isBehind"`,
    );
    if (!isBehind) continue;
    await client.query(`SELECT setval(${quoteLiteral(sequence)}, ${used})`);
    moved.push({ sequence, from: called ? last : null, to: used });
  }
  return moved;
}

/** Settings, comment and grants of the database itself, which a dump restored under another name does not carry. */
export async function carryOverDatabaseSettings(
  client: Client,
  databaseName: string,
  like: DatabaseFacts,
): Promise<void> {
  const name = quoteIdentifier(databaseName);
  for (const { role, setting } of like.settings) await client.query(settingStatement(databaseName, role, setting));
  if (like.comment !== null) await client.query(`COMMENT ON DATABASE ${name} IS ${quoteLiteral(like.comment)}`);
  if (like.privileges === null) return;
  await client.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC, ${quoteIdentifier(like.owner)}`);
  for (const { grantee, privilege, grantable } of like.privileges) {
    const to = grantee === "" ? "PUBLIC" : quoteIdentifier(grantee);
    await client.query(`GRANT ${privilege} ON DATABASE ${name} TO ${to}${grantable ? " WITH GRANT OPTION" : ""}`);
  }
}

/** Drops a database that a failed restore made. Never one that was there before. */
export async function dropUnproven(target: PostgresAccess): Promise<void> {
  const client = await connect(maintenanceAccess(target), { applicationName: "dr restore" });
  try {
    await client.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(target.databaseName)} WITH (FORCE)`);
  } finally {
    await client.end();
  }
}

/** Gives a proven copy its final name. */
export async function renameDatabase(target: PostgresAccess, finalName: string): Promise<void> {
  const client = await connect(maintenanceAccess(target), { applicationName: "dr restore" });
  try {
    await client.query(
      `ALTER DATABASE ${quoteIdentifier(target.databaseName)} RENAME TO ${quoteIdentifier(finalName)}`,
    );
  } finally {
    await client.end();
  }
}
