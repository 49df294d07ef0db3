import { Engine, Mechanism, type Protection } from "../../recovery";
import { type AlarmProps } from "./alarms";
import { type DatabaseClusterProps, type DatabaseInstanceProps } from "./database-instances";
import { type FoundDatabase, GIB, nameOf, placed, regionOf, zoneOf } from "./found-database";
import { ResourceTypes } from "./resource-types";
import { type JudgedResource, leadsTo, type StackResources } from "./stack-resources";

/** The RDS instances of a stack that follow no other. */
export function rdsDatabases(stack: StackResources): FoundDatabase[] {
  const instances = stack.ofTypes(ResourceTypes.DatabaseInstance);
  return instances
    .filter((instance) => !isFollower(instance, "replicateSourceDb"))
    .map((instance) => {
      const { allocatedStorage, backupRetentionPeriod = 0, multiAz } = instance.props as DatabaseInstanceProps;
      const { name } = instance;
      const region = regionOf(instance);
      const canBeReplicated = backupRetentionPeriod > 0;
      const replicas = instances.filter(
        (other) => canBeReplicated && other !== instance && leadsTo(other, "replicateSourceDb", instance) === true,
      );
      return {
        resource: instance,
        engine: Engine.Rds,
        // The disk, since nobody has told how much of it is used.
        ...(allocatedStorage === undefined ? {} : { sizeBytes: allocatedStorage * GIB }),
        placement: { ...placed(region), server: nameOf(instance), ...zoneOf(region, "primary") },
        canBeReplicated,
        protections: [
          ...pointInTime(`RDS point in time of ${name}`, backupRetentionPeriod, region),
          ...(multiAz === true ? [automaticStandby(`Multi-AZ of ${name}`, name, region)] : []),
          ...replicas.map((replica) => replicaStandby(stack, replica)),
          ...(canBeReplicated ? copiedLogs(stack, instance) : []),
        ],
      };
    });
}

// Aurora keeps a day when nothing is said, and cannot keep less (RDS API, CreateDBCluster).
const DEFAULT_CLUSTER_DAYS = 1;

/** The Aurora clusters of a stack that follow no other. Their storage is in three zones, and grows by itself. */
export function auroraDatabases(stack: StackResources): FoundDatabase[] {
  const clusters = stack.ofTypes(ResourceTypes.DatabaseCluster);
  return clusters
    .filter((cluster) => !isFollower(cluster, "replicationSourceIdentifier"))
    .map((cluster) => {
      const { backupRetentionPeriod = DEFAULT_CLUSTER_DAYS } = cluster.props as DatabaseClusterProps;
      const region = regionOf(cluster);
      const servers = stack
        .ofTypes(ResourceTypes.DatabaseClusterInstance)
        .filter((instance) => leadsTo(instance, "clusterIdentifier", cluster) === true);
      const replicas = clusters.filter(
        (other) => other !== cluster && leadsTo(other, "replicationSourceIdentifier", cluster) === true,
      );
      return {
        resource: cluster,
        engine: Engine.Rds,
        placement: { ...placed(region), server: nameOf(cluster), ...zoneOf(region, "primary") },
        canBeReplicated: true,
        protections: [
          ...pointInTime(`Aurora point in time of ${nameOf(cluster)}`, backupRetentionPeriod, region),
          ...(servers.length > 1
            ? [automaticStandby(`Aurora replica of ${nameOf(cluster)}`, nameOf(cluster), region)]
            : []),
          ...replicas.map((replica) => replicaStandby(stack, replica)),
          ...copiedLogs(stack, cluster),
        ],
      };
    });
}

const isFollower = ({ props, propertyDependencies }: JudgedResource, source: string): boolean =>
  (propertyDependencies[source] ?? []).length > 0 || (props[source] ?? "") !== "";

function pointInTime(name: string, windowDays: number, region: string | undefined): Protection[] {
  if (windowDays === 0) return [];
  return [{ mechanism: Mechanism.PointInTimeLog, name, managed: true, windowDays, placement: placed(region) }];
}

const automaticStandby = (name: string, of: string, region: string | undefined): Protection => ({
  mechanism: Mechanism.Standby,
  name,
  synchronous: true,
  automatic: true,
  placement: { ...placed(region), server: `standby of ${of}`, ...zoneOf(region, "standby") },
});

const LAG_METRICS = ["ReplicaLag", "AuroraGlobalDBReplicationLag", "AuroraReplicaLag"];

/** A replica is as far behind as its alarm lets it be, and without one nobody knows how far. */
function replicaStandby(stack: StackResources, replica: JudgedResource): Protection {
  const region = regionOf(replica);
  const thresholds = stack
    .ofTypes(ResourceTypes.MetricAlarm)
    .filter((alarm) => LAG_METRICS.includes((alarm.props as AlarmProps).metricName ?? ""))
    .filter((alarm) => leadsTo(alarm, "dimensions", replica) === true)
    .flatMap(({ props }) => {
      const { metricName, threshold } = props as AlarmProps;
      // Aurora's metrics are in milliseconds.
      return threshold === undefined ? [] : [metricName === "ReplicaLag" ? threshold : threshold / 1000];
    });
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
function copiedLogs(stack: StackResources, database: JudgedResource): Protection[] {
  return stack
    .ofTypes(ResourceTypes.AutomatedBackupsReplication)
    .filter((replication) => leadsTo(replication, "sourceDbInstanceArn", database) === true)
    .map((replication) => ({
      mechanism: Mechanism.PointInTimeLog,
      name: `RDS point in time by ${replication.name}`,
      managed: true,
      windowDays: (replication.props.retentionPeriod as number | undefined) ?? DEFAULT_COPIED_DAYS,
      placement: placed(regionOf(replication)),
    }));
}
