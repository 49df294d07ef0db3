import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  drillPhase,
  Engine,
  type JobConfig,
  objectivesFrom,
  type ObjectivesOverrides,
  type PlannedSource,
  TargetClass,
} from "../../../recovery";
import { type Diagnosis } from "../engines/diagnosis";
import { sqliteCopy } from "../engines/sqlite/copy";
import { takeBackup } from "../engines/take-backup";
import { ReferenceFile } from "../platform/local/reference-file";
import { type Progress } from "../progress";
import { type RestoreProof } from "../proof/proof-run";
import { openStore } from "../store/open-store";
import { type CopyJudgement, judgeDrilledCopy } from "./drilled-copy";
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
export interface FileDrill extends CopyJudgement {
  readonly sizeBytes: number;
  readonly committedTransactions: number;
  readonly diagnoses: readonly Diagnosis[];
  /** What `dr plan` said before the restore. */
  readonly plan: readonly PlannedSource[];
  readonly proof: RestoreProof;
  readonly recoverySeconds: number;
  readonly recoveryPoint: string;
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

    const judged = await judgeDrilledCopy({
      store,
      objectives,
      database,
      manifest,
      proof,
      recoverySeconds,
      disasterAt,
      environment: "local",
      mechanism: manifest.method,
      targetClass: TargetClass.File,
      startedAt: manifest.startedAt,
      what: "SQLite file: ",
      phase: "SQLite file: restore and prove",
      before: [drillPhase("SQLite file: back up", backupSeconds, objectives.rpoMinutes * 60)],
    });
    return {
      ...judged,
      sizeBytes: manifest.source.bytes,
      committedTransactions: file.committedTransactions,
      diagnoses,
      plan: plan.sources,
      proof,
      recoverySeconds,
      recoveryPoint: manifest.id,
      path: database.path,
    };
  } finally {
    await file.stop();
  }
}
