import { Engine, Mechanism } from "../../recovery";
import { backupStores, configOf } from "./backup-stores";
import { bucketLifecycles } from "./bucket-lifecycles";
import { type FoundDatabase, nameOf, placed, quantityBytes, regionOf } from "./found-database";
import { type Container, containersOf, type WorkloadProps } from "./kubernetes-properties";
import { ResourceTypes } from "./resource-types";
import { identifiersOf, type JudgedResource, namesExactly, type StackResources } from "./stack-resources";

const SQLITE = /sqlite|litestream|\.db\b/i;
const STREAM = /\blitestream\b.*\breplicate\b/i;

const textOf = ({ image = "", command = [], args = [], env = [] }: Container): string =>
  [image, ...command, ...args, ...env.map(({ value = "" }) => value)].join(" ");

/** Whether a workload keeps its data in SQLite, by its images, commands and environment. */
export function usesSqlite({ spec }: WorkloadProps): boolean {
  return containersOf(spec?.template?.spec).some((container) => SQLITE.test(textOf(container)));
}

/** Whether a workload streams a SQLite file by Litestream. */
export function streamsSqlite({ spec }: WorkloadProps): boolean {
  return containersOf(spec?.template?.spec).some((container) => STREAM.test(textOf(container)));
}

/** The workloads of a stack whose SQLite file Litestream streams to a store. */
export function sqliteDatabases(stack: StackResources): FoundDatabase[] {
  return stack.ofTypes([...ResourceTypes.Deployment, ...ResourceTypes.StatefulSet]).flatMap((workload) => {
    const { spec } = workload.props as WorkloadProps;
    const streams = containersOf(spec?.template?.spec)
      .map(textOf)
      .filter((text) => STREAM.test(text));
    if (streams.length === 0) return [];
    const config = configOf(stack, workload);
    const store = storeOf(stack, `${streams.join(" ")} ${config}`);
    const flushSeconds = secondsIn(config, "sync-interval");
    const windowDays = windowOf(stack, store, config);
    const sizeBytes = quantityBytes(spec?.volumeClaimTemplates?.[0]?.spec?.resources?.requests?.storage);
    return {
      resource: workload,
      engine: Engine.Sqlite,
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      placement: { ...placed(regionOf(workload)), server: nameOf(workload), cluster: "its cluster" },
      canBeReplicated: true,
      protections: [
        {
          mechanism: Mechanism.SqliteStream,
          name: `stream of ${nameOf(workload)}`,
          ...(flushSeconds === undefined ? {} : { flushSeconds }),
          ...(windowDays === undefined ? {} : { windowDays }),
          ...(store === undefined ? {} : { placement: placed(regionOf(store)) }),
        },
      ],
    };
  });
}

/** The store that a stream's own words name. */
function storeOf(stack: StackResources, text: string): JudgedResource | undefined {
  return backupStores(stack).find((bucket) =>
    identifiersOf(bucket).some((identifier) => namesExactly(text, identifier)),
  );
}

const UNIT_SECONDS = { ms: 0.001, s: 1, m: 60, h: 3600 } as const;

/** A duration in Litestream's configuration, as `10s` or `72h`. */
function secondsIn(config: string, setting: string): number | undefined {
  const [, digits, unit] = new RegExp(`\\b${setting}"?:\\s*"?(\\d+(?:\\.\\d+)?)(ms|s|m|h)\\b`).exec(config) ?? [];
  return digits === undefined ? undefined : Number(digits) * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS];
}

const DAY_SECONDS = 86_400;

/**
 * How far back a stream reaches: what Litestream keeps, and what the store's lifecycle does, less the snapshot that a
 * restore begins with. Undefined where nobody says how long Litestream keeps what it writes.
 */
function windowOf(stack: StackResources, store: JudgedResource | undefined, config: string): number | undefined {
  const retention = secondsIn(config, "retention");
  if (retention === undefined) return undefined;
  const snapshot = secondsIn(config, "snapshot-interval") ?? DAY_SECONDS;
  const lifecycles = store === undefined ? [] : (bucketLifecycles(stack, store)?.lifecycles ?? []);
  const kept = lifecycles.find(({ prefix }) => prefix === "wal/") ?? lifecycles.find(({ prefix }) => prefix === "");
  const keptSeconds = Math.min(retention, (kept?.expirationDays ?? Infinity) * DAY_SECONDS);
  return Math.max(0, Math.floor((keptSeconds - snapshot) / DAY_SECONDS));
}
