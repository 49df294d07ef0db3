import { Engine } from "./manifest";
import { type LifecycleTransition, type Retrieval } from "./retention";
import { Scenario } from "./scenario";
import { BackupMethod } from "./store-layout";
import { type Placed } from "./placement";

/** Everything that can save a database or the application on it. There is no other: what is not here does not count. */
export const Mechanism = {
  /** A whole copy at scheduled times: pg_dump, a base backup, a copy of a SQLite file. */
  Dump: "dump",
  /** A log that is shipped as it is written and replayed to a point in time: RDS PITR, streamed WAL. */
  PointInTimeLog: "point-in-time-log",
  /** Litestream's log of a SQLite file. */
  SqliteStream: "sqlite-stream",
  /** A second server that follows the first and can be promoted. */
  Standby: "standby",
  /** A replica of the store in another place: it carries the dumps and logs of the store it copies. */
  StoreCopy: "store-copy",
  /** The application's pods, which Kubernetes restarts. */
  Replicas: "replicas",
  /** The way back to the version before. */
  Rollback: "rollback",
  /** Bounded connections that are re-established by themselves. */
  Pooler: "pooler",
} as const;
export type Mechanism = (typeof Mechanism)[keyof typeof Mechanism];

interface NamedProtection {
  /** Its name in outcomes and fixes; unique within a database. */
  readonly name: string;
}

/** What fetching and restoring takes. Everything is optional: `recoveryDefaults` states what is assumed. */
export interface RestoreSpeed {
  /** Until there is an empty server to restore into, in minutes. @default 1; 20 for a new RDS instance */
  readonly provisionMinutes?: number;
  /** Size of the stored copy. @default 0.4 of the database's size */
  readonly storedBytes?: number;
  /** @default 100 MB/s */
  readonly fetchBytesPerSecond?: number;
  /** Database bytes restored per second. @default 25 MB/s for a dump, 100 MB/s for a physical copy or a file */
  readonly restoreBytesPerSecond?: number;
  /** The whole restore, where its time is known otherwise than by size over throughput, in minutes. */
  readonly restoreMinutes?: number;
  /** @default 2 */
  readonly verifyMinutes?: number;
  /** Connection string, pods that read it anew, health. @default 1 */
  readonly switchMinutes?: number;
}

/** A whole copy at scheduled times. */
export interface DumpProtection extends NamedProtection, Placed, RestoreSpeed {
  readonly mechanism: typeof Mechanism.Dump;
  /** @default dump */
  readonly method?: BackupMethod;
  /** Cron, as Kubernetes reads it. @default none: then nothing bounds the loss */
  readonly schedule?: string;
  /** IANA name. @default UTC */
  readonly timeZone?: string;
  /** Runs in a row that may fail or be skipped before somebody has repaired it. @default 1 */
  readonly failedRuns?: number;
  /** From the scheduled time until the copy begins: controller, scheduler, image. @default 2 */
  readonly startDelayMinutes?: number;
  /** @default size over 50 MB/s */
  readonly dumpMinutes?: number;
  /** From the end of the dump until the manifest is written. @default 0: streamed while dumping */
  readonly uploadMinutes?: number;
  /** How long a copy is kept. @default unknown */
  readonly retentionDays?: number;
  /** How copies move to other storage classes with age. @default none: STANDARD until they expire */
  readonly transitions?: readonly LifecycleTransition[];
  readonly retrieval?: Retrieval;
}

/** How far back a log reaches. */
export interface LogWindow {
  /** Days back to which a recovery is always possible: RDS's `backupRetentionPeriod`. */
  readonly windowDays?: number;
  /** For a log of one's own: how long its files are kept. The window is this minus the base backup's gap and duration. */
  readonly walRetentionDays?: number;
  /** Cron of the base backups that the log is replayed onto. @default daily where the window is managed */
  readonly baseBackupSchedule?: string;
  /** How many of the base backups in a row are increments of a full one, without which they are of no use. @default 0 */
  readonly incrementalsPerFull?: number;
  /** @default size over 50 MB/s */
  readonly baseBackupMinutes?: number;
}

/** A log that is replayed onto a base backup. */
export interface LogProtection extends NamedProtection, Placed, RestoreSpeed, LogWindow {
  readonly mechanism: typeof Mechanism.PointInTimeLog;
  /** Whether RDS keeps the log (then a restore makes a new instance), or the project's own job. @default false */
  readonly managed?: boolean;
  /** Longest time until a committed change is in the store. @default 60; 300 for RDS, which uploads every 5 minutes */
  readonly flushSeconds?: number;
  /** Log written per day, which a restore replays. @default 0.1 of the database's size */
  readonly logBytesPerDay?: number;
  /** @default 50 MB/s */
  readonly replayBytesPerSecond?: number;
}

