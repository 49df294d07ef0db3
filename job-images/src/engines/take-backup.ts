import { createHash, randomBytes } from "node:crypto";
import {
  type DatabaseConfig,
  earliestExpiry,
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
import { newestManifest } from "../store/manifest-reader";
import { type ObjectStore } from "../store/object-store";
import { runnerVersion } from "../version";
import { type RecoveryEngine } from "./engine";

/**
 * Takes one backup. The manifest is written last, after every part is durable: until then, and for ever when anything
 * fails on the way, there is no recovery point.
 */
export async function takeBackup(request: {
  readonly config: JobConfig;
  readonly database: DatabaseConfig;
  readonly engine: Pick<RecoveryEngine, "method" | "take">;
  readonly store: ObjectStore;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}): Promise<Manifest> {
  const { config, database, engine, store } = request;
  const startedAt = new Date();
  const started = performance.now();
  const id = recoveryPointId(database.name, startedAt, engine.method, randomBytes(4).toString("hex"));
  const previous = await newestManifest(store, database.name, ({ method }) => method === engine.method);
  const taken = await engine.take({ ...request, id, startedAt });
  const maxShrinkShare = database.backup?.maxShrinkShare ?? jobConfigDefaults.maxShrinkShare;
  const reasons = [...(taken.reasons ?? []), ...shrinkageReasons(taken, previous, maxShrinkShare)];
  const { rpoMinutes, rtoMinutes } = objectivesFrom(config.objectives);
  const { buildsOn, fileList, notes = [] } = taken;
  const isPlain = buildsOn === undefined && fileList === undefined && notes.length === 0;
  const unsigned: Omit<Manifest, "digest"> = {
    formatVersion: isPlain ? 1 : manifestFormatVersion,
    id,
    database: database.name,
    engine: database.engine,
    method: engine.method,
    startedAt: startedAt.toISOString(),
    // By a clock that nobody can set: a manifest that ended before it began would not be believed.
    finishedAt: new Date(startedAt.getTime() + performance.now() - started).toISOString(),
    consistentAt: taken.consistentAt.toISOString(),
    source: taken.source,
    tools: taken.tools,
    runnerVersion,
    schedule: database.backup?.schedule,
    objectives: { rpoMinutes, rtoMinutes },
    expiresAt: earliestExpiry([expiryOf(config, startedAt), ...(buildsOn ?? []).map(({ expiresAt }) => expiresAt)]),
    tables: taken.tables,
    parts: taken.parts,
    wal: taken.wal,
    buildsOn: buildsOn?.map(({ id, digest }) => ({ id, digest })),
    fileList,
    notes: notes.length === 0 ? undefined : notes,
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

/** When the lifecycle lets the parts go: it counts days from their creation. */
function expiryOf({ retention }: JobConfig, startedAt: Date): string | undefined {
  if (!retention) return undefined;
  const days = retention.hotDays + (retention.archiveDays ?? 0);
  return new Date(startedAt.getTime() + days * 24 * 3600 * 1000).toISOString();
}
