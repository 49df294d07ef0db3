import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  assess,
  combineVerdicts,
  declaredFromJobConfig,
  type DrillCriterion,
  type DrillPhase,
  drillPhase,
  Engine,
  EvidenceKind,
  type JobConfig,
  objectivesFrom,
  type ObjectivesOverrides,
  type Outcome,
  type PlannedAndMeasured,
  plannedAndMeasured,
  type PlannedSource,
  restorationBudgetMinutes,
  restorationCriteria,
  Scenario,
  TargetClass,
  Verdict,
} from "../../../recovery";
import { type FileDrill, runFileDrill } from "./file-drill";
import { DrillStream, type LogDrill, runLogDrill } from "./log-drill";
import { diagnose } from "./readiness";
import { planFor } from "./recovery-planning";
import { runTableDrill, type TableDrill } from "./table-drill";
import { type Diagnosis } from "../engines/diagnosis";
import { postgresDump } from "../engines/postgres/dump";
import { restoreAndProve } from "../engines/postgres/dump-proof";
import { LocalServer, scratchFolder } from "../engines/postgres/server";
import { takeBackup } from "../engines/take-backup";
import { durableSettings, ReferenceWorld } from "../platform/local/reference-world";
import { type Progress } from "../progress";
import { achievedRpoSeconds } from "../proof/canary";
import { type RestoreProof } from "../proof/proof-run";
import { proveTheProof, type SabotageResult } from "../proof/sabotage";
import { type Measurement, recordEvidence } from "../report/evidence-record";
import { secondsText } from "../report/terminal";
import { openStore } from "../store/open-store";
import { readCatalog } from "../store/catalog";

