import {
  assess,
  BackupMethod,
  combineVerdicts,
  type DatabaseConfig,
  declaredFromJobConfig,
  Engine,
  judgeReProtection,
  objectivesFrom,
  type ReProtection,
  type ReProtectionState,
  Scenario,
  Verdict,
} from "../../../recovery";
import { type CommandContext } from "../command";
import { recoveryEngineFor } from "../engines/database-kinds";
import { takeBackup } from "../engines/take-backup";
import { accessOf } from "../engines/postgres/libpq";
import { standbyState } from "../engines/postgres/re-protect";
import { identifyServer } from "../engines/postgres/replication";
import { OperationError } from "../errors";
import { pause } from "../pause";
import { openEvidenceKey } from "../report/open-evidence-key";
import { readEvidence } from "../report/evidence-record";
import { readCatalog, RecoveryPointState } from "../store/catalog";
import { coverageOf } from "../store/stored-log";
import { diagnose } from "./readiness";

const pollMilliseconds = 2000;

/** Takes the backup that is missing, then waits for what others bring, and judges again and again until it is all there. */
export async function untilReProtected(
  context: CommandContext,
  database: DatabaseConfig,
  since: Date,
  waitSeconds: number,
): Promise<ReProtection> {
  const deadline = performance.now() + waitSeconds * 1000;
  let judged = judgeReProtection(await stateOf(context, database, since));
  if (judged.missing.includes("backup")) {
    context.progress.note("taking the first backup of the recovered database");
    const config = context.config();
    await takeBackup({ ...context, config, database, engine: recoveryEngineFor(database), store: context.store() });
    judged = judgeReProtection(await stateOf(context, database, since));
  }
  let told = "";
  while (judged.verdict !== Verdict.Pass && performance.now() < deadline) {
    const missing = judged.checks.filter(({ verdict }) => verdict !== Verdict.Pass);
    const text = missing.map(({ name, detail }) => `${name}: ${detail}`).join("; ");
    if (text !== told) context.progress.note(`waiting for ${text}`);
    told = text;
    await pause(pollMilliseconds, context.signal);
    context.signal.throwIfAborted();
    judged = judgeReProtection(await stateOf(context, database, since));
  }
  return judged;
}

async function stateOf(context: CommandContext, database: DatabaseConfig, since: Date): Promise<ReProtectionState> {
  const config = context.config();
  const store = context.store();
  const systemIdentifier =
    database.engine === Engine.Postgres ? (await identifyServer(accessOf(database))).systemIdentifier : undefined;
  const complete = (await readCatalog(store, { database: database.name })).filter(
    ({ state }) => state === RecoveryPointState.Complete,
  );
  const ofNew = complete.filter(
    ({ manifest }) =>
      systemIdentifier === undefined ||
      manifest?.source.systemIdentifier === undefined ||
      manifest.source.systemIdentifier === systemIdentifier,
  );
  const newest = ofNew[0];
  const base = ofNew.find(
    ({ manifest }) => manifest?.method === BackupMethod.Base && new Date(manifest.consistentAt) > since,
  );
  const coverage = base?.manifest && (await coverageOf(store, base.manifest));
  const diagnoses = await diagnose({ ...config, databases: [database] }, store, context.signal);
  const inTheWay = diagnoses.filter(({ verdict }) => verdict !== Verdict.Pass);
  return {
    since,
    now: new Date(),
    ...(newest?.manifest ? { backup: { id: newest.id, at: new Date(newest.manifest.consistentAt) } } : {}),
    ...(database.wal
      ? {
          log: {
            coversUntil: coverage?.coversUntil,
            gap: coverage?.gap?.segment,
            maxAgeSeconds: objectivesFrom(config.objectives).rpoMinutes * 60,
          },
        }
      : {}),
    ...(database.standbyUrl !== undefined && systemIdentifier !== undefined
      ? { standby: await standbyState(database, systemIdentifier) }
      : {}),
    readiness: {
      verdict: combineVerdicts(diagnoses.map(({ verdict }) => verdict)),
      detail: inTheWay.map(({ name, found }) => `${name}: ${found}`).join("; ") || "dr doctor finds nothing in the way",
    },
    assessment: await assessmentOf(context, database, newest?.manifest?.source.bytes),
  };
}

/** The scenario that only copies protect from, by what the configuration declares and what was measured. */
async function assessmentOf(
  context: CommandContext,
  database: DatabaseConfig,
  sizeBytes: number | undefined,
): Promise<ReProtectionState["assessment"]> {
  const config = context.config();
  const { records } = await readEvidence(context.store(), { key: openEvidenceKey(config.signature) });
  const outcome = assess({
    objectives: objectivesFrom(config.objectives),
    databases: declaredFromJobConfig(config, {
      databases: sizeBytes === undefined ? {} : { [database.name]: { sizeBytes } },
    }),
    evidence: records.map(({ evidence }) => evidence),
    now: new Date(),
  }).find((each) => each.scenario === Scenario.DataCorruption && each.database === database.name);
  if (!outcome) throw new OperationError(`${database.name} could not be assessed.`);
  const minutes = (value: number | null): string => (value === null ? "an unknown time" : `${Math.round(value)} min`);
  return {
    verdict: outcome.verdict,
    detail: `damaged data would cost ${minutes(outcome.rpoMinutes)} of changes and ${minutes(outcome.rtoMinutes)} of time (\`dr assess\`)`,
  };
}
