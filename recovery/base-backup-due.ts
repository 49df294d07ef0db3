import { type Manifest } from "./manifest";
import { nextFirings, parseSchedule } from "./schedule";
import { type LogCoverage } from "./wal-coverage";

/** What decides whether a base backup has to be taken now. */
export interface BaseBackupSituation {
  /** The newest base backup of the server whose log is streamed. */
  readonly newest?: Pick<Manifest, "id" | "startedAt">;
  /** How far the log carries it. */
  readonly coverage?: LogCoverage;
  /** Cron schedule of the base backups. */
  readonly schedule: string;
  /** @default "Etc/UTC" */
  readonly timeZone?: string;
  readonly now: Date;
}

/**
 * Why a base backup has to be taken now; `undefined` when none has to. A log without a base backup before it recovers
 * nothing, and behind a hole it is without one.
 */
export function baseBackupDue(situation: BaseBackupSituation): string | undefined {
  const { newest, coverage, schedule, timeZone, now } = situation;
  if (!newest) return "there is no base backup of this server";
  if (coverage?.gap) return `the log of ${newest.id} has a hole at ${coverage.gap.segment}: ${coverage.gap.why}`;
  const [due] = nextFirings(parseSchedule(schedule), new Date(newest.startedAt), 1, timeZone);
  return due && due <= now ? `one was due at ${due.toISOString()}` : undefined;
}
