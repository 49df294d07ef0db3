/** The S3 storage classes that a lifecycle can move a backup to, and where it starts. */
export const StorageClass = {
  Standard: "STANDARD",
  StandardInfrequentAccess: "STANDARD_IA",
  OneZoneInfrequentAccess: "ONEZONE_IA",
  GlacierInstantRetrieval: "GLACIER_IR",
  Glacier: "GLACIER",
  DeepArchive: "DEEP_ARCHIVE",
} as const;
export type StorageClass = (typeof StorageClass)[keyof typeof StorageClass];

/** What a storage class costs in days and in waiting (S3 user guide, storage classes and archive retrieval options). */
export interface StorageClassTerms {
  /** An object is paid for at least this many days, however soon it goes. */
  readonly minimumBilledDays: number;
  /** A lifecycle may not move an object here earlier than this many days after its creation. */
  readonly earliestTransitionDays: number;
  /** Longest wait before an object can be read by the standard retrieval, in minutes; 0 where it can be read at once. */
  readonly retrievalMinutes: number;
}

const HOUR = 60;

export const storageClassTerms: Readonly<Record<StorageClass, StorageClassTerms>> = {
  STANDARD: { minimumBilledDays: 0, earliestTransitionDays: 0, retrievalMinutes: 0 },
  STANDARD_IA: { minimumBilledDays: 30, earliestTransitionDays: 30, retrievalMinutes: 0 },
  ONEZONE_IA: { minimumBilledDays: 30, earliestTransitionDays: 30, retrievalMinutes: 0 },
  GLACIER_IR: { minimumBilledDays: 90, earliestTransitionDays: 0, retrievalMinutes: 0 },
  GLACIER: { minimumBilledDays: 90, earliestTransitionDays: 0, retrievalMinutes: 5 * HOUR },
  DEEP_ARCHIVE: { minimumBilledDays: 180, earliestTransitionDays: 0, retrievalMinutes: 12 * HOUR },
};

// A lifecycle only ever moves an object down this order.
const WATERFALL: readonly StorageClass[] = Object.values(StorageClass);

const EXPEDITED_MINUTES = 5;
const EXPEDITED_BELOW_BYTES = 250_000_000;

/** What is fetched from a storage class. */
export interface Retrieval {
  /** Size of the largest object that a restore reads. @default unknown: expedited retrieval is not counted on */
  readonly largestObjectBytes?: number;
  /** Whether provisioned retrieval capacity is bought; without it AWS may refuse an expedited retrieval. @default false */
  readonly provisionedCapacity?: boolean;
}

/**
 * Longest wait, in minutes, before an object in this class can be read: nothing for those that answer in milliseconds,
 * 5 hours for GLACIER and 12 for DEEP_ARCHIVE. Expedited retrieval (up to 5 minutes) counts only for GLACIER objects
 * under 250 MB with provisioned capacity.
 */
export function retrievalMinutes(storageClass: StorageClass, retrieval: Retrieval = {}): number {
  const expedited =
    storageClass === StorageClass.Glacier &&
    retrieval.provisionedCapacity === true &&
    retrieval.largestObjectBytes !== undefined &&
    retrieval.largestObjectBytes < EXPEDITED_BELOW_BYTES;
  return expedited ? EXPEDITED_MINUTES : storageClassTerms[storageClass].retrievalMinutes;
}

/** The classes from which a backup can be read within this many minutes, so that it may lie there. */
export function storageClassesWithin(minutes: number, retrieval: Retrieval = {}): StorageClass[] {
  return WATERFALL.filter((storageClass) => retrievalMinutes(storageClass, retrieval) <= minutes);
}

/** How long backups are kept, as the guide says it: so many days in S3, and then so many in an archive. */
export interface Retention {
  /** Days in STANDARD, from which recoveries are made. @default the guide's 30 */
  readonly hotDays: number;
  /** Days in the archive after those; 0 for no archive. @default the guide's 90 */
  readonly archiveDays: number;
  /** @default GLACIER, the guide's */
  readonly archiveClass: StorageClass;
  /** Days that an overwritten or deleted version is still kept: the time to notice that somebody deletes. @default 30 */
  readonly noncurrentDays: number;
}

/** The guide's "30 days in S3, 90 days in Glacier". */
export const guideRetention: Retention = {
  hotDays: 30,
  archiveDays: 90,
  archiveClass: StorageClass.Glacier,
  noncurrentDays: 30,
};

