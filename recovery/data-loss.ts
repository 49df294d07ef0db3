import { type Term, TermName, TermOrigin } from "./derivation";
import {
  type DumpProtection,
  type LogProtection,
  Mechanism,
  type Protection,
  recoveryDefaults,
  type StandbyProtection,
  type StoreCopyProtection,
} from "./protection";
import { bytesText, numberText } from "./quantity-text";
import { pitrWindowMinutes } from "./retention";
import { largestGapMinutes, parseSchedule } from "./schedule";

/** `value` when it is stated, else `fallback`: with where it came from. */
export function statedOr(value: number | undefined, fallback: number): { value: number; origin: TermOrigin } {
  return value === undefined ? { value: fallback, origin: TermOrigin.Default } : { value, origin: TermOrigin.Config };
}

/** What recovering by a protection loses at worst. */
export interface LossPath {
  readonly protection: Protection;
  /** The store copy that it is read from, where the store itself is gone. */
  readonly copy?: StoreCopyProtection;
  readonly sizeBytes: number | undefined;
}

/** The terms of the worst-case loss, in minutes of committed changes before the disruption. */
export function lossTerms({ protection, copy, sizeBytes }: LossPath): Term[] {
  const replication = copy === undefined ? [] : [replicationTerm(copy)];
  switch (protection.mechanism) {
    case Mechanism.Dump:
      return [...dumpTerms(protection, sizeBytes), ...replication];
    case Mechanism.PointInTimeLog:
      return [
        flushTerm(
          protection.flushSeconds,
          protection.managed === true ? recoveryDefaults.managedFlushSeconds : recoveryDefaults.walFlushSeconds,
        ),
        ...replication,
      ];
    case Mechanism.SqliteStream:
      return [flushTerm(protection.flushSeconds, recoveryDefaults.sqliteFlushSeconds), ...replication];
    case Mechanism.Standby:
      return [lagTerm(protection)];
    case Mechanism.Replicas:
    case Mechanism.Rollback:
    case Mechanism.Pooler:
      return [untouched];
    case Mechanism.StoreCopy:
      // A copy recovers nothing by itself: it is the `copy` of what it carries.
      return [];
  }
}

const untouched: Term = {
  name: TermName.Untouched,
  minutes: 0,
  origin: TermOrigin.Default,
  detail: "the database keeps every committed change",
};

function dumpTerms(dump: DumpProtection, sizeBytes: number | undefined): Term[] {
  const start = statedOr(dump.startDelayMinutes, recoveryDefaults.startDelayMinutes);
  const upload = statedOr(dump.uploadMinutes, recoveryDefaults.uploadMinutes);
  const copyTime = copyTimeTerm(TermName.Dump, dump.dumpMinutes, sizeBytes);
  return [
    ...gapTerms(dump),
    ...overlapTerms(dump, start.value + (copyTime.minutes ?? 0) + upload.value),
    { name: TermName.StartDelay, minutes: start.value, origin: start.origin, detail: "until the copy begins" },
    copyTime,
    {
      name: TermName.Upload,
      minutes: upload.value,
      origin: upload.origin,
      detail: dump.uploadMinutes === undefined ? "streamed to the store while dumping" : "after the dump",
    },
  ];
}

/** The longest time between two firings, and what runs that fail in between add to it. */
function gapTerms({ schedule, timeZone, failedRuns }: DumpProtection): Term[] {
  if (schedule === undefined) {
    return [
      { name: TermName.ScheduleGap, minutes: null, origin: TermOrigin.Schedule, detail: "no schedule is declared" },
    ];
  }
  const failed = statedOr(failedRuns, recoveryDefaults.failedRuns);
  const parsed = parseSchedule(schedule);
  const gap = largestGapMinutes(parsed, timeZone);
  const gaps = largestGapMinutes(parsed, timeZone, failed.value);
  const zone = timeZone === undefined ? "" : ` ${timeZone}`;
  return [
    {
      name: TermName.ScheduleGap,
      minutes: gap,
      origin: TermOrigin.Schedule,
      detail: `largest gap of "${schedule}"${zone}`,
    },
    {
      name: TermName.FailedRun,
      minutes: gaps - gap,
      origin: failed.origin,
      detail: `${failed.value} failed or skipped in a row: ${failed.value + 1} gaps in a row are ${gaps} min at most`,
    },
  ];
}

