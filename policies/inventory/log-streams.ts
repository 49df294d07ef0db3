import { Engine, jobConfigDefaults, Mechanism, type Protection } from "../../recovery";
import { backupStores, configOf } from "./backup-stores";
import { bucketLifecycles } from "./bucket-lifecycles";
import { type FoundDatabase, placed, regionOf } from "./found-database";
import { containersOf, type WorkloadProps } from "./kubernetes-properties";
import { ResourceTypes } from "./resource-types";
import {
  identifiersOf,
  type JudgedResource,
  known,
  namesExactly,
  type StackResources,
  UNKNOWN,
} from "./stack-resources";

const LOG_STREAM = /\bdr stream\b|\bpg_receivewal\b|\bbarman\b.*\breceive-wal\b|\bwal-g\b.*\bwal-receive\b/i;
const OWN_STREAM = /\bdr stream ([a-z0-9-]+)/;

/** What the containers of a workload run. */
function commandsOf({ spec }: WorkloadProps): string {
  return containersOf(spec?.template?.spec)
    .flatMap(({ command = [], args = [] }) => [...command, ...args])
    .join(" ");
}

/** Whether a workload receives the log of a PostgreSQL server; what is not known before the update is not said to. */
export function streamsLog({ props }: Pick<JudgedResource, "props">): boolean {
  const commands = known(() => commandsOf(props as WorkloadProps));
  return commands !== UNKNOWN && LOG_STREAM.test(commands);
}

/** The workloads of a stack that receive the log of a PostgreSQL server. */
export function logStreams(stack: StackResources): readonly JudgedResource[] {
  return stack.once(logStreams, () =>
    stack.ofTypes([...ResourceTypes.StatefulSet, ...ResourceTypes.Deployment]).filter(streamsLog),
  );
}

/** The database whose log `dr stream` receives here; undefined for another receiver, whose database nobody names. */
export function streamedDatabaseName({ props }: Pick<JudgedResource, "props">): string | undefined {
  return OWN_STREAM.exec(commandsOf(props))?.[1];
}

/** Whether it is installed and does not run, as on a site that waits. */
const isAsleep = ({ props }: JudgedResource): boolean => (props as WorkloadProps).spec?.replicas === 0;

interface StreamedConfig {
  readonly databases?: readonly {
    readonly name?: string;
    readonly wal?: { readonly flushSeconds?: number; readonly baseBackupSchedule?: string };
    readonly backup?: { readonly timeZone?: string; readonly incrementalsPerFull?: number };
  }[];
}

/**
 * The PostgreSQL servers whose log `dr stream` brings into a store, by the configuration that it is given. Where such a
 * server is, nobody said. Another receiver keeps what it receives on its own volume, which is no store.
 */
export function streamedDatabases(stack: StackResources): FoundDatabase[] {
  return logStreams(stack).flatMap((workload) => {
    const name = streamedDatabaseName(workload);
    if (name === undefined || isAsleep(workload)) return [];
    return {
      resource: workload,
      name,
      engine: Engine.Postgres,
      placement: {},
      canBeReplicated: true,
      protections: [logOf(stack, workload, name)],
    };
  });
}

function logOf(stack: StackResources, workload: JudgedResource, name: string): Protection {
  const text = configOf(stack, workload);
  const { wal, backup } = databaseIn(text, name);
  const store = backupStores(stack).find((bucket) =>
    identifiersOf(bucket).some((identifier) => namesExactly(text, identifier)),
  );
  const lifecycles = store === undefined ? [] : (bucketLifecycles(stack, store)?.lifecycles ?? []);
  const kept = lifecycles.find(({ prefix }) => prefix === "wal/") ?? lifecycles.find(({ prefix }) => prefix === "");
  return {
    mechanism: Mechanism.PointInTimeLog,
    name: `log of ${name}`,
    flushSeconds: wal?.flushSeconds ?? jobConfigDefaults.walFlushSeconds,
    baseBackupSchedule: wal?.baseBackupSchedule ?? jobConfigDefaults.baseBackupSchedule,
    ...(backup?.incrementalsPerFull === undefined ? {} : { incrementalsPerFull: backup.incrementalsPerFull }),
    ...(backup?.timeZone === undefined ? {} : { timeZone: backup.timeZone }),
    ...(kept?.expirationDays === undefined ? {} : { walRetentionDays: kept.expirationDays }),
    ...(store === undefined ? {} : { placement: placed(regionOf(store)) }),
  };
}

/** What a job configuration says of a database. */
function databaseIn(text: string, name: string): NonNullable<StreamedConfig["databases"]>[number] {
  try {
    const { databases = [] } = JSON.parse(text) as StreamedConfig;
    return databases.find((database) => database.name === name) ?? {};
  } catch {
    return {};
  }
}
