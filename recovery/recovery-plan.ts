import { type EvidenceRules, findingsOf, isFailure, type MeasuredRun, TimeBasis } from "./measured-runs";
import { TargetClass } from "./evidence";
import { TermName } from "./derivation";
import { Mechanism, recoveryDefaults } from "./protection";
import { type RecoveryTarget } from "./recovery-target";
import { BackupMethod } from "./store-layout";
import { type HeldWindow, holeAt, newestHeld } from "./stream-window";
import { type LogCoverage, type ReplayStart } from "./wal-coverage";
import { parseLsn } from "./wal-position";

/** A recovery point as the catalog and the evidence show it. */
export interface PlannedPoint {
  readonly id: string;
  readonly method: BackupMethod;
  /** What is wrong with it; empty when it is complete. */
  readonly problems: readonly string[];
  /** The moment whose data it holds. */
  readonly at: Date;
  /** In the store, with everything that it builds on. */
  readonly storedBytes: number;
  /** How many it builds on. @default 0 */
  readonly increments?: number;
  /** On the source's disk. */
  readonly sourceBytes: number;
  /** How long its archive takes to give it back; absent when it can be read at once. */
  readonly retrievalMinutes?: number;
  /** The log behind it. */
  readonly log?: { readonly base: ReplayStart; readonly coverage: LogCoverage; readonly segmentBytes: number };
  /** The last time that this very one was restored and compared. */
  readonly lastProof?: {
    readonly verdict: string;
    readonly at: string;
    /** The copy was good, whatever else was not: it may have been too old. @default its verdict is pass */
    readonly restored?: boolean;
  };
}

/** What restores itself from outside the store: a stream, or a service's own backups. */
export interface PlannedStream extends HeldWindow {
  /** How a plan names it. @default "stream" */
  readonly id?: string;
  /** As evidence names it. @default `Mechanism.SqliteStream` */
  readonly mechanism?: string;
  /** @default `TargetClass.File` */
  readonly targetClass?: TargetClass;
  /** On the source's disk, as far as a recovery point says; 0 where none does. */
  readonly sourceBytes: number;
}

/** One moment that a service keeps by itself: an RDS snapshot. */
export interface PlannedSnapshot {
  readonly id: string;
  /** As evidence names it. */
  readonly mechanism: string;
  readonly targetClass: TargetClass;
  readonly at: Date;
  readonly sourceBytes: number;
  /** Why it cannot be used; empty when it can. */
  readonly problems: readonly string[];
}

/** Something else that might help, which no catalog holds. */
export interface OtherSource {
  readonly engine: string;
  readonly id: string;
  readonly lossSeconds: number | null;
  readonly recoverySeconds: number | null;
  /** Why this program does not carry it out. */
  readonly why: string;
}

/** What is to be recovered, and from what. */
export interface PlanInput {
  readonly database: string;
  readonly environment: string;
  readonly target: RecoveryTarget;
  readonly points: readonly PlannedPoint[];
  readonly stream?: PlannedStream;
  readonly snapshots?: readonly PlannedSnapshot[];
  readonly others?: readonly OtherSource[];
  readonly runs: readonly MeasuredRun[];
  readonly rules: EvidenceRules;
  readonly now: Date;
}

/** One stretch of an estimated recovery. */
export interface PlannedTerm {
  readonly name: TermName;
  readonly seconds: number;
}

/** One way to recover. */
export interface PlannedSource {
  /** The mechanism, as evidence names it. */
  readonly engine: string;
  /** The recovery point that it begins with. */
  readonly id: string;
  /** What would be lost, counted back from the target; `null` when nobody can say. */
  readonly lossSeconds: number | null;
  /** From the first fetch to the proven copy; `null` when nobody can say. */
  readonly recoverySeconds: number | null;
  /** Whether the time was measured, is scaled from other runs, or is an estimate by size. */
  readonly timeBasis: "measured" | "scaled" | "estimate" | "unknown";
  /** What an estimate by size is made of; empty where the time was measured as a whole, or is unknown. */
  readonly terms: readonly PlannedTerm[];
  /** Where to recover to by it: the target, or the last moment before it that it holds. */
  readonly to?: RecoveryTarget;
  readonly usable: boolean;
  /** What speaks against it though it can be tried: it comes after every source without a doubt. `null` for none. */
  readonly doubt: string | null;
  /** Why it is not usable, or in doubt, else what it is. */
  readonly why: string;
  /** When this very recovery point was last proven; `null` when it never was. */
  readonly provenAt: string | null;
}

/** Every source, the usable ones first and best first; the first usable one is the choice. */
export interface RecoveryPlan {
  readonly sources: readonly PlannedSource[];
  readonly chosen: PlannedSource | null;
}

