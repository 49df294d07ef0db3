import { type Schedule } from "./schedule";

const MINUTES_PER_DAY = 1440;

/** When a scheduled job is given up, in seconds. */
export interface JobDeadlines {
  /** The shortest time between two runs, before whose end a run must have ended. */
  readonly intervalSeconds: number;
  /** A run that could not start within this time is skipped; the next one is then due soon enough. */
  readonly startingDeadlineSeconds: number;
  /** A run is stopped after this time, before the next one is due. */
  readonly activeDeadlineSeconds: number;
}

const LONGEST_START_SECONDS = 3600;
const SHARE_OF_INTERVAL = 0.9;
// A job that hangs must not hide until tomorrow that it does.
const LONGEST_RUN_SECONDS = 6 * 3600;

/** The deadlines of a job on this schedule, unless it states its own: both end before the next run is due. */
export function jobDeadlines(schedule: Schedule): JobDeadlines {
  const intervalSeconds = smallestGapMinutes(schedule) * 60;
  return {
    intervalSeconds,
    startingDeadlineSeconds: Math.min(intervalSeconds / 2, LONGEST_START_SECONDS),
    activeDeadlineSeconds: Math.min(Math.floor(intervalSeconds * SHARE_OF_INTERVAL), LONGEST_RUN_SECONDS),
  };
}

/**
 * The shortest time between two firings of a schedule, in minutes: over midnight too, as if it fired on two days in a
 * row. An hour that a clock change takes away is not counted, since on that day a run still in progress merely delays
 * the next one (`concurrencyPolicy: Forbid`).
 */
export function smallestGapMinutes({ hours, minutes }: Pick<Schedule, "hours" | "minutes">): number {
  const firings = hours.flatMap((hour) => minutes.map((minute) => hour * 60 + minute));
  const gaps = firings.map((firing, at) => (firings[at + 1] ?? firings[0]! + MINUTES_PER_DAY) - firing);
  return Math.min(...gaps);
}
