import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type DatabaseConfig, Engine, type Manifest, Verdict } from "../../recovery";
import { type RestoredCopy, type RestoreIntoRequest } from "../../job-images/src/engines/engine";
import { sqliteCopy } from "../../job-images/src/engines/sqlite/copy";
import { takeBackup } from "../../job-images/src/engines/take-backup";
import { silentProgress } from "../../job-images/src/progress";
import { openStore } from "../../job-images/src/store/open-store";
import { temporaryFolder } from "./postgres";
import { writeConfig } from "./runner";
import { waitFor } from "./wait-for";

/** Runs SQL in a file, made when it is not there, and gives what was printed. */
export function sqlite(path: string, sql: string): string {
  return execFileSync("sqlite3", ["-batch", "-bail", "-init", "/dev/null", "-cmd", ".timeout 20000", path], {
    input: sql,
    encoding: "utf8",
    stdio: ["pipe", "pipe", "pipe"],
  }).trim();
}

/** A database file in a folder of its own, with a store beside it and the configuration for both. */
export interface ProtectedFile {
  readonly folder: string;
  readonly path: string;
  readonly store: string;
  readonly config: string;
}

/** @param more fields of the database's configuration */
export function protectedFile(sql: string, more: Record<string, unknown> = {}, name = "architect.db"): ProtectedFile {
  const folder = temporaryFolder();
  const path = join(folder, name);
  if (sql !== "") sqlite(path, sql);
  const store = join(folder, "store");
  const config = writeConfig(folder, {
    store: `file://${store}`,
    databases: [{ name: "it", engine: "sqlite", path, ...more }],
  });
  return { folder, path, store, config };
}

/** Backs it up in this process, which is many times faster than in one of its own. */
export function backUp({ path, store }: ProtectedFile, more: Partial<DatabaseConfig> = {}): Promise<Manifest> {
  const database: DatabaseConfig = { name: "it", engine: Engine.Sqlite, path, ...more };
  const config = { store: `file://${store}`, databases: [database] };
  return takeBackup({ ...inProcess(store), config, database, engine: sqliteCopy });
}

/** Restores it in this process. */
export function restoreInto(
  { store }: ProtectedFile,
  manifest: Manifest,
  into: string,
  more: Partial<RestoreIntoRequest> = {},
): Promise<RestoredCopy> {
  const database = { name: "it", engine: Engine.Sqlite };
  return sqliteCopy.restoreInto({ ...inProcess(store), manifest, into, keep: false, database, ...more });
}

function inProcess(store: string) {
  return { store: openStore(`file://${store}`), progress: silentProgress, signal: new AbortController().signal };
}

/** The checks that did not pass, as `name verdict: detail`. */
export function notPassed({ proof }: RestoredCopy): string[] {
  return proof.checks
    .filter(({ verdict }) => verdict !== Verdict.Pass)
    .map(({ name, verdict, detail }) => `${name} ${verdict}: ${detail}`);
}

/** A connection that stays open in the state that some SQL left it in. */
export interface OpenConnection {
  readonly pid: number;
  /** Kills it: what it had not committed is left as a crash leaves it. */
  kill(): Promise<void>;
}

