import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  combineVerdicts,
  type DrillCriterion,
  type DrillPhase,
  drillPhase,
  Engine,
  EvidenceKind,
  type JobConfig,
  objectivesFrom,
  type ObjectivesOverrides,
  type PlannedSource,
  restorationBudgetMinutes,
  restoredCopyCriteria,
  TargetClass,
  Verdict,
} from "../../../recovery";
import { type Diagnosis } from "../engines/diagnosis";
import { sqliteCopy } from "../engines/sqlite/copy";
import { takeBackup } from "../engines/take-backup";
import { ReferenceFile } from "../platform/local/reference-file";
import { type Progress } from "../progress";
import { achievedRpoSeconds } from "../proof/canary";
import { type RestoreProof } from "../proof/proof-run";
import { recordEvidence } from "../report/evidence-record";
import { secondsText } from "../report/terminal";
import { openStore } from "../store/open-store";
import { diagnose } from "./readiness";
import { planFor } from "./recovery-planning";

/** How the drill of a SQLite file is run. */
export interface FileDrillOptions {
  /** Folder for the file. */
  readonly workdir: string;
  /** URL of the store that recovery points and evidence go into. */
  readonly store: string;
  readonly objectives: ObjectivesOverrides;
  /** Scale of the data; 1 is about 6 MB. */
  readonly scale: number;
  readonly canarySeconds: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What the drill of a SQLite file found. */
export interface FileDrill {
  readonly verdict: Verdict;
  readonly sizeBytes: number;
  readonly committedTransactions: number;
  readonly criteria: readonly DrillCriterion[];
  readonly phases: readonly DrillPhase[];
  readonly diagnoses: readonly Diagnosis[];
  /** What `dr plan` said before the restore. */
  readonly plan: readonly PlannedSource[];
  readonly proof: RestoreProof;
  readonly achievedRpoSeconds: number | "unknown";
  readonly recoverySeconds: number;
  readonly recoveryPoint: string;
  readonly evidenceKey: string;
  /** The restored file. */
  readonly path: string;
}

const heartbeatsAfterBackup = 2;

/** The guide's recovery of a SQLite file: backed up under a writer, damaged, restored over what is left of it. */
export async function runFileDrill(options: FileDrillOptions): Promise<FileDrill> {
  const { progress, signal, canarySeconds } = options;
  const folder = join(options.workdir, "sqlite");
  mkdirSync(folder, { recursive: true });
  const database = {
    name: "architect-file",
    engine: Engine.Sqlite,
    path: join(folder, "architect.db"),
    canary: { canarySeconds },
  };
  const config: JobConfig = {
    store: options.store,
    environment: "local",
    objectives: options.objectives,
    databases: [database],
  };
  const objectives = objectivesFrom(options.objectives);
  const store = openStore(config.store);
  progress.step("filling a SQLite file");
  const file = await ReferenceFile.create(database, options.scale, signal);
  try {
    await file.startWorking(canarySeconds);
    await file.untilHeartbeats(1, signal);
    const diagnoses = await diagnose(config, store, signal);

    const backupStart = performance.now();
    const manifest = await takeBackup({ config, database, engine: sqliteCopy, store, progress, signal });
    const backupSeconds = (performance.now() - backupStart) / 1000;

    progress.step("the application goes on working");
    await file.untilHeartbeats(heartbeatsAfterBackup, signal);
    progress.step("the file is damaged");
    const disasterAt = await file.loseTheFile();
    const context = { config: () => config, store: () => store, progress, signal, print: () => undefined };
    const { plan } = await planFor(context, database, { kind: "latest" });
    const recoveryStart = performance.now();
    const { proof } = await sqliteCopy.restoreInto({
      store,
      manifest,
      database,
      into: database.path,
      keep: true,
      progress,
      signal,
    });
    const recoverySeconds = (performance.now() - recoveryStart) / 1000;

    const proofVerdict = combineVerdicts(proof.checks.map((check) => check.verdict));
    const lost = achievedRpoSeconds(disasterAt, proof.newestHeartbeat);
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
      "SQLite file: ",
    );
    const budget = Math.min(restorationBudgetMinutes, objectives.rtoMinutes) * 60;
    const phases = [
      drillPhase("SQLite file: back up", backupSeconds, objectives.rpoMinutes * 60),
      drillPhase("SQLite file: restore and prove", recoverySeconds, budget),
    ];
    const verdict = combineVerdicts([...criteria, ...phases].map((line) => line.verdict));
    const { key } = await recordEvidence(store, {
      kind: EvidenceKind.Drill,
      database: database.name,
      engine: database.engine,
      mechanism: manifest.method,
      recoveryPoint: manifest.id,
      environment: "local",
      targetClass: TargetClass.File,
      startedAt: manifest.startedAt,
      finishedAt: new Date().toISOString(),
      verdict,
      level: proof.level,
      sizeBytes: manifest.source.bytes,
      phases: proof.phases,
      measuredRtoSeconds: proofVerdict === Verdict.Pass ? recoverySeconds : undefined,
      achievedRpoSeconds: lost,
      checks: proof.checks,
    });
    return {
      verdict,
      sizeBytes: manifest.source.bytes,
      committedTransactions: file.committedTransactions,
      criteria,
      phases,
      diagnoses,
      plan: plan.sources,
      proof,
      achievedRpoSeconds: lost,
      recoverySeconds,
      recoveryPoint: manifest.id,
      evidenceKey: key,
      path: database.path,
    };
  } finally {
    await file.stop();
  }
}
