import {
  combineVerdicts,
  type DatabaseConfig,
  type DrillCriterion,
  type DrillPhase,
  drillPhase,
  EvidenceKind,
  type Manifest,
  type Objectives,
  restorationBudgetMinutes,
  restoredCopyCriteria,
  type TargetClass,
  Verdict,
} from "../../../recovery";
import { achievedRpoSeconds } from "../proof/canary";
import { type RestoreProof } from "../proof/proof-run";
import { recordEvidence } from "../report/evidence-record";
import { secondsText } from "../report/terminal";
import { type ObjectStore } from "../store/object-store";

/** A copy that a drill restored, and what it was restored for. */
export interface DrilledCopy {
  readonly store: ObjectStore;
  readonly objectives: Objectives;
  readonly environment: string;
  readonly database: DatabaseConfig;
  /** What it was restored from. */
  readonly manifest: Manifest;
  readonly mechanism: string;
  readonly targetClass: TargetClass;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly disasterAt: Date;
  readonly recoverySeconds: number;
  readonly proof: RestoreProof;
  /** Begins the names of its criteria. */
  readonly what: string;
  /** The name of the phase that the restore was. */
  readonly phase: string;
  /** Phases before it. @default none */
  readonly before?: readonly DrillPhase[];
}

/** What a drill says of one copy. */
export interface CopyJudgement {
  readonly verdict: Verdict;
  readonly criteria: readonly DrillCriterion[];
  readonly phases: readonly DrillPhase[];
  readonly achievedRpoSeconds: number | "unknown";
  readonly evidenceKey: string;
}

/** Judges a restored copy by the objectives, and records it as evidence of a drill. */
export async function judgeDrilledCopy(copy: DrilledCopy): Promise<CopyJudgement> {
  const { store, objectives, database, manifest, proof, recoverySeconds } = copy;
  const proofVerdict = combineVerdicts(proof.checks.map((check) => check.verdict));
  const lost = achievedRpoSeconds(copy.disasterAt, proof.newestHeartbeat);
  const criteria = restoredCopyCriteria(
    {
      recoverySeconds,
      achievedRpoSeconds: lost,
      proofVerdict,
      checksPassed: proof.checks.filter((check) => check.verdict === Verdict.Pass).length,
      checksTotal: proof.checks.length,
    },
    objectives,
    secondsText,
    copy.what,
  );
  const budgetSeconds = Math.min(restorationBudgetMinutes, objectives.rtoMinutes) * 60;
  const phases = [...(copy.before ?? []), drillPhase(copy.phase, recoverySeconds, budgetSeconds)];
  const verdict = combineVerdicts([...criteria, ...phases].map((line) => line.verdict));
  const { key } = await recordEvidence(store, {
    kind: EvidenceKind.Drill,
    database: database.name,
    engine: database.engine,
    mechanism: copy.mechanism,
    recoveryPoint: manifest.id,
    environment: copy.environment,
    targetClass: copy.targetClass,
    startedAt: copy.startedAt,
    finishedAt: new Date().toISOString(),
    verdict,
    level: proof.level,
    sizeBytes: manifest.source.bytes,
    phases: proof.phases,
    measuredRtoSeconds: proofVerdict === Verdict.Pass ? recoverySeconds : undefined,
    achievedRpoSeconds: lost,
    checks: proof.checks,
  });
  return { verdict, criteria, phases, achievedRpoSeconds: lost, evidenceKey: key };
}
