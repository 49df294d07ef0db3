import {
  type BackupMethod,
  type DatabaseConfig,
  type JobConfig,
  type ManifestPart,
  type ManifestSource,
  type ManifestTable,
} from "../../../recovery";
import { type Progress } from "../progress";
import { type ObjectStore } from "../store/object-store";

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
}

/** How one kind of database is backed up by one method. */
export interface BackupEngine {
  readonly method: BackupMethod;
  /** Stores the parts. Throws, with nothing visible left, when any stage fails. */
  take(request: BackupRequest): Promise<TakenBackup>;
}
