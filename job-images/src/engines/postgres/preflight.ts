import { type Client } from "pg";
import { OperationError } from "../../errors";
import { one } from "./facts";
import { describeAccess, type PostgresAccess } from "./libpq";
import { connect } from "./session";

/** PgBouncer answers with a made-up process id; the server knows the real one. */
async function isBehindPooler(client: Client): Promise<boolean> {
  const { pid } = await one<{ pid: number }>(client, "SELECT pg_backend_pid() AS pid");
  return (client as Client & { processID: number }).processID !== pid;
}

/**
 * Whether a pooler gives this session another server connection from one transaction to the next. A snapshot exported
 * in one of them is then unknown to the next, and settings leak between clients.
 */
export async function isTransactionPooled(access: PostgresAccess): Promise<boolean> {
  const first = await connect(access);
  try {
    if (!(await isBehindPooler(first))) return false;
    const before = await one<{ pid: number }>(first, "SELECT pg_backend_pid() AS pid");
    const second = await connect(access);
    try {
      // Takes the server connection that the first session would get again if it were free.
      await second.query("BEGIN");
      await second.query("SELECT 1");
      const after = await Promise.race([
        one<{ pid: number }>(first, "SELECT pg_backend_pid() AS pid"),
        // A pool of one connection makes the first session wait: its connection was not its own either.
        new Promise<undefined>((resolve) => setTimeout(resolve, 3000, undefined).unref()),
      ]);
      return after?.pid !== before.pid;
    } finally {
      await second.end();
    }
  } finally {
    await first.end();
  }
}

/** Every object that the role would read nothing, or not everything, of. An empty list: a dump will be whole. */
export async function hiddenObjects(client: Client): Promise<string[]> {
  // CASE, because the planner may otherwise ask for a sequence's privilege on a table, which is an error.
  const { rows } = await client.query<{ problem: string }>(`
    WITH relation AS (
      SELECT c.oid, c.relkind, c.relrowsecurity, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, n.oid AS space
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
    SELECT DISTINCT 'schema ' || quote_ident(n.nspname) || ': no USAGE' AS problem
      FROM relation r JOIN pg_namespace n ON n.oid = r.space WHERE NOT has_schema_privilege(n.oid, 'USAGE')
    UNION ALL
    SELECT 'table ' || name || ': no SELECT' FROM relation
      WHERE CASE WHEN relkind <> 'S' AND has_schema_privilege(space, 'USAGE') THEN NOT has_table_privilege(oid, 'SELECT') END
    UNION ALL
    SELECT 'sequence ' || name || ': no SELECT' FROM relation
      WHERE CASE WHEN relkind = 'S' AND has_schema_privilege(space, 'USAGE') THEN NOT has_sequence_privilege(oid, 'SELECT') END
    UNION ALL
    SELECT 'table ' || name || ': row-level security hides rows from the role' FROM relation
      WHERE CASE WHEN relrowsecurity AND has_schema_privilege(space, 'USAGE') THEN row_security_active(oid) END
    UNION ALL
    SELECT 'large object ' || m.oid || ': no SELECT' FROM pg_largeobject_metadata m
      WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AND NOT EXISTS (
        SELECT FROM aclexplode(coalesce(m.lomacl, acldefault('L', m.lomowner))) a
        WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(current_user, a.grantee, 'USAGE')))
    ORDER BY 1`);
  return rows.map((row) => row.problem);
}

const listed = 20;

/** @throws OperationError naming every object that the role would silently miss. */
export async function refuseHiddenObjects(client: Client, access: PostgresAccess): Promise<void> {
  const hidden = await hiddenObjects(client);
  if (hidden.length === 0) return;
  const more = hidden.length > listed ? `\n  - and ${hidden.length - listed} more` : "";
  throw new OperationError(
    `${describeAccess(access)} would be backed up in part only: ${access.user} cannot read everything.\n` +
      `${hidden
        .slice(0, listed)
        .map((problem) => `  - ${problem}`)
        .join("\n")}${more}\n` +
      `\`dr prepare\` grants what a backup role needs (pg_read_all_data, BYPASSRLS, SELECT on large objects).`,
  );
}