/** Litestream's log of a SQLite file. */
export interface SqliteStreamProtection extends NamedProtection, Placed, RestoreSpeed {
  readonly mechanism: typeof Mechanism.SqliteStream;
  /** Longest time until a committed change is in the store. @default 10 */
  readonly flushSeconds?: number;
  /** How far back a restore can go. @default unknown */
  readonly windowDays?: number;
}

/** A second server that follows the first. */
export interface StandbyProtection extends NamedProtection, Placed {
  readonly mechanism: typeof Mechanism.Standby;
  /** A commit waits for it, so that nothing is lost. @default false */
  readonly synchronous?: boolean;
  /** How far an asynchronous standby may be behind before an alarm says so. @default unknown */
  readonly lagSeconds?: number;
  /** It is promoted without a person (RDS Multi-AZ); all others wait for one: split brain loses more than it saves. @default false */
  readonly automatic?: boolean;
  /** @default 1; 2 with detection when automatic */
  readonly promoteMinutes?: number;
  /** @default 1 */
  readonly verifyMinutes?: number;
  /** @default 1; 0 when automatic: the endpoint moves by itself */
  readonly switchMinutes?: number;
}

/** A replica of the store in another place. */
export interface StoreCopyProtection extends NamedProtection, Placed {
  readonly mechanism: typeof Mechanism.StoreCopy;
  /** Names of the dumps, logs and streams that it carries. @default all of the database */
  readonly carries?: readonly string[];
  /** Longest time until an object is in the copy. @default 15, S3's replication time control */
  readonly replicationMinutes?: number;
}

/** The application's pods. */
export interface ReplicasProtection extends NamedProtection {
  readonly mechanism: typeof Mechanism.Replicas;
  /** Pods that serve at the same time. With one, a crash is an outage until it has restarted. */
  readonly count: number;
  /** Until a dead pod is taken out of service: probe period times failures. @default 30 */
  readonly detectSeconds?: number;
  /** Until a restarted pod is ready. @default 60 */
  readonly restartSeconds?: number;
}

/** The way back to the version before. */
export interface RollbackProtection extends NamedProtection {
  readonly mechanism: typeof Mechanism.Rollback;
  /** A failed rollout is undone without a person. @default false */
  readonly automatic?: boolean;
  /** When Kubernetes calls a rollout failed. @default 600, Kubernetes' own */
  readonly progressDeadlineSeconds?: number;
  /** Until the pods of the version before are ready. @default 60 */
  readonly rollbackSeconds?: number;
  /** Versions kept to go back to (`revisionHistoryLimit`). @default 10, Kubernetes' own */
  readonly revisionHistoryLimit?: number;
}

/** Bounded connections that are re-established by themselves. */
export interface PoolerProtection extends NamedProtection {
  readonly mechanism: typeof Mechanism.Pooler;
  /** Until a broken server connection is noticed. @default 30 */
  readonly detectSeconds?: number;
  /** Until connections serve again. @default 60 */
  readonly reconnectSeconds?: number;
}

/** The protections that hold a copy of the data in a store. */
export type StoredProtection = DumpProtection | LogProtection | SqliteStreamProtection;

/** One declared protection. */
export type Protection =
  | StoredProtection
  | StandbyProtection
  | StoreCopyProtection
  | ReplicasProtection
  | RollbackProtection
  | PoolerProtection;

const MEGABYTE = 1_000_000;

/**
 * What is assumed where nobody states or has measured it. Restores were measured at 86 MB/s (dump, parallel) and 360
 * MB/s (base backup) on two cores; these are a third of that, because a recovery meets a cold server.
 */
export const recoveryDefaults = {
  failedRuns: 1,
  startDelayMinutes: 2,
  dumpBytesPerSecond: 50 * MEGABYTE,
  uploadMinutes: 0,
  storedShare: 0.4,
  fetchBytesPerSecond: 100 * MEGABYTE,
  logicalRestoreBytesPerSecond: 25 * MEGABYTE,
  physicalRestoreBytesPerSecond: 100 * MEGABYTE,
  logShareOfSizePerDay: 0.1,
  replayBytesPerSecond: 50 * MEGABYTE,
  managedBaseBackupSchedule: "@daily",
  provisionMinutes: 1,
  managedProvisionMinutes: 20,
  verifyMinutes: 2,
  switchMinutes: 1,
  managedFlushSeconds: 300,
  walFlushSeconds: 60,
  sqliteFlushSeconds: 10,
  promoteMinutes: 1,
  automaticPromoteMinutes: 2,
  standbyVerifyMinutes: 1,
  storeReplicationMinutes: 15,
  siteStartMinutes: 5,
  podDetectSeconds: 30,
  podRestartSeconds: 60,
  progressDeadlineSeconds: 600,
  rollbackSeconds: 60,
  revisionHistoryLimit: 10,
  poolerDetectSeconds: 30,
  poolerReconnectSeconds: 60,
} as const;

