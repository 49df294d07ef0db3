import { type Objectives } from "./objectives";
import { Verdict } from "./verdict";

/** One line of a drill's result: what was to be reached, what was, and the verdict. */
export interface DrillCriterion {
  readonly name: string;
  readonly objective: string;
  readonly measured: string;
  readonly verdict: Verdict;
}

/** One timed stretch of a drill and how long it may take. */
export interface DrillPhase {
  readonly name: string;
  readonly seconds: number;
  readonly budgetSeconds: number;
  readonly verdict: Verdict;
}

/** What the restoration of one database measured. */
export interface RestoredCopyMeasurement {
  /** From the disaster until the copy was proven. */
  readonly recoverySeconds: number;
  /** `unknown` where nobody wrote a heartbeat. */
  readonly achievedRpoSeconds: number | "unknown";
  readonly proofVerdict: Verdict;
  readonly checksPassed: number;
  readonly checksTotal: number;
}

/** What the first part of a drill, the restoration of a backup, measured. */
export interface RestorationMeasurement extends RestoredCopyMeasurement {
  readonly sabotageCaught: number;
  readonly sabotageTotal: number;
  /** Everything was in place before the drill began. */
  readonly readiness: Verdict;
}

/**
 * The guide's success criteria that the restoration of a backup can answer: data restored correctly, RTO, RPO. "Zero
 * data loss" is none of them: it contradicts an RPO of an hour and belongs to a planned switchover alone.
 *
 * @param secondsText how a person says a number of seconds
 * @param of which database, before the name of each criterion @default the only one
 */
export function restoredCopyCriteria(
  measured: RestoredCopyMeasurement,
  objectives: Pick<Objectives, "rtoMinutes" | "rpoMinutes">,
  secondsText: (seconds: number | "unknown") => string,
  of = "",
): DrillCriterion[] {
  const rtoSeconds = objectives.rtoMinutes * 60;
  const rpoSeconds = objectives.rpoMinutes * 60;
  const within = (value: number | "unknown", limit: number): Verdict =>
    value === "unknown" ? Verdict.Inconclusive : value <= limit ? Verdict.Pass : Verdict.Fail;
  return [
    {
      name: "all data restored correctly",
      objective: `${measured.checksTotal} checks`,
      measured: `${measured.checksPassed} passed`,
      verdict: measured.proofVerdict,
    },
    {
      name: "RTO",
      objective: `at most ${secondsText(rtoSeconds)}`,
      measured: secondsText(measured.recoverySeconds),
      verdict: within(measured.recoverySeconds, rtoSeconds),
    },
    {
      name: "RPO",
      objective: `at most ${secondsText(rpoSeconds)}`,
      measured: secondsText(measured.achievedRpoSeconds),
      verdict: within(measured.achievedRpoSeconds, rpoSeconds),
    },
  ].map((criterion) => ({ ...criterion, name: `${of}${criterion.name}` }));
}

/** The criteria of a restoration, with what has to be true before and what the proof itself is worth. */
export function restorationCriteria(
  measured: RestorationMeasurement,
  objectives: Pick<Objectives, "rtoMinutes" | "rpoMinutes">,
  secondsText: (seconds: number | "unknown") => string,
): DrillCriterion[] {
  return [
    {
      name: "ready to recover",
      objective: "nothing in the way",
      measured: measured.readiness === Verdict.Pass ? "all in place" : "see the doctor's list",
      verdict: measured.readiness,
    },
    ...restoredCopyCriteria(measured, objectives, secondsText),
    {
      name: "sabotaged copies are caught",
      objective: `${measured.sabotageTotal} of ${measured.sabotageTotal}`,
      measured: `${measured.sabotageCaught} of ${measured.sabotageTotal}`,
      verdict: measured.sabotageCaught === measured.sabotageTotal ? Verdict.Pass : Verdict.Fail,
    },
  ];
}

/** The guide gives the restoration of a backup 30 minutes of a drill (guide, Disaster Recovery Drill). */
export const restorationBudgetMinutes = 30;

/** A phase against its budget. */
export function drillPhase(name: string, seconds: number, budgetSeconds: number): DrillPhase {
  return { name, seconds, budgetSeconds, verdict: seconds <= budgetSeconds ? Verdict.Pass : Verdict.Fail };
}
