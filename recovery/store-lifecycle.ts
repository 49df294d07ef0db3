import {
  guideRetention,
  type Lifecycle,
  lifecycleFor,
  lifecycleProblems,
  objectLockProblems,
  type Retention,
} from "./retention";
import { StorePrefix } from "./store-layout";

/** How long everything in a store is kept, in days. */
export interface StoreRetention extends Retention {
  /** How long the write-ahead log is kept: the point-in-time window, a base backup's interval and its duration. */
  readonly logDays: number;
  /** How long evidence is kept: a year, and a month in which the yearly review reads it. */
  readonly evidenceDays: number;
}

/** The guide's retention, two weeks of log, 13 months of evidence. */
export const defaultStoreRetention: StoreRetention = { ...guideRetention, logDays: 14, evidenceDays: 400 };

/**
 * The lifecycle of each prefix of the store.
 *
 * - Only `parts/` is archived. An archived catalog could not be listed, an archived log not be replayed in time.
 * - A manifest outlives its parts for as long as a deleted version of them can still be brought back.
 * - A partial log segment is replaced every few seconds: what it replaced is of no use, the last one is.
 * - Incidents and runbooks never expire; only what replaced or deleted them does.
 * - Decoys, which the cannot-delete proof attacks, go after a day.
 */
export function storeLifecycles(retention: StoreRetention): Readonly<Record<StorePrefix, Lifecycle>> {
  const { hotDays, archiveDays, noncurrentDays, logDays, evidenceDays } = retention;
  const kept = (
    prefix: StorePrefix,
    expirationDays: number | undefined,
    noncurrentExpirationDays: number,
  ): Lifecycle => ({
    ...lifecycleFor({ ...retention, archiveDays: 0 }, prefix),
    expirationDays,
    noncurrentExpirationDays,
  });
  return {
    [StorePrefix.Parts]: lifecycleFor(retention, StorePrefix.Parts),
    [StorePrefix.Catalog]: kept(StorePrefix.Catalog, hotDays + archiveDays + noncurrentDays, noncurrentDays),
    [StorePrefix.Wal]: kept(StorePrefix.Wal, logDays, Math.min(noncurrentDays, logDays)),
    [StorePrefix.WalPartial]: kept(StorePrefix.WalPartial, logDays, 1),
    [StorePrefix.Evidence]: kept(StorePrefix.Evidence, evidenceDays, noncurrentDays),
    [StorePrefix.Incidents]: kept(StorePrefix.Incidents, undefined, evidenceDays),
    [StorePrefix.Runbooks]: kept(StorePrefix.Runbooks, undefined, noncurrentDays),
    [StorePrefix.Decoy]: kept(StorePrefix.Decoy, 1, 1),
  };
}

/** How long object lock holds every version in the store. */
export interface StoreLock {
  readonly lockDays: number;
  /** Days after which silent corruption, or a thief in the account, is certainly noticed. */
  readonly detectCorruptionDays: number;
}

/** Everything that is wrong with a store's retention and lock, each with the field or prefix that it is about. */
export function storeRetentionProblems(
  retention: StoreRetention,
  lock?: StoreLock,
): { readonly path: string; readonly message: string }[] {
  const problems: { path: string; message: string }[] = [];
  const leasts = { hotDays: 1, archiveDays: 0, noncurrentDays: 1, logDays: 1, evidenceDays: 1 } as const;
  for (const [field, least] of Object.entries(leasts) as [keyof typeof leasts, number][]) {
    const days = retention[field];
    if (!(Number.isInteger(days) && days >= least)) {
      problems.push({ path: field, message: `expected a whole number of days, ${least} or more, got ${String(days)}` });
    }
  }
  // Sums of what is not a number of days say nothing new.
  if (problems.length > 0) return problems;
  const lifecycles = storeLifecycles(retention);
  const locked: readonly StorePrefix[] = [StorePrefix.Parts, StorePrefix.Wal, StorePrefix.Evidence];
  for (const prefix of Object.values(StorePrefix)) {
    const context = {
      ...(prefix === StorePrefix.Parts ? { retention } : {}),
      ...(lock !== undefined && locked.includes(prefix) ? { objectLockDays: lock.lockDays } : {}),
    };
    for (const { message } of lifecycleProblems(lifecycles[prefix], context)) problems.push({ path: prefix, message });
  }
  if (lock !== undefined) {
    const retentionDays = retention.hotDays + retention.archiveDays;
    for (const message of objectLockProblems({ ...lock, retentionDays })) problems.push({ path: "lockDays", message });
  }
  return problems;
}