/** How the drill is run. */
export interface RestorationDrillOptions {
  /** Folder for the store, the evidence and the report. */
  readonly workdir: string;
  readonly objectives: ObjectivesOverrides;
  /** Scale of the reference database; 1 is about 100 MB. */
  readonly scale: number;
  /** Leave the restored server running. */
  readonly keep: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What happened when, for the picture. ISO 8601, UTC. */
export interface DrillMoment {
  readonly name: string;
  readonly at: string;
}

/** Everything that a drill found. */
export interface RestorationDrill {
  readonly verdict: Verdict;
  readonly platform: "local";
  readonly sizeBytes: number;
  readonly committedTransactions: number;
  /** Rows of one table, deleted by mistake. */
  readonly table: TableDrill;
  /** The same disaster recovered by base backup and log. */
  readonly log: LogDrill;
  /** The same for a SQLite file. */
  readonly file: FileDrill;
  /** What `dr plan` said beforehand of each source that was then carried out, beside what it took. */
  readonly planned: readonly PlannedRecoveryOfDrill[];
  readonly criteria: readonly DrillCriterion[];
  readonly phases: readonly DrillPhase[];
  readonly proofs: { readonly caught: number; readonly total: number };
  readonly sabotage: readonly SabotageResult[];
  readonly diagnoses: readonly Diagnosis[];
  readonly proof: RestoreProof;
  readonly moments: readonly DrillMoment[];
  /** What the drill's own set-up promised for the loss of everything, before anything was measured. */
  readonly assessment: Outcome;
  readonly achievedRpoSeconds: number | "unknown";
  readonly recoverySeconds: number;
  readonly recoveryPoint: string;
  readonly evidenceKey: string;
  /** Where the restored database can be looked at, with `keep`. */
  readonly keptUrl?: string;
}

/** A source of the plan, carried out. */
export interface PlannedRecoveryOfDrill {
  readonly id: string;
  readonly engine: string;
  /** What the planner took the time from: nothing had been measured yet, so by size. */
  readonly timeBasis: string;
  readonly terms: readonly PlannedAndMeasured[];
}

const canarySeconds = 1;
const heartbeatsAfterBackup = 3;
const slot = "dr_architect";
/** The guide's hour is an RPO; the log meets it by a second. */
const flushSeconds = 1;
/** Declared for the assessment; the drill takes its one backup itself. */
const drillSchedule = "*/15 * * * *";

/**
 * The first part of the guide's monthly drill on this machine: a primary with writers and a heartbeat is backed up and its
 * log streamed; rows of a table are deleted and brought back; it is lost, and restored into a second, empty server that has
 * to survive a crash, by the dump and by base backup and log; the same for a SQLite file, restored over what is left of it;
 * then the proof itself is put to the test.
 */
export async function runRestorationDrill(options: RestorationDrillOptions): Promise<RestorationDrill> {
  const { progress, signal, workdir } = options;
  const storeFolder = join(workdir, "store");
  mkdirSync(storeFolder, { recursive: true });
  progress.step("starting a primary and filling its database");
  const world = await ReferenceWorld.create(options.scale, signal, slot);
  let stream: DrillStream | undefined;
  let target: LocalServer | undefined;
  let succeeded = false;
  try {
    world.startWorking(canarySeconds);
    const database = {
      name: "architect",
      engine: Engine.Postgres,
      url: world.backupUrl,
      backup: { schedule: drillSchedule },
      canary: { canarySeconds },
      wal: { spool: join(workdir, "spool"), slot, flushSeconds },
      checks: { orphans: [{ table: "app.projects", column: "user_id", references: "app.users" }] },
    };
    const config: JobConfig = {
      store: `file://${storeFolder}`,
      environment: "local",
      objectives: options.objectives,
      databases: [database],
    };
    const objectives = objectivesFrom(options.objectives);
    const store = openStore(config.store);

    await world.untilHeartbeats(1, signal);
    progress.step("bringing the log into the store, and a base backup");
    stream = new DrillStream({ config, database, store, signal });
    await stream.untilCovered();

    progress.step("is everything in place?");
    const diagnoses = await diagnose(config, store, signal);

    const backupStart = performance.now();
    const moments: DrillMoment[] = [{ name: "backup begins", at: new Date().toISOString() }];
    const manifest = await takeBackup({ config, database, engine: postgresDump, store, progress, signal });
    const backupSeconds = (performance.now() - backupStart) / 1000;
    moments.push({ name: "backup complete", at: new Date().toISOString() });

    progress.step("the application goes on working");
    await world.untilHeartbeats(heartbeatsAfterBackup, signal);
    const table = await runTableDrill({ world, store, manifest, database, objectives, progress, signal });
    await world.untilHeartbeats(1, signal);
    await stream.untilCovered();
    progress.step("the primary is lost");
    const disasterAt = await world.loseThePrimary();
    const recoveryStart = performance.now();
    moments.push({ name: "disaster", at: disasterAt.toISOString() });

    // What it had received is stored; it runs elsewhere, so nobody waits for it.
    const streamEnd = stream.stop();
    progress.step("starting a second, empty server");
    target = await LocalServer.create({
      tools: world.primary.tools,
      settings: durableSettings,
      dataChecksums: true,
      outlive: options.keep,
      signal,
    });
    const dumps = (await readCatalog(store, { database: database.name })).filter(
      ({ manifest: found }) => found?.method === postgresDump.method,
    );
    const newest = dumps[0]?.manifest ?? manifest;
    const proof = await restoreAndProve({
      store,
      manifest: newest,
      database,
      target: target.access(database.name),
      tools: target.tools,
      scratch: scratchFolder(target),
      progress,
      signal,
    });
    const recoverySeconds = (performance.now() - recoveryStart) / 1000;
    moments.push({ name: "proven", at: new Date().toISOString() });
    if (proof.newestHeartbeat) {
      moments.push({ name: "newest heartbeat in the copy", at: proof.newestHeartbeat.toISOString() });
    }

    await streamEnd;
    progress.step("the plan of the same recovery by the log");
    const context = { config: () => config, store: () => store, progress, signal, print: () => undefined };
    const { plan } = await planFor(context, database, { kind: "latest" });
    const log = await runLogDrill({ config, database, store, objectives, progress, signal }, disasterAt);

    const file = await runFileDrill({ ...options, store: config.store, canarySeconds });

    const sabotageStart = performance.now();
    const sabotage = await proveTheProof({ config, database, store, manifest: newest, progress, signal });
    const sabotageSeconds = (performance.now() - sabotageStart) / 1000;
    const caught = sabotage.filter((each) => each.caught).length;

    const assessment = assessOwnSetup(config, newest.source.bytes);
    const proofVerdict = combineVerdicts(proof.checks.map((check) => check.verdict));
    const lost = achievedRpoSeconds(disasterAt, proof.newestHeartbeat);
    const criteria = [
      ...restorationCriteria(
        {
          recoverySeconds,
          achievedRpoSeconds: lost,
          proofVerdict,
          checksPassed: proof.checks.filter((check) => check.verdict === Verdict.Pass).length,
          checksTotal: proof.checks.length,
          sabotageCaught: caught,
          sabotageTotal: sabotage.length,
          readiness: combineVerdicts([...diagnoses, ...file.diagnoses].map((diagnosis) => diagnosis.verdict)),
        },
        objectives,
        secondsText,
      ),
      ...log.criteria,
      ...table.criteria,
      ...file.criteria,
    ];
    const restorationBudget = Math.min(restorationBudgetMinutes, objectives.rtoMinutes) * 60;
    const phases = [
      drillPhase("back up", backupSeconds, objectives.rpoMinutes * 60),
      drillPhase("restore and prove", recoverySeconds, restorationBudget),
      ...log.phases,
      ...table.phases,
      ...file.phases,
      drillPhase("sabotage", sabotageSeconds, restorationBudgetMinutes * 60),
    ];
    const verdict = combineVerdicts([...criteria, ...phases].map((line) => line.verdict));
    const measurement: Measurement = {
      kind: EvidenceKind.Drill,
      database: database.name,
      engine: database.engine,
      mechanism: newest.method,
      recoveryPoint: newest.id,
      environment: "local",
      targetClass: TargetClass.DurableServer,
      startedAt: manifest.startedAt,
      finishedAt: new Date().toISOString(),
      verdict,
      level: proof.level,
      sizeBytes: newest.source.bytes,
      phases: proof.phases,
      measuredRtoSeconds: proofVerdict === Verdict.Pass ? recoverySeconds : undefined,
      achievedRpoSeconds: lost,
      checks: proof.checks,
    };
    const { key } = await recordEvidence(store, measurement);
    succeeded = true;
    return {
      verdict,
      platform: "local",
      sizeBytes: newest.source.bytes,
      committedTransactions: world.committedTransactions,
      table,
      log,
      file,
      planned: [
        ...besides(plan.sources, newest.id, proof.phases, recoverySeconds),
        ...besides(plan.sources, log.recoveryPoint, log.proof.phases, log.recoverySeconds),
        ...besides(file.plan, file.recoveryPoint, file.proof.phases, file.recoverySeconds),
      ],
      criteria,
      phases,
      proofs: { caught, total: sabotage.length },
      sabotage,
      diagnoses: [...diagnoses, ...file.diagnoses.filter(({ name }) => !name.startsWith("job "))],
      proof,
      moments,
      assessment,
      achievedRpoSeconds: lost,
      recoverySeconds,
      recoveryPoint: newest.id,
      evidenceKey: key,
      keptUrl: options.keep ? target.url(database.name) : undefined,
    };
  } finally {
    await stream?.stop().catch(() => undefined);
    if (!options.keep || !succeeded) await target?.destroy();
    await world.destroy();
  }
}

function besides(
  sources: readonly PlannedSource[],
  id: string,
  phases: RestoreProof["phases"],
  measuredSeconds: number,
): PlannedRecoveryOfDrill[] {
  return sources
    .filter((source) => source.id === id)
    .map((source) => ({
      id,
      engine: source.engine,
      timeBasis: source.timeBasis,
      terms: plannedAndMeasured(source, phases, measuredSeconds),
    }));
}

/** The drill's set-up as it would be assessed before anything is deployed: the primary and its disk are lost for good. */
function assessOwnSetup(config: JobConfig, sizeBytes: number): Outcome {
  const [database] = config.databases;
  const outcomes = assess({
    objectives: objectivesFrom(config.objectives),
    databases: declaredFromJobConfig(config, {
      databases: {
        [database!.name]: {
          sizeBytes,
          placement: { server: "primary" },
          sites: [{ name: "second server", compute: true, startMinutes: 0, placement: { server: "second" } }],
        },
      },
      store: { placement: { server: "store" } },
    }),
    now: new Date(),
  });
  return outcomes.find(({ scenario }) => scenario === Scenario.CompleteOutage)!;
}
