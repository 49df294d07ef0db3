import { type DeclaredDatabase } from "./declared-database";
import { type DatabaseConfig, type JobConfig, jobConfigDefaults } from "./job-config";
import { Engine } from "./manifest";
import { type Placed } from "./placement";
import { type DumpProtection, type LogProtection, Mechanism, type Protection } from "./protection";
import { BackupMethod } from "./store-layout";
import { parseStoreUrl } from "./store-url";

/** What a job configuration does not say and somebody may know. */
export interface DeclaredFacts {
  /** What is known of a database by its name: its placement, size, sites, dependencies, further protections. */
  readonly databases?: Readonly<Record<string, Partial<Omit<DeclaredDatabase, "name" | "engine">>>>;
  /** Where the store is. @default what its URL says: nothing of a directory, the region of an S3 bucket */
  readonly store?: Placed;
  /** How long parts are kept. @default for ever in a directory, which nothing is deleted from; unknown in a bucket */
  readonly retentionDays?: number;
}

/** The databases of a job configuration with the protections that it declares, for `assess`. */
export function declaredFromJobConfig(config: JobConfig, facts: DeclaredFacts = {}): DeclaredDatabase[] {
  const store = { ...placedByUrl(config.store), ...facts.store };
  const retentionDays = facts.retentionDays ?? keptDaysByUrl(config.store);
  return config.databases.map((database) => {
    const { protections = [], ...known } = facts.databases?.[database.name] ?? {};
    return {
      name: database.name,
      engine: database.engine,
      environment: config.environment ?? jobConfigDefaults.environment,
      ...known,
      protections: [
        dumpOf(database, store, retentionDays),
        ...logOf(database, store, retentionDays),
        ...standbyOf(database),
        ...protections,
      ],
    };
  });
}

function dumpOf({ engine, backup }: DatabaseConfig, store: Placed, retentionDays: number | undefined): DumpProtection {
  return {
    mechanism: Mechanism.Dump,
    name: "dump",
    method: engine === Engine.Sqlite ? BackupMethod.Copy : BackupMethod.Dump,
    ...(backup?.schedule === undefined ? {} : { schedule: backup.schedule }),
    ...(backup?.timeZone === undefined ? {} : { timeZone: backup.timeZone }),
    ...(retentionDays === undefined ? {} : { retentionDays }),
    ...store,
  };
}

function logOf(
  { wal, backup, rds }: DatabaseConfig,
  store: Placed,
  retentionDays: number | undefined,
): LogProtection[] {
  // How far back RDS keeps its log, only RDS knows.
  if (rds) {
    return [{ mechanism: Mechanism.PointInTimeLog, name: "rds-log", managed: true, placement: { region: rds.region } }];
  }
  if (!wal) return [];
  return [
    {
      mechanism: Mechanism.PointInTimeLog,
      name: "log",
      flushSeconds: wal.flushSeconds ?? jobConfigDefaults.walFlushSeconds,
      baseBackupSchedule: wal.baseBackupSchedule ?? jobConfigDefaults.baseBackupSchedule,
      ...(backup?.incrementalsPerFull === undefined ? {} : { incrementalsPerFull: backup.incrementalsPerFull }),
      ...(backup?.timeZone === undefined ? {} : { timeZone: backup.timeZone }),
      ...(retentionDays === undefined ? {} : { walRetentionDays: retentionDays }),
      ...store,
    },
  ];
}

/** The configuration names the standby to read from; how far it is behind, and where it is, nobody has said. */
function standbyOf({ standbyUrl }: DatabaseConfig): Protection[] {
  return standbyUrl === undefined ? [] : [{ mechanism: Mechanism.Standby, name: "standby" }];
}

function placedByUrl(url: string): Placed {
  const { location } = parseStoreUrl(url);
  if (location?.kind !== "s3") return {};
  const { region, expectedBucketOwner, kmsKeyId } = location;
  return {
    placement: {
      ...(region === undefined ? {} : { region }),
      ...(expectedBucketOwner === undefined ? {} : { account: expectedBucketOwner }),
    },
    ...(kmsKeyId === undefined
      ? {}
      : { encryptionKey: { name: kmsKeyId, regions: region === undefined ? [] : [region] } }),
  };
}

function keptDaysByUrl(url: string): number | undefined {
  return parseStoreUrl(url).location?.kind === "directory" ? Infinity : undefined;
}