/** What a mechanism does in a scenario. */
export interface Coverage {
  /** Whether it can bring the service back. Where and how much it loses is for the assessment to derive. */
  readonly helps: boolean;
  /** Why, or under which condition. */
  readonly because: string;
}

const helps = (because: string): Coverage => ({ helps: true, because });
const no = (because: string): Coverage => ({ helps: false, because });

const NO_DATA_LOST = no("no data is lost; a restore would only add an outage");
const NO_DATA = no("it holds no data");
const BEFORE_DAMAGE = "reaches back to before the damage, if it is kept longer than damage stays unnoticed";
const ELSEWHERE = "the store is outside the failed region";
const OUTSIDE = "the store is outside the failed server, zone and cluster";

const storedCoverage: Readonly<Record<Scenario, Coverage>> = {
  [Scenario.PodCrash]: NO_DATA_LOST,
  [Scenario.DeploymentFailure]: NO_DATA_LOST,
  [Scenario.DatabaseConnectionLoss]: NO_DATA_LOST,
  [Scenario.DataCorruption]: helps(BEFORE_DAMAGE),
  [Scenario.CompleteOutage]: helps(`if ${OUTSIDE}`),
  [Scenario.RegionalFailure]: helps(`if ${ELSEWHERE}, and there is compute elsewhere`),
};

const applicationCoverage = (scenario: Scenario, because: string): Readonly<Record<Scenario, Coverage>> => ({
  [Scenario.PodCrash]: no("it acts on something else"),
  [Scenario.DeploymentFailure]: no("it acts on something else"),
  [Scenario.DatabaseConnectionLoss]: no("it acts on something else"),
  [Scenario.DataCorruption]: NO_DATA,
  [Scenario.CompleteOutage]: NO_DATA,
  [Scenario.RegionalFailure]: NO_DATA,
  [scenario]: helps(because),
});

/** What each mechanism does in each scenario. */
export const coverage: Readonly<Record<Mechanism, Readonly<Record<Scenario, Coverage>>>> = {
  [Mechanism.Dump]: storedCoverage,
  [Mechanism.PointInTimeLog]: storedCoverage,
  [Mechanism.SqliteStream]: storedCoverage,
  [Mechanism.Standby]: {
    [Scenario.PodCrash]: NO_DATA_LOST,
    [Scenario.DeploymentFailure]: no("it follows what a bad deployment writes"),
    [Scenario.DatabaseConnectionLoss]: no("the same clients exhaust its connections"),
    [Scenario.DataCorruption]: no("it replicates the corruption, the bad deployment and the deletion within seconds"),
    [Scenario.CompleteOutage]: helps("if it is on another server, and in another zone and cluster where those fail"),
    [Scenario.RegionalFailure]: helps("if it is in another region, with compute for the application there"),
  },
  [Mechanism.StoreCopy]: {
    ...storedCoverage,
    [Scenario.DataCorruption]: helps("carries what the store has; it adds nothing while the store itself stands"),
    [Scenario.CompleteOutage]: helps("if the copy is outside the failed server, zone and cluster"),
    [Scenario.RegionalFailure]: helps("if the copy is outside the failed region, and there is compute elsewhere"),
  },
  [Mechanism.Replicas]: applicationCoverage(Scenario.PodCrash, "Kubernetes restarts the pod; the others serve on"),
  [Mechanism.Rollback]: applicationCoverage(Scenario.DeploymentFailure, "back to the version that worked"),
  [Mechanism.Pooler]: applicationCoverage(Scenario.DatabaseConnectionLoss, "connections are bounded and come back"),
};

/** Whether a mechanism exists for an engine at all: a stream of a SQLite file protects no PostgreSQL server. */
export function appliesTo(mechanism: Mechanism, engine: Engine): boolean {
  if (mechanism === Mechanism.SqliteStream) return engine === Engine.Sqlite;
  if (mechanism === Mechanism.PointInTimeLog || mechanism === Mechanism.Standby) return engine !== Engine.Sqlite;
  return true;
}

/** Whether this protection holds the data in a store that can be copied. */
export function isStored(protection: Protection): protection is StoredProtection {
  return (
    protection.mechanism === Mechanism.Dump ||
    protection.mechanism === Mechanism.PointInTimeLog ||
    protection.mechanism === Mechanism.SqliteStream
  );
}

/** What evidence records call this protection: a dump by its method, every other by its mechanism. */
export function evidenceMechanism(protection: Protection): string {
  return protection.mechanism === Mechanism.Dump ? (protection.method ?? BackupMethod.Dump) : protection.mechanism;
}
