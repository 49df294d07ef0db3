import {
  type DeclaredDatabase,
  type DumpProtection,
  Mechanism,
  type Placement,
  type Protection,
  type RecoverySite,
} from "../../recovery";
import { awsBackupProtections } from "./aws-backup";
import { backupStores, isCopiedTo, toldTo } from "./backup-stores";
import { bucketLifecycles } from "./bucket-lifecycles";
import { cloudNativePgDatabases } from "./cloudnative-pg";
import { dumpedDatabases } from "./dumped-databases";
import { GIB, nameOf, placed, regionOf } from "./found-database";
import { type CronJobProps } from "./kubernetes-properties";
import { streamedDatabases } from "./log-streams";
import { auroraDatabases, rdsDatabases } from "./rds-databases";
import { CronJobPurpose, cronJobsFor, isSuspended } from "./recovery-cron-jobs";
import { ResourceTypes } from "./resource-types";
import { sqliteDatabases } from "./sqlite-databases";
import { type JudgedResource, known, namesExactly, stackOf, type StackResources } from "./stack-resources";

/** What a stack's own resources do not say: plain facts about the application and about the recovery site's stack. */
export interface DeclaredFacts {
  /** How the application is deployed. @default nothing is known: then nothing recovers a crashed pod */
  readonly workload?: {
    readonly replicas?: number;
    readonly automaticRollback?: boolean;
    readonly progressDeadlineSeconds?: number;
    readonly pooler?: boolean;
  };
  /** Sizes of databases by name, where the resources do not say them. @default the size of the disk */
  readonly databaseSizesGib?: Readonly<Record<string, number>>;
  /** What the stack in the other region holds. @default there is none */
  readonly recoverySite?: {
    readonly region: string;
    /** How far its standby may be behind before an alarm says so. @default it has no standby */
    readonly standbyLagMinutes?: number;
    /** Window of the point-in-time recovery there. @default none */
    readonly pointInTimeDays?: number;
  };
}

/**
 * The databases of a stack and what protects each, from its resources alone. A standby whose source is in another stack
 * is judged with that one. A dump that nothing ties to one of several databases protects none of them.
 *
 * @throws UnknownValueError when a value that counts is not known before the update
 */
export function declaredDatabases(stack: StackResources, facts: DeclaredFacts = {}): DeclaredDatabase[] {
  const resources = [rdsDatabases, auroraDatabases, cloudNativePgDatabases, sqliteDatabases, streamedDatabases].flatMap(
    (find) => find(stack),
  );
  const found = resources.length > 0 ? resources : dumpedDatabases(stack);
  return found.map(({ resource, engine, placement, protections, canBeReplicated, ...rest }) => {
    const name = rest.name ?? nameOf(resource);
    const sizeGib = facts.databaseSizesGib?.[name];
    const sizeBytes = sizeGib === undefined ? rest.sizeBytes : sizeGib * GIB;
    return {
      name,
      engine,
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      placement,
      protections: [
        ...protections,
        ...awsBackupProtections(stack, resource),
        ...dumpProtections(stack, name, found.length === 1),
        // With the other stack at hand its resources count, and not what is said of them.
        ...(canBeReplicated && !stack.isJoined ? siteProtections(facts) : []),
        ...workloadProtections(facts),
      ],
      sites: sitesOf(stack, resource, placement, facts),
    };
  });
}

function dumpProtections(stack: StackResources, database: string, isOnlyDatabase: boolean): Protection[] {
  const stores = backupStores(stack);
  const sources = stores.filter((store) => !stores.some((other) => isCopiedTo(stack, other, store)));
  // Of several stores nobody can tell from here which one a job writes to, and so not where its dumps are.
  const store = sources.length === 1 ? sources[0] : undefined;
  const dumps = cronJobsFor(stack, CronJobPurpose.Backup)
    .filter((job) => !isSuspended(job) && (isOnlyDatabase || namesExactly(toldTo(stack, job), database)))
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

function sitesOf(
  stack: StackResources,
  database: JudgedResource,
  { region: own }: Placement,
  { recoverySite }: DeclaredFacts,
): RecoverySite[] {
  const here: RecoverySite = { name: "the same region", compute: true, placement: placed(own) };
  if (recoverySite === undefined) return [here];
  const { region } = recoverySite;
  const compute = !stack.isJoined || hasCompute(stack, region, database);
  return [here, { name: "recovery site", compute, placement: placed(region) }];
}

/** Whether another stack than the database's runs something in a cluster of the region. */
function hasCompute(stack: StackResources, region: string, database: JudgedResource): boolean {
  const there = new Set(stack.all.filter((resource) => known(() => regionOf(resource)) === region).map(stackOf));
  there.delete(stackOf(database));
  return stack
    .ofTypes([...ResourceTypes.CronJob, ...ResourceTypes.Deployment, ...ResourceTypes.StatefulSet])
    .some((workload) => there.has(stackOf(workload)));
}
