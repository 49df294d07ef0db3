import { type Client } from "pg";

/** One object of a database: what it is, its name, and its definition as text. */
export interface InventoryEntry {
  readonly kind: string;
  readonly identity: string;
  readonly definition: string;
}

// Objects that belong to the system or to an extension come with the server or with CREATE EXTENSION.
const members = `SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'`;
const userSchemas = `SELECT oid, nspname, nspowner, nspacl FROM pg_catalog.pg_namespace
  WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp)'`;

/** Privileges in a fixed order; a missing list means the owner's defaults, which a restore may spell out. */
const privileges = (list: string, kind: string, owner: string): string =>
  `(SELECT string_agg(a::text, ',' ORDER BY a::text COLLATE "C")
    FROM unnest(coalesce(${list}, acldefault('${kind}', ${owner}))) AS a)`;
const owner = (column: string): string => `pg_get_userbyid(${column})`;
const notMember = (catalog: string, oid: string): string =>
  `(('${catalog}'::regclass)::oid, ${oid}) NOT IN (SELECT classid, objid FROM member)`;
/** A catalog row as text without what differs between two servers that hold the same. */
const catalogRow = (alias: string, dropped: readonly string[]): string =>
  `(to_jsonb(${alias}) - ARRAY[${["oid", ...dropped].map((column) => `'${column}'`).join(", ")}]::text[])::text`;

interface InventoryQuery {
  readonly kind: string;
  /** Gives `identity` and `definition`; may read the common tables `member` and `space`. */
  readonly sql: string;
}

const relationName = (oid: string): string => `${oid}::regclass::text`;

/** Kinds whose text is each major version's own: how it prints a query, or which columns its catalogs have. */
export const printedByVersion: readonly string[] = ["view", "rule", "publication", "collation"];

/** A constraint with a name since PostgreSQL 18; before that a column's mark, which is compared in any case. */
export const notNullConstraint = "not-null constraint";

