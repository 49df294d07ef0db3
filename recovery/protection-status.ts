import { type EvidenceCheck } from "./evidence";
import { Verdict } from "./verdict";

/** The last time that something was tried, and how it went. */
export interface LastRun {
  readonly verdict: Verdict;
  readonly ageSeconds: number;
  readonly measuredRtoSeconds: number | null;
}

/** What is known of one database's protection at this moment. */
export interface ProtectionStatus {
  /** `null` when there is no complete recovery point. */
  readonly recoveryPointAgeSeconds: number | null;
  readonly maxRecoveryPointAgeSeconds: number;
  readonly rtoSeconds: number;
  readonly restoreTest: LastRun | undefined;
  readonly drill: LastRun | undefined;
  /** Evidence that could not be read or was changed. */
  readonly evidenceProblems: readonly string[];
  /** How a person says a number of seconds. */
  readonly ageText: (seconds: number) => string;
}

const day = 86_400;

/** A restore test runs daily (guide, Backup Schedule); a second missed day is a failure and not a delay. */
export const maxRestoreTestAgeSeconds = 2 * day;

/** A drill runs on the last Friday of the month (guide, Disaster Recovery Drill): at most five weeks lie between two. */
export const maxDrillAgeSeconds = 36 * day;

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
    judgeLastRun("restore test", status.restoreTest, maxRestoreTestAgeSeconds, status),
    judgeLastRun("drill", status.drill, maxDrillAgeSeconds, status),
    ...(status.evidenceProblems.length === 0
      ? []
      : [{ name: "evidence", verdict: Verdict.Fail, detail: status.evidenceProblems.join("; ") }]),
  ];
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
