import { open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type DatabaseConfig } from "../../../../recovery";
import { type Heart } from "../../engines/engine";
import { openSqliteHeart, prepareSqlite } from "../../engines/sqlite/heartbeat";
import { runSql } from "../../engines/sqlite/shell";
import { OperationError } from "../../errors";

/** Rows of each table, for a scale of 1: about 6 MB. */
const rows = { users: 5_000, projects: 20_000, tasks: 100_000 };

function referenceSchema(scale: number): string {
  const count = (table: keyof typeof rows): number => Math.max(10, Math.round(rows[table] * scale));
  return `
PRAGMA journal_mode = WAL;
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
CREATE TABLE projects (id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL REFERENCES users, name TEXT NOT NULL);
CREATE TABLE tasks (id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER NOT NULL REFERENCES projects, title TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0);
BEGIN;
INSERT INTO users (email, name) SELECT 'user' || value || '@example.org', 'user ' || value FROM generate_series(1, ${count("users")});
INSERT INTO projects (user_id, name) SELECT 1 + value % ${count("users")}, 'project ' || value FROM generate_series(1, ${count("projects")});
INSERT INTO tasks (project_id, title) SELECT 1 + value % ${count("projects")}, 'task ' || value || ' ' || hex(value * 7919) FROM generate_series(1, ${count("tasks")});
COMMIT;
CREATE INDEX tasks_project ON tasks (project_id);
CREATE TRIGGER tasks_titled AFTER INSERT ON tasks WHEN new.title = '' BEGIN UPDATE tasks SET title = 'untitled' WHERE id = new.id; END;`;
}

/** What the application does all day, as one transaction. */
const referenceTransaction = `BEGIN IMMEDIATE;
INSERT INTO tasks (project_id, title) VALUES (1, 'made while drilling');
UPDATE tasks SET done = 1 WHERE id = last_insert_rowid() - 1;
COMMIT;`;

const heartbeatDeadlineSeconds = 30;

/** The application's data where it keeps them in a SQLite file, with its writer and its heartbeat. */
export class ReferenceFile {
  private readonly stopping = new AbortController();
  private readonly working: Promise<void>[] = [];
  private readonly failures: Error[] = [];
  /** Transactions that the application's writer had confirmed. */
  committedTransactions = 0;
  private heartbeats = 0;

  private constructor(private readonly database: DatabaseConfig & { readonly path: string }) {}

  /** Makes the file and fills it. @param scale of the data; 1 is about 6 MB */
  static async create(
    database: DatabaseConfig & { readonly path: string },
    scale: number,
    signal: AbortSignal,
  ): Promise<ReferenceFile> {
    await runSql({ path: database.path, create: true, signal }, referenceSchema(scale));
    await prepareSqlite(database, false);
    return new ReferenceFile(database);
  }

  /** Starts the application's writer and the heartbeat; both go on until the file is lost. */
  async startWorking(canarySeconds: number): Promise<void> {
    const access = { path: this.database.path, writable: true };
    const heart: Heart = await openSqliteHeart(this.database);
    this.working.push(
      this.loop(5, async () => {
        await runSql(access, referenceTransaction);
        this.committedTransactions++;
      }),
      this.loop(canarySeconds * 1000, async () => {
        await heart.beat();
        this.heartbeats++;
      }),
    );
  }

  /** Waits until so many more heartbeats were committed. @throws when they do not come */
  async untilHeartbeats(count: number, signal: AbortSignal): Promise<void> {
    const goal = this.heartbeats + count;
    const deadline = performance.now() + heartbeatDeadlineSeconds * 1000;
    while (this.heartbeats < goal) {
      signal.throwIfAborted();
      if (this.failures[0]) throw this.failures[0];
      if (performance.now() > deadline)
        throw new OperationError(`No heartbeat came within ${heartbeatDeadlineSeconds} s.`);
      await delay(20);
    }
  }

  /**
   * A page in the middle of the file is overwritten, and the application stops on it.
   *
   * @returns that moment
   * @throws when the writers had failed before: a drill without a load proves nothing
   */
  async loseTheFile(): Promise<Date> {
    await this.stop();
    if (this.failures[0]) throw this.failures[0];
    const at = new Date();
    const file = await open(this.database.path, "r+");
    try {
      const { size } = await file.stat();
      await file.write(Buffer.alloc(4096, 0xa5), 0, 4096, Math.floor(size / 8192) * 4096);
      await file.sync();
    } finally {
      await file.close();
    }
    return at;
  }

  /** Ends the writers. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.working);
  }

  private async loop(pauseMilliseconds: number, work: () => Promise<void>): Promise<void> {
    try {
      while (!this.stopping.signal.aborted) {
        await work();
        await delay(pauseMilliseconds, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      }
    } catch (error) {
      this.failures.push(error as Error);
    }
  }
}
