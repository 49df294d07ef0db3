import {
  BackupMethod,
  combineVerdicts,
  continuityProblems,
  type DatabaseConfig,
  type EvidenceCheck,
  EvidenceKind,
  type EvidenceRecord,
  type JobConfig,
  jobConfigDefaults,
  maxRecoveryPointAgeMinutes,
  Mechanism,
  objectivesFrom,
  parseRecoveryPointId,
  Verdict,
} from "../../../recovery";
import { recoveryEngineFor, recoveryEngineOf } from "../engines/database-kinds";
import { type Progress } from "../progress";
import { lastProvenBefore } from "../report/audit";
import { type Measurement } from "../report/evidence-record";
import { vouchingFor } from "../report/vouching";
import { type CatalogEntry, RecoveryPointState } from "../store/catalog";
import { type ObjectStore } from "../store/object-store";
import { achievedRpoSeconds } from "./canary";
import { failed, passed, undecided } from "./check";
import { type TableComparison } from "./proof-run";

/** What a restore test works on. */
export interface RestoreTestRequest {
  readonly config: JobConfig;
  readonly database: DatabaseConfig;
  readonly store: ObjectStore;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** When the disaster is thought to have come. @default the start of the test */
  readonly disasterAt?: Date;
  /** The evidence so far, which a recovery point may contradict. @default none */
  readonly records?: readonly EvidenceRecord[];
  /** Sees the restored copy before it is proven, by its path or URL. */
  readonly onRestored?: (target: string) => Promise<void>;
}

/** What it measured, and what it compared. */
export interface RestoreTestResult {
  readonly measurement: Measurement;
  readonly comparisons: readonly TableComparison[];
}

/** How many older recovery points are tried when the newest is bad. */
const fallbacks = 2;

/**
 * Restores a recovery point into a place that nobody uses and proves it. When it is bad, the ones before it are tried as
 * well: what the last good one would have lost is part of the answer.
 *
 * @param candidates the recovery point to test, then older ones, newest first.
 */
export async function restoreTest(
  request: RestoreTestRequest,
  candidates: readonly CatalogEntry[],
): Promise<RestoreTestResult> {
  const [entry, ...older] = candidates;
  if (entry === undefined) throw new Error("There is no recovery point to test.");
  const disasterAt = request.disasterAt ?? new Date();
  const result = await testOne({ ...request, points: candidates }, entry, disasterAt);
  if (result.measurement.verdict === Verdict.Pass) return result;
  for (const candidate of older.filter(({ state }) => state === RecoveryPointState.Complete).slice(0, fallbacks)) {
    request.progress.note(`${entry.id} is bad; trying ${candidate.id}, the one before it`);
    const fallback = (await testOne({ ...request, points: candidates }, candidate, disasterAt)).measurement;
    if (!isRestorable(fallback.checks)) continue;
    const lastGood = { recoveryPoint: candidate.id, achievedRpoSeconds: fallback.achievedRpoSeconds };
    return { ...result, measurement: { ...result.measurement, lastGood } };
  }
  return result;
}

const freshnessCheck = "freshness";
const tamperingCheck = "tampering";
const continuityCheck = "continuity";
/** Checks that are not about the copy itself. */
const alarms = [freshnessCheck, tamperingCheck, continuityCheck];

/** Every check of the copy itself passed; that it is old is what falling back to it costs. */
function isRestorable(checks: readonly EvidenceCheck[]): boolean {
  return (
    combineVerdicts(checks.filter(({ name }) => !alarms.includes(name)).map(({ verdict }) => verdict)) === Verdict.Pass
  );
}