/**
 * What runs add that are longer than the time between two firings. With `concurrencyPolicy: Forbid` the CronJob
 * controller starts a missed run as soon as the one before it has ended, so that each gap is at least as long as a run.
 */
function overlapTerms({ schedule, timeZone, failedRuns }: DumpProtection, runMinutes: number): Term[] {
  if (schedule === undefined) return [];
  const parsed = parseSchedule(schedule);
  const intervals = (failedRuns ?? recoveryDefaults.failedRuns) + 1;
  const gapsOf = (count: number) => (count === 0 ? 0 : largestGapMinutes(parsed, timeZone, count - 1));
  const waited = Array.from({ length: intervals }, (_, at) => gapsOf(at) + (intervals - at) * runMinutes);
  const excess = Math.max(...waited) - gapsOf(intervals);
  if (excess <= 0) return [];
  const detail = `a run takes ${numberText(runMinutes)} min, longer than the time to the next one, which waits for it`;
  return [{ name: TermName.Overlap, minutes: excess, origin: TermOrigin.Schedule, detail }];
}

/** How long a whole copy of the database takes. */
export function copyTimeTerm(name: TermName, statedMinutes: number | undefined, sizeBytes: number | undefined): Term {
  if (statedMinutes !== undefined) {
    return { name, minutes: statedMinutes, origin: TermOrigin.Config, detail: "as stated" };
  }
  const { dumpBytesPerSecond } = recoveryDefaults;
  return sizeBytes === undefined
    ? { name, minutes: null, origin: TermOrigin.Default, detail: "the database's size is unknown" }
    : {
        name,
        minutes: sizeBytes / dumpBytesPerSecond / 60,
        origin: TermOrigin.Default,
        detail: `${bytesText(sizeBytes)} at ${bytesText(dumpBytesPerSecond)}/s`,
      };
}

function flushTerm(statedSeconds: number | undefined, defaultSeconds: number): Term {
  const { value, origin } = statedOr(statedSeconds, defaultSeconds);
  return { name: TermName.Flush, minutes: value / 60, origin, detail: `a change is in the store after ${value} s` };
}

function lagTerm({ synchronous, lagSeconds }: StandbyProtection): Term {
  const lag = { name: TermName.Lag, origin: TermOrigin.Config };
  if (synchronous === true) return { ...lag, minutes: 0, detail: "a commit waits for the standby" };
  return lagSeconds === undefined
    ? { ...lag, minutes: null, detail: "nothing bounds how far the standby is behind" }
    : { ...lag, minutes: lagSeconds / 60, detail: `at most ${lagSeconds} s behind` };
}

function replicationTerm({ replicationMinutes }: StoreCopyProtection): Term {
  const { value, origin } = statedOr(replicationMinutes, recoveryDefaults.storeReplicationMinutes);
  return { name: TermName.StoreReplication, minutes: value, origin, detail: "until an object is in the copy" };
}

/** How far back a log reaches, in days; undefined when nobody said. */
export function logWindow(
  log: LogProtection,
  sizeBytes: number | undefined,
): { readonly days: number | undefined; readonly detail: string } {
  if (log.windowDays !== undefined) return { days: log.windowDays, detail: `a window of ${log.windowDays} d` };
  if (log.walRetentionDays === undefined) return { days: undefined, detail: "nobody said how long the log is kept" };
  if (log.baseBackupSchedule === undefined) {
    return { days: undefined, detail: "nobody said when the base backups are taken" };
  }
  // The parts of an increment are of use while those of its full one are there: so the full ones count.
  const { incrementalsPerFull = 0 } = log;
  const runs = recoveryDefaults.failedRuns + incrementalsPerFull;
  const gap = largestGapMinutes(parseSchedule(log.baseBackupSchedule), undefined, runs);
  const between = incrementalsPerFull === 0 ? "base backups" : "full base backups";
  const duration = copyTimeTerm(TermName.Dump, log.baseBackupMinutes, sizeBytes).minutes;
  if (duration === null) return { days: undefined, detail: "the duration of a base backup is unknown" };
  const days =
    pitrWindowMinutes({
      walRetentionMinutes: log.walRetentionDays * 1440,
      baseBackupIntervalMinutes: gap,
      baseBackupDurationMinutes: duration,
    }) / 1440;
  return {
    days,
    detail:
      `${log.walRetentionDays} d of log - ${numberText(gap / 1440)} d between ${between}, one failed, - ` +
      `${numberText(duration)} min for one = a window of ${numberText(days)} d`,
  };
}
