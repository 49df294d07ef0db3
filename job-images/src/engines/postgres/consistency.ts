import { type Client } from "pg";
import { type EvidenceCheck, type OrphanRule } from "../../../../recovery";
import { one } from "./facts";
import { quoteIdentifier, quoteLiteral } from "./libpq";
import { judged, passed } from "../../proof/check";

/** A reference that must lead somewhere. */
interface Reference {
  /** Quoted and qualified. */
  readonly table: string;
  readonly columns: readonly string[];
  readonly parent: string;
  readonly parentColumns: readonly string[];
  readonly nullable: boolean;
}

/**
 * Rows whose parent is missing, by `NOT EXISTS`: `NOT IN` finds nothing at all once a single parent key is NULL
 * (guide, Database Consistency Checks). Every declared and validated foreign key is checked, and every configured rule;
 * a missing key is a rule of its own.
 */
export async function checkConsistency(client: Client, rules: readonly OrphanRule[]): Promise<EvidenceCheck> {
  const declared = await declaredReferences(client);
  const configured = await Promise.all(rules.map((rule) => configuredReference(client, rule)));
  const missing = configured.flatMap((reference) => (typeof reference === "string" ? [reference] : []));
  const references = [
    ...declared,
    ...configured.filter((reference): reference is Reference => typeof reference !== "string"),
  ];
  if (references.length === 0 && missing.length === 0) return passed("consistency", "no foreign keys and no rules");
  const differences = [...missing];
  for (const reference of references) differences.push(...(await violations(client, reference)));
  return judged("consistency", differences, `${references.length} references lead to their parents`);
}

async function declaredReferences(client: Client): Promise<Reference[]> {
  const { rows } = await client.query<Omit<Reference, "nullable">>(
    `SELECT k.conrelid::regclass::text AS table, k.confrelid::regclass::text AS parent,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(n, o) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY o) AS columns,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(n, o) JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY o) AS "parentColumns"
     FROM pg_constraint k WHERE k.contype = 'f' AND k.convalidated AND k.conparentid = 0 ORDER BY 1, k.conname`,
  );
  return rows.map((row) => ({ ...row, nullable: true }));
}

/** The reference that a rule names, or what is wrong with the rule. */
async function configuredReference(client: Client, rule: OrphanRule): Promise<Reference | string> {
  const referencedColumn = rule.referencedColumn ?? "id";
  const [table, parent] = await Promise.all([resolve(client, rule.table), resolve(client, rule.references)]);
  if (table === null) return `rule names the table ${rule.table}, which is not in the restored copy`;
  if (parent === null) return `rule names the table ${rule.references}, which is not in the restored copy`;
  const absent: string[] = [];
  for (const [relation, column] of [
    [table, rule.column],
    [parent, referencedColumn],
  ] as const) {
    const { present } = await one<{ present: boolean }>(
      client,
      `SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = ${quoteLiteral(relation)}::regclass
         AND attname = ${quoteLiteral(column)} AND NOT attisdropped) AS present`,
    );
    if (!present) absent.push(`rule names the column ${relation}.${column}, which is not in the restored copy`);
  }
  if (absent.length > 0) return absent.join("; ");
  return { table, columns: [rule.column], parent, parentColumns: [referencedColumn], nullable: rule.nullable === true };
}

/** A table as the configuration names it: with its schema, else in `public`. */
async function resolve(client: Client, name: string): Promise<string | null> {
  const parts = name.split(".");
  const [schema, table] = parts.length === 2 ? (parts as [string, string]) : ["public", name];
  const qualified = `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`;
  return (await one<{ name: string | null }>(client, `SELECT to_regclass(${quoteLiteral(qualified)})::text AS name`))
    .name;
}

async function violations(client: Client, reference: Reference): Promise<string[]> {
  const columns = reference.columns.map(quoteIdentifier);
  const parentColumns = reference.parentColumns.map(quoteIdentifier);
  const present = columns.map((column) => `child.${column} IS NOT NULL`).join(" AND ");
  const matches = columns.map((column, index) => `parent.${parentColumns[index]} = child.${column}`).join(" AND ");
  const { orphans, missing } = await one<{ orphans: string; missing: string }>(
    client,
    `SELECT count(*) FILTER (WHERE ${present} AND NOT EXISTS (SELECT FROM ${reference.parent} parent WHERE ${matches}))::text AS orphans,
       count(*) FILTER (WHERE NOT (${present}))::text AS missing
     FROM ${reference.table} child`,
  );
  const name = `${reference.table}.${reference.columns.join("+")}`;
  const found: string[] = [];
  if (orphans !== "0") found.push(`${orphans} rows of ${name} have no ${reference.parent}`);
  if (missing !== "0" && !reference.nullable)
    found.push(`${missing} rows of ${name} name no ${reference.parent} at all`);
  return found;
}
