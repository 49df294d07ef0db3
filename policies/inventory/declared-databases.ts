import {
  type DeclaredDatabase,
  type DumpProtection,
  Engine,
  Mechanism,
  type Placement,
  type Protection,
  type RecoverySite,
} from "../../recovery";
import { type AlarmProps } from "./alarms";
import { backupStores, isCopiedTo, textOf } from "./backup-stores";
import { bucketLifecycles } from "./bucket-lifecycles";
import { type DatabaseInstanceProps } from "./database-instances";
import { type CronJobProps } from "./kubernetes-properties";
import { CronJobPurpose, cronJobsFor, isSuspended } from "./recovery-cron-jobs";
import { ResourceTypes } from "./resource-types";
import { type JudgedResource, known, leadsTo, namesExactly, stackOf, type StackResources } from "./stack-resources";

/** What a stack's own resources do not say: plain facts about the application and about the recovery site's stack. */
export interface DeclaredFacts {
  /** How the application is deployed. @default nothing is known: then nothing recovers a crashed pod */
  readonly workload?: {
    readonly replicas?: number;
    readonly automaticRollback?: boolean;
    readonly progressDeadlineSeconds?: number;
    readonly pooler?: boolean;
  };
  /** What the stack in the other region holds. @default there is none */
  readonly recoverySite?: {
    readonly region: string;
    /** How far its standby may be behind before an alarm says so. @default it has no standby */
    readonly standbyLagMinutes?: number;
    /** Window of the point-in-time recovery there. @default none */
    readonly pointInTimeDays?: number;
  };
}

const GIB = 1024 ** 3;

/**
 * The databases of a stack and what protects each, from its resources alone. A standby whose source is in another stack
 * is judged with that one. A dump that nothing ties to one of several databases protects none of them.
 *
 * @throws UnknownValueError when a value that counts is not known before the update
 */
export function declaredDatabases(stack: StackResources, facts: DeclaredFacts = {}): DeclaredDatabase[] {
  const instances = stack.ofTypes(ResourceTypes.DatabaseInstance);
  const primaries = instances.filter(({ propertyDependencies, props }) => {
    const isReplica =
      (propertyDependencies.replicateSourceDb ?? []).length > 0 || props.replicateSourceDb !== undefined;
    return !isReplica;
  });
  return primaries.map((instance) => {
    const { allocatedStorage, backupRetentionPeriod = 0 } = instance.props as DatabaseInstanceProps;
    const region = regionOf(instance);
    // RDS replicates nothing, neither a server nor backups, of an instance without automated backups.
    const canBeReplicated = backupRetentionPeriod > 0;
    return {
      name: nameOf(instance),
      engine: Engine.Rds,
      // The disk, since nobody has told how much of it is used.
      ...(allocatedStorage === undefined ? {} : { sizeBytes: allocatedStorage * GIB }),
      placement: { ...placed(region), server: nameOf(instance), ...zoneOf(region, "primary") },
      protections: [
        ...instanceProtections(instance, region),
        ...instances
          .filter(
            (other) => canBeReplicated && other !== instance && leadsTo(other, "replicateSourceDb", instance) === true,
          )
          .map((replica) => standbyOf(stack, replica)),
        ...(canBeReplicated ? copiedLogs(stack, instance) : []),
        ...dumpProtections(stack, instance, primaries.length === 1),
        // With the other stack at hand its resources count, and not what is said of them.
        ...(canBeReplicated && !stack.isJoined ? siteProtections(facts) : []),
        ...workloadProtections(facts),
      ],
      sites: sitesOf(stack, instance, facts),
    };
  });
}

const nameOf = ({ name, props }: JudgedResource): string => (props as DatabaseInstanceProps).identifier ?? name;

/** The region of a resource: its own, or its provider's. */
function regionOf({ props, provider }: JudgedResource): string | undefined {
  const region = props.region ?? provider?.props.region;
  return typeof region === "string" ? region : undefined;
}

const placed = (region: string | undefined): Placement => (region === undefined ? {} : { region });
const zoneOf = (region: string | undefined, role: string): Placement =>
  region === undefined ? {} : { zone: `${region} ${role}` };

function instanceProtections({ name, props }: JudgedResource, region: string | undefined): Protection[] {
  const { backupRetentionPeriod = 0, multiAz } = props as DatabaseInstanceProps;
  const protections: Protection[] = [];
  if (backupRetentionPeriod > 0) {
    protections.push({
      mechanism: Mechanism.PointInTimeLog,
      name: `RDS point in time of ${name}`,
      managed: true,
      windowDays: backupRetentionPeriod,
      placement: placed(region),
    });
  }
  if (multiAz === true) {
    protections.push({
      mechanism: Mechanism.Standby,
      name: `Multi-AZ of ${name}`,
      synchronous: true,
      automatic: true,
      placement: { ...placed(region), server: `standby of ${name}`, ...zoneOf(region, "standby") },
    });
  }
  return protections;
}

/** A replica is as far behind as its alarm lets it be, and without one nobody knows how far. */
function standbyOf(stack: StackResources, replica: JudgedResource): Protection {
  const region = regionOf(replica);
  const thresholds = stack
    .ofTypes(ResourceTypes.MetricAlarm)
    .filter((alarm) => (alarm.props as AlarmProps).metricName === "ReplicaLag")
    .filter((alarm) => leadsTo(alarm, "dimensions", replica) === true)
    .map(({ props }) => props.threshold)
    .filter((threshold): threshold is number => typeof threshold === "number");
  return {
    mechanism: Mechanism.Standby,
    name: `replica ${nameOf(replica)}`,
    ...(thresholds.length === 0 ? {} : { lagSeconds: Math.min(...thresholds) }),
    placement: { ...placed(region), server: nameOf(replica), ...zoneOf(region, nameOf(replica)) },
  };
}

