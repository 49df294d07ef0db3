import { largestGapMinutes, parseSchedule, scheduleProblems } from "../../recovery";
import { type AlarmProps, isRecoveryAlarm } from "../inventory/alarms";
import { backupStores, isCopiedTo } from "../inventory/backup-stores";
import { bucketLifecycles } from "../inventory/bucket-lifecycles";
import { type DatabaseInstanceProps } from "../inventory/database-instances";
import { declaredDatabases } from "../inventory/declared-databases";
import { type CronJobProps } from "../inventory/kubernetes-properties";
import { CronJobPurpose, cronJobsFor, isSuspended } from "../inventory/recovery-cron-jobs";
import { ResourceTypes } from "../inventory/resource-types";
import { type JudgedResource, type StackResources } from "../inventory/stack-resources";

/** Facts by name: of some more is stronger, of the others less. A fact that a stack does not have is absent. */
export interface Strengths {
  readonly atLeast: Readonly<Record<string, number>>;
  readonly atMost: Readonly<Record<string, number>>;
}

/** How strongly a stack is protected, so that two states of it, or two stacks, can be compared fact by fact. */
export interface ProtectionStrength {
  /** What two environments can be compared by. */
  readonly strictness: Strengths;
  /** What else must not shrink or grow unnoticed: how much runs, and how much there is to lose. */
  readonly extent: Strengths;
}

const DAYS_PER_YEAR = 365;
const DEFAULT_KEY_WINDOW_DAYS = 30;

/**
 * Reads the strength of a stack from its resources.
 *
 * @throws UnknownValueError when a value that counts is not known before the update
 */
export const protectionStrength = (stack: StackResources): ProtectionStrength => ({
  strictness: strictnessOf(stack),
  extent: extentOf(stack),
});

/** What a stack can be compared by with another environment's. @throws UnknownValueError as `protectionStrength` */
export function strictnessOf(stack: StackResources): Strengths {
  const instances = databasesOf(stack);
  const stores = backupStores(stack);
  const sources = stores.filter((store) => !stores.some((other) => isCopiedTo(stack, other, store)));
  return {
    atLeast: {
      ...least("days of point-in-time recovery", instances, pointInTimeDays),
      ...least("databases in two zones", stack.ofTypes(ResourceTypes.DatabaseInstance), isSet("multiAz")),
      ...least("deletion protection", instances, isSet("deletionProtection")),
      ...least("databases encrypted", instances, isSet("storageEncrypted")),
      ...least("databases protected from replacement", instances, ({ opts }) => Number(opts.protect === true)),
      ...least("days of object lock", stores, (store) => lockDays(stack, store)),
      ...least("days that backups are kept", stores, (store) => keptDays(stack, store)),
      ...least("days to undo the deletion of a key", stack.ofTypes(ResourceTypes.Key), ({ props }) =>
        Number(props.deletionWindowInDays ?? DEFAULT_KEY_WINDOW_DAYS),
      ),
      ...least(
        "copies of a store",
        sources,
        (store) => stores.filter((other) => isCopiedTo(stack, store, other)).length,
      ),
    },
    atMost: {
      ...most("minutes between backups", running(stack, CronJobPurpose.Backup), gapMinutes),
      ...most("minutes between restore tests", running(stack, CronJobPurpose.RestoreTest), gapMinutes),
      ...most("minutes between point-in-time tests", running(stack, CronJobPurpose.PointInTimeTest), gapMinutes),
    },
  };
}