/**
 * Compares everything that could bring a database back to a moment. The smallest loss wins, because time can be worked
 * on and lost data cannot; of equal losses the faster, of equal times the one that was proven.
 *
 * @param losesAlike differences in loss below this many seconds do not count. @default 1
 */
export function planRecovery(input: PlanInput, losesAlike = 1): RecoveryPlan {
  const sources = [
    ...input.points.map((point) => judgePoint(input, point)),
    ...(input.stream ? [judgeStream(input, input.stream)] : []),
    ...(input.snapshots ?? []).map((snapshot) => judgeSnapshot(input, snapshot)),
    ...(input.others ?? []).map((other) => ({
      ...other,
      usable: false,
      timeBasis: other.recoverySeconds === null ? ("unknown" as const) : ("estimate" as const),
      terms: [],
      doubt: null,
      provenAt: null,
    })),
  ].sort((a, b) => compare(a, b, losesAlike));
  return { sources, chosen: sources.find(({ usable }) => usable) ?? null };
}

function compare(a: PlannedSource, b: PlannedSource, losesAlike: number): number {
  if (a.usable !== b.usable) return a.usable ? -1 : 1;
  if ((a.doubt === null) !== (b.doubt === null)) return a.doubt === null ? -1 : 1;
  const steps = (seconds: number | null): number => (seconds === null ? Infinity : Math.floor(seconds / losesAlike));
  const order = (x: number, y: number): number => (x === y ? 0 : x - y);
  return (
    order(steps(a.lossSeconds), steps(b.lossSeconds)) ||
    order(a.recoverySeconds ?? Infinity, b.recoverySeconds ?? Infinity) ||
    Number(b.provenAt !== null) - Number(a.provenAt !== null) ||
    (a.id < b.id ? 1 : -1)
  );
}

function judgePoint(input: PlanInput, point: PlannedPoint): PlannedSource {
  const mechanism = point.log ? Mechanism.PointInTimeLog : point.method;
  const reach = reachOf(input, point);
  const time = timeOf(input, point, mechanism);
  const obstacle = obstacleOf(point) ?? reach.obstacle;
  const doubt = obstacle === undefined ? doubtOf(point, input, mechanism) : undefined;
  return {
    engine: mechanism,
    id: point.id,
    lossSeconds: reach.lossSeconds,
    recoverySeconds: time.seconds === null ? null : time.seconds + (point.retrievalMinutes ?? 0) * 60,
    timeBasis: time.basis,
    terms: time.terms,
    ...(reach.to ? { to: reach.to } : {}),
    usable: obstacle === undefined,
    doubt: doubt ?? null,
    why: obstacle ?? (doubt === undefined ? reach.what : `${doubt}; ${reach.what}`),
    provenAt: point.lastProof?.verdict === "pass" ? point.lastProof.at : null,
  };
}

/** How a plan names the one stream of a database. */
export const streamSourceId = "stream";

/** How a plan, and evidence, name a service's snapshot. */
export function snapshotSourceId(mechanism: string, snapshot: string): string {
  return `${mechanism}:${snapshot}`;
}

function judgeStream(input: PlanInput, stream: PlannedStream): PlannedSource {
  const { from, to, sourceBytes, mechanism = Mechanism.SqliteStream, targetClass = TargetClass.File } = stream;
  const { target, now } = input;
  const wanted = target.kind === "time" ? target.at : target.kind === "latest" ? now : undefined;
  const newest = newestRun(input, mechanism);
  const obstacle = !wanted
    ? `${mechanism === Mechanism.SqliteStream ? "a stream" : "it"} knows no log positions and no names`
    : wanted < from
      ? `it begins after the target: at ${from.toISOString()}`
      : undefined;
  // A stream that was only too old is what a disaster may leave.
  const failed = newest && isFailure(newest) && newest.measuredRtoSeconds === undefined;
  const doubt = failed ? `its newest restore, of ${newest.finishedAt}, failed` : null;
  const what = `${everyMoment(stream)}${wanted ? whatHoleMeans(stream, wanted) : ""}`;
  const time = timeOfItself(input, mechanism, targetClass, sourceBytes);
  const held = wanted && newestHeld(stream, wanted);
  return {
    engine: mechanism,
    id: stream.id ?? streamSourceId,
    lossSeconds: held ? (wanted.getTime() - held.getTime()) / 1000 : null,
    recoverySeconds: time.seconds,
    timeBasis: time.basis,
    terms: time.terms,
    to: target.kind === "time" && target.at <= to ? target : toTheEnd(target),
    usable: obstacle === undefined,
    doubt: obstacle === undefined ? doubt : null,
    why: obstacle ?? (doubt === null ? what : `${doubt}; ${what}`),
    provenAt: newest?.verdict === "pass" ? newest.finishedAt : null,
  };
}

