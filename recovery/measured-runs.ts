import { type Evidence, type TargetClass } from "./evidence";
import { Verdict } from "./verdict";

/** What the assessment reads of an evidence record. */
export type MeasuredRun = Pick<
  Evidence,
  | "id"
  | "database"
  | "mechanism"
  | "recoveryPoint"
  | "targetClass"
  | "environment"
  | "sizeBytes"
  | "finishedAt"
  | "verdict"
  | "level"
  | "measuredRtoSeconds"
  | "achievedRpoSeconds"
>;

/** How measurements are judged. */
export interface EvidenceRules {
  /** A measurement older than this says nothing about today. @default 35: the monthly drill, and some days */
  readonly freshDays: number;
  /** How far a run's size may be from the database's to be a run of the same thing. @default 0.2 */
  readonly sizeTolerance: number;
  /** How many of the last runs the 95th percentile is taken of. @default 20 */
  readonly lastRuns: number;
  /**
   * What a time measured elsewhere is multiplied by: a restore without fsync took 1/1.5 of one with. @default 1.5
   */
  readonly elsewhereFactor: number;
  /**
   * Share of the database's size that a run elsewhere must have to scale an estimate: what a small copy takes is mostly
   * the start of its server. @default 0.1
   */
  readonly elsewhereSizeShare: number;
}

export const defaultEvidenceRules: EvidenceRules = {
  freshDays: 35,
  sizeTolerance: 0.2,
  lastRuns: 20,
  elsewhereFactor: 1.5,
  elsewhereSizeShare: 0.1,
};

/** The recovery that evidence is looked for. */
export interface RunSubject {
  readonly database: string;
  /** As `evidenceMechanism` says it. */
  readonly mechanism: string;
  /** What the real recovery would restore into. */
  readonly targetClass: TargetClass;
  readonly environment: string;
  readonly sizeBytes: number | undefined;
}

/** What the evidence says about the time that a recovery takes. */
export const TimeBasis = {
  /** Runs of the same thing: they replace the estimate. */
  Measured: "measured",
  /** Runs of something like it: they scale the estimate. */
  Scaled: "scaled",
  /** There were runs of the same thing, too long ago: unknown. */
  Stale: "stale",
  /** Nobody has ever measured it. */
  None: "none",
} as const;
export type TimeBasis = (typeof TimeBasis)[keyof typeof TimeBasis];

/** What the evidence says about one recovery. */
export interface RunFindings {
  readonly timeBasis: TimeBasis;
  /** 95th percentile, from the start of the fetch to the proof; with `Scaled`, per byte and with its factor. */
  readonly seconds: number;
  /** The records behind it. */
  readonly ids: readonly string[];
  /** 95th percentile of what restores of fresh runs would have lost, whatever they were restored into. */
  readonly achievedRpoSeconds?: number;
  readonly achievedRpoIds: readonly string[];
  /** The newest run that proved a copy. */
  readonly proof?: MeasuredRun;
  /** The newest run, when it proved none: this recovery is known not to work, or not known to. */
  readonly unproven?: MeasuredRun;
}

const MILLISECONDS_PER_DAY = 86_400_000;

/**
 * What runs say about a recovery. Only a run of the same database, mechanism, class of target, environment and size
 * replaces an estimate, and only while it is fresh.
 */
export function findingsOf(
  runs: readonly MeasuredRun[],
  subject: RunSubject,
  now: Date,
  rules: EvidenceRules,
): RunFindings {
  const known = runs
    .filter(({ database, mechanism }) => database === subject.database && mechanism === subject.mechanism)
    .filter(({ finishedAt }) => Date.parse(finishedAt) <= now.getTime())
    .sort((a, b) => b.finishedAt.localeCompare(a.finishedAt) || a.id.localeCompare(b.id));
  const isFresh = ({ finishedAt }: MeasuredRun) =>
    now.getTime() - Date.parse(finishedAt) <= rules.freshDays * MILLISECONDS_PER_DAY;
  const isSame = ({ targetClass, environment, sizeBytes }: MeasuredRun) =>
    targetClass === subject.targetClass &&
    environment === subject.environment &&
    subject.sizeBytes !== undefined &&
    Math.abs(sizeBytes - subject.sizeBytes) <= rules.sizeTolerance * subject.sizeBytes;

  const proofs = known.filter(({ measuredRtoSeconds }) => measuredRtoSeconds !== undefined);
  const losses = known.filter(
    (run) => run.environment === subject.environment && isFresh(run) && typeof run.achievedRpoSeconds === "number",
  );
  const [newest] = known;
  return {
    ...timeOf(proofs, isSame, isFresh, subject.sizeBytes, rules),
    ...(losses.length === 0 ? {} : { achievedRpoSeconds: percentile95(losses.map(lossSeconds)) }),
    achievedRpoIds: losses.map(({ id }) => id),
    ...(proofs[0] === undefined ? {} : { proof: proofs[0] }),
    ...(newest === undefined || newest === proofs[0] ? {} : { unproven: newest }),
  };
}

function timeOf(
  proofs: readonly MeasuredRun[],
  isSame: (run: MeasuredRun) => boolean,
  isFresh: (run: MeasuredRun) => boolean,
  subjectBytes: number | undefined,
  rules: EvidenceRules,
): Pick<RunFindings, "timeBasis" | "seconds" | "ids"> {
  const same = proofs.filter(isSame);
  const fresh = same.filter(isFresh).slice(0, rules.lastRuns);
  const ids = (runs: readonly MeasuredRun[]) => runs.map(({ id }) => id);
  if (fresh.length > 0) {
    return { timeBasis: TimeBasis.Measured, seconds: percentile95(fresh.map(rtoSeconds)), ids: ids(fresh) };
  }
  if (same.length > 0) return { timeBasis: TimeBasis.Stale, seconds: 0, ids: ids(same.slice(0, 1)) };
  const leastBytes = (subjectBytes ?? Infinity) * rules.elsewhereSizeShare;
  const alike = proofs
    .filter((run) => isFresh(run) && run.sizeBytes > 0 && run.sizeBytes >= leastBytes)
    .slice(0, rules.lastRuns);
  if (alike.length === 0) return { timeBasis: TimeBasis.None, seconds: 0, ids: [] };
  const perByte = percentile95(alike.map((run) => rtoSeconds(run) / run.sizeBytes));
  return { timeBasis: TimeBasis.Scaled, seconds: perByte * rules.elsewhereFactor, ids: ids(alike) };
}

/** Whether the newest run says that this recovery does not work, rather than leaving it open. */
export function isFailure(run: MeasuredRun): boolean {
  return run.verdict === Verdict.Fail;
}

/** The smallest value that 95 % of the values do not exceed; of fewer than twenty, the largest. */
export function percentile95(values: readonly number[]): number {
  const ordered = [...values].sort((a, b) => a - b);
  return ordered[Math.ceil(0.95 * ordered.length) - 1] ?? NaN;
}

function rtoSeconds(run: MeasuredRun): number {
  return run.measuredRtoSeconds ?? NaN;
}

function lossSeconds(run: MeasuredRun): number {
  return run.achievedRpoSeconds === "unknown" ? NaN : run.achievedRpoSeconds;
}
