import {
  type BackupMethod,
  type DatabaseConfig,
  type DatabaseEndpoint,
  type HeldWindow,
  type JobConfig,
  type Manifest,
  type ManifestFileList,
  type ManifestPart,
  type ManifestSource,
  type ManifestTable,
  type ManifestWal,
  type RecoveryTarget,
  type TargetClass,
} from "../../../recovery";
import { type Progress } from "../progress";
import { type RestoreProof } from "../proof/proof-run";
import { type ObjectStore } from "../store/object-store";
import { type Diagnosis } from "./diagnosis";
import { type SabotageKit } from "./sabotage-case";

/** What an engine needs to take one backup. */
export interface BackupRequest {
  readonly config: JobConfig;
  readonly database: DatabaseConfig;
  readonly store: ObjectStore;
  /** Id of the recovery point in the making; every part lies under it. */
  readonly id: string;
  readonly startedAt: Date;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What an engine took: everything that the manifest says of the data itself. */
export interface TakenBackup {
  readonly consistentAt: Date;
  readonly source: ManifestSource;
  readonly tools: Readonly<Record<string, string>>;
  readonly tables: readonly ManifestTable[];
  readonly parts: readonly ManifestPart[];
  /** Where a physical copy stands in the log. */
  readonly wal?: ManifestWal;
  /** What it is an increment of, the full one first. @default it stands alone */
  readonly buildsOn?: readonly Manifest[];
  /** What the next one can be an increment against; stored already. */
  readonly fileList?: ManifestFileList;
  /** What a person may want to know and nothing is wrong with. @default nothing */
  readonly notes?: readonly string[];
  /** What makes the backup suspicious though it is complete. @default nothing */
  readonly reasons?: readonly string[];
}

/** A recovery point to restore and to compare with what its source was like. */
export interface RestoreRequest {
  readonly store: ObjectStore;
  readonly manifest: Manifest;
  /** Rules, proof settings and the heartbeat's interval. */
  readonly database: DatabaseConfig;
  /** Where to go from the recovery point, by an engine that has a log. @default the recovery point's own moment */
  readonly to?: RecoveryTarget;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** A restore test. */
export interface RestoreTestRequest extends RestoreRequest {
  /** Sees the restored copy before it is proven, by its path or URL: the sabotage spoils it there. */
  readonly onRestored?: (target: string) => Promise<void>;
}

/** A restore into the place that a person named. */
export interface RestoreIntoRequest extends RestoreRequest {
  /** As given after `--into`. */
  readonly into: string;
  readonly passwordFile?: string;
  /** Folder for temporary files. @default the system's */
  readonly scratch?: string;
  /** Keep a copy that was not proven, under its working name. */
  readonly keep: boolean;
  /** Sessions that load a dump at the same time. @default one for each CPU here, up to 8 */
  readonly jobs?: number;
}

/** What a restore left. */
export interface RestoredCopy {
  readonly proof: RestoreProof;
  /** The name or path of the copy; `null` when nothing is left of it. */
  readonly kept: string | null;
  /** Where it is, for a person. */
  readonly where: string;
  /** Where clients reach it, when it is a server of its own. */
  readonly endpoint?: DatabaseEndpoint;
}

/** Rows that a person wants back, and beside which live ones. */
export interface RowsRequest {
  /** Tables as a person named them; with `ofSchema` none. */
  readonly tables: readonly string[];
  /** Every table of this schema instead. */
  readonly ofSchema?: string;
  /** Condition that each table's rows are chosen by. @default every row */
  readonly where?: string;
  /** The live database: its URL, or a file's path. */
  readonly into: string;
  readonly passwordFile?: string;
  /** Folder for temporary files. @default the system's */
  readonly scratch?: string;
  /** The schema to make in it; where the engine has no schemas, what the new tables' names begin with. */
  readonly side: string;
}

/** Rows to copy out of a recovery point. */
export type ExtractRequest = RestoreRequest & RowsRequest;

/** One table's rows, where they are now. */
export interface ExtractedTable {
  readonly table: string;
  /** The side table, as SQL writes it. */
  readonly into: string;
  readonly rows: number;
  /** Of the rows in the copy, in hexadecimal; those of the side table had the same. */
  readonly hash: string;
}

/** What came of copying rows out of a recovery point or a stream. */
export interface Extraction {
  readonly proof: Pick<RestoreProof, "checks" | "phases" | "seconds">;
  /** Empty unless everything passed: then nothing was made. */
  readonly tables: readonly ExtractedTable[];
  /** What a person should know about the side tables. */
  readonly notes: readonly string[];
  /** SQL that would put the rows back. Nobody runs it but a person who has read it. */
  readonly putBack: string;
}

/** How one kind of database is backed up, restored and proven by one method. */
export interface RecoveryEngine {
  readonly method: BackupMethod;
  /** What its restores are evidence of: measured on the throw-away target, and on the one that a person named. */
  readonly targetClass: { readonly test: TargetClass; readonly restore: TargetClass };
  /** Stores the parts. Throws, with nothing visible left, when any stage fails. */
  take(request: BackupRequest): Promise<TakenBackup>;
  /** Restores into a place that nobody uses, proves the copy there, and leaves nothing of it. */
  restoreTest(request: RestoreTestRequest): Promise<RestoreProof>;
  /**
   * Restores beside whatever is there, proves the copy, and gives it its name only then.
   *
   * @throws UsageError when `into` is nothing that this engine can restore into
   */
  restoreInto(request: RestoreIntoRequest): Promise<RestoredCopy>;
  /** Ways to spoil a copy of an honest recovery point. The caller closes the kit. */
  openSabotage(request: SabotageKitRequest): Promise<SabotageKit>;
}

/** What a sabotage kit is made of. */
export interface SabotageKitRequest {
  readonly store: ObjectStore;
  readonly manifest: Manifest;
  /** Folder that the caller removes. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

/** An open connection that commits heartbeats. */
export interface Heart {
  /** Commits one. @returns its time, by the database's clock */
  beat(): Promise<Date>;
  close(): Promise<void>;
}

/** A restore from a stream: what the store received between two recovery points, or what a service keeps by itself. */
export interface StreamRequest {
  readonly config: JobConfig;
  readonly database: DatabaseConfig;
  /** @default the newest moment that the stream holds */
  readonly at?: Date;
  /** One of the engine's snapshots, instead of a moment. */
  readonly snapshot?: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** A restore from a stream into the place that a person named. */
export type StreamIntoRequest = StreamRequest & Pick<RestoreIntoRequest, "into" | "keep">;

/** Rows to copy out of a stream. */
export type StreamExtractRequest = StreamRequest & RowsRequest;

/** From when to when a stream can be restored. */
export interface StreamWindow extends HeldWindow {
  /** On the source's disk, where the stream itself knows. */
  readonly sourceBytes?: number;
}

/** A moment that a service keeps by itself, beside its log. */
export interface StreamSnapshot {
  readonly id: string;
  readonly at: Date;
  readonly sourceBytes: number;
  /** Why it cannot be used; empty when it can. */
  readonly problems: readonly string[];
}

/** A stream that is restored by itself, without a recovery point. */
export interface StreamEngine {
  /** How plans name it. */
  readonly sourceId: string;
  /** As evidence names it. */
  readonly mechanism: string;
  /** As evidence names a restore of a snapshot, where there are any. */
  readonly snapshotMechanism?: string;
  readonly targetClass: TargetClass;
  /** Whether a copy can be restored into a place of that name. */
  acceptsPlace(place: string): boolean;
  /** Why a place that it accepts is none for this database; absent where any is. */
  placeProblem?(place: string, database: DatabaseConfig): string | undefined;
  /** Whether the database has one at all. */
  isThere(database: DatabaseConfig, store: ObjectStore): Promise<boolean>;
  /** What the store holds. @throws NoRecoveryPointError when it holds nothing */
  window(request: StreamRequest): Promise<StreamWindow>;
  snapshots?(request: StreamRequest): Promise<StreamSnapshot[]>;
  /** As an engine's. @throws NoRecoveryPointError when the stream does not reach that moment */
  restoreTest(request: StreamRequest): Promise<RestoreProof>;
  /** As an engine's. @throws NoRecoveryPointError when the stream does not reach that moment */
  restoreInto(request: StreamIntoRequest): Promise<RestoredCopy>;
  /** As a kind's, from a throw-away copy. @throws NoRecoveryPointError when the stream does not reach that moment */
  extract(request: StreamExtractRequest): Promise<Extraction>;
}

/** What one kind of database needs, whatever the method. */
export interface DatabaseKind {
  /** Its methods, the usual one first. */
  readonly engines: readonly RecoveryEngine[];
  /** Absent where there is none that can be restored by itself. */
  readonly stream?: StreamEngine;
  /**
   * Copies rows of a recovery point into new tables beside the live ones, in one transaction, and compares them there.
   * Nothing that exists is touched.
   *
   * @throws UsageError when a name or the condition is none, or something of the side's name exists
   */
  extract(request: ExtractRequest): Promise<Extraction>;
  /**
   * Makes what backups and the heartbeat need; every statement may be run again.
   *
   * @param printOnly change nothing
   * @returns the statements
   */
  prepare(database: DatabaseConfig, printOnly: boolean): Promise<readonly string[]>;
  openHeart(database: DatabaseConfig): Promise<Heart>;
  /** Everything that a backup, a restore test and a recovery will need. */
  diagnose(database: DatabaseConfig): Promise<Diagnosis[]>;
}