function everyMoment({ from, to, holes = [] }: HeldWindow): string {
  const but = holes.length === 0 ? "" : holes.length === 1 ? " but for a hole" : ` but for ${holes.length} holes`;
  return `every moment from ${from.toISOString()} to ${to.toISOString()}${but}`;
}

function whatHoleMeans(window: HeldWindow, wanted: Date): string {
  const hole = holeAt(window, wanted);
  if (!hole) return "";
  return `: the target lies in one, and what it held at ${hole.from.toISOString()} is the newest before it`;
}

function judgeSnapshot(input: PlanInput, snapshot: PlannedSnapshot): PlannedSource {
  const { id, mechanism, targetClass, at, sourceBytes, problems } = snapshot;
  const { target, now } = input;
  const wanted = target.kind === "time" ? target.at : target.kind === "latest" ? now : undefined;
  const obstacle = !wanted
    ? "it holds one moment and has no log to reach a position in"
    : at > wanted
      ? `it is newer than the target: of ${at.toISOString()}`
      : problems.length > 0
        ? problems.join("; ")
        : undefined;
  const time = timeOfItself(input, mechanism, targetClass, sourceBytes);
  const proof = input.runs
    .filter((run) => run.database === input.database && run.recoveryPoint === id)
    .sort((a, b) => b.finishedAt.localeCompare(a.finishedAt))[0];
  const doubt = proof && isFailure(proof) ? `its last restore, of ${proof.finishedAt}, failed its proof` : null;
  const what = `holds ${at.toISOString()}`;
  return {
    engine: mechanism,
    id,
    lossSeconds: obstacle === undefined ? (wanted!.getTime() - at.getTime()) / 1000 : null,
    recoverySeconds: time.seconds,
    timeBasis: time.basis,
    terms: time.terms,
    usable: obstacle === undefined,
    doubt: obstacle === undefined ? doubt : null,
    why: obstacle ?? (doubt === null ? what : `${doubt}; ${what}`),
    provenAt: proof?.verdict === "pass" ? proof.finishedAt : null,
  };
}

function newestRun({ runs, database }: PlanInput, mechanism: string): MeasuredRun | undefined {
  return runs
    .filter((run) => run.database === database && run.mechanism === mechanism)
    .sort((a, b) => b.finishedAt.localeCompare(a.finishedAt))[0];
}

/** What stands in the way whatever the target is. */
function obstacleOf(point: PlannedPoint): string | undefined {
  if (point.retrievalMinutes !== undefined) {
    return `it lies in an archive: retrieving it (aws s3api restore-object) takes up to ${point.retrievalMinutes} minutes`;
  }
  return point.problems.length > 0 ? point.problems.join("; ") : undefined;
}

/**
 * What makes a complete recovery point a last resort, as a failure makes a stream or a snapshot. Never an obstacle: a restore may have failed for its place's sake,
 * and what is tried is proven before anybody uses it.
 */
function doubtOf(point: PlannedPoint, input: PlanInput, mechanism: string): string | undefined {
  // A copy that was only too old is what a disaster may leave.
  if (point.lastProof?.verdict === "fail" && point.lastProof.restored !== true)
    return `its last restore, of ${point.lastProof.at}, failed its proof`;
  const newest = newestRun(input, mechanism);
  return newest && isFailure(newest) && newest.measuredRtoSeconds === undefined && point.lastProof === undefined
    ? `the newest restore test of ${mechanism}, of ${newest.finishedAt}, failed, and this one was never proven`
    : undefined;
}

interface Reach {
  readonly lossSeconds: number | null;
  readonly to?: RecoveryTarget;
  readonly what: string;
  readonly obstacle?: string;
}

function reachOf({ target, now }: PlanInput, point: PlannedPoint): Reach {
  const wanted = target.kind === "time" ? target.at : target.kind === "latest" ? now : undefined;
  const lossFrom = (moment: Date | undefined): number | null =>
    wanted && moment ? Math.max(0, (wanted.getTime() - moment.getTime()) / 1000) : null;
  if (!point.log) {
    if (!wanted)
      return { lossSeconds: null, what: "", obstacle: "it holds one moment and has no log to reach a position in" };
    if (point.at > wanted)
      return { lossSeconds: null, what: "", obstacle: `it is newer than the target: of ${point.at.toISOString()}` };
    return { lossSeconds: lossFrom(point.at), what: `holds ${point.at.toISOString()}` };
  }
  const { coverage } = point.log;
  const { coversUntil, gap } = coverage;
  const hole = gap ? `, then a hole at ${gap.segment}` : "";
  if (target.kind === "lsn" || target.kind === "name") return reachOfPosition(target, point.log, hole);
  if (wanted && point.at > wanted) {
    return {
      lossSeconds: null,
      what: "",
      obstacle: `its base backup is newer than the target: of ${point.at.toISOString()}`,
    };
  }
  const until = coversUntil && coversUntil > point.at ? coversUntil : point.at;
  const what = `every moment from ${point.at.toISOString()} to ${until.toISOString()}${hole}`;
  if (target.kind === "time" && target.at <= until) return { lossSeconds: 0, to: target, what };
  // To the log's end; over a hole `latest` would claim to be the newest state, so the moment is named.
  return {
    lossSeconds: lossFrom(until),
    to: gap && coversUntil ? { kind: "time", at: coversUntil } : toTheEnd(target),
    what,
  };
}

