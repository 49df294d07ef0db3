import { type EvidenceCheck, type OrphanRule } from "../../../../recovery";
import { judged, passed } from "../../proof/check";
import { type ForeignKeyViolation, readForeignKeyViolations } from "./facts";
import { readRows, runSql, type SqliteAccess, sqlName, sqlText } from "./shell";

/**
 * Rows whose parent is missing: by every foreign key that the schema declares, which SQLite enforces only where the
 * application asks for it, and by every configured rule (guide, Database Consistency Checks; `NOT EXISTS`, because
 * `NOT IN` finds nothing once a single parent key is NULL).
 *
 * @param inSource violations that were there when the backup was taken
 */
export async function checkConsistency(
  access: SqliteAccess,
  rules: readonly OrphanRule[],
  inSource: readonly ForeignKeyViolation[],
): Promise<EvidenceCheck> {
  const declared = await declaredReferences(access);
  if (declared === 0 && rules.length === 0) return passed("consistency", "no foreign keys and no rules");
  const before = new Map(inSource.map(({ table, parent, rows }) => [`${table} ${parent}`, rows]));
  const differences = (await readForeignKeyViolations(access)).map(({ table, parent, rows }) => {
    const known = before.get(`${table} ${parent}`);
    const note = known === undefined ? "" : ` (${known} when the backup was taken)`;
    return `${rows} rows of ${table} have no ${parent}${note}`;
  });
  for (const rule of rules) differences.push(...(await violations(access, rule)));
  return judged("consistency", differences, `${declared + rules.length} references lead to their parents`);
}

async function declaredReferences(access: SqliteAccess): Promise<number> {
  const [count] = await runSql(
    access,
    "SELECT count(*) FROM pragma_table_list t, pragma_foreign_key_list(t.name) f WHERE t.schema = 'main' AND f.seq = 0;",
  );
  return Number(count);
}

async function violations(access: SqliteAccess, rule: OrphanRule): Promise<string[]> {
  const { table, column, references: parent, referencedColumn = "id" } = rule;
  const absent: string[] = [];
  for (const [name, column_] of [
    [table, column],
    [parent, referencedColumn],
  ] as const) {
    const columns = await columnsOf(access, plainName(name));
    if (columns.length === 0) absent.push(`rule names the table ${name}, which is not in the restored copy`);
    else if (!columns.includes(column_)) {
      absent.push(`rule names the column ${name}.${column_}, which is not in the restored copy`);
    }
  }
  if (absent.length > 0) return absent;
  const child = `child.${sqlName(column)}`;
  const [found] = await readRows<{ orphans: number; missing: number }>(
    access,
    `SELECT json_object('orphans', count(*) FILTER (WHERE ${child} IS NOT NULL AND NOT EXISTS (
         SELECT 1 FROM ${sqlName(plainName(parent))} parent WHERE parent.${sqlName(referencedColumn)} = ${child})),
       'missing', count(*) FILTER (WHERE ${child} IS NULL)) FROM ${sqlName(plainName(table))} child;`,
  );
  const problems: string[] = [];
  if (found!.orphans > 0) problems.push(`${found!.orphans} rows of ${table}.${column} have no ${parent}`);
  if (found!.missing > 0 && rule.nullable !== true) {
    problems.push(`${found!.missing} rows of ${table}.${column} name no ${parent} at all`);
  }
  return problems;
}

async function columnsOf(access: SqliteAccess, table: string): Promise<string[]> {
  const rows = await readRows<{ name: string }>(
    access,
    `SELECT json_object('name', name) FROM pragma_table_xinfo(${sqlText(table)});`,
  );
  return rows.map(({ name }) => name);
}

/** Rules may say `main.users`, as they say `public.users` of PostgreSQL. */
function plainName(name: string): string {
  return name.replace(/^main\./, "");
}