const queries: readonly InventoryQuery[] = [
  {
    kind: "schema",
    sql: `SELECT quote_ident(n.nspname), concat_ws(' ', ${owner("n.nspowner")}, ${privileges("n.nspacl", "n", "n.nspowner")})
      FROM space n WHERE ${notMember("pg_namespace", "n.oid")}`,
  },
  {
    kind: "relation",
    sql: `SELECT c.oid::regclass::text, concat_ws(' ', c.relkind, c.relpersistence, ${owner("c.relowner")},
        'rls', c.relrowsecurity, c.relforcerowsecurity, 'identity', c.relreplident, c.reloptions::text,
        (SELECT amname FROM pg_am WHERE oid = c.relam AND c.relkind <> 'p'),
        pg_get_expr(c.relpartbound, c.oid), CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
        (SELECT string_agg(${relationName("i.inhparent")}, ',' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid),
        CASE WHEN c.relkind = 'm' THEN c.relispopulated END,
        ${privileges("c.relacl", "r", "c.relowner")})
      FROM pg_class c JOIN space n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND ${notMember("pg_class", "c.oid")}`,
  },
  {
    kind: "view",
    sql: `SELECT c.oid::regclass::text, pg_get_viewdef(c.oid)
      FROM pg_class c JOIN space n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND ${notMember("pg_class", "c.oid")}`,
  },
  {
    kind: "column",
    sql: `SELECT c.oid::regclass::text || '.' || quote_ident(a.attname), concat_ws(' ',
        row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod),
        'notnull', a.attnotnull, 'identity', a.attidentity, 'generated', a.attgenerated, 'storage', a.attstorage,
        'statistics', nullif(to_jsonb(a) ->> 'attstattarget', '-1'), to_jsonb(a) ->> 'attcompression', a.attoptions::text,
        (SELECT quote_ident(s.nspname) || '.' || quote_ident(l.collname) FROM pg_collation l JOIN pg_namespace s ON s.oid = l.collnamespace
         WHERE l.oid = a.attcollation),
        (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum),
        (SELECT string_agg(p::text, ',' ORDER BY p::text COLLATE "C") FROM unnest(a.attacl) AS p))
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN space n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped AND ${notMember("pg_class", "c.oid")}`,
  },
  {
    kind: "constraint",
    sql: `SELECT coalesce(nullif(k.conrelid, 0)::regclass::text, k.contypid::regtype::text) || '.' || quote_ident(k.conname),
        concat_ws(' ', k.contype, pg_get_constraintdef(k.oid), 'validated', k.convalidated)
      FROM pg_constraint k JOIN space n ON n.oid = k.connamespace
      WHERE k.contype <> 'n' AND ${notMember("pg_class", "k.conrelid")} AND ${notMember("pg_type", "k.contypid")} AND ${notMember("pg_constraint", "k.oid")}`,
  },
  {
    kind: notNullConstraint,
    sql: `SELECT k.conrelid::regclass::text || '.' || quote_ident(k.conname),
        concat_ws(' ', pg_get_constraintdef(k.oid), 'validated', k.convalidated)
      FROM pg_constraint k JOIN space n ON n.oid = k.connamespace
      WHERE k.contype = 'n' AND k.conrelid <> 0 AND ${notMember("pg_class", "k.conrelid")} AND ${notMember("pg_constraint", "k.oid")}`,
  },
  {
    kind: "index",
    sql: `SELECT i.indexrelid::regclass::text, concat_ws(' ', pg_get_indexdef(i.indexrelid), 'valid', i.indisvalid,
        'clustered', i.indisclustered, 'identity', i.indisreplident)
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN space n ON n.oid = c.relnamespace
      WHERE ${notMember("pg_class", "i.indrelid")}`,
  },
  {
    kind: "sequence",
    sql: `SELECT c.oid::regclass::text, concat_ws(' ', ${owner("c.relowner")}, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement,
        s.seqmax, s.seqmin, s.seqcache, s.seqcycle,
        (SELECT d.refobjid::regclass::text || '.' || quote_ident(a.attname) FROM pg_depend d
           JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')),
        ${privileges("c.relacl", "s", "c.relowner")})
      FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN space n ON n.oid = c.relnamespace WHERE ${notMember("pg_class", "c.oid")}`,
  },
  {
    kind: "function",
    sql: `SELECT p.oid::regprocedure::text, concat_ws(' ', p.prokind, ${owner("p.proowner")},
        CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE pg_get_function_result(p.oid) ||
          (SELECT concat_ws(' ', '', g.aggkind, g.aggtransfn, g.aggfinalfn, g.aggcombinefn, format_type(g.aggtranstype, NULL), g.agginitval)
           FROM pg_aggregate g WHERE g.aggfnoid = p.oid) END,
        ${privileges("p.proacl", "f", "p.proowner")})
      FROM pg_proc p JOIN space n ON n.oid = p.pronamespace WHERE ${notMember("pg_proc", "p.oid")}`,
  },
  {
    kind: "trigger",
    sql: `SELECT t.tgrelid::regclass::text || '.' || quote_ident(t.tgname), concat_ws(' ', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled)
      FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN space n ON n.oid = c.relnamespace
      WHERE NOT t.tgisinternal AND ${notMember("pg_class", "c.oid")}`,
  },
  {
    kind: "rule",
    sql: `SELECT r.ev_class::regclass::text || '.' || quote_ident(r.rulename), concat_ws(' ', pg_get_ruledef(r.oid), 'enabled', r.ev_enabled)
      FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN space n ON n.oid = c.relnamespace
      WHERE r.rulename <> '_RETURN' AND ${notMember("pg_class", "c.oid")}`,
  },
  {
    kind: "policy",
    sql: `SELECT p.polrelid::regclass::text || '.' || quote_ident(p.polname), concat_ws(' ', p.polcmd, p.polpermissive,
        (SELECT string_agg(CASE r WHEN 0 THEN 'public' ELSE ${owner("r")} END, ',' ORDER BY ${owner("r")}) FROM unnest(p.polroles) AS r),
        'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid))
      FROM pg_policy p`,
  },
  {
    kind: "type",
    sql: `SELECT format_type(t.oid, NULL), concat_ws(' ', t.typtype, ${owner("t.typowner")},
        (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
        CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END, t.typnotnull, t.typdefault,
        (SELECT concat_ws(' ', format_type(r.rngsubtype, NULL), r.rngcanonical, r.rngsubdiff) FROM pg_range r WHERE r.rngtypid = t.oid),
        ${privileges("t.typacl", "T", "t.typowner")})
      FROM pg_type t JOIN space n ON n.oid = t.typnamespace
      WHERE t.typtype IN ('b', 'd', 'e', 'r') AND t.typelem = 0 AND ${notMember("pg_type", "t.oid")}`,
  },
  {
    kind: "collation",
    sql: `SELECT quote_ident(n.nspname) || '.' || quote_ident(l.collname), ${owner("l.collowner")} ||
        ${catalogRow("l", ["collname", "collnamespace", "collowner", "collversion"])}
      FROM pg_collation l JOIN space n ON n.oid = l.collnamespace WHERE ${notMember("pg_collation", "l.oid")}`,
  },
  {
    kind: "event trigger",
    sql: `SELECT quote_ident(e.evtname), concat_ws(' ', e.evtevent, ${owner("e.evtowner")}, e.evtfoid::regprocedure, e.evtenabled, e.evttags::text)
      FROM pg_event_trigger e WHERE ${notMember("pg_event_trigger", "e.oid")}`,
  },
  {
    kind: "publication",
    sql: `SELECT quote_ident(p.pubname), concat_ws(' ', ${owner("p.pubowner")}, ${catalogRow("p", ["pubname", "pubowner"])},
        (SELECT string_agg(to_jsonb(v)::text, ',' ORDER BY v.schemaname COLLATE "C", v.tablename COLLATE "C")
         FROM pg_publication_tables v WHERE v.pubname = p.pubname))
      FROM pg_publication p`,
  },
  {
    kind: "statistics",
    sql: `SELECT quote_ident(n.nspname) || '.' || quote_ident(s.stxname), concat_ws(' ', ${owner("s.stxowner")}, pg_get_statisticsobjdef(s.oid))
      FROM pg_statistic_ext s JOIN space n ON n.oid = s.stxnamespace`,
  },
  {
    kind: "foreign server",
    sql: `SELECT quote_ident(s.srvname), concat_ws(' ', ${owner("s.srvowner")}, s.srvtype, s.srvversion,
        (SELECT fdwname FROM pg_foreign_data_wrapper w WHERE w.oid = s.srvfdw), s.srvoptions::text, ${privileges("s.srvacl", "S", "s.srvowner")})
      FROM pg_foreign_server s`,
  },
  {
    kind: "default privileges",
    sql: `SELECT concat_ws(' ', ${owner("d.defaclrole")}, coalesce(quote_ident(n.nspname), '*'), d.defaclobjtype),
        (SELECT string_agg(a::text, ',' ORDER BY a::text COLLATE "C") FROM unnest(d.defaclacl) AS a)
      FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace`,
  },
  {
    kind: "comment",
    sql: `SELECT (pg_identify_object(d.classoid, d.objoid, d.objsubid)).type || ' ' || (pg_identify_object(d.classoid, d.objoid, d.objsubid)).identity,
        d.description
      FROM pg_description d
      WHERE (d.objoid >= 16384 OR d.classoid = 'pg_namespace'::regclass) AND (d.classoid, d.objoid) NOT IN (SELECT classid, objid FROM member)
        AND d.classoid <> 'pg_extension'::regclass`,
  },
  {
    kind: "large object",
    sql: `SELECT m.oid::text, concat_ws(' ', ${owner("m.lomowner")}, ${privileges("m.lomacl", "L", "m.lomowner")})
      FROM pg_largeobject_metadata m`,
  },
  // What has no function that prints its definition is still listed by name, so that a missing one is found.
  ...(
    [
      "pg_cast",
      "pg_operator",
      "pg_opclass",
      "pg_opfamily",
      "pg_conversion",
      "pg_ts_config",
      "pg_ts_dict",
      "pg_language",
      "pg_transform",
    ] as const
  ).map((catalog) => ({
    kind: catalog.replace(/^pg_/, "").replace("_", " "),
    sql: `SELECT (pg_identify_object('${catalog}'::regclass, x.oid, 0)).identity, '' FROM ${catalog} x
        WHERE x.oid >= 16384 AND ${notMember(catalog, "x.oid")}`,
  })),
];

/**
 * Everything that a database consists of beside its rows, as (kind, identity, definition). Two databases with the same
 * inventory have the same schema, owners, privileges, constraints and comments.
 */
export async function readInventory(client: Client): Promise<InventoryEntry[]> {
  const entries: InventoryEntry[] = [];
  for (const { kind, sql } of queries) {
    const { rows } = await client.query<{ identity: string; definition: string | null }>(
      `WITH member AS MATERIALIZED (${members}), space AS MATERIALIZED (${userSchemas}), entry(identity, definition) AS (${sql})
       SELECT identity, definition FROM entry ORDER BY identity COLLATE "C", definition COLLATE "C"`,
    );
    for (const row of rows) entries.push({ kind, identity: row.identity, definition: row.definition ?? "" });
  }
  return entries;
}
