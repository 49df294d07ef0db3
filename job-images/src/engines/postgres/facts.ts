import { type Client } from "pg";
import { type InventoryEntry, readInventory } from "./inventory";
import { quoteIdentifier, quoteLiteral } from "./libpq";

/** A sample of a table's rows, chosen by a hash of the key: the same rows on every server that holds the same. */
export interface TableSample {
  /** Key columns; all columns where a small table has no key. */
  readonly keyColumns: readonly string[];
  /** One of this many rows, by the hash of its key. */
  readonly oneOf: number;
  readonly rows: number;
  /** Sum of the sampled rows' hashes; the order of rows does not matter. */
  readonly hashSum: string;
}

/** What a table held in the snapshot. */
export interface TableFacts {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
  /** Absent where the table has no key and is too large to hash whole. */
  readonly sample?: TableSample;
}

/** Where a sequence stood. */
export interface SequenceFacts {
  readonly schema: string;
  readonly name: string;
  /** As text: a bigint does not fit a JSON number. `null` before its first use. */
  readonly lastValue: string | null;
  readonly increment: string;
}

/** A role of the server and what it may do. */
export interface RoleFacts {
  readonly name: string;
  readonly attributes: string;
  readonly memberOf: readonly string[];
}

/** One setting of `ALTER DATABASE ... SET` or `ALTER ROLE ... IN DATABASE ... SET`. */
export interface SettingFacts {
  /** Empty for all roles. */
  readonly role: string;
  readonly setting: string;
}

/** What `CREATE DATABASE` and `ALTER DATABASE` need to make one like it. */
export interface DatabaseFacts {
  readonly name: string;
  readonly owner: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  /** `c`, `i` (ICU) or `b` (builtin, since 17). */
  readonly localeProvider: string;
  /** Of ICU, or of the builtin provider. */
  readonly icuLocale: string | null;
  readonly connectionLimit: number;
  readonly comment: string | null;
  /** `GRANT`s as (grantee, privilege, with grant option); `null` while they are the defaults. */
  readonly privileges: readonly { grantee: string; privilege: string; grantable: boolean }[] | null;
  readonly settings: readonly SettingFacts[];
  readonly bytes: number;
}

/** The source's facts, taken in the dump's own snapshot: what a restored copy is compared with. */
export interface PostgresFacts {
  readonly formatVersion: 1;
  readonly serverVersion: string;
  readonly serverMajor: number;
  readonly systemIdentifier: string | null;
  readonly database: DatabaseFacts;
  readonly extensions: Readonly<Record<string, string>>;
  readonly roles: readonly RoleFacts[];
  readonly inventory: readonly InventoryEntry[];
  readonly sequences: readonly SequenceFacts[];
  readonly tables: readonly TableFacts[];
  readonly largeObjects: number;
  /** The newest heartbeat in the snapshot; `null` when the table is empty, absent when nobody prepared one. */
  readonly canary?: { readonly newestAt: string | null };
}

/** The schema that holds the heartbeat, apart from the application's own. */
export const canarySchema = "dr_canary";

