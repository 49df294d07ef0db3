import {
  BackupMethod,
  type DeclaredDatabase,
  DependencyKind,
  type DumpProtection,
  Engine,
  jobConfigDefaults,
  type LogProtection,
  Mechanism,
  type Placement,
  type Protection,
  recoveryDefaults,
  type RecoveryDependency,
  type SqliteStreamProtection,
} from "../recovery";
import { registryRegionOf } from "./aws-names";
import { retentionOf } from "./backup-bucket";
import { defaultBackupSchedule } from "./backup-job";
import { Encryption } from "./hardened-bucket";
import { type ProtectedDatabaseArgs } from "./job-arguments";
import { type StackConfig } from "./stack-config";

const GIB = 1024 ** 3;
const defaultWindowDays = 14;

/**
 * What a primary stack declares, in the terms of the assessment: so that `pulumi preview` says what each scenario would
 * cost before anything is deployed. What the stack does not know (how the application is deployed) it does not claim.
 */
export function declaredDatabases(config: StackConfig): DeclaredDatabase[] {
  const { environment, managedDatabase, databases } = config;
  const here = placementOf(config, config.region);
  const declared: DeclaredDatabase[] = databases.map((database) => ({
    name: database.name,
    engine: database.engine,
    environment,
    sizeBytes: database.sizeGib * GIB,
    placement: database.engine === Engine.Sqlite ? { ...here, ...volumeOf(config, database.name) } : here,
    protections: storeProtections(config, database),
  }));
  if (managedDatabase !== undefined) {
    const sizeGib = managedDatabase.sizeGib ?? managedDatabase.allocatedStorageGib;
    declared.push({
      name: managedDatabase.name,
      engine: Engine.Rds,
      environment,
      ...(sizeGib === undefined ? {} : { sizeBytes: sizeGib * GIB }),
      placement: { ...here, server: "primary", zone: `${config.region} primary` },
      protections: [...storeProtections(config), ...rdsProtections(config)],
    });
  }
  const workload = workloadProtections(config);
  const sites = sitesOf(config);
  return declared.map((database) => ({
    ...database,
    protections: [...database.protections, ...workload],
    dependencies: dependenciesOf(config, database.engine),
    sites,
  }));
}

function placementOf({ accountId }: StackConfig, region: string): Placement {
  return { region, account: accountId };
}

/** A file is where its volume is: in the cluster, on one machine. */
const volumeOf = ({ cluster }: StackConfig, database: string): Placement => ({
  server: `the volume of ${database}`,
  cluster: cluster.clusterName ?? "its cluster",
});

function storeProtections(config: StackConfig, database?: ProtectedDatabaseArgs): Protection[] {
  const { backup, store, region, recoveryRegion } = config;
  const retention = retentionOf(store.retention ?? store.existing?.retention);
  const placed = {
    placement: placementOf(config, region),
    ...(store.encryption === Encryption.S3 ? {} : { encryptionKey: { name: `store ${region}`, regions: [region] } }),
  };
  const schedule = backup.schedule ?? defaultBackupSchedule;
  const dump: DumpProtection = {
    mechanism: Mechanism.Dump,
    name: "dump",
    ...(database?.engine === Engine.Sqlite ? { method: BackupMethod.Copy } : {}),
    schedule,
    ...(backup.timeZone === undefined ? {} : { timeZone: backup.timeZone }),
    retentionDays: retention.hotDays + retention.archiveDays,
    transitions: retention.archiveDays > 0 ? [{ days: retention.hotDays, storageClass: retention.archiveClass }] : [],
    ...placed,
  };
  const stored = [dump, ...logsOf(database, backup.timeZone, retention.logDays).map((log) => ({ ...log, ...placed }))];
  if (recoveryRegion === undefined) return stored;
  const copy: Protection = {
    mechanism: Mechanism.StoreCopy,
    name: "store copy",
    carries: stored.map(({ name }) => name),
    placement: placementOf(config, recoveryRegion),
    ...(store.encryption === Encryption.S3
      ? {}
      : { encryptionKey: { name: `store ${recoveryRegion}`, regions: [recoveryRegion] } }),
  };
  return [...stored, copy];
}

// Litestream restores from its newest snapshot, of which it makes one every six hours.
const snapshotDays = 1;

