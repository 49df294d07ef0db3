import { type Client } from "pg";
import { OperationError } from "../../errors";

/** A session that waits for a lock that the backup holds. */
export interface BlockedSession {
  readonly pid: number;
  readonly what: string;
}

const pollMilliseconds = 500;

/**
 * Watches for sessions that wait for the backup (a migration that wants its table, and everybody queued behind it) and
 * calls `giveWay` once one has waited for too long. Returns the function that ends the watch.
 *
 * @param applicationName of the backup's own sessions.
 */
export function watchBlockedSessions(
  client: Client,
  applicationName: string,
  maxBlockingSeconds: number,
  giveWay: (reason: OperationError) => void,
): () => Promise<void> {
  const waitingSince = new Map<number, number>();
  let stopped = false;
  let wake: () => void = () => undefined;

  const loop = (async () => {
    while (!stopped) {
      const blocked = await blockedBy(client, applicationName).catch(() => []);
      const now = performance.now();
      for (const pid of waitingSince.keys())
        if (!blocked.some((session) => session.pid === pid)) waitingSince.delete(pid);
      for (const session of blocked) {
        const since = waitingSince.get(session.pid) ?? now;
        waitingSince.set(session.pid, since);
        if (now - since >= maxBlockingSeconds * 1000) {
          giveWay(
            new OperationError(
              `The backup made session ${session.pid} wait for ${maxBlockingSeconds} s (${session.what}) and gave way. ` +
                `It runs again at its next schedule; raise backup.maxBlockingSeconds if a longer wait is acceptable.`,
            ),
          );
          return;
        }
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pollMilliseconds);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  })();

  return async () => {
    stopped = true;
    wake();
    await loop;
  };
}

async function blockedBy(client: Client, applicationName: string): Promise<BlockedSession[]> {
  const { rows } = await client.query<BlockedSession>(
    `SELECT l.pid, concat_ws(' ', l.mode, 'on', coalesce(l.relation::regclass::text, l.locktype)) AS what
     FROM pg_locks l
     WHERE NOT l.granted AND pg_blocking_pids(l.pid) && ARRAY(SELECT pid FROM pg_stat_activity WHERE application_name = $1)`,
    [applicationName],
  );
  return rows;
}