/** Until a person has read the plan and said yes, the log has gone on, perhaps past the mistake that they stop short of. */
function toTheEnd(target: RecoveryTarget): RecoveryTarget {
  return target.kind === "time" ? { ...target, orBefore: true } : { kind: "latest" };
}

function reachOfPosition(
  target: Extract<RecoveryTarget, { kind: "lsn" | "name" }>,
  { base, coverage }: NonNullable<PlannedPoint["log"]>,
  hole: string,
): Reach {
  if (target.kind === "name") {
    return { lossSeconds: 0, to: target, what: `its log is searched for the name${hole}` };
  }
  const position = parseLsn(target.lsn)!;
  if (position < base.consistent)
    return { lossSeconds: null, what: "", obstacle: "its base backup is newer than the position" };
  if (position > coverage.end)
    return { lossSeconds: null, what: "", obstacle: `its log ends before the position${hole}` };
  return { lossSeconds: 0, to: target, what: `its log reaches the position${hole}` };
}

function timeOf(
  { runs, rules, now, database, environment }: PlanInput,
  point: Pick<PlannedPoint, "method" | "storedBytes" | "sourceBytes" | "log" | "increments">,
  mechanism: string,
): { seconds: number | null; basis: PlannedSource["timeBasis"]; terms: readonly PlannedTerm[] } {
  const targetClass = point.method === BackupMethod.Copy ? TargetClass.File : TargetClass.DurableServer;
  const sizeBytes = point.sourceBytes;
  const findings = findingsOf(runs, { database, mechanism, targetClass, environment, sizeBytes }, now, rules);
  if (findings.timeBasis === TimeBasis.Measured) return { seconds: findings.seconds, basis: "measured", terms: [] };
  if (findings.timeBasis === TimeBasis.Scaled)
    return { seconds: findings.seconds * sizeBytes, basis: "scaled", terms: [] };
  const restoreBytesPerSecond =
    point.method === BackupMethod.Dump
      ? recoveryDefaults.logicalRestoreBytesPerSecond
      : recoveryDefaults.physicalRestoreBytesPerSecond;
  const logBytes = point.log ? point.log.coverage.files.length * point.log.segmentBytes : 0;
  const terms = [
    { name: TermName.Fetch, seconds: (point.storedBytes + logBytes) / recoveryDefaults.fetchBytesPerSecond },
    // Increments are unpacked, and then put together into a copy of their own.
    { name: TermName.Restore, seconds: ((point.increments ? 2 : 1) * sizeBytes) / restoreBytesPerSecond },
    ...(point.log ? [{ name: TermName.Replay, seconds: logBytes / recoveryDefaults.replayBytesPerSecond }] : []),
    { name: TermName.Verify, seconds: recoveryDefaults.verifyMinutes * 60 },
  ];
  return { seconds: terms.reduce((sum, term) => sum + term.seconds, 0), basis: "estimate", terms };
}

/** Of what restores itself: nothing of it is fetched, and a service makes its server first. */
function timeOfItself(
  { runs, rules, now, database, environment }: PlanInput,
  mechanism: string,
  targetClass: TargetClass,
  sizeBytes: number,
): { seconds: number; basis: PlannedSource["timeBasis"]; terms: readonly PlannedTerm[] } {
  const findings = findingsOf(runs, { database, mechanism, targetClass, environment, sizeBytes }, now, rules);
  if (findings.timeBasis === TimeBasis.Measured) return { seconds: findings.seconds, basis: "measured", terms: [] };
  if (findings.timeBasis === TimeBasis.Scaled)
    return { seconds: findings.seconds * sizeBytes, basis: "scaled", terms: [] };
  const { managedProvisionMinutes, verifyMinutes, fetchBytesPerSecond, physicalRestoreBytesPerSecond } =
    recoveryDefaults;
  const terms = [
    targetClass === TargetClass.Rds
      ? { name: TermName.Provision, seconds: managedProvisionMinutes * 60 }
      : { name: TermName.Fetch, seconds: sizeBytes / fetchBytesPerSecond },
    { name: TermName.Restore, seconds: sizeBytes / physicalRestoreBytesPerSecond },
    { name: TermName.Verify, seconds: verifyMinutes * 60 },
  ];
  return { seconds: terms.reduce((sum, term) => sum + term.seconds, 0), basis: "estimate", terms };
}
