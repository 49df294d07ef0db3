import {
  combineVerdicts,
  type DatabaseConfig,
  type DatabaseEndpoint,
  EvidenceKind,
  jobConfigDefaults,
  type Manifest,
  Mechanism,
  type RecoveryTarget,
  Verdict,
} from "../../../recovery";
import { type CommandContext } from "../command";
import { databasesNamed } from "../config-file";
import { recoveryEngineOf } from "../engines/database-kinds";
import { UsageError } from "../errors";
import { achievedRpoSeconds } from "../proof/canary";
import { type TableComparison } from "../proof/proof-run";
import { measureStream, streamEngineFor } from "../proof/stream-measurement";
import { type Measurement } from "../report/evidence-record";
import { recordIfAllowed } from "../report/record-if-allowed";
import { type CatalogEntry } from "../store/catalog";

/** Where a recovery point goes, and how. */
export interface RestorePlace {
  /** As given after `--into`. */
  readonly into: string;
  readonly to?: RecoveryTarget;
  readonly passwordFile?: string;
  readonly scratch?: string;
  readonly keep: boolean;
  /** Sessions that load a dump at the same time. @default one for each CPU here, up to 8 */
  readonly jobs?: number;
}

/** A restore with its proof, and where both are. */
export interface RecordedRestore {
  readonly verdict: Verdict;
  readonly measurement: Measurement;
  readonly comparisons: readonly TableComparison[];
  /** From the first fetch to the end of the proof. */
  readonly seconds: number;
  readonly kept: string | null;
  readonly where: string;
  /** Key of the evidence; `null` where this identity may not write any. */
  readonly evidence: string | null;
  /** Where clients reach it, when it is a server of its own. */
  readonly endpoint?: DatabaseEndpoint;
}

/** Restores a complete recovery point into a place of its own, proves it, and records what was measured. */
export async function restoreAndRecord(
  context: CommandContext,
  entry: CatalogEntry & { readonly manifest: Manifest },
  place: RestorePlace,
): Promise<RecordedRestore> {
  const { manifest } = entry;
  const engine = recoveryEngineOf(manifest);
  const config = context.config();
  const startedAt = new Date();
  const { proof, kept, where } = await engine.restoreInto({
    ...context,
    ...place,
    store: context.store(),
    manifest,
    database: databasesNamed(config, manifest.database)[0]!,
  });
  const verdict = combineVerdicts(proof.checks.map((check) => check.verdict));
  const measurement: Measurement = {
    kind: EvidenceKind.Restore,
    database: manifest.database,
    engine: manifest.engine,
    mechanism: manifest.wal && place.to ? Mechanism.PointInTimeLog : manifest.method,
    recoveryPoint: manifest.id,
    manifest: entry.manifestObject,
    environment: config.environment ?? jobConfigDefaults.environment,
    targetClass: engine.targetClass.restore,
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    verdict,
    level: proof.level,
    sizeBytes: manifest.source.bytes,
    phases: proof.phases,
    measuredRtoSeconds: verdict === Verdict.Pass ? proof.seconds : undefined,
    achievedRpoSeconds: achievedRpoSeconds(startedAt, proof.newestHeartbeat),
    checks: proof.checks,
  };
  const evidence = await recordIfAllowed(context, measurement);
  return { verdict, measurement, comparisons: proof.comparisons, seconds: proof.seconds, kept, where, evidence };
}

/**
 * Restores a stream into a place of its own, proves it, and records what was measured.
 *
 * @throws UsageError when the database has no stream, or the stream knows no such target
 */
export async function restoreStreamAndRecord(
  context: CommandContext,
  database: DatabaseConfig,
  { into, to, keep, snapshot }: Pick<RestorePlace, "into" | "to" | "keep"> & { readonly snapshot?: string },
): Promise<RecordedRestore> {
  if (to && to.kind !== "latest" && to.kind !== "time") {
    throw new UsageError("--to: a stream knows no log positions and no names: give latest or a time.");
  }
  const config = context.config();
  const startedAt = new Date();
  const { proof, kept, where, endpoint } = await streamEngineFor(database).restoreInto({
    ...context,
    config,
    database,
    at: to?.kind === "time" ? to.at : undefined,
    ...(snapshot === undefined ? {} : { snapshot }),
    into,
    keep,
  });
  const measurement = measureStream({ config, database }, EvidenceKind.Restore, startedAt, proof, snapshot);
  const evidence = await recordIfAllowed(context, measurement);
  const { comparisons, seconds } = proof;
  return {
    ...{ verdict: measurement.verdict, measurement, comparisons, seconds, kept, where, evidence },
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}
