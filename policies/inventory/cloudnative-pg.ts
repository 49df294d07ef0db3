import { Engine, largestGapMinutes, Mechanism, parseSchedule, type Protection } from "../../recovery";
import { backupStores } from "./backup-stores";
import { type FoundDatabase, nameOf, placed, quantityBytes, regionOf } from "./found-database";
import { type ObjectMeta } from "./kubernetes-properties";
import { ResourceTypes } from "./resource-types";
import { identifiersOf, type JudgedResource, namesExactly, type StackResources } from "./stack-resources";

interface ClusterProps {
  readonly metadata?: ObjectMeta;
  readonly spec?: {
    readonly instances?: number;
    readonly storage?: { readonly size?: string };
    readonly minSyncReplicas?: number;
    readonly postgresql?: { readonly synchronous?: { readonly number?: number } };
    readonly replica?: { readonly enabled?: boolean };
    readonly backup?: {
      readonly barmanObjectStore?: { readonly destinationPath?: string };
      readonly retentionPolicy?: string;
    };
  };
}

interface ScheduledBackupProps {
  readonly metadata?: ObjectMeta;
  readonly spec?: {
    readonly schedule?: string;
    readonly suspend?: boolean;
    readonly cluster?: { readonly name?: string };
  };
}

// The operator sets archive_timeout to five minutes (CloudNativePG, "WAL archiving").
const FLUSH_SECONDS = 300;
const DAYS = { d: 1, w: 7, m: 30 } as const;

/** The PostgreSQL clusters of CloudNativePG in a stack that follow no other. */
export function cloudNativePgDatabases(stack: StackResources): FoundDatabase[] {
  return stack
    .ofTypes(ResourceTypes.PostgresCluster)
    .filter(({ props }) => (props as ClusterProps).spec?.replica?.enabled !== true)
    .map((cluster) => {
      const { spec } = cluster.props as ClusterProps;
      const sizeBytes = quantityBytes(spec?.storage?.size);
      return {
        resource: cluster,
        engine: Engine.Postgres,
        ...(sizeBytes === undefined ? {} : { sizeBytes }),
        placement: { ...placed(regionOf(cluster)), server: nameOf(cluster), cluster: "its cluster" },
        canBeReplicated: true,
        protections: [...archivedLog(stack, cluster), ...standbys(cluster)],
      };
    });
}

/** A log without a base backup is nothing to replay onto. */
function archivedLog(stack: StackResources, cluster: JudgedResource): Protection[] {
  const { destinationPath } = (cluster.props as ClusterProps).spec?.backup?.barmanObjectStore ?? {};
  if (destinationPath === undefined) return [];
  const schedules = baseBackupSchedules(stack, cluster);
  if (schedules.length === 0) return [];
  const store = backupStores(stack).find((bucket) =>
    identifiersOf(bucket).some((identifier) => namesExactly(destinationPath, identifier)),
  );
  const walRetentionDays = daysOf((cluster.props as ClusterProps).spec?.backup?.retentionPolicy);
  return [
    {
      mechanism: Mechanism.PointInTimeLog,
      name: `log of ${nameOf(cluster)}`,
      flushSeconds: FLUSH_SECONDS,
      baseBackupSchedule: [...schedules].sort((a, b) => gapOf(a) - gapOf(b))[0]!,
      ...(walRetentionDays === undefined ? {} : { walRetentionDays }),
      ...(store === undefined ? {} : { placement: placed(regionOf(store)) }),
    },
  ];
}

const gapOf = (schedule: string): number => largestGapMinutes(parseSchedule(schedule));

/** The schedules of the base backups. CloudNativePG puts seconds before the five fields that Kubernetes has. */
function baseBackupSchedules(stack: StackResources, cluster: JudgedResource): string[] {
  return stack
    .ofTypes(ResourceTypes.PostgresScheduledBackup)
    .map(({ props }) => props as ScheduledBackupProps)
    .filter(({ metadata, spec }) => {
      const own = (cluster.props as ClusterProps).metadata;
      return (
        spec?.suspend !== true && spec?.cluster?.name === nameOf(cluster) && metadata?.namespace === own?.namespace
      );
    })
    .map(({ spec }) => (spec?.schedule ?? "").trim().split(/\s+/))
    .map((fields) => (fields.length === 6 ? fields.slice(1) : fields).join(" "))
    .filter((schedule) => schedule !== "");
}

function standbys(cluster: JudgedResource): Protection[] {
  const { instances = 1, minSyncReplicas = 0, postgresql } = (cluster.props as ClusterProps).spec ?? {};
  if (instances < 2) return [];
  return [
    {
      mechanism: Mechanism.Standby,
      name: `standby of ${nameOf(cluster)}`,
      automatic: true,
      synchronous: minSyncReplicas > 0 || (postgresql?.synchronous?.number ?? 0) > 0,
      placement: { ...placed(regionOf(cluster)), server: `standby of ${nameOf(cluster)}`, cluster: "its cluster" },
    },
  ];
}

/** The days of a retention as barman writes it: `30d`, `4w`, `1m`. */
function daysOf(retention: string | undefined): number | undefined {
  const [, count, unit] = /^(\d+)([dwm])$/.exec(retention ?? "") ?? [];
  return count === undefined ? undefined : Number(count) * DAYS[unit as keyof typeof DAYS];
}
