import { createHash, randomBytes } from "node:crypto";
import {
  type DatabaseConfig,
  type JobConfig,
  jobConfigDefaults,
  type Manifest,
  manifestDigestInput,
  manifestFormatVersion,
  manifestKey,
  objectivesFrom,
  recoveryPointId,
  shrinkageReasons,
  Verdict,
} from "../../../recovery";
import { type Progress } from "../progress";
import { RecoveryPointState, readCatalog } from "../store/catalog";
import { type ObjectStore } from "../store/object-store";
import { runnerVersion } from "../version";
import { type BackupEngine } from "./engine";

/**
 * Takes one backup. The manifest is written last, after every part is durable: until then, and for ever when anything
 * fails on the way, there is no recovery point.
 */
export async function takeBackup(request: {
  readonly config: JobConfig;
  readonly database: DatabaseConfig;
  readonly engine: BackupEngine;
  readonly store: ObjectStore;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}): Promise<Manifest> {
  const { config, database, engine, store } = request;
  const startedAt = new Date();
  const id = recoveryPointId(database.name, startedAt, engine.method, randomBytes(4).toString("hex"));
  const previous = await newestComplete(store, database.name, engine);
  const taken = await engine.take({ ...request, id, startedAt });
  const maxShrinkShare = database.backup?.maxShrinkShare ?? jobConfigDefaults.maxShrinkShare;
  const reasons = shrinkageReasons(taken, previous, maxShrinkShare);
  const { rpoMinutes, rtoMinutes } = objectivesFrom(config.objectives);
  const unsigned: Omit<Manifest, "digest"> = {
    formatVersion: manifestFormatVersion,
    id,
    database: database.name,
    engine: database.engine,
    method: engine.method,
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    consistentAt: taken.consistentAt.toISOString(),
    source: taken.source,
    tools: taken.tools,
    runnerVersion,
    schedule: database.backup?.schedule,
    objectives: { rpoMinutes, rtoMinutes },
    tables: taken.tables,
    parts: taken.parts,
    verdict: reasons.length === 0 ? Verdict.Pass : Verdict.Inconclusive,
    reasons,
  };
  const manifest = sealManifest(unsigned);
  request.signal.throwIfAborted();
  await store.put(manifestKey(database.name, id), Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`), {
    ifAbsent: true,
    signal: request.signal,
  });
  return manifest;
}

/** Adds the digest over everything else. */
export function sealManifest(manifest: Omit<Manifest, "digest">): Manifest {
  return { ...manifest, digest: createHash("sha256").update(manifestDigestInput(manifest)).digest("hex") };
}

async function newestComplete(
  store: ObjectStore,
  database: string,
  engine: BackupEngine,
): Promise<Manifest | undefined> {
  const catalog = await readCatalog(store, { database });
  return catalog.find(
    (entry) => entry.state === RecoveryPointState.Complete && entry.manifest?.method === engine.method,
  )?.manifest;
}
