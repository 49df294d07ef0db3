import { type Client } from "pg";
import { messageOf, OperationError } from "../../errors";
import { quoteIdentifier } from "./libpq";

/**
 * Splits what `pg_dumpall --globals-only` prints into statements. Strings, quoted names and comments may hold
 * semicolons; psql's own commands (`\connect`, `\restrict`) are not SQL and are dropped.
 */
export function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let statement = "";
  let atLineStart = true;
  for (let i = 0; i < sql.length;) {
    const rest = sql.slice(i, i + 2);
    if (atLineStart && statement.trim() === "" && (rest[0] === "\\" || rest === "--")) {
      const end = sql.indexOf("\n", i);
      i = end === -1 ? sql.length : end + 1;
      continue;
    }
    const character = sql[i]!;
    if (character === "'" || character === '"') {
      const escapes = character === "'" && /[eE]$/.test(statement);
      const end = endOfQuoted(sql, i, character, escapes);
      statement += sql.slice(i, end);
      i = end;
      continue;
    }
    if (character === ";") {
      if (statement.trim() !== "") statements.push(statement.trim());
      statement = "";
    } else statement += character;
    atLineStart = character === "\n" || (atLineStart && /\s/.test(character));
    i++;
  }
  if (statement.trim() !== "") statements.push(statement.trim());
  return statements;
}

function endOfQuoted(sql: string, start: number, quote: string, escapes: boolean): number {
  for (let i = start + 1; i < sql.length; i++) {
    if (escapes && sql[i] === "\\") i++;
    else if (sql[i] === quote) {
      if (sql[i + 1] === quote) i++;
      else return i + 1;
    }
  }
  return sql.length;
}

/**
 * Creates the roles that a restore needs. A role that the server has already is left exactly as it is: its attributes
 * and password belong to that server, not to the backup.
 *
 * @returns the names of the roles that were created.
 */
export async function applyGlobals(client: Client, globals: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>("SELECT rolname AS name FROM pg_roles");
  const present = new Set(rows.map((row) => row.name));
  const created: string[] = [];
  for (const statement of splitStatements(globals)) {
    const owner = roleThatChanges(statement);
    if (owner !== undefined && present.has(owner)) continue;
    // The grantor of the backed-up server means nothing here: whoever restores grants.
    await client.query(statement.replace(/ GRANTED BY ("(?:[^"]|"")*"|\S+)$/, "")).catch((error: unknown) => {
      // A statement may hold a password's hash: only its beginning is shown.
      throw new OperationError(`The roles could not be restored: ${statement.slice(0, 40)}...: ${messageOf(error)}`);
    });
    if (owner !== undefined && statement.startsWith("CREATE ROLE")) created.push(owner);
  }
  return created;
}

const identifier = `("(?:[^"]|"")*"|[^\\s;",]+)`;
const roleStatement = new RegExp(`^(?:CREATE|ALTER|COMMENT ON) ROLE ${identifier}`);
const membership = new RegExp(`^GRANT .* TO ${identifier}(?: WITH .*| GRANTED BY .*)?$`, "s");

/** The role that a statement creates, alters, or makes a member of another. */
function roleThatChanges(statement: string): string | undefined {
  const name = (roleStatement.exec(statement) ?? membership.exec(statement))?.[1];
  return name?.startsWith('"') ? name.slice(1, -1).replace(/""/g, '"') : name;
}

/** The statement that gives a database one setting of the one that was backed up. */
export function settingStatement(databaseName: string, role: string, setting: string): string {
  const separator = setting.indexOf("=");
  const name = setting.slice(0, separator);
  const value = setting.slice(separator + 1);
  const target =
    role === ""
      ? `DATABASE ${quoteIdentifier(databaseName)}`
      : `ROLE ${quoteIdentifier(role)} IN DATABASE ${quoteIdentifier(databaseName)}`;
  return `ALTER ${target} SET ${name.split(".").map(quoteIdentifier).join(".")} TO ${settingValue(name, value)}`;
}

// These hold a list of names: quoted as one string they would name one thing that does not exist.
const listSettings = new Set([
  "search_path",
  "temp_tablespaces",
  "local_preload_libraries",
  "session_preload_libraries",
]);

function settingValue(name: string, value: string): string {
  return listSettings.has(name) ? value || "''" : `'${value.replace(/'/g, "''")}'`;
}
