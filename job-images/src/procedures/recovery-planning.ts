import {
  type DatabaseConfig,
  defaultEvidenceRules,
  Engine,
  type EvidenceRecord,
  jobConfigDefaults,
  logCoverage,
  type Manifest,
  type OtherSource,
  parseRecoveryPointId,
  type PlanInput,
  type PlannedPoint,
  type PlannedSnapshot,
  planRecovery,
  type RecoveryPlan,
  type RecoveryTarget,
  replayStart,
  snapshotSourceId,
} from "../../../recovery";
import { type CommandContext } from "../command";
import { otherBackupsOf } from "../adapters/other-backups";
import { databaseKindOf } from "../engines/database-kinds";
import { type StreamSnapshot } from "../engines/engine";
import { messageOf } from "../errors";
import { openEvidenceKey } from "../report/open-evidence-key";
import { readEvidence } from "../report/evidence-record";
import { vouchingFor } from "../report/vouching";
import { type CatalogEntry, readCatalog, RecoveryPointState } from "../store/catalog";
import { logOwnerOf, readStoredLog } from "../store/stored-log";

/** A plan, and the catalog that it was made from. */
export interface PlannedRecovery {
  readonly plan: RecoveryPlan;
  readonly entries: ReadonlyMap<string, CatalogEntry & { readonly manifest: Manifest }>;
  /** The service's snapshots among the sources, by the source's id. */
  readonly snapshots: ReadonlyMap<string, StreamSnapshot>;
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
      increments: manifest?.buildsOn?.length ?? 0,
      sourceBytes: manifest?.source.bytes ?? 0,
      ...(entry.retrieval ? { retrievalMinutes: entry.retrieval.minutes } : {}),
      ...(manifest?.wal ? { log: await logBehind(manifest) } : {}),
      ...(lastProof ? { lastProof } : {}),
    });
  }
  const { snapshots, ...stream } = await streamOf(context, database, points[0]?.sourceBytes || measuredBytes(records));
  const others = await otherBackupsOf(database, target);
  const plan = planRecovery({
    database: database.name,
    environment: config.environment ?? jobConfigDefaults.environment,
    target,
    points,
    ...stream,
    others: [...stream.others, ...others],
    snapshots: [...snapshots].map(([id, snapshot]) => plannedSnapshot(database, id, snapshot)),
    runs: records.map(({ evidence }) => evidence),
    rules: defaultEvidenceRules,
    now: new Date(),
  });
  return { plan, entries, snapshots };

  async function logBehind(manifest: Manifest): Promise<NonNullable<PlannedPoint["log"]>> {
    const owner = logOwnerOf(manifest);
    const reading = logs.get(owner.systemIdentifier) ?? readStoredLog(store, owner);
    logs.set(owner.systemIdentifier, reading);
    const base = replayStart(manifest.wal!);
    return { base, coverage: logCoverage(await reading, base), segmentBytes: owner.segmentBytes };
  }
}

/** What restores itself: a stream in the store, or what RDS keeps. What cannot be asked is told as what it is: unknown. */
async function streamOf(
  context: CommandContext,
  database: DatabaseConfig,
  sourceBytes: number,
): Promise<
  Pick<PlanInput, "stream"> & {
    readonly others: OtherSource[];
    readonly snapshots: ReadonlyMap<string, StreamSnapshot>;
  }
> {
  const others = othersOf(database);
  const snapshots = new Map<string, StreamSnapshot>();
  const { stream } = databaseKindOf(database);
  if (!stream || !(await stream.isThere(database, context.store()))) return { others, snapshots };
  const { sourceId: id, mechanism, targetClass, snapshotMechanism = mechanism } = stream;
  const request = { ...context, config: context.config(), database };
  const unusable = (engine: string, id: string, error: unknown): OtherSource => ({
    ...{ engine, id, lossSeconds: null, recoverySeconds: null },
    why: messageOf(error),
  });
  try {
    const found = (await stream.snapshots?.(request)) ?? [];
    for (const one of found) snapshots.set(snapshotSourceId(snapshotMechanism, one.id), one);
  } catch (error) {
    others.push(unusable(snapshotMechanism, `${snapshotMechanism}s`, error));
  }
  try {
    const window = await stream.window(request);
    // The disk's size is what a recovery point measured, where there is one: storage is allocated before it is used.
    const planned = { ...window, id, mechanism, targetClass, sourceBytes: sourceBytes || (window.sourceBytes ?? 0) };
    return { others, snapshots, stream: planned };
  } catch (error) {
    return { others: [...others, unusable(mechanism, id, error)], snapshots };
  }
}

/** The size of the newest run, where no recovery point says one. */
function measuredBytes(records: readonly EvidenceRecord[]): number {
  const sizes = records
    .map(({ evidence }) => evidence)
    .filter(({ sizeBytes }) => sizeBytes > 0)
    .sort((a, b) => b.finishedAt.localeCompare(a.finishedAt));
  return sizes[0]?.sizeBytes ?? 0;
}

function plannedSnapshot(database: DatabaseConfig, id: string, snapshot: StreamSnapshot): PlannedSnapshot {
  const { targetClass, mechanism, snapshotMechanism = mechanism } = databaseKindOf(database).stream!;
  const { at, sourceBytes, problems } = snapshot;
  return { id, mechanism: snapshotMechanism, targetClass, at, sourceBytes, problems };
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
    ...(database.engine === Engine.Rds && database.rds === undefined
      ? [
          {
            engine: "rds",
            id: "point in time of RDS",
            lossSeconds: null,
            recoverySeconds: null,
            why: 'RDS restores its own log into a new instance; the configuration does not say which one it is: "rds": {"instanceIdentifier": "...", "region": "..."}',
          },
        ]
      : []),
  ];
}