/** One move of a lifecycle. */
export interface LifecycleTransition {
  /** Days after the object's creation (for a noncurrent version: after it became noncurrent). */
  readonly days: number;
  readonly storageClass: StorageClass;
}

/** What one S3 lifecycle rule does to the objects under a prefix. Days count from the object's creation. */
export interface Lifecycle {
  /** @default the whole bucket */
  readonly prefix?: string;
  readonly transitions: readonly LifecycleTransition[];
  /** When a current version expires. @default never */
  readonly expirationDays?: number;
  readonly noncurrentTransitions?: readonly LifecycleTransition[];
  /** Days after a version became noncurrent until it is deleted. @default never */
  readonly noncurrentExpirationDays?: number;
  /** Whether delete markers with nothing behind them are removed. @default false */
  readonly expiredObjectDeleteMarker?: boolean;
  /** Days after which the parts of an upload that never finished are removed. @default never */
  readonly abortIncompleteMultipartDays?: number;
}

const ABORT_INCOMPLETE_MULTIPART_DAYS = 7;

/**
 * The lifecycle that keeps backups as the retention says: moved to the archive after the hot days, expired after hot and
 * archive days together (30 + 90 = 120, not the guide's 90), gone after the noncurrent days on top.
 */
export function lifecycleFor(retention: Retention, prefix?: string): Lifecycle {
  return {
    ...(prefix === undefined ? {} : { prefix }),
    transitions: retention.archiveDays > 0 ? [{ days: retention.hotDays, storageClass: retention.archiveClass }] : [],
    expirationDays: retention.hotDays + retention.archiveDays,
    noncurrentExpirationDays: retention.noncurrentDays,
    expiredObjectDeleteMarker: true,
    abortIncompleteMultipartDays: ABORT_INCOMPLETE_MULTIPART_DAYS,
  };
}

/** What is wrong with a lifecycle. */
export const LifecycleFault = {
  /** S3 refuses it. */
  Invalid: "invalid",
  /** S3 takes it, and it costs more than it gives. */
  Wasteful: "wasteful",
  /** It cannot do what the retention, the objectives or the lock say. */
  Contradictory: "contradictory",
} as const;
export type LifecycleFault = (typeof LifecycleFault)[keyof typeof LifecycleFault];

/** One thing wrong with a lifecycle, with its numbers. */
export interface LifecycleProblem {
  readonly fault: LifecycleFault;
  readonly message: string;
}

/** What a lifecycle has to satisfy besides S3's own rules. What is left out is not checked. */
export interface LifecycleContext {
  /** What the lifecycle is meant to implement. */
  readonly retention?: Pick<Retention, "hotDays" | "archiveDays">;
  /** Whether the bucket keeps versions. @default true */
  readonly versioned?: boolean;
  /** Days that object lock holds each version. */
  readonly objectLockDays?: number;
  /** Recovery time that a backup of the last `rtoWindowDays` has to allow, in minutes. */
  readonly rtoMinutes?: number;
  /** How old a backup may be and still be needed within the RTO, in days. @default 0: only the newest */
  readonly rtoWindowDays?: number;
  readonly retrieval?: Retrieval;
}

/** Everything that makes a lifecycle invalid, wasteful or contradictory. */
export function lifecycleProblems(lifecycle: Lifecycle, context: LifecycleContext = {}): LifecycleProblem[] {
  return [
    ...dayProblems(lifecycle),
    ...transitionProblems(lifecycle.transitions, lifecycle.expirationDays, "expiration"),
    ...transitionProblems(
      lifecycle.noncurrentTransitions ?? [],
      lifecycle.noncurrentExpirationDays,
      "noncurrent expiration",
    ),
    ...billingProblems(lifecycle),
    ...retentionProblems(lifecycle, context),
    ...versionProblems(lifecycle, context.versioned ?? true),
    ...lockProblems(lifecycle, context.objectLockDays),
    ...retrievalProblems(lifecycle, context),
  ];
}

const invalid = (message: string): LifecycleProblem => ({ fault: LifecycleFault.Invalid, message });
const wasteful = (message: string): LifecycleProblem => ({ fault: LifecycleFault.Wasteful, message });
const contradictory = (message: string): LifecycleProblem => ({ fault: LifecycleFault.Contradictory, message });

