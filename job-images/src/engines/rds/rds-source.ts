import { type DatabaseEndpoint, type RdsRestoreChoice } from "../../../../recovery";
import { type Progress } from "../../progress";
import { type StreamSnapshot, type StreamWindow } from "../engine";

/** A restored instance or cluster that answers. */
export interface RdsCopy {
  readonly endpoint: DatabaseEndpoint;
  /** What is not as it was asked for. */
  readonly differences: readonly string[];
  /** How many settings, tags and keys were compared. */
  readonly compared: number;
  /** What the source has and no restore brings along. */
  readonly remaining: readonly string[];
}

/** How a restore is watched. */
export interface RdsRestoreWatch {
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** The restore has been asked for: from here on there is something to clean up. */
  readonly onMade: () => void;
}

/** An instance or a cluster that can be restored from. */
export interface RdsSource {
  /** Where clients reach it. */
  endpoint(): Promise<DatabaseEndpoint>;
  /** From when to when its log reaches. @throws NoRecoveryPointError when there is none */
  window(): Promise<StreamWindow>;
  snapshots(): Promise<StreamSnapshot[]>;
  /** Whether there is one of that name. */
  exists(identifier: string): Promise<boolean>;
  /** Makes a copy, waits for it, and compares what it has become. */
  restore(choice: RdsRestoreChoice, watch: RdsRestoreWatch): Promise<RdsCopy>;
  /** Deletes a throw-away that this very run made. */
  remove(identifier: string): Promise<void>;
  close(): void;
}
