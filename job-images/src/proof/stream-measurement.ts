import {
  combineVerdicts,
  type DatabaseConfig,
  EvidenceKind,
  type JobConfig,
  jobConfigDefaults,
  objectivesFrom,
  snapshotSourceId,
  Verdict,
} from "../../../recovery";
import { databaseKindOf } from "../engines/database-kinds";
import { type StreamEngine } from "../engines/engine";
import { UsageError } from "../errors";
import { type Measurement } from "../report/evidence-record";
import { achievedRpoSeconds } from "./canary";
import { failed, passed, undecided } from "./check";
import { type RestoreProof } from "./proof-run";

/** The stream of a database. @throws UsageError when its kind has none that is restored by itself */
export function streamEngineFor(database: DatabaseConfig): StreamEngine {
  const { stream } = databaseKindOf(database);
  if (stream) return stream;
  throw new UsageError(
    `Database ${database.name}: engine ${database.engine} has no stream that is restored by itself; its log is replayed over a recovery point: --to WHEN.`,
  );
}

/**
 * A restore from a stream as evidence.
 *
 * @param kind a restore test is also judged by how old what it found is
 * @param snapshot the engine's snapshot that was restored, instead of its log
 */
export function measureStream(
  { config, database }: { readonly config: JobConfig; readonly database: DatabaseConfig },
  kind: typeof EvidenceKind.RestoreTest | typeof EvidenceKind.Restore,
  startedAt: Date,
  proof: RestoreProof,
  snapshot?: string,
): Measurement {
  const { mechanism, snapshotMechanism = mechanism, targetClass } = streamEngineFor(database);
  const lost = achievedRpoSeconds(startedAt, proof.newestHeartbeat);
  const checks =
    kind === EvidenceKind.RestoreTest && proof.targetMade && snapshot === undefined
      ? [...proof.checks, checkFreshness(config, lost)]
      : proof.checks;
  const verdict = combineVerdicts(checks.map((check) => check.verdict));
  const ofCopy = combineVerdicts(proof.checks.map((check) => check.verdict));
  return {
    kind,
    database: database.name,
    engine: database.engine,
    mechanism: snapshot === undefined ? mechanism : snapshotMechanism,
    ...(snapshot === undefined ? {} : { recoveryPoint: snapshotSourceId(snapshotMechanism, snapshot) }),
    environment: config.environment ?? jobConfigDefaults.environment,
    targetClass,
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    verdict,
    ...(proof.level === undefined ? {} : { level: proof.level }),
    sizeBytes: proof.sizeBytes ?? 0,
    phases: proof.phases,
    // That it is old is no fault of the copy: it was restored in that time, and may be all that is left.
    measuredRtoSeconds: ofCopy === Verdict.Pass ? proof.seconds : undefined,
    achievedRpoSeconds: lost,
    checks,
  };
}

/** A stream that has silently stopped restores well, and too old. */
function checkFreshness(config: JobConfig, lostSeconds: number | "unknown") {
  const limit = objectivesFrom(config.objectives).rpoMinutes * 60;
  if (lostSeconds === "unknown") return undecided("freshness", "there is no heartbeat in the copy to tell its age by");
  const age = `the newest heartbeat in the copy is ${lostSeconds} s old, the RPO allows ${limit} s`;
  return lostSeconds <= limit ? passed("freshness", age) : failed("freshness", age);
}
