import { largestGapMinutes, parseSchedule } from "./schedule";

/** What tells how old the newest recovery point may be. */
export interface FreshnessTerms {
  readonly rpoMinutes: number;
  /** Cron schedule of the backups, where there is one. */
  readonly schedule?: string;
  /** IANA time zone of the schedule. @default "Etc/UTC" */
  readonly timeZone?: string;
}

// Start delay, dump and upload of one run; a run that takes longer than this is late.
const runMinutes = 60;

/**
 * How old the newest recovery point may be before a backup must have been missed, in minutes: the schedule's largest
 * gap and one run, or the RPO where that is longer or where there is no schedule.
 *
 * A dump every six hours meets no RPO of an hour by itself (the log does, see the design), so it is late by its
 * schedule and not by the RPO.
 */
export function maxRecoveryPointAgeMinutes({ rpoMinutes, schedule, timeZone }: FreshnessTerms): number {
  if (schedule === undefined) return rpoMinutes;
  return Math.max(rpoMinutes, largestGapMinutes(parseSchedule(schedule), timeZone) + runMinutes);
}
