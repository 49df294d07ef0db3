import { readdir, readFile, stat } from "node:fs/promises";
import { OperationError } from "../../errors";
import { runSql, SqliteCode, SqliteError } from "./shell";

/**
 * Makes sure that nobody uses a database file, and leaves it in one piece: SQLite rolls back or checkpoints what its last
 * writer left beside it, so that the file can stand alone.
 *
 * A process that holds it open is seen when it shares our process namespace, a connection of any other by its lock. One
 * without a lock in another pod (rollback journal, between two transactions) cannot be seen by anybody: the workload has
 * to be scaled to 0 first.
 *
 * @returns why the file could not be left in one piece; `undefined` when it was
 * @throws OperationError that names who uses it
 */
export async function takeFromUsers(path: string, signal: AbortSignal): Promise<string | undefined> {
  const holders = await holdersOf(path);
  if (holders.length > 0) throw inUse(path, `it is open in ${holders.join(", ")}`);
  try {
    // In this mode the lock of the file itself is asked for, which every connection in WAL mode shares, even an idle one.
    await runSql(
      { path, writable: true, lockWaitSeconds: 1, signal },
      "PRAGMA locking_mode = EXCLUSIVE;\nBEGIN EXCLUSIVE;\nCOMMIT;\nPRAGMA wal_checkpoint(TRUNCATE);",
    );
    return undefined;
  } catch (error) {
    if (!(error instanceof SqliteError)) throw error;
    if (error.code === SqliteCode.Busy) throw inUse(path, "another connection holds its lock");
    return error.message;
  }
}

function inUse(path: string, how: string): OperationError {
  return new OperationError(
    `${path} is in use: ${how}. Stop the application and Litestream first (in Kubernetes: scale the workload to 0), then restore again. Nothing was changed.`,
  );
}

/** Processes that have the file open, as far as this one may see. */
async function holdersOf(path: string): Promise<string[]> {
  const { dev, ino } = await stat(path);
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  const holders = await Promise.all(
    pids.map(async (pid) => {
      const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
      for (const descriptor of descriptors) {
        const opened = await stat(`/proc/${pid}/fd/${descriptor}`).catch(() => undefined);
        if (opened?.ino === ino && opened.dev === dev) return [`process ${pid} (${await nameOf(pid)})`];
      }
      return [];
    }),
  );
  return holders.flat();
}

async function nameOf(pid: string): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "unknown")).trim();
}
