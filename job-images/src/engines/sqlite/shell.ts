import { OperationError } from "../../errors";
import { runTool } from "../../process/child";

/** How a database file is opened. */
export interface SqliteAccess {
  /** Absolute path. */
  readonly path: string;
  /** Make it when it is not there. @default false: opening it creates nothing */
  readonly create?: boolean;
  /** @default false: SQLite itself refuses every write to the file */
  readonly writable?: boolean;
  /** How long to wait for another connection's lock. @default 5 */
  readonly lockWaitSeconds?: number;
  readonly signal?: AbortSignal;
  /** Nothing that is run may touch another file or start a program. @default false */
  readonly safe?: boolean;
}

/** SQLite's result codes that a caller tells apart (sqlite.org/rescode.html). */
export const SqliteCode = {
  Busy: 5,
  ReadOnly: 8,
  Corrupt: 11,
  Full: 13,
  CannotOpen: 14,
  NotADatabase: 26,
} as const;
export type SqliteCode = (typeof SqliteCode)[keyof typeof SqliteCode];

/** SQLite could not do what it was asked. */
export class SqliteError extends OperationError {
  /** @param code SQLite's primary result code, where its shell printed one */
  constructor(
    message: string,
    readonly code: number | undefined,
  ) {
    super(message);
  }
}

const defaultLockWaitSeconds = 5;

/**
 * Runs SQL in SQLite's own shell. The path travels as an escaped URI and the SQL on standard input, so that no file
 * name is ever taken for an option, a command or SQL; nobody's `.sqliterc` is read.
 *
 * @returns one line for each row
 * @throws SqliteError with SQLite's own words
 */
export async function runSql(access: SqliteAccess, sql: string): Promise<string[]> {
  const lockWaitSeconds = access.lockWaitSeconds ?? defaultLockWaitSeconds;
  const settings = [
    `.timeout ${Math.round(lockWaitSeconds * 1000)}`,
    // What a hostile schema calls must not do more than compute.
    "PRAGMA trusted_schema = OFF;",
  ];
  try {
    const output = await runTool(
      "setpriv",
      // The kernel ends the shell when this process dies, however it dies: a copy must not go on holding its lock.
      [
        ...["--pdeathsig", "TERM", "--", "sqlite3", "-batch", "-bail", "-init", "/dev/null", "-list"],
        ...(access.safe ? ["-safe"] : []),
        databaseUri(access),
      ],
      { input: `${settings.join("\n")}\n${sql}\n`, signal: access.signal },
    );
    return output.split("\n").filter((line) => line !== "");
  } catch (error) {
    if (error instanceof OperationError) throw sqliteError(error, access.path);
    throw error;
  }
}

/** Runs SQL whose rows are JSON documents, one a row. */
export async function readRows<Row>(access: SqliteAccess, sql: string): Promise<Row[]> {
  return (await runSql(access, sql)).map((line) => JSON.parse(line) as Row);
}

/** A file as SQLite opens it: no name is ever taken for an option. */
export function databaseUri({
  path,
  writable = false,
  create = false,
}: Pick<SqliteAccess, "path" | "writable" | "create">): string {
  const mode = create ? "rwc" : writable ? "rw" : "ro";
  return `file://${path.split("/").map(encodeURIComponent).join("/")}?mode=${mode}`;
}

/** The shell's words without its own: `... ended with exit code 1: Runtime error near line 3: database is locked (5)`. */
function sqliteError({ message }: OperationError, path: string): OperationError {
  if (message.includes("No such file or directory") && message.includes("sqlite3")) {
    return new OperationError("sqlite3 is not installed (npm run setup installs what is missing).");
  }
  const words = /(?:Error|error near line \d+|error in .*?): (.*)$/s.exec(message)?.[1];
  if (words === undefined) return new OperationError(message);
  const code = /\((\d+)\)\s*$/.exec(words)?.[1];
  const isOpenError = words.startsWith("unable to open database");
  return new SqliteError(
    `${path}: ${words.replace(/"file:\/\/[^"]*": /, "").trim()}`,
    code === undefined ? (isOpenError ? SqliteCode.CannotOpen : undefined) : Number(code) & 0xff,
  );
}

/** A name as SQL writes it. */
export function sqlName(name: string): string {
  return `"${name.replace(/"/g, '""')}"`;
}

/** A text as SQL writes it. */
export function sqlText(text: string): string {
  return `'${text.replace(/'/g, "''")}'`;
}

/** The version of SQLite's shell that is installed, for instance `3.40.1`. @throws OperationError when there is none */
export async function sqliteVersion(): Promise<string> {
  return /^[\d.]+/.exec(await runTool("sqlite3", ["-version"]))?.[0] ?? "unknown";
}
