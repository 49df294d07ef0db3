import { type EvidenceCheck } from "./evidence";
import { type DatabaseConfig } from "./job-config";
import { Mechanism } from "./protection";
import { Verdict } from "./verdict";
import { type LogGap } from "./wal-coverage";

/** The last time that something was tried, and how it went. */
export interface LastRun {
  readonly verdict: Verdict;
  readonly ageSeconds: number;
  readonly measuredRtoSeconds: number | null;
}

/** How far the stored log carries the newest base backup, or how far the stream of a SQLite file reaches. */
export interface LogStatus {
  /** What brings it, as a person calls it. @default "`dr stream`" */
  readonly writer?: string;
  /** Since the newest moment that it covers; `null` when it covers none, or there is no base backup. */
  readonly ageSeconds: number | null;
  /** What a disaster now may lose. */
  readonly maxAgeSeconds: number;
  readonly gap?: LogGap;
}

/** What is known of one database's protection at this moment. */
export interface ProtectionStatus {
  /** `null` when there is no complete recovery point. */
  readonly recoveryPointAgeSeconds: number | null;
  readonly maxRecoveryPointAgeSeconds: number;
  readonly rtoSeconds: number;
  /** The log behind the newest base backup; absent where none is configured. */
  readonly log?: LogStatus;
  /** Of a backup. */
  readonly restoreTest: LastRun | undefined;
  /** Of the log, or of a stream; absent where there is neither. */
  readonly pointInTimeTest?: { readonly last: LastRun | undefined; readonly maxAgeSeconds: number };
  readonly drill: LastRun | undefined;
  /** The last time that sabotaged copies were shown to the restore test; judged once there was one. */
  readonly proof?: LastRun;
  /** Evidence that could not be read or was changed. */
  readonly evidenceProblems: readonly string[];
  /** How a person says a number of seconds. */
  readonly ageText: (seconds: number) => string;
}

const day = 86_400;

/** A restore test runs daily (guide, Backup Schedule); a second missed day is a failure and not a delay. */
export const maxRestoreTestAgeSeconds = 2 * day;

/** RDS restores its own log once a week (`PointInTimeTestJob`): an instance costs money. One week may be missed. */
export const maxRdsLogTestAgeSeconds = 15 * day;

/**
 * How old the newest restore test of a database's log, or of its stream, may be.
 *
 * @param isStreamed the store holds a stream of the file
 * @returns undefined where it has neither
 */
export function maxPointInTimeTestAgeSeconds(
  { rds, wal }: Pick<DatabaseConfig, "rds" | "wal">,
  isStreamed: boolean,
): number | undefined {
  if (rds !== undefined) return maxRdsLogTestAgeSeconds;
  return wal !== undefined || isStreamed ? maxRestoreTestAgeSeconds : undefined;
}

const ofMoments: ReadonlySet<string> = new Set([Mechanism.PointInTimeLog, Mechanism.SqliteStream]);

/**
 * The newest restore test of a backup, which holds one moment, and that of the log or the stream, which holds every one.
 * Neither says anything of the other: a dump that was restored this morning does not make the log good.
 *
 * @param tests oldest first
 */
export function newestRestoreTests<Test extends { readonly mechanism: string }>(
  tests: readonly Test[],
): { readonly restoreTest: Test | undefined; readonly pointInTimeTest: Test | undefined } {
  const pointInTimeTest = tests.filter(({ mechanism }) => ofMoments.has(mechanism)).at(-1);
  const restoreTest = tests.filter(({ mechanism }) => !ofMoments.has(mechanism)).at(-1);
  // Base backups are restored with what log they have, and may be the only backups.
  return { restoreTest: restoreTest ?? pointInTimeTest, pointInTimeTest };
}

/** A drill runs on the last Friday of the month (guide, Disaster Recovery Drill): at most five weeks lie between two. */
export const maxDrillAgeSeconds = 36 * day;

/** The restore test is itself tested every week; one week may be missed. */
export const maxProofAgeSeconds = 15 * day;

/**
 * Whether a database is protected now: a complete recovery point young enough, a restore test and a drill that passed
 * recently. What was never tried is unknown, and an unknown is never a pass.
 */
export function judgeProtectionStatus(status: ProtectionStatus): EvidenceCheck[] {
  const { recoveryPointAgeSeconds: age, maxRecoveryPointAgeSeconds: maxAge, ageText } = status;
  const recoveryPoint: EvidenceCheck =
    age === null
      ? { name: "recovery point", verdict: Verdict.Fail, detail: "there is no complete recovery point" }
      : {
          name: "recovery point",
          verdict: age <= maxAge ? Verdict.Pass : Verdict.Fail,
          detail: `the newest is ${ageText(age)} old, ${ageText(maxAge)} allowed`,
        };
  return [
    recoveryPoint,
    ...(status.log ? [judgeLog(status.log, ageText)] : []),
    judgeLastRun("restore test", status.restoreTest, maxRestoreTestAgeSeconds, status),
    ...(status.pointInTimeTest
      ? [judgeLastRun("point-in-time test", status.pointInTimeTest.last, status.pointInTimeTest.maxAgeSeconds, status)]
      : []),
    judgeLastRun("drill", status.drill, maxDrillAgeSeconds, status),
    ...(status.proof ? [judgeLastRun("sabotage", status.proof, maxProofAgeSeconds, status)] : []),
    ...(status.evidenceProblems.length === 0
      ? []
      : [{ name: "evidence", verdict: Verdict.Fail, detail: status.evidenceProblems.join("; ") }]),
  ];
}

function judgeLog(
  { ageSeconds, maxAgeSeconds, gap, writer = "`dr stream`" }: LogStatus,
  ageText: (seconds: number) => string,
): EvidenceCheck {
  const fail = (detail: string): EvidenceCheck => ({ name: "log", verdict: Verdict.Fail, detail });
  if (gap)
    return fail(`a hole at ${gap.segment}: ${gap.why}; nothing after it can be recovered until the next base backup`);
  if (ageSeconds === null) return fail(`no base backup with a log behind it: is ${writer} running?`);
  const detail = `the store has it up to ${ageText(ageSeconds)} ago, ${ageText(maxAgeSeconds)} allowed`;
  return ageSeconds <= maxAgeSeconds
    ? { name: "log", verdict: Verdict.Pass, detail }
    : fail(`${detail}: is ${writer} running?`);
}

function judgeLastRun(
  name: string,
  run: LastRun | undefined,
  maxAgeSeconds: number,
  { rtoSeconds, ageText }: ProtectionStatus,
): EvidenceCheck {
  if (!run) return { name, verdict: Verdict.Inconclusive, detail: "there has never been one" };
  const ago = `${ageText(run.ageSeconds)} ago`;
  if (run.verdict !== Verdict.Pass)
    return { name, verdict: run.verdict, detail: `the last one, ${ago}, ended ${run.verdict}` };
  if (run.ageSeconds > maxAgeSeconds) {
    return {
      name,
      verdict: Verdict.Inconclusive,
      detail: `the last one was ${ago}, one is due every ${ageText(maxAgeSeconds)}`,
    };
  }
  if (run.measuredRtoSeconds !== null && run.measuredRtoSeconds > rtoSeconds) {
    return {
      name,
      verdict: Verdict.Fail,
      detail: `the last one, ${ago}, took ${ageText(run.measuredRtoSeconds)}; the RTO is ${ageText(rtoSeconds)}`,
    };
  }
  const took = run.measuredRtoSeconds === null ? "" : ` in ${ageText(run.measuredRtoSeconds)}`;
  return { name, verdict: Verdict.Pass, detail: `passed${took}, ${ago}` };
}
