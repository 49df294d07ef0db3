import { chmod, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  BackupMethod,
  type DatabaseConfig,
  type JobConfig,
  jobConfigDefaults,
  Mechanism,
  type Objectives,
  TargetClass,
} from "../../../recovery";
import { postgresBase } from "../engines/postgres/base-backup";
import { streamLog } from "../engines/postgres/wal-stream";
import { OperationError } from "../errors";
import { type Progress, silentProgress } from "../progress";
import { type RestoreProof } from "../proof/proof-run";
import { readCatalog, RecoveryPointState } from "../store/catalog";
import { type ObjectStore } from "../store/object-store";
import { coverageOf } from "../store/stored-log";
import { type CopyJudgement, judgeDrilledCopy } from "./drilled-copy";

/** What the drill of the log works on. */
export interface LogDrillOptions {
  readonly config: JobConfig;
  readonly database: DatabaseConfig;
  readonly store: ObjectStore;
  readonly objectives: Objectives;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What it found. */
export interface LogDrill extends CopyJudgement {
  readonly proof: RestoreProof;
  readonly recoverySeconds: number;
  readonly recoveryPoint: string;
  readonly startedAt: string;
}

const coverageDeadlineSeconds = 90;

/** The log of the drill's primary on its way into the store, as `dr stream` brings it. */
export class DrillStream {
  private readonly stopping = new AbortController();
  private readonly ended: Promise<unknown>;

  constructor(private readonly options: Pick<LogDrillOptions, "config" | "database" | "store" | "signal">) {
    const { config, database, store } = options;
    this.ended = streamLog({
      ...{ config, database, store, wal: database.wal! },
      progress: silentProgress,
      signal: AbortSignal.any([options.signal, this.stopping.signal]),
    });
    // Whoever stops it gets the failure; before that it must not count as unhandled.
    this.ended.catch(() => undefined);
  }

  /** Waits until the store has a base backup and every commit up to now. @throws when it does not come */
  async untilCovered(): Promise<void> {
    const { signal } = this.options;
    const moment = new Date().getTime();
    const since = performance.now();
    while (!((await this.coversUntil()) >= moment)) {
      signal.throwIfAborted();
      if (performance.now() - since > coverageDeadlineSeconds * 1000) {
        throw new OperationError(`The log did not reach the store within ${coverageDeadlineSeconds} s.`);
      }
      await delay(200);
    }
  }

  /** Ends it; what it had received is stored. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.ended;
  }

  private async coversUntil(): Promise<number> {
    const { store, database } = this.options;
    const base = (await readCatalog(store, { database: database.name })).find(({ manifest }) => manifest?.wal);
    return (base?.manifest && (await coverageOf(store, base.manifest)).coversUntil?.getTime()) ?? 0;
  }
}

/** The newest moment that base backup and log hold becomes a data directory of its own, is proven, and goes again. */
export async function runLogDrill(options: LogDrillOptions, disasterAt: Date): Promise<LogDrill> {
  const { config, database, store, objectives, progress, signal } = options;
  const base = (await readCatalog(store, { database: database.name })).find(
    ({ id, state, manifest }) =>
      state === RecoveryPointState.Complete && manifest !== undefined && id.includes(`-${BackupMethod.Base}-`),
  )?.manifest;
  if (!base) throw new OperationError("The stream took no base backup: there is nothing to replay the log over.");
  // Readable for PostgreSQL's own user, wherever this checkout lies.
  const folder = await mkdtemp("/tmp/dr-drill-");
  await chmod(folder, 0o755);
  const startedAt = new Date();
  const recoveryStart = performance.now();
  let proof: RestoreProof;
  try {
    ({ proof } = await postgresBase.restoreInto({
      ...{ store, manifest: base, database, progress, signal },
      to: { kind: "latest" },
      into: join(folder, "recovered"),
      keep: false,
    }));
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  const recoverySeconds = (performance.now() - recoveryStart) / 1000;
  const judged = await judgeDrilledCopy({
    store,
    objectives,
    database,
    proof,
    recoverySeconds,
    disasterAt,
    manifest: base,
    environment: config.environment ?? jobConfigDefaults.environment,
    mechanism: Mechanism.PointInTimeLog,
    targetClass: TargetClass.DurableServer,
    startedAt: startedAt.toISOString(),
    what: "Point in time: ",
    phase: "point in time: restore, replay and prove",
  });
  return { ...judged, proof, recoverySeconds, recoveryPoint: base.id, startedAt: startedAt.toISOString() };
}
