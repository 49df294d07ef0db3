/**
 * What the RDS API says of databases, spelt as it spells it, so that its answers are these types as they are. Only what a
 * restore has to carry over; a field that is absent was not described.
 */

/** One tag. */
export interface RdsTag {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

interface SecurityGroupMembership {
  readonly VpcSecurityGroupId?: string | undefined;
}

interface DomainMembership {
  readonly Domain?: string | undefined;
  readonly IAMRoleName?: string | undefined;
}

/** One RAM or processor feature, for instance `coreCount`. */
export interface RdsProcessorFeature {
  readonly Name?: string | undefined;
  readonly Value?: string | undefined;
}

interface AssociatedRole {
  readonly RoleArn?: string | undefined;
  readonly FeatureName?: string | undefined;
}

interface DescribedInBoth {
  readonly AllocatedStorage?: number | undefined;
  readonly BackupRetentionPeriod?: number | undefined;
  readonly CopyTagsToSnapshot?: boolean | undefined;
  readonly DeletionProtection?: boolean | undefined;
  readonly DomainMemberships?: readonly DomainMembership[] | undefined;
  readonly EnabledCloudwatchLogsExports?: readonly string[] | undefined;
  readonly Engine?: string | undefined;
  readonly EngineLifecycleSupport?: string | undefined;
  readonly EngineVersion?: string | undefined;
  readonly IAMDatabaseAuthenticationEnabled?: boolean | undefined;
  readonly Iops?: number | undefined;
  readonly KmsKeyId?: string | undefined;
  readonly LatestRestorableTime?: Date | undefined;
  readonly MasterUserSecret?: { readonly KmsKeyId?: string | undefined } | undefined;
  readonly MonitoringInterval?: number | undefined;
  readonly MonitoringRoleArn?: string | undefined;
  readonly MultiAZ?: boolean | undefined;
  readonly NetworkType?: string | undefined;
  readonly PerformanceInsightsEnabled?: boolean | undefined;
  readonly PerformanceInsightsKMSKeyId?: string | undefined;
  readonly PerformanceInsightsRetentionPeriod?: number | undefined;
  readonly PreferredBackupWindow?: string | undefined;
  readonly PreferredMaintenanceWindow?: string | undefined;
  readonly PubliclyAccessible?: boolean | undefined;
  readonly StorageEncrypted?: boolean | undefined;
  readonly StorageType?: string | undefined;
  readonly AssociatedRoles?: readonly AssociatedRole[] | undefined;
  readonly TagList?: readonly RdsTag[] | undefined;
  readonly VpcSecurityGroups?: readonly SecurityGroupMembership[] | undefined;
  readonly AutoMinorVersionUpgrade?: boolean | undefined;
}

/** A DB instance, as `DescribeDBInstances` tells of it. */
export interface RdsInstance extends DescribedInBoth {
  readonly DBInstanceIdentifier?: string | undefined;
  readonly DBInstanceArn?: string | undefined;
  readonly DBInstanceStatus?: string | undefined;
  readonly DBInstanceClass?: string | undefined;
  readonly DBClusterIdentifier?: string | undefined;
  readonly DbiResourceId?: string | undefined;
  readonly InstanceCreateTime?: Date | undefined;
  readonly Endpoint?: { readonly Address?: string | undefined; readonly Port?: number | undefined } | undefined;
  readonly DBSubnetGroup?: { readonly DBSubnetGroupName?: string | undefined } | undefined;
  readonly DBParameterGroups?: readonly { readonly DBParameterGroupName?: string | undefined }[] | undefined;
  readonly OptionGroupMemberships?: readonly { readonly OptionGroupName?: string | undefined }[] | undefined;
  readonly CACertificateIdentifier?: string | undefined;
  readonly DedicatedLogVolume?: boolean | undefined;
  readonly LicenseModel?: string | undefined;
  readonly MaxAllocatedStorage?: number | undefined;
  readonly ProcessorFeatures?: readonly RdsProcessorFeature[] | undefined;
  readonly PromotionTier?: number | undefined;
  readonly StorageThroughput?: number | undefined;
  readonly ReadReplicaDBInstanceIdentifiers?: readonly string[] | undefined;
  readonly DBInstanceAutomatedBackupsReplications?: readonly object[] | undefined;
}

/** A DB cluster, as `DescribeDBClusters` tells of it. */
export interface RdsCluster extends DescribedInBoth {
  readonly DBClusterIdentifier?: string | undefined;
  readonly DBClusterArn?: string | undefined;
  readonly Status?: string | undefined;
  readonly EarliestRestorableTime?: Date | undefined;
  readonly ClusterCreateTime?: Date | undefined;
  readonly Endpoint?: string | undefined;
  readonly ReaderEndpoint?: string | undefined;
  readonly Port?: number | undefined;
  /** Its name; of a cluster the API says no more. */
  readonly DBSubnetGroup?: string | undefined;
  readonly DBClusterParameterGroup?: string | undefined;
  readonly DBClusterInstanceClass?: string | undefined;
  readonly DBClusterMembers?:
    | readonly { readonly DBInstanceIdentifier?: string | undefined; readonly IsClusterWriter?: boolean | undefined }[]
    | undefined;
  readonly EngineMode?: string | undefined;
  readonly HttpEndpointEnabled?: boolean | undefined;
  readonly ServerlessV2ScalingConfiguration?:
    { readonly MinCapacity?: number | undefined; readonly MaxCapacity?: number | undefined } | undefined;
  readonly GlobalClusterIdentifier?: string | undefined;
}

/** What an instance or cluster identifier looks like (RDS API, `DBInstanceIdentifier`). */
export const rdsIdentifierPattern = /^[a-z](?!.*--)[a-z0-9-]{0,61}[a-z0-9]$/;

/** Whether it is an Aurora cluster, whose instances are made one by one. */
export function isAurora({ Engine }: Pick<RdsCluster, "Engine">): boolean {
  return Engine?.startsWith("aurora") ?? false;
}