function dayProblems(lifecycle: Lifecycle): LifecycleProblem[] {
  const atLeast = (least: number, name: string, days: number | undefined) =>
    days === undefined || (Number.isInteger(days) && days >= least)
      ? []
      : [invalid(`${name}: expected a whole number of days, ${least} or more, got ${days}`)];
  return [
    ...lifecycle.transitions.flatMap(({ days, storageClass }) => atLeast(0, `transition to ${storageClass}`, days)),
    ...(lifecycle.noncurrentTransitions ?? []).flatMap(({ days, storageClass }) =>
      atLeast(0, `noncurrent transition to ${storageClass}`, days),
    ),
    ...atLeast(1, "expiration", lifecycle.expirationDays),
    ...atLeast(1, "noncurrent expiration", lifecycle.noncurrentExpirationDays),
    ...atLeast(1, "abort of incomplete multipart uploads", lifecycle.abortIncompleteMultipartDays),
  ];
}

function transitionProblems(
  transitions: readonly LifecycleTransition[],
  expirationDays: number | undefined,
  expiration: string,
): LifecycleProblem[] {
  const problems: LifecycleProblem[] = [];
  for (const { days, storageClass } of transitions) {
    const { earliestTransitionDays } = storageClassTerms[storageClass];
    if (storageClass === StorageClass.Standard) problems.push(invalid("no lifecycle moves an object to STANDARD"));
    if (days < earliestTransitionDays) {
      problems.push(
        invalid(`transition to ${storageClass} after ${days} days: S3 asks for ${earliestTransitionDays} or more`),
      );
    }
    if (expirationDays !== undefined && expirationDays <= days) {
      problems.push(
        invalid(
          `${expiration} after ${expirationDays} days is not later than the transition to ${storageClass} after ${days}`,
        ),
      );
    }
  }
  const ordered = [...transitions].sort((a, b) => a.days - b.days);
  for (const [at, later] of ordered.entries()) {
    const earlier = ordered[at - 1];
    if (earlier === undefined) continue;
    const down = WATERFALL.indexOf(later.storageClass) > WATERFALL.indexOf(earlier.storageClass);
    if (!down || later.days === earlier.days) {
      problems.push(
        invalid(
          `transition to ${later.storageClass} after ${later.days} days cannot follow the one to ` +
            `${earlier.storageClass} after ${earlier.days}`,
        ),
      );
    }
  }
  return problems;
}

/** How many days an object spends in each class before it leaves it, minimum billing included. */
function billingProblems(lifecycle: Lifecycle): LifecycleProblem[] {
  const ordered = [...lifecycle.transitions].sort((a, b) => a.days - b.days);
  // A version that expires in a versioned bucket stays, noncurrent, for these days more.
  const kept =
    lifecycle.expirationDays === undefined
      ? Infinity
      : lifecycle.expirationDays + (lifecycle.noncurrentExpirationDays ?? 0);
  return ordered.flatMap(({ days, storageClass }, at) => {
    const { minimumBilledDays } = storageClassTerms[storageClass];
    const until = ordered[at + 1]?.days ?? kept;
    const spent = until - days;
    if (spent >= minimumBilledDays || spent <= 0) return [];
    return [
      wasteful(
        `an object is in ${storageClass} for ${spent} days (${until} - ${days}) and paid for ${minimumBilledDays}`,
      ),
    ];
  });
}

function retentionProblems(lifecycle: Lifecycle, { retention }: LifecycleContext): LifecycleProblem[] {
  if (retention === undefined) return [];
  const { hotDays, archiveDays } = retention;
  const wanted = hotDays + archiveDays;
  const problems: LifecycleProblem[] = [];
  const first = Math.min(...lifecycle.transitions.map(({ days }) => days));
  if (archiveDays > 0 && lifecycle.transitions.length === 0) {
    problems.push(contradictory(`${archiveDays} days of archive are wanted, and nothing is ever moved to one`));
  }
  if (first < hotDays) {
    problems.push(contradictory(`${hotDays} hot days are wanted, and the first transition is after ${first}`));
  }
  const { expirationDays } = lifecycle;
  if (expirationDays !== undefined && expirationDays < wanted) {
    const archived = lifecycle.transitions.length === 0 ? 0 : Math.max(0, expirationDays - first);
    problems.push(
      contradictory(
        `${hotDays} hot + ${archiveDays} archive = ${wanted} days are wanted, and objects expire after ` +
          `${expirationDays}, since days count from creation: ${archived} days in the archive, ` +
          `${wanted - expirationDays} days missing`,
      ),
    );
  }
  return problems;
}