/** The log of a database, as far as its own stream brings it into the store. */
function logsOf(
  database: ProtectedDatabaseArgs | undefined,
  timeZone: string | undefined,
  logDays: number,
): (LogProtection | SqliteStreamProtection)[] {
  const { wal, stream } = database ?? {};
  const log: LogProtection | undefined = wal && {
    mechanism: Mechanism.PointInTimeLog,
    name: "log",
    flushSeconds: wal.flushSeconds ?? jobConfigDefaults.walFlushSeconds,
    baseBackupSchedule: wal.baseBackupSchedule ?? jobConfigDefaults.baseBackupSchedule,
    ...(wal.incrementalsPerFull === undefined ? {} : { incrementalsPerFull: wal.incrementalsPerFull }),
    ...(timeZone === undefined ? {} : { timeZone }),
    walRetentionDays: logDays,
  };
  const streamed: SqliteStreamProtection | undefined = stream && {
    mechanism: Mechanism.SqliteStream,
    name: "stream",
    flushSeconds: stream.flushSeconds ?? recoveryDefaults.sqliteFlushSeconds,
    windowDays: Math.max(0, logDays - snapshotDays),
  };
  return [log, streamed].filter((protection) => protection !== undefined);
}

function rdsProtections(config: StackConfig): Protection[] {
  const { managedDatabase, region, recoveryRegion, objectives } = config;
  const windowDays = managedDatabase?.backupRetentionDays ?? defaultWindowDays;
  const log = (place: string): Protection => ({
    mechanism: Mechanism.PointInTimeLog,
    name: `RDS point in time, ${place}`,
    managed: true,
    windowDays,
    placement: placementOf(config, place),
    encryptionKey: { name: `database ${place}`, regions: [place] },
  });
  const protections = [log(region)];
  if (managedDatabase?.multiAz ?? true) {
    protections.push({
      mechanism: Mechanism.Standby,
      name: "Multi-AZ",
      synchronous: true,
      automatic: true,
      placement: { ...placementOf(config, region), server: "multi-az standby", zone: `${region} standby` },
    });
  }
  if (recoveryRegion !== undefined) {
    protections.push(log(recoveryRegion), {
      mechanism: Mechanism.Standby,
      name: `standby, ${recoveryRegion}`,
      // The alarm on the replica's lag is at the RPO.
      lagSeconds: (objectives.rpoMinutes ?? 60) * 60,
      placement: {
        ...placementOf(config, recoveryRegion),
        server: `standby ${recoveryRegion}`,
        zone: `${recoveryRegion} primary`,
      },
    });
  }
  return protections;
}

function workloadProtections({ workload }: StackConfig): Protection[] {
  if (workload === undefined) return [];
  const { replicas, automaticRollback = false, progressDeadlineSeconds, pooler = false } = workload;
  return [
    { mechanism: Mechanism.Replicas, name: "replicas", count: replicas },
    {
      mechanism: Mechanism.Rollback,
      name: "rollback",
      automatic: automaticRollback,
      ...(progressDeadlineSeconds === undefined ? {} : { progressDeadlineSeconds }),
    },
    ...(pooler ? [{ mechanism: Mechanism.Pooler, name: "pooler" } as const] : []),
  ];
}

function sitesOf(config: StackConfig) {
  const { region, recoveryRegion } = config;
  const site = (name: string, place: string) => ({ name, compute: true, placement: placementOf(config, place) });
  return [
    site("the same region", region),
    ...(recoveryRegion === undefined ? [] : [site("recovery site", recoveryRegion)]),
  ];
}

/** What a recovery needs besides the data, and every region that has it. What the stack does not know it does not claim. */
function dependenciesOf(config: StackConfig, engine: Engine): RecoveryDependency[] {
  const { region, recoveryRegion, image, copies, runbooks } = config;
  const placed = (...regions: (string | undefined)[]) =>
    regions.filter((place) => place !== undefined).map((place) => placementOf(config, place));
  const registry = registryRegionOf(image);
  // The registry of this region copies its own images alone.
  const copiedTo = registry === region && copies?.images !== undefined ? recoveryRegion : undefined;
  const dependencies: RecoveryDependency[] = [
    { kind: DependencyKind.Image, name: "job image", placements: placed(registry, copiedTo) },
  ];
  if (engine !== Engine.Sqlite) {
    const placements = placed(region, recoveryRegion);
    dependencies.push({ kind: DependencyKind.Secret, name: "database secret", placements });
  }
  if (copies?.stateBucket !== undefined) {
    const placements = placed(region, recoveryRegion);
    dependencies.push({ kind: DependencyKind.State, name: "Pulumi's state", placements });
  }
  if (runbooks.length > 0) {
    const placements = placed(region, recoveryRegion);
    dependencies.push({ kind: DependencyKind.Runbook, name: "runbooks", placements });
  }
  return dependencies;
}