function extentOf(stack: StackResources): Strengths {
  const databases = declaredDatabases(stack);
  const armed = stack.ofTypes(ResourceTypes.MetricAlarm).filter(({ props }) => {
    const alarm = props as AlarmProps;
    return isRecoveryAlarm(alarm) && alarm.actionsEnabled !== false && (alarm.alarmActions ?? []).length > 0;
  });
  return {
    atLeast: {
      "backup jobs that run": running(stack, CronJobPurpose.Backup).length,
      "restore tests that run": running(stack, CronJobPurpose.RestoreTest).length,
      "point-in-time tests that run": running(stack, CronJobPurpose.PointInTimeTest).length,
      "drills that run": running(stack, CronJobPurpose.Drill).length,
      "alarms that tell somebody": armed.length,
      ...Object.fromEntries(databases.map(({ name, protections }) => [`protections of ${name}`, protections.length])),
    },
    atMost: {
      databases: databases.length,
      "GiB to lose": databases.reduce((sum, { sizeBytes = 0 }) => sum + sizeBytes / 1024 ** 3, 0),
      "databases reachable from the internet": databasesOf(stack).filter(isPublic).length,
    },
  };
}

const databasesOf = (stack: StackResources): readonly JudgedResource[] => [
  ...stack.ofTypes(ResourceTypes.DatabaseInstance),
  ...stack.ofTypes(ResourceTypes.DatabaseCluster),
];

const running = (stack: StackResources, purpose: CronJobPurpose): readonly JudgedResource[] =>
  cronJobsFor(stack, purpose).filter((job) => !isSuspended(job));

/** The facts of which one is weaker than the other's, in words. */
export function weakerThan(own: Strengths, other: Strengths): string[] {
  const fell = Object.entries(other.atLeast).filter(([fact, value]) => (own.atLeast[fact] ?? 0) < value);
  const rose = Object.entries(other.atMost).filter(([fact, value]) => (own.atMost[fact] ?? value) > value);
  return [
    ...fell.map(([fact, value]) => `${fact}: ${own.atLeast[fact] ?? "none"}, was ${value}`),
    ...rose.map(([fact, value]) => `${fact}: ${own.atMost[fact]}, was ${value}`),
  ];
}

type Measure = (resource: JudgedResource) => number | undefined;

function measured(resources: readonly JudgedResource[], measure: Measure): number[] {
  return resources.map(measure).filter((value): value is number => value !== undefined);
}

function least(fact: string, resources: readonly JudgedResource[], measure: Measure): Record<string, number> {
  const values = measured(resources, measure);
  return values.length === 0 ? {} : { [fact]: Math.min(...values) };
}

function most(fact: string, resources: readonly JudgedResource[], measure: Measure): Record<string, number> {
  const values = measured(resources, measure);
  return values.length === 0 ? {} : { [fact]: Math.max(...values) };
}

const isSet =
  (property: string): Measure =>
  ({ props }) =>
    Number(props[property] === true);

const isPublic = ({ props }: JudgedResource): boolean => props.publiclyAccessible === true;

const pointInTimeDays: Measure = ({ props }) => (props as DatabaseInstanceProps).backupRetentionPeriod ?? 0;

function gapMinutes({ props }: JudgedResource): number | undefined {
  const { schedule, timeZone } = (props as CronJobProps).spec ?? {};
  if (schedule === undefined || scheduleProblems(schedule, timeZone).length > 0) return undefined;
  return largestGapMinutes(parseSchedule(schedule), timeZone);
}

function lockDays(stack: StackResources, store: JudgedResource): number {
  const [lock] = stack.naming(ResourceTypes.BucketObjectLock, "bucket", store);
  const { days, years = 0 } =
    (lock?.props as { rule?: { defaultRetention?: { days?: number; years?: number } } } | undefined)?.rule
      ?.defaultRetention ?? {};
  return days ?? years * DAYS_PER_YEAR;
}

/** What is never expired is kept for ever, and no number says so. */
function keptDays(stack: StackResources, store: JudgedResource): number | undefined {
  const lifecycles = bucketLifecycles(stack, store)?.lifecycles ?? [];
  const kept = lifecycles.find(({ prefix }) => prefix === "parts/") ?? lifecycles.find(({ prefix }) => prefix === "");
  return kept?.expirationDays;
}