/** Everything but the rows. Cheap: it reads catalogs only. */
export async function readDescription(client: Client): Promise<Omit<PostgresFacts, "tables" | "largeObjects">> {
  const server = await one<{ version: string; major: number }>(
    client,
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int / 10000 AS major`,
  );
  const extensions = await client.query<{ extname: string; extversion: string }>(
    `SELECT extname, extversion FROM pg_extension ORDER BY extname COLLATE "C"`,
  );
  const hasCanary = await one<{ present: boolean }>(
    client,
    `SELECT to_regclass('${canarySchema}.heartbeat') IS NOT NULL AS present`,
  );
  const canary = hasCanary.present
    ? { newestAt: (await one<{ at: string | null }>(client, newestHeartbeatQuery)).at }
    : undefined;
  return {
    formatVersion: 1,
    serverVersion: server.version,
    serverMajor: server.major,
    systemIdentifier: await readSystemIdentifier(client),
    database: await readDatabase(client),
    extensions: Object.fromEntries(extensions.rows.map((row) => [row.extname, row.extversion])),
    roles: await readRoles(client),
    inventory: await readInventory(client),
    sequences: await readSequences(client),
    canary,
  };
}

const newestHeartbeatQuery = `SELECT to_char(max(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at FROM ${canarySchema}.heartbeat`;

/** The newest heartbeat, when there is a canary and it has beaten. */
export async function readNewestHeartbeat(client: Client): Promise<Date | undefined> {
  const prepared = await one<{ present: boolean }>(
    client,
    `SELECT to_regclass('${canarySchema}.heartbeat') IS NOT NULL AS present`,
  );
  if (!prepared.present) return undefined;
  const { at } = await one<{ at: string | null }>(client, newestHeartbeatQuery);
  return at === null ? undefined : new Date(at);
}

async function readSystemIdentifier(client: Client): Promise<string | null> {
  const { allowed } = await one<{ allowed: boolean }>(
    client,
    `SELECT has_function_privilege('pg_control_system()', 'execute') AS allowed`,
  );
  if (!allowed) return null;
  return (await one<{ id: string }>(client, `SELECT system_identifier::text AS id FROM pg_control_system()`)).id;
}

async function readDatabase(client: Client): Promise<DatabaseFacts> {
  const row = await one<{
    name: string;
    owner: string;
    encoding: string;
    raw: Record<string, unknown>;
    comment: string | null;
    privileges: DatabaseFacts["privileges"];
    bytes: string;
  }>(
    client,
    `SELECT d.datname AS name, pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding,
       to_jsonb(d) AS raw, shobj_description(d.oid, 'pg_database') AS comment, pg_database_size(d.oid)::text AS bytes,
       (SELECT jsonb_agg(jsonb_build_object('grantee', CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type, 'grantable', a.is_grantable)
          ORDER BY CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee) END COLLATE "C", a.privilege_type)
        FROM aclexplode(d.datacl) a) AS privileges
     FROM pg_database d WHERE d.datname = current_database()`,
  );
  const settings = await client.query<{ role: string; setting: string }>(
    `SELECT CASE WHEN s.setrole = 0 THEN '' ELSE pg_get_userbyid(s.setrole) END AS role, unnest(s.setconfig) AS setting
     FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
     WHERE d.datname = current_database() ORDER BY 1, 2`,
  );
  return {
    name: row.name,
    owner: row.owner,
    encoding: row.encoding,
    collate: row.raw.datcollate as string,
    ctype: row.raw.datctype as string,
    localeProvider: (row.raw.datlocprovider as string | undefined) ?? "c",
    icuLocale: (row.raw.daticulocale ?? row.raw.datlocale ?? null) as string | null,
    connectionLimit: row.raw.datconnlimit as number,
    comment: row.comment,
    privileges: row.privileges,
    settings: settings.rows,
    bytes: Number(row.bytes),
  };
}

async function readRoles(client: Client): Promise<RoleFacts[]> {
  const { rows } = await client.query<{ name: string; attributes: string; memberOf: string[] }>(
    `SELECT r.rolname AS name,
       concat_ws(' ', CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN NOT r.rolinherit THEN 'NOINHERIT' END,
         CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
         CASE WHEN r.rolcanlogin THEN 'LOGIN' END, CASE WHEN r.rolreplication THEN 'REPLICATION' END,
         CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END, 'CONNECTION LIMIT ' || r.rolconnlimit) AS attributes,
       ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1) AS "memberOf"
     FROM pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY r.rolname COLLATE "C"`,
  );
  return rows;
}

async function readSequences(client: Client): Promise<SequenceFacts[]> {
  // pg_sequences shows no value to a role without rights on the sequence; preflight refuses such a role beforehand.
  const { rows } = await client.query<SequenceFacts>(
    `SELECT schemaname AS schema, sequencename AS name, last_value::text AS "lastValue", increment_by::text AS increment
     FROM pg_sequences WHERE schemaname !~ '^pg_temp' ORDER BY schemaname COLLATE "C", sequencename COLLATE "C"`,
  );
  return rows;
}

interface TableRow {
  schema: string;
  name: string;
  bytes: string;
  estimatedRows: number;
  keyColumns: string[] | null;
  columns: string[];
}

/**
 * Counts every table and samples it by a hash of its key, in two sequential reads each. TABLESAMPLE would choose other
 * rows on another server; hashing whole rows would be hours of work on a large primary.
 *
 * @param sampleRows about how many rows of each table to sample.
 */
export async function readTables(client: Client, sampleRows: number): Promise<TableFacts[]> {
  // Partitioned parents hold no rows of their own, materialized views are refreshed by the restore, foreign tables
  // are somebody else's data, and what an extension owns comes with the extension.
  const { rows: tables } = await client.query<TableRow>(
    `SELECT n.nspname AS schema, c.relname AS name, pg_total_relation_size(c.oid)::text AS bytes,
       -- Before the first ANALYZE the number of rows is unknown (-1, or 0 before PostgreSQL 14): rows of 64 bytes guess too many.
       CASE WHEN c.reltuples > 0 THEN c.reltuples ELSE pg_relation_size(c.oid) / 64 END::float8 AS "estimatedRows",
       (SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position)
                     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                     WHERE k.position <= i.indnkeyatts ORDER BY k.position)
        FROM pg_index i
        WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
          AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) AS k(attnum) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                          WHERE NOT a.attnotnull)
        ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1) AS "keyColumns",
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
     ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`,
  );
  const facts: TableFacts[] = [];
  for (const table of tables) {
    const wholeRowIsCheap = table.estimatedRows <= 100 * sampleRows;
    const keyColumns = table.keyColumns ?? (wholeRowIsCheap ? table.columns : undefined);
    const oneOf = Math.max(1, Math.round(table.estimatedRows / sampleRows));
    const measured = await countAndSample(client, table.schema, table.name, keyColumns && { keyColumns, oneOf });
    facts.push({ schema: table.schema, name: table.name, bytes: Number(table.bytes), ...measured });
  }
  return facts;
}

/** Counts one table and repeats a sample of it. */
export async function countAndSample(
  client: Client,
  schema: string,
  name: string,
  how: Pick<TableSample, "keyColumns" | "oneOf"> | undefined,
): Promise<{ rows: number; sample?: TableSample }> {
  const table = `ONLY ${quoteIdentifier(schema)}.${quoteIdentifier(name)} AS "dr row"`;
  if (how === undefined || how.keyColumns.length === 0) {
    const { rows } = await one<{ rows: string }>(client, `SELECT count(*)::text AS rows FROM ${table}`);
    return { rows: Number(rows) };
  }
  const key = how.keyColumns.map((column) => `"dr row".${quoteIdentifier(column)}`).join(", ");
  const chosen = `hashtextextended(ROW(${key})::text COLLATE "C", 0) % ${how.oneOf} = 0`;
  const row = await one<{ rows: string; sampled: string; sum: string }>(
    client,
    // Two reads are quicker than one with filters, which would compute every row's hash once for each of them.
    `SELECT (SELECT count(*) FROM ${table})::text AS rows, count(*)::text AS sampled,
       coalesce(sum(hashtextextended("dr row"::text COLLATE "C", 1)), 0)::text AS sum
     FROM ${table} WHERE ${chosen}`,
  );
  return {
    rows: Number(row.rows),
    sample: { keyColumns: how.keyColumns, oneOf: how.oneOf, rows: Number(row.sampled), hashSum: row.sum },
  };
}

/** How many large objects there are. */
export async function countLargeObjects(client: Client): Promise<number> {
  return Number(
    (await one<{ count: string }>(client, `SELECT count(*)::text AS count FROM pg_largeobject_metadata`)).count,
  );
}

/** A table's name for people and for logs. */
export function tableName(table: { readonly schema: string; readonly name: string }): string {
  return `${quoteIfNeeded(table.schema)}.${quoteIfNeeded(table.name)}`;
}

function quoteIfNeeded(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : quoteIdentifier(name);
}

/** The first row of a query that always gives one. */
export async function one<Row extends object>(client: Client, sql: string): Promise<Row> {
  const { rows } = await client.query<Row>(sql);
  const row = rows[0];
  if (row === undefined) throw new Error(`A query that gives one row gave none: ${sql.slice(0, 80)}`);
  return row;
}

/** `SET TRANSACTION SNAPSHOT` for another session's exported snapshot. */
export function importSnapshot(snapshot: string): string {
  return `SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)}`;
}