async function testOne(
  request: RestoreTestRequest & { readonly points: readonly CatalogEntry[] },
  entry: CatalogEntry,
  disasterAt: Date,
): Promise<RestoreTestResult> {
  const startedAt = new Date();
  const catalogChecks = checksOfEntry(entry);
  const { manifest } = entry;
  const engine = manifest ? recoveryEngineOf(manifest) : recoveryEngineFor(request.database);
  const base = {
    kind: EvidenceKind.RestoreTest,
    database: request.database.name,
    engine: request.database.engine,
    // As its id says: the test of a base backup whose manifest is damaged says nothing of the dumps.
    mechanism: mechanismOf(parseRecoveryPointId(entry.id)?.method ?? engine.method),
    recoveryPoint: entry.id,
    manifest: entry.manifestObject,
    environment: request.config.environment ?? jobConfigDefaults.environment,
    targetClass: engine.targetClass.test,
    startedAt: startedAt.toISOString(),
    sizeBytes: manifest?.source.bytes ?? 0,
  };
  if (!manifest || catalogChecks.some(({ verdict }) => verdict !== Verdict.Pass)) {
    return {
      comparisons: [],
      measurement: {
        ...base,
        finishedAt: new Date().toISOString(),
        verdict: combineVerdicts(catalogChecks.map(({ verdict }) => verdict)),
        phases: [],
        achievedRpoSeconds: "unknown",
        checks: catalogChecks,
      },
    };
  }
  const proof = await engine.restoreTest({ ...request, manifest, to: { kind: "latest" } });
  const checks = [
    ...catalogChecks,
    ...alarmChecks(entry, request.points, request.records ?? []),
    ...proof.checks,
    checkFreshness(request, proof.recoveredTo ?? new Date(manifest.consistentAt), disasterAt),
  ];
  const measurement: Measurement = {
    ...base,
    finishedAt: new Date().toISOString(),
    verdict: combineVerdicts(checks.map((check) => check.verdict)),
    level: proof.level,
    phases: proof.phases,
    measuredRtoSeconds: isRestorable(checks) ? proof.seconds : undefined,
    achievedRpoSeconds: achievedRpoSeconds(disasterAt, proof.newestHeartbeat),
    checks,
  };
  return { measurement, comparisons: proof.comparisons };
}

/** A base backup is tested with the log behind it. */
function mechanismOf(method: BackupMethod): string {
  return method === BackupMethod.Base ? Mechanism.PointInTimeLog : method;
}

/** What the catalog says already, by the names of the checks that a person knows. */
function checksOfEntry(entry: CatalogEntry): EvidenceCheck[] {
  const ofManifest = entry.problems.filter((problem) => problem.startsWith("manifest:"));
  const ofChain = entry.problems.filter((problem) => problem.startsWith("chain:"));
  const ofParts = entry.problems.filter((problem) => !ofManifest.includes(problem) && !ofChain.includes(problem));
  return [
    ofManifest.length > 0
      ? failed("manifest", ofManifest.join("; "))
      : passed("manifest", "readable, and unchanged since it was written"),
    ...(ofChain.length > 0 ? [failed("chain", ofChain.join("; "))] : []),
    ...(ofParts.length > 0 ? [failed("parts", ofParts.join("; "))] : []),
  ];
}

/** What somebody did that a backup never does, even if older versions made up for it. */
function alarmChecks(
  entry: CatalogEntry,
  points: readonly CatalogEntry[],
  records: readonly EvidenceRecord[],
): EvidenceCheck[] {
  const tampering = [...entry.tampering, ...vouchingFor(entry, records).problems];
  const proven = lastProvenBefore(entry, points, records);
  const breaks = entry.manifest && proven ? continuityProblems(entry.manifest, proven) : [];
  return [
    ...(tampering.length > 0 ? [failed(tamperingCheck, tampering.join("; "))] : []),
    ...(breaks.length > 0 ? [undecided(continuityCheck, `${breaks.join("; ")}: was the server rebuilt?`)] : []),
  ];
}

function checkFreshness({ config, database }: RestoreTestRequest, recoveredTo: Date, at: Date): EvidenceCheck {
  const { rpoMinutes } = objectivesFrom(config.objectives);
  const limitMinutes = maxRecoveryPointAgeMinutes({ rpoMinutes, ...database.backup });
  const ageMinutes = (at.getTime() - recoveredTo.getTime()) / 60_000;
  const age = `${ageMinutes.toFixed(1)} minutes old, ${limitMinutes.toFixed(1)} allowed`;
  return ageMinutes <= limitMinutes
    ? passed(freshnessCheck, `the recovery point was ${age}`)
    : failed(freshnessCheck, `the recovery point was ${age}: backups have been missed`);
}
