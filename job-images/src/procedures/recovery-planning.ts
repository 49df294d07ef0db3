import {
  type DatabaseConfig,
  defaultEvidenceRules,
  Engine,
  jobConfigDefaults,
  logCoverage,
  type Manifest,
  Mechanism,
  type OtherSource,
  parseRecoveryPointId,
  type PlanInput,
  type PlannedPoint,
  planRecovery,
  type RecoveryPlan,
  type RecoveryTarget,
  replayStart,
  streamPrefix,
  streamSourceId,
} from "../../../recovery";
import { type CommandContext } from "../command";
import { databaseKindOf } from "../engines/database-kinds";
import { messageOf } from "../errors";
import { openEvidenceKey } from "../report/open-evidence-key";
import { readEvidence } from "../report/evidence-record";
import { vouchingFor } from "../report/vouching";
import { type CatalogEntry, readCatalog, RecoveryPointState } from "../store/catalog";
import { type ObjectStore } from "../store/object-store";
import { logOwnerOf, readStoredLog } from "../store/stored-log";

/** A plan, and the catalog that it was made from. */
export interface PlannedRecovery {
  readonly plan: RecoveryPlan;
  readonly entries: ReadonlyMap<string, CatalogEntry & { readonly manifest: Manifest }>;
}

/** Looks at everything that could bring a database back to a moment. */
export async function planFor(
  context: CommandContext,
  database: DatabaseConfig,
  target: RecoveryTarget,
): Promise<PlannedRecovery> {
  const config = context.config();
  const store = context.store();
  const catalog = await readCatalog(store, { database: database.name });
  const { records } = await readEvidence(store, {
    database: database.name,
    key: openEvidenceKey(config.signature),
  });
  const points: PlannedPoint[] = [];
  const entries = new Map<string, CatalogEntry & { readonly manifest: Manifest }>();
  const logs = new Map<string, ReturnType<typeof readStoredLog>>();
  for (const entry of catalog) {
    const { manifest } = entry;
    const parsed = parseRecoveryPointId(entry.id);
    if (!parsed) continue;
    if (manifest) entries.set(entry.id, { ...entry, manifest });
    const complete = entry.state === RecoveryPointState.Complete;
    const { lastProof, problems } = vouchingFor(entry, records);
    points.push({
      id: entry.id,
      method: parsed.method,
      problems: complete || entry.state === RecoveryPointState.Archived ? problems : entry.problems,
      at: new Date(entry.at),
      storedBytes: entry.bytes,
      sourceBytes: manifest?.source.bytes ?? 0,
      ...(entry.retrieval ? { retrievalMinutes: entry.retrieval.minutes } : {}),
      ...(manifest?.wal ? { log: await logBehind(manifest) } : {}),
      ...(lastProof ? { lastProof } : {}),
    });
  }
  const plan = planRecovery({
    database: database.name,
    environment: config.environment ?? jobConfigDefaults.environment,
    target,
    points,
    ...(await streamOf(context, database, points[0]?.sourceBytes ?? 0)),
    runs: records.map(({ evidence }) => evidence),
    rules: defaultEvidenceRules,
    now: new Date(),
  });
  return { plan, entries };

  async function logBehind(manifest: Manifest): Promise<NonNullable<PlannedPoint["log"]>> {
    const owner = logOwnerOf(manifest);
    const reading = logs.get(owner.systemIdentifier) ?? readStoredLog(store, owner);
    logs.set(owner.systemIdentifier, reading);
    const base = replayStart(manifest.wal!);
    return { base, coverage: logCoverage(await reading, base), segmentBytes: owner.segmentBytes };
  }
}

/** The stream in the store, asked only where the store holds something of one. */
async function streamOf(
  context: CommandContext,
  database: DatabaseConfig,
  sourceBytes: number,
): Promise<Pick<PlanInput, "stream" | "others">> {
  const others = othersOf(database);
  const { stream } = databaseKindOf(database);
  if (!stream || !(await holdsAny(context.store(), streamPrefix(database.name)))) return { others };
  try {
    const window = await stream.window({ ...context, config: context.config(), database });
    return { others, stream: { ...window, sourceBytes } };
  } catch (error) {
    const unknown = { lossSeconds: null, recoverySeconds: null };
    return {
      others: [...others, { engine: Mechanism.SqliteStream, id: streamSourceId, ...unknown, why: messageOf(error) }],
    };
  }
}

async function holdsAny(store: ObjectStore, prefix: string): Promise<boolean> {
  for await (const _ of store.list(prefix)) return true;
  return false;
}

/** What the configuration names and no catalog lists: told, so that nobody forgets it at night. */
function othersOf(database: DatabaseConfig): OtherSource[] {
  return [
    ...(database.standbyUrl === undefined
      ? []
      : [
          {
            engine: "standby",
            id: "standbyUrl",
            lossSeconds: null,
            recoverySeconds: null,
            why: "a standby holds what the primary holds, damage included; for an outage a person promotes it, nothing else does",
          },
        ]),
    ...(database.engine === Engine.Rds
      ? [
          {
            engine: "rds",
            id: "point in time of RDS",
            lossSeconds: null,
            recoverySeconds: null,
            why: "RDS restores its own log into a new instance: aws rds restore-db-instance-to-point-in-time, with the old instance's groups named",
          },
        ]
      : []),
  ];
}