/** Opens a connection and runs SQL in it. @param untilRun wait until all of it was run @default true */
export async function connectSqlite(path: string, sql: string, untilRun = true): Promise<OpenConnection> {
  const child = spawn("sqlite3", ["-batch", "-init", "/dev/null", path], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.stdin.write(`${sql}\nSELECT 'all of it was run';\n`);
  if (untilRun) await waitFor("the connection", 20, () => said.includes("all of it was run"));
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  return { pid: child.pid!, kill };
}

export type JournalMode = "wal" | "delete";

/**
 * A ledger whose every committed state can be told from every other and from none: both sides hold the same entries,
 * without a gap, up to the one that the counter names.
 */
export const ledgerSchema = `
CREATE TABLE counter (id INTEGER PRIMARY KEY CHECK (id = 1), n INTEGER NOT NULL);
CREATE TABLE debit (id INTEGER PRIMARY KEY AUTOINCREMENT, amount INTEGER NOT NULL, note TEXT);
CREATE TABLE credit (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL, note TEXT, FOREIGN KEY (id) REFERENCES debit);
CREATE INDEX debit_amount ON debit (amount);
INSERT INTO counter VALUES (1, 0);
`;

/** A ledger with some history, in a journal mode. */
export function ledgerOf(mode: JournalMode, entries: number): string {
  return `PRAGMA journal_mode = ${mode};
${ledgerSchema}
BEGIN;
INSERT INTO debit (amount, note) SELECT value % 1000, hex(randomblob(60)) FROM generate_series(1, ${entries});
INSERT INTO credit SELECT id, amount, note FROM debit;
UPDATE counter SET n = ${entries};
COMMIT;`;
}

/** The number of the newest entry, when the file holds a state that was committed; else what is wrong with it. */
export function committedEntries(path: string): number | string {
  try {
    const problems = sqlite(path, "PRAGMA integrity_check; PRAGMA foreign_key_check;");
    if (problems !== "ok") return problems;
    const [n, ...parts] = sqlite(
      path,
      `SELECT n, (SELECT max(id) FROM debit), (SELECT max(id) FROM credit),
         (SELECT max(id) - min(id) + 1 = count(*) FROM debit), (SELECT count(*) FROM debit) = (SELECT count(*) FROM credit),
         (SELECT sum(amount) FROM debit) = (SELECT sum(amount) FROM credit) FROM counter;`,
    )
      .split("|")
      .map(Number);
    return parts.join() === [n, n, 1, 1, 1].join() ? n! : `not a committed state: ${[n, ...parts].join()}`;
  } catch (error) {
    return `unreadable: ${(error as { stderr?: string }).stderr?.trim() ?? String(error)}`;
  }
}

/**
 * Adds entries to a ledger as fast as SQLite can, and drops as many old ones. Nothing of it passes through this process, whose own work would slow it
 * down: the kernel connects it to its endless script and to the file of what it committed when.
 */
export class LedgerWriter {
  private readonly script: ChildProcess;
  private readonly child: ChildProcess;
  private readonly exited: Promise<unknown>;
  private readonly log: string;

  /** @param pauseSeconds between two entries: for a test of something else than speed. @default 0 */
  constructor(path: string, pauseSeconds = 0) {
    const entry = `BEGIN IMMEDIATE;
INSERT INTO debit (amount, note) VALUES (abs(random() % 1000), hex(randomblob(60)));
INSERT INTO credit SELECT id, amount, note FROM debit WHERE id = last_insert_rowid();
DELETE FROM debit WHERE id = (SELECT min(id) FROM debit);
DELETE FROM credit WHERE id = (SELECT min(id) FROM credit);
UPDATE counter SET n = n + 1;
COMMIT;
SELECT n, (julianday('now') - 2440587.5) * 86400.0 FROM counter;${pauseSeconds === 0 ? "" : `\n.shell sleep ${pauseSeconds}`}`;
    this.log = join(temporaryFolder(), "commits");
    const log = openSync(this.log, "w");
    this.script = spawn("yes", [entry], { stdio: ["ignore", "pipe", "ignore"] });
    // Line by line, so that what was committed is known when it was.
    this.child = spawn(
      "stdbuf",
      [
        "-oL",
        "sqlite3",
        "-batch",
        "-bail",
        "-init",
        "/dev/null",
        "-cmd",
        ".timeout 60000",
        "-cmd",
        "PRAGMA synchronous = OFF;",
        path,
      ],
      { stdio: [this.script.stdout, log, "ignore"] },
    );
    this.script.stdout!.destroy();
    closeSync(log);
    this.exited = once(this.child, "exit");
  }

  private get commits(): { readonly n: number; readonly at: number }[] {
    const lines = readFileSync(this.log, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => line.split("|").map(Number)).map(([n, at]) => ({ n: n!, at: at! }));
  }

  /** The number of the newest entry that is known to be committed. */
  get entries(): number {
    return this.commits.at(-1)?.n ?? 0;
  }

  /** Waits until so many more were committed. */
  async more(entries: number): Promise<void> {
    const goal = this.entries + entries;
    await waitFor(`${entries} more entries`, 60, () => this.entries >= goal);
  }

  /** The longest time between two commits of a stretch, in seconds; one that only reaches into it counts as well. */
  longestStall(fromMs: number, toMs: number): number {
    const { commits } = this;
    const gaps = commits.slice(1).map(({ at }, index) => ({ from: commits[index]!.at, to: at }));
    const within = gaps.filter((gap) => gap.to >= fromMs / 1000 && gap.from <= toMs / 1000);
    return Math.max(0, ...within.map((gap) => gap.to - gap.from));
  }

  /** Ends it, with the transaction that it is in rolled back. */
  async stop(): Promise<void> {
    this.script.kill();
    await this.exited;
  }

  /** Kills it in the middle of whatever it does. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    this.script.kill();
    await this.exited;
  }
}
