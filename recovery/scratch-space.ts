/** What a job that runs in a pod does. */
export const RecoveryJob = {
  Backup: "backup",
  /** Brings a log into the store. */
  Stream: "stream",
  RestoreTest: "restore-test",
  /** Sabotages copies, and requires that the restore test catches each. */
  Prove: "prove",
  /** Has RDS restore its own log into a throw-away instance, and proves that. */
  PointInTimeTest: "point-in-time-test",
  /** Deletes the throw-aways that a killed test left. */
  Reap: "reap",
  Status: "status",
} as const;
export type RecoveryJob = (typeof RecoveryJob)[keyof typeof RecoveryJob];

// Tools' temporary files; a dump itself is streamed to the store.
const SMALL_GIB = 1;
// The throw-away server writes up to `max_wal_size` (8 GB) of log before it checkpoints.
const LOG_GIB = 8;
// The archive beside the restored copy, at least as well compressed as it ever is, and room to grow between deployments.
const COPY_AND_ARCHIVE = 1.5;
// A spoiled archive lies in a store of its own, beside the honest one.
const SECOND_ARCHIVE = 0.5;
// The increments of a chain and what they are put together into, where no file can be a link.
const CHAIN = 1;
const HEADROOM = 1.2;

/**
 * How much disk a job needs, in GiB, for databases of these sizes. A restore test works on one database after the
 * other, so the largest counts. It never uses the node's own disk, which it would fill for everybody else.
 *
 * @param incremental whether base backups may be increments of others
 */
export function scratchGib(job: RecoveryJob, databaseSizesGib: readonly number[], incremental = false): number {
  if (job !== RecoveryJob.RestoreTest && job !== RecoveryJob.Prove) return SMALL_GIB;
  const copies = COPY_AND_ARCHIVE + (job === RecoveryJob.Prove ? SECOND_ARCHIVE : 0) + (incremental ? CHAIN : 0);
  return Math.ceil(Math.max(0, ...databaseSizesGib) * copies * HEADROOM) + LOG_GIB + SMALL_GIB;
}

/** How much disk the copy of a SQLite file needs before it is in the store, in GiB: `VACUUM INTO` writes all of it. */
export function copyScratchGib(fileSizesGib: readonly number[]): number {
  return Math.ceil(Math.max(0, ...fileSizesGib) * HEADROOM) + SMALL_GIB;
}