/** What RDS keeps unless the replication says otherwise (RDS API, StartDBInstanceAutomatedBackupsReplication). */
const DEFAULT_COPIED_DAYS = 7;

/** The point-in-time recovery of the same database in another region. */
function copiedLogs(stack: StackResources, instance: JudgedResource): Protection[] {
  return stack
    .ofTypes(ResourceTypes.AutomatedBackupsReplication)
    .filter((replication) => leadsTo(replication, "sourceDbInstanceArn", instance) === true)
    .map((replication) => ({
      mechanism: Mechanism.PointInTimeLog,
      name: `RDS point in time by ${replication.name}`,
      managed: true,
      windowDays: (replication.props.retentionPeriod as number | undefined) ?? DEFAULT_COPIED_DAYS,
      placement: placed(regionOf(replication)),
    }));
}

function dumpProtections(stack: StackResources, instance: JudgedResource, isOnlyDatabase: boolean): Protection[] {
  const stores = backupStores(stack);
  const sources = stores.filter((store) => !stores.some((other) => isCopiedTo(stack, other, store)));
  // Of several stores nobody can tell from here which one a job writes to, and so not where its dumps are.
  const store = sources.length === 1 ? sources[0] : undefined;
  const dumps = cronJobsFor(stack, CronJobPurpose.Backup)
    .filter((job) => !isSuspended(job) && (isOnlyDatabase || namesExactly(textOf(job), nameOf(instance))))
    .map((job) => dumpOf(stack, job, store));
  if (store === undefined || dumps.length === 0) return dumps;
  const copies = stores
    .filter((other) => isCopiedTo(stack, store, other))
    .map((copy): Protection => ({
      mechanism: Mechanism.StoreCopy,
      name: `copy ${copy.name}`,
      carries: dumps.map(({ name }) => name),
      placement: placed(regionOf(copy)),
    }));
  return [...dumps, ...copies];
}

const PARTS = "parts/";

function dumpOf(stack: StackResources, job: JudgedResource, store: JudgedResource | undefined): DumpProtection {
  const { schedule, timeZone } = (job.props as CronJobProps).spec ?? {};
  const lifecycles = store === undefined ? [] : (bucketLifecycles(stack, store)?.lifecycles ?? []);
  const kept = lifecycles.find(({ prefix }) => prefix === PARTS) ?? lifecycles.find(({ prefix }) => prefix === "");
  return {
    mechanism: Mechanism.Dump,
    name: `dump by ${job.name}`,
    ...(schedule === undefined ? {} : { schedule }),
    ...(timeZone === undefined ? {} : { timeZone }),
    ...(kept?.expirationDays === undefined ? {} : { retentionDays: kept.expirationDays }),
    transitions: kept?.transitions ?? [],
    ...(store === undefined ? {} : { placement: placed(regionOf(store)) }),
  };
}

function siteProtections({ recoverySite }: DeclaredFacts): Protection[] {
  if (recoverySite === undefined) return [];
  const { region, standbyLagMinutes, pointInTimeDays } = recoverySite;
  const protections: Protection[] = [];
  if (standbyLagMinutes !== undefined) {
    protections.push({
      mechanism: Mechanism.Standby,
      name: `standby in ${region}`,
      lagSeconds: standbyLagMinutes * 60,
      placement: { region, server: `standby in ${region}`, zone: `${region} primary` },
    });
  }
  if (pointInTimeDays !== undefined) {
    protections.push({
      mechanism: Mechanism.PointInTimeLog,
      name: `RDS point in time in ${region}`,
      managed: true,
      windowDays: pointInTimeDays,
      placement: { region },
    });
  }
  return protections;
}

function workloadProtections({ workload = {} }: DeclaredFacts): Protection[] {
  const { replicas, automaticRollback, progressDeadlineSeconds, pooler } = workload;
  const protections: Protection[] = [];
  if (replicas !== undefined) protections.push({ mechanism: Mechanism.Replicas, name: "replicas", count: replicas });
  if (automaticRollback !== undefined) {
    protections.push({
      mechanism: Mechanism.Rollback,
      name: "rollback",
      automatic: automaticRollback,
      ...(progressDeadlineSeconds === undefined ? {} : { progressDeadlineSeconds }),
    });
  }
  if (pooler === true) protections.push({ mechanism: Mechanism.Pooler, name: "pooler" });
  return protections;
}

function sitesOf(stack: StackResources, instance: JudgedResource, { recoverySite }: DeclaredFacts): RecoverySite[] {
  const here: RecoverySite = { name: "the same region", compute: true, placement: placed(regionOf(instance)) };
  if (recoverySite === undefined) return [here];
  const { region } = recoverySite;
  const compute = !stack.isJoined || hasCompute(stack, region, instance);
  return [here, { name: "recovery site", compute, placement: placed(region) }];
}

/** Whether another stack than the database's runs something in a cluster of the region. */
function hasCompute(stack: StackResources, region: string, instance: JudgedResource): boolean {
  const there = new Set(stack.all.filter((resource) => known(() => regionOf(resource)) === region).map(stackOf));
  there.delete(stackOf(instance));
  return stack
    .ofTypes([...ResourceTypes.CronJob, ...ResourceTypes.Deployment, ...ResourceTypes.StatefulSet])
    .some((workload) => there.has(stackOf(workload)));
}