function versionProblems(lifecycle: Lifecycle, versioned: boolean): LifecycleProblem[] {
  const problems: LifecycleProblem[] = [];
  if (versioned && lifecycle.noncurrentExpirationDays === undefined) {
    problems.push(
      wasteful(
        "no noncurrent expiration: in a versioned bucket expiration only adds a delete marker, and the versions stay " +
          "and are paid for without end",
      ),
    );
  }
  if (versioned && lifecycle.expirationDays !== undefined && lifecycle.expiredObjectDeleteMarker !== true) {
    problems.push(wasteful("delete markers with nothing behind them are never removed, and slow down every listing"));
  }
  if (lifecycle.abortIncompleteMultipartDays === undefined) {
    problems.push(wasteful("parts of uploads that never finished stay, invisible, and are paid for without end"));
  }
  return problems;
}

function lockProblems(lifecycle: Lifecycle, objectLockDays: number | undefined): LifecycleProblem[] {
  const { expirationDays } = lifecycle;
  if (objectLockDays === undefined || expirationDays === undefined || objectLockDays <= expirationDays) return [];
  return [
    contradictory(
      `object lock holds a version for ${objectLockDays} days, and it expires after ${expirationDays}: nothing is ` +
        "freed at expiry",
    ),
  ];
}

function retrievalProblems(lifecycle: Lifecycle, context: LifecycleContext): LifecycleProblem[] {
  const { rtoMinutes, rtoWindowDays = 0, retrieval } = context;
  if (rtoMinutes === undefined) return [];
  return lifecycle.transitions.flatMap(({ days, storageClass }) => {
    const minutes = retrievalMinutes(storageClass, retrieval);
    if (days >= rtoWindowDays && days > 0) return [];
    if (minutes <= rtoMinutes) return [];
    return [
      contradictory(
        `backups of the last ${rtoWindowDays} days are needed within ${rtoMinutes} minutes, and after ${days} days they ` +
          `are in ${storageClass}, which takes up to ${minutes} minutes to read; ` +
          `${storageClassesWithin(rtoMinutes, retrieval).join(", ")} would do`,
      ),
    ];
  });
}

/** What keeps the log of a point-in-time recovery. */
export interface PitrRetention {
  /** How long log files are kept, in minutes. */
  readonly walRetentionMinutes: number;
  /** Largest gap between two base backups, in minutes. */
  readonly baseBackupIntervalMinutes: number;
  /** How long a base backup takes, in minutes: it can be restored only to times after it ended. */
  readonly baseBackupDurationMinutes: number;
}

/**
 * How far back a point-in-time recovery always reaches, in minutes. A time is recoverable only from a base backup that
 * ended before it and whose log is still whole, and the newest such one is up to an interval and a duration older.
 * At 0 or below there are times to which nothing can be recovered.
 */
export function pitrWindowMinutes(retention: PitrRetention): number {
  return retention.walRetentionMinutes - retention.baseBackupIntervalMinutes - retention.baseBackupDurationMinutes;
}

/** What bounds the days of an object lock. */
export interface ObjectLockBounds {
  readonly lockDays: number;
  /** Days after which silent corruption, or a thief in the account, is certainly noticed. */
  readonly detectCorruptionDays: number;
  /** Days that a backup is kept in all. */
  readonly retentionDays: number;
}

/** Why an object lock protects too short or too long; empty when it is within its bounds. */
export function objectLockProblems({ lockDays, detectCorruptionDays, retentionDays }: ObjectLockBounds): string[] {
  const problems: string[] = [];
  if (!(Number.isInteger(lockDays) && lockDays >= 1)) {
    problems.push(`object lock: expected a whole number of days, 1 or more, got ${lockDays}`);
  }
  if (lockDays < detectCorruptionDays) {
    problems.push(
      `object lock of ${lockDays} days ends before damage is noticed (${detectCorruptionDays} days): the last good ` +
        "backup can be deleted before anybody knows that it is needed",
    );
  }
  if (lockDays > retentionDays) {
    problems.push(`object lock of ${lockDays} days outlives the retention of ${retentionDays} days`);
  }
  return problems;
}
