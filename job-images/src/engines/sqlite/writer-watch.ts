import { OperationError } from "../../errors";
import { runSql, SqliteCode, SqliteError } from "./shell";

const pauseMilliseconds = 500;

/**
 * Gives way to a writer that has waited too long. Without a write-ahead log a reader holds up every commit; a writer
 * that waits keeps new readers out, which is how it shows.
 *
 * @param giveWay called once, with the reason
 * @returns ends the watch
 */
export function watchWaitingWriters(
  path: string,
  maxBlockingSeconds: number,
  giveWay: (reason: Error) => void,
): () => Promise<void> {
  const ending = new AbortController();
  let waitingSince: number | undefined;
  const watching = (async (): Promise<void> => {
    while (!ending.signal.aborted) {
      const waiting = await aWriterWaits(path);
      waitingSince = waiting ? (waitingSince ?? performance.now()) : undefined;
      if (waitingSince !== undefined && performance.now() - waitingSince > maxBlockingSeconds * 1000) {
        return giveWay(
          new OperationError(
            `The copy of ${path} gave way: a writer had waited ${maxBlockingSeconds} s for it. ` +
              "In WAL mode (PRAGMA journal_mode=WAL) a copy makes nobody wait; else back up at a quiet hour, or raise backup.maxBlockingSeconds.",
          ),
        );
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMilliseconds));
    }
  })();
  return async () => {
    ending.abort();
    await watching;
  };
}

async function aWriterWaits(path: string): Promise<boolean> {
  try {
    await runSql({ path, lockWaitSeconds: 0 }, "SELECT 1 FROM sqlite_schema LIMIT 1;");
    return false;
  } catch (error) {
    return error instanceof SqliteError && error.code === SqliteCode.Busy;
  }
}
