import { canonicalJson } from "./canonical-json";
import {
  isAurora,
  type RdsCluster,
  rdsIdentifierPattern,
  type RdsInstance,
  type RdsProcessorFeature,
} from "./rds-description";
import { recoveredTags } from "./recovered-copy";
import { throwAwayTags } from "./throw-away-tags";

interface Tag {
  readonly Key: string;
  readonly Value: string;
}

interface SharedSettings {
  readonly Port: number;
  readonly DBSubnetGroupName: string;
  readonly VpcSecurityGroupIds: string[];
  readonly DeletionProtection: boolean;
  readonly EnableIAMDatabaseAuthentication: boolean;
  readonly EnableCloudwatchLogsExports: string[];
  readonly CopyTagsToSnapshot: boolean;
  readonly BackupRetentionPeriod: number;
  readonly PreferredBackupWindow: string;
  readonly StorageType: string;
  readonly Iops: number;
  readonly NetworkType: string;
  readonly EngineLifecycleSupport: string;
  readonly Domain: string;
  readonly DomainIAMRoleName: string;
  readonly PubliclyAccessible: boolean;
}

/** What a restored instance is told in the restore itself (RDS API, `RestoreDBInstanceToPointInTime`). */
export interface InstanceSettings extends SharedSettings {
  readonly DBInstanceClass: string;
  readonly MultiAZ: boolean;
  readonly DBParameterGroupName: string;
  readonly OptionGroupName: string;
  readonly AutoMinorVersionUpgrade: boolean;
  readonly LicenseModel: string;
  readonly AllocatedStorage: number;
  readonly StorageThroughput: number;
  readonly ProcessorFeatures: RdsProcessorFeature[];
  readonly DedicatedLogVolume: boolean;
  readonly CACertificateIdentifier: string;
  readonly ManageMasterUserPassword: true;
  readonly MasterUserSecretKmsKeyId: string;
}

/** What only a change afterwards can set (RDS API, `ModifyDBInstance`). */
export interface InstanceLaterSettings {
  readonly PreferredMaintenanceWindow: string;
  readonly MonitoringInterval: number;
  readonly MonitoringRoleArn: string;
  readonly EnablePerformanceInsights: boolean;
  readonly PerformanceInsightsKMSKeyId: string;
  readonly PerformanceInsightsRetentionPeriod: number;
  readonly MaxAllocatedStorage: number;
}

/** What a restored cluster is told in the restore itself (RDS API, `RestoreDBClusterToPointInTime`). */
export interface ClusterSettings extends SharedSettings {
  readonly KmsKeyId: string;
  readonly DBClusterParameterGroupName: string;
  readonly DBClusterInstanceClass: string;
  readonly ServerlessV2ScalingConfiguration: { readonly MinCapacity: number; readonly MaxCapacity: number };
}

/** What only a change afterwards can set (RDS API, `ModifyDBCluster`). */
export interface ClusterLaterSettings {
  readonly PreferredMaintenanceWindow: string;
  readonly EnableHttpEndpoint: boolean;
  readonly ManageMasterUserPassword: true;
  readonly MasterUserSecretKmsKeyId: string;
}

/** What an instance of a restored Aurora cluster is told (RDS API, `CreateDBInstance`). */
export interface MemberSettings extends InstanceLaterSettingsOfMember {
  readonly DBInstanceClass: string;
  readonly DBParameterGroupName: string;
  readonly PubliclyAccessible: boolean;
  readonly AutoMinorVersionUpgrade: boolean;
  readonly CACertificateIdentifier: string;
  readonly PromotionTier: number;
}
type InstanceLaterSettingsOfMember = Omit<InstanceLaterSettings, "MaxAllocatedStorage">;

/** How one setting is carried over. */
interface Carried<Source, Value> {
  /** As the source has it; `undefined` when it has none. */
  readonly of: (source: Source) => Value | undefined;
  /** What RDS makes of it when a restore does not name it. */
  readonly elseItIs: string;
  /** Every database has one: when the source is not described with it, it is unknown and the restore is refused. */
  readonly always?: true;
}
type CarriedSettings<Source, Settings> = {
  readonly [Name in keyof Settings]: Carried<Source, Settings[Name]>;
};

const off = "off";
const asSource = "as the source";

const groupsOf = ({ VpcSecurityGroups }: RdsInstance | RdsCluster): string[] | undefined => {
  const ids = (VpcSecurityGroups ?? []).flatMap(({ VpcSecurityGroupId }) => VpcSecurityGroupId ?? []);
  return ids.length === 0 ? undefined : ids.sort();
};
/** RDS gives a group whose name begins with `default:` by itself, and to name it for another version is an error. */
const ownOptionGroup = (source: RdsInstance): string | undefined => {
  const name = source.OptionGroupMemberships?.[0]?.OptionGroupName;
  return name?.startsWith("default:") ? undefined : name;
};
/** gp3 below this size has fixed performance, which is described and must not be asked for (RDS User Guide, "gp3 storage"). */
const gp3FixedBelowGib = 400;
const hasOwnPerformance = ({ StorageType, AllocatedStorage }: RdsInstance | RdsCluster): boolean =>
  StorageType !== "gp3" || (AllocatedStorage ?? 0) >= gp3FixedBelowGib;
const positive = (value: number | undefined): number | undefined => (value ? value : undefined);
const exportsOf = ({ EnabledCloudwatchLogsExports }: RdsInstance | RdsCluster): string[] =>
  [...(EnabledCloudwatchLogsExports ?? [])].sort();

/** A subset of `CarriedSettings` that instances and clusters are described alike for. */
const shared = {
  VpcSecurityGroupIds: { of: groupsOf, elseItIs: "the VPC's default group", always: true },
  DeletionProtection: { of: (source) => source.DeletionProtection, elseItIs: off, always: true },
  EnableIAMDatabaseAuthentication: {
    of: (source) => source.IAMDatabaseAuthenticationEnabled,
    elseItIs: off,
    always: true,
  },
  EnableCloudwatchLogsExports: { of: exportsOf, elseItIs: "none" },
  CopyTagsToSnapshot: { of: (source) => source.CopyTagsToSnapshot, elseItIs: off, always: true },
  BackupRetentionPeriod: { of: (source) => source.BackupRetentionPeriod, elseItIs: asSource, always: true },
  PreferredBackupWindow: { of: (source) => source.PreferredBackupWindow, elseItIs: "one that RDS picks" },
  StorageType: { of: (source) => source.StorageType, elseItIs: "gp2, or io1 with IOPS" },
  Iops: { of: (source) => (hasOwnPerformance(source) ? positive(source.Iops) : undefined), elseItIs: asSource },
  NetworkType: { of: (source) => source.NetworkType, elseItIs: "that of the subnet group" },
  EngineLifecycleSupport: { of: (source) => source.EngineLifecycleSupport, elseItIs: "extended support, at a price" },
  Domain: { of: (source) => source.DomainMemberships?.[0]?.Domain, elseItIs: "none" },
  DomainIAMRoleName: { of: (source) => source.DomainMemberships?.[0]?.IAMRoleName, elseItIs: "none" },
} satisfies Partial<CarriedSettings<RdsInstance | RdsCluster, SharedSettings>>;

/** The one table of what a restored instance has from its source (RDS User Guide, "Restoring to a point in time"). */
export const instanceSettings: CarriedSettings<RdsInstance, InstanceSettings> = {
  ...shared,
  Port: { of: (source) => source.Endpoint?.Port, elseItIs: asSource, always: true },
  DBSubnetGroupName: { of: (source) => source.DBSubnetGroup?.DBSubnetGroupName, elseItIs: "`default`", always: true },
  PubliclyAccessible: {
    of: (source) => source.PubliclyAccessible,
    elseItIs: "decided by the subnets: open in a VPC with an internet gateway",
    always: true,
  },
  DBInstanceClass: { of: (source) => source.DBInstanceClass, elseItIs: asSource, always: true },
  MultiAZ: { of: (source) => source.MultiAZ, elseItIs: "a single zone", always: true },
  DBParameterGroupName: {
    of: (source) => source.DBParameterGroups?.[0]?.DBParameterGroupName,
    elseItIs: "the engine's default parameters",
    always: true,
  },
  OptionGroupName: { of: ownOptionGroup, elseItIs: "the engine's default options" },
  AutoMinorVersionUpgrade: { of: (source) => source.AutoMinorVersionUpgrade, elseItIs: "on", always: true },
  LicenseModel: { of: (source) => source.LicenseModel, elseItIs: asSource },
  AllocatedStorage: { of: (source) => source.AllocatedStorage, elseItIs: asSource, always: true },
  StorageThroughput: {
    of: (source) => (hasOwnPerformance(source) ? positive(source.StorageThroughput) : undefined),
    elseItIs: "the type's least",
  },
  ProcessorFeatures: {
    of: (source) => (source.ProcessorFeatures?.length ? [...source.ProcessorFeatures] : undefined),
    elseItIs: "the class's own",
  },
  DedicatedLogVolume: { of: (source) => source.DedicatedLogVolume, elseItIs: off },
  CACertificateIdentifier: {
    of: (source) => source.CACertificateIdentifier,
    elseItIs: "the account's default authority, which clients may not trust",
    always: true,
  },
  ManageMasterUserPassword: { of: (source) => (source.MasterUserSecret ? true : undefined), elseItIs: off },
  MasterUserSecretKmsKeyId: { of: (source) => source.MasterUserSecret?.KmsKeyId, elseItIs: "the account's own key" },
};

const laterSettings: CarriedSettings<RdsInstance, InstanceLaterSettingsOfMember> = {
  PreferredMaintenanceWindow: { of: (source) => source.PreferredMaintenanceWindow, elseItIs: "one that RDS picks" },
  MonitoringInterval: { of: (source) => positive(source.MonitoringInterval), elseItIs: off },
  MonitoringRoleArn: {
    // With an interval of 0 the API refuses a role.
    of: (source) => (source.MonitoringInterval ? source.MonitoringRoleArn : undefined),
    elseItIs: "none",
  },
  EnablePerformanceInsights: { of: (source) => source.PerformanceInsightsEnabled || undefined, elseItIs: off },
  PerformanceInsightsKMSKeyId: {
    of: (source) => (source.PerformanceInsightsEnabled ? source.PerformanceInsightsKMSKeyId : undefined),
    elseItIs: "the account's own key",
  },
  PerformanceInsightsRetentionPeriod: {
    of: (source) => (source.PerformanceInsightsEnabled ? source.PerformanceInsightsRetentionPeriod : undefined),
    elseItIs: "7 days",
  },
};

/** What is set right after the restore, because the restore takes no such parameter. */
export const instanceLaterSettings: CarriedSettings<RdsInstance, InstanceLaterSettings> = {
  ...laterSettings,
  MaxAllocatedStorage: { of: (source) => source.MaxAllocatedStorage, elseItIs: "no growth" },
};

/** The one table of what a restored cluster has from its source. */
export const clusterSettings: CarriedSettings<RdsCluster, ClusterSettings> = {
  ...shared,
  Port: { of: (source) => source.Port, elseItIs: asSource, always: true },
  DBSubnetGroupName: { of: (source) => source.DBSubnetGroup, elseItIs: "`default`", always: true },
  // Of an Aurora cluster these are a setting of each instance, and none at all.
  PubliclyAccessible: {
    of: (source) => (isAurora(source) ? undefined : source.PubliclyAccessible),
    elseItIs: "decided by the subnets",
  },
  Iops: { of: (source) => (isAurora(source) ? undefined : shared.Iops.of(source)), elseItIs: asSource },
  KmsKeyId: { of: (source) => (source.StorageEncrypted ? source.KmsKeyId : undefined), elseItIs: asSource },
  DBClusterParameterGroupName: {
    of: (source) => source.DBClusterParameterGroup,
    elseItIs: "the engine's default parameters",
    always: true,
  },
  DBClusterInstanceClass: { of: (source) => source.DBClusterInstanceClass, elseItIs: asSource },
  ServerlessV2ScalingConfiguration: {
    of: ({ ServerlessV2ScalingConfiguration: limits }) =>
      limits?.MinCapacity === undefined || limits.MaxCapacity === undefined
        ? undefined
        : { MinCapacity: limits.MinCapacity, MaxCapacity: limits.MaxCapacity },
    elseItIs: "none, and a serverless instance cannot be made",
  },
};

/** What is set right after the restore of a cluster. */
export const clusterLaterSettings: CarriedSettings<RdsCluster, ClusterLaterSettings> = {
  PreferredMaintenanceWindow: { of: (source) => source.PreferredMaintenanceWindow, elseItIs: "one that RDS picks" },
  EnableHttpEndpoint: { of: (source) => source.HttpEndpointEnabled || undefined, elseItIs: off },
  ManageMasterUserPassword: { of: (source) => (source.MasterUserSecret ? true : undefined), elseItIs: off },
  MasterUserSecretKmsKeyId: { of: (source) => source.MasterUserSecret?.KmsKeyId, elseItIs: "the account's own key" },
};

/** What an instance of a restored Aurora cluster has from the one that it stands for. */
export const memberSettings: CarriedSettings<RdsInstance, MemberSettings> = {
  ...laterSettings,
  DBInstanceClass: { of: (source) => source.DBInstanceClass, elseItIs: "no default", always: true },
  DBParameterGroupName: {
    of: (source) => source.DBParameterGroups?.[0]?.DBParameterGroupName,
    elseItIs: "the engine's default parameters",
    always: true,
  },
  PubliclyAccessible: {
    of: (source) => source.PubliclyAccessible,
    elseItIs: "decided by the subnets",
    always: true,
  },
  AutoMinorVersionUpgrade: { of: (source) => source.AutoMinorVersionUpgrade, elseItIs: "on", always: true },
  CACertificateIdentifier: {
    of: (source) => source.CACertificateIdentifier,
    elseItIs: "the account's default authority, which clients may not trust",
    always: true,
  },
  PromotionTier: { of: (source) => source.PromotionTier, elseItIs: "1" },
};

/** From which moment to restore. */
export type RdsRestorePoint =
  | { readonly kind: "latest" }
  | { readonly kind: "time"; readonly at: Date }
  | { readonly kind: "snapshot"; readonly snapshotIdentifier: string };

/** What the copy is for. */
export type RdsRestorePurpose =
  /** To take its source's place. */
  | { readonly kind: "recovery" }
  /** To be proven and deleted: alone in a network of its own if there is one, in one zone, deletable, and tagged. */
  | {
      readonly kind: "restore-test";
      readonly database: string;
      readonly environment: string;
      readonly expiresAt: Date;
      readonly subnetGroup?: string;
      readonly securityGroupIds?: readonly string[];
    };

/** Where from, what for, and what it will be called. */
export interface RdsRestoreChoice {
  readonly point: RdsRestorePoint;
  readonly purpose: RdsRestorePurpose;
  /** Of the new instance or cluster. */
  readonly identifier: string;
}

/** Decided, or every reason why it cannot be. */
export type Decided<Request> =
  | { readonly request: Request; readonly problems?: undefined }
  | { readonly request?: undefined; readonly problems: readonly string[] };

/** The restore of an instance, as the API takes it. */
export interface InstanceRestore {
  /** Parameters of `RestoreDBInstanceToPointInTime` or `RestoreDBInstanceFromDBSnapshot` beside the settings. */
  readonly from:
    | {
        readonly SourceDBInstanceIdentifier: string;
        readonly TargetDBInstanceIdentifier: string;
        readonly UseLatestRestorableTime?: true;
        readonly RestoreTime?: Date;
      }
    | { readonly DBSnapshotIdentifier: string; readonly DBInstanceIdentifier: string };
  readonly settings: Partial<InstanceSettings>;
  readonly tags: readonly Tag[];
  /** Empty when there is nothing to change afterwards. */
  readonly later: Partial<InstanceLaterSettings>;
}

/** The restore of a cluster with its instances, as the API takes it. */
export interface ClusterRestore {
  readonly from:
    | {
        readonly SourceDBClusterIdentifier: string;
        readonly DBClusterIdentifier: string;
        readonly RestoreType: "full-copy";
        readonly UseLatestRestorableTime?: true;
        readonly RestoreToTime?: Date;
      }
    | {
        readonly SnapshotIdentifier: string;
        readonly DBClusterIdentifier: string;
        readonly Engine: string;
        readonly EngineVersion?: string;
      };
  readonly settings: Partial<ClusterSettings>;
  readonly tags: readonly Tag[];
  readonly later: Partial<ClusterLaterSettings>;
  /** The writer first; none where RDS makes them itself. */
  readonly members: readonly {
    readonly DBInstanceIdentifier: string;
    readonly DBClusterIdentifier: string;
    readonly Engine: string;
    readonly settings: Partial<MemberSettings> & Pick<MemberSettings, "DBInstanceClass">;
    readonly tags: readonly Tag[];
  }[];
}

/**
 * The restore of an instance with everything that its source has, because RDS resets what a restore does not name and
 * says nothing: another security group, default parameters, a single zone, no deletion protection.
 */
export function decideInstanceRestore(source: RdsInstance, choice: RdsRestoreChoice): Decided<InstanceRestore> {
  const { point, identifier, purpose } = choice;
  const problems = choiceProblems(choice, source.DBInstanceIdentifier);
  const settings = { ...carry(instanceSettings, source, problems), ...overrides(purpose) };
  if (purpose.kind === "restore-test") {
    delete settings.ManageMasterUserPassword;
    delete settings.MasterUserSecretKmsKeyId;
    settings.MultiAZ = false;
    settings.PubliclyAccessible = false;
  }
  if (problems.length > 0) return { problems };
  const from =
    point.kind === "snapshot"
      ? { DBSnapshotIdentifier: point.snapshotIdentifier, DBInstanceIdentifier: identifier }
      : {
          SourceDBInstanceIdentifier: source.DBInstanceIdentifier!,
          TargetDBInstanceIdentifier: identifier,
          ...(point.kind === "latest" ? ({ UseLatestRestorableTime: true } as const) : { RestoreTime: point.at }),
        };
  const later = purpose.kind === "recovery" ? carry(instanceLaterSettings, source, []) : {};
  const tags = tagsOf(source, purpose, source.DBInstanceIdentifier!);
  return { request: { from, settings, tags, later } };
}

/**
 * The restore of a cluster, and of its instances.
 *
 * @param members the source's instances, the writer first
 */
export function decideClusterRestore(
  source: RdsCluster,
  members: readonly RdsInstance[],
  choice: RdsRestoreChoice,
): Decided<ClusterRestore> {
  const { point, identifier, purpose } = choice;
  const problems = choiceProblems(choice, source.DBClusterIdentifier);
  const engine = source.Engine;
  if (engine === undefined) problems.push("Engine: the source is not described with it");
  const settings = { ...carry(clusterSettings, source, problems), ...overrides(purpose) };
  const copied = isAurora(source) ? members.slice(0, purpose.kind === "recovery" ? undefined : 1) : [];
  if (isAurora(source) && members.length === 0) {
    problems.push("members: the source has no instance, so nobody knows of which class the new one must be");
  }
  const tags = tagsOf(source, purpose, source.DBClusterIdentifier ?? "");
  const decided = copied.map((member, index) => ({
    DBInstanceIdentifier: `${identifier}-${index + 1}`,
    DBClusterIdentifier: identifier,
    Engine: engine ?? "",
    settings: memberSettingsFor(purpose, carry(memberSettings, member, problems)),
    tags: tagsOf(member, purpose, source.DBClusterIdentifier ?? ""),
  }));
  if (problems.length > 0) return { problems };
  const from =
    point.kind === "snapshot"
      ? {
          SnapshotIdentifier: point.snapshotIdentifier,
          DBClusterIdentifier: identifier,
          Engine: engine!,
          ...(source.EngineVersion === undefined ? {} : { EngineVersion: source.EngineVersion }),
        }
      : {
          SourceDBClusterIdentifier: source.DBClusterIdentifier!,
          DBClusterIdentifier: identifier,
          RestoreType: "full-copy" as const,
          ...(point.kind === "latest" ? ({ UseLatestRestorableTime: true } as const) : { RestoreToTime: point.at }),
        };
  const later = purpose.kind === "recovery" ? carry(clusterLaterSettings, source, []) : {};
  return { request: { from, settings, tags, later, members: decided } };
}

/** A throw-away is watched by nobody, and is reached by nobody but the test. */
function memberSettingsFor(
  { kind }: RdsRestorePurpose,
  carried: Writable<MemberSettings>,
): ClusterRestore["members"][number]["settings"] {
  // Without a class there is a problem, and no request.
  const { DBInstanceClass = "", ...others } = carried;
  if (kind === "recovery") return { DBInstanceClass, ...others };
  const { DBParameterGroupName, CACertificateIdentifier, AutoMinorVersionUpgrade } = others;
  return {
    DBInstanceClass,
    PubliclyAccessible: false,
    ...(DBParameterGroupName === undefined ? {} : { DBParameterGroupName }),
    ...(CACertificateIdentifier === undefined ? {} : { CACertificateIdentifier }),
    ...(AutoMinorVersionUpgrade === undefined ? {} : { AutoMinorVersionUpgrade }),
  };
}

/** What of a restored instance is not as it was asked for; a restore that RDS "finished" may still lack some of it. */
export function instanceDifferences(
  { settings, later, tags }: Pick<InstanceRestore, "settings" | "later" | "tags">,
  source: RdsInstance,
  restored: RdsInstance,
): string[] {
  return [
    ...differences(instanceSettings, settings, restored),
    ...differences(instanceLaterSettings, later, restored),
    ...tagDifferences(tags, restored),
    ...encryptionDifferences(source, restored),
  ];
}

/** What of a restored cluster is not as it was asked for. */
export function clusterDifferences(
  { settings, later, tags }: Pick<ClusterRestore, "settings" | "later" | "tags">,
  source: RdsCluster,
  restored: RdsCluster,
): string[] {
  return [
    ...differences(clusterSettings, settings, restored),
    ...differences(clusterLaterSettings, later, restored),
    ...tagDifferences(tags, restored),
    ...encryptionDifferences(source, restored),
  ];
}

/** What of an instance of a restored cluster is not as it was asked for. */
export function memberDifferences(
  { settings, tags }: Pick<ClusterRestore["members"][number], "settings" | "tags">,
  restored: RdsInstance,
): string[] {
  return [...differences(memberSettings, settings, restored), ...tagDifferences(tags, restored)].map(
    (difference) => `${restored.DBInstanceIdentifier ?? "its instance"}: ${difference}`,
  );
}

type LeftBehind = Pick<RdsInstance, "ReadReplicaDBInstanceIdentifiers" | "DBInstanceAutomatedBackupsReplications"> &
  Pick<RdsCluster, "GlobalClusterIdentifier">;

/** What the old database has and no restore brings along: for a person, before the recovery is called finished. */
export function remainingSteps(source: RdsInstance | RdsCluster, identifier: string): string[] {
  const isCluster = !("DBInstanceIdentifier" in source);
  const { ReadReplicaDBInstanceIdentifiers, DBInstanceAutomatedBackupsReplications, GlobalClusterIdentifier } =
    source as LeftBehind;
  const addRole = isCluster
    ? `aws rds add-role-to-db-cluster --db-cluster-identifier ${identifier}`
    : `aws rds add-role-to-db-instance --db-instance-identifier ${identifier}`;
  const { leftOut } = recoveredTags("", source.TagList ?? []);
  return [
    ...(leftOut.length === 0
      ? []
      : [`the tags ${leftOut.join(", ")}: RDS takes 50, and one says what it is restored from`]),
    ...(source.AssociatedRoles ?? []).map(
      ({ RoleArn, FeatureName }) =>
        `the role for ${FeatureName ?? "a feature"}: ${addRole} --role-arn ${RoleArn}${FeatureName ? ` --feature-name ${FeatureName}` : ""}`,
    ),
    ...(ReadReplicaDBInstanceIdentifiers ?? []).map(
      (replica) => `the read replica ${replica} still follows the old database: make one of ${identifier}`,
    ),
    ...(DBInstanceAutomatedBackupsReplications?.length
      ? [
          "the copy of its backups in another region: aws rds start-db-instance-automated-backups-replication, for the new ARN",
        ]
      : []),
    ...(GlobalClusterIdentifier
      ? [`the global cluster ${GlobalClusterIdentifier} still holds the old cluster: rebuild it from ${identifier}`]
      : []),
  ];
}

function choiceProblems({ identifier, point, purpose }: RdsRestoreChoice, source: string | undefined): string[] {
  const problems: string[] = [];
  if (!rdsIdentifierPattern.test(identifier)) {
    problems.push(
      `identifier: expected lower-case letters, digits and single dashes, a letter first, at most 63, got ${JSON.stringify(identifier)}`,
    );
  }
  if (source === undefined) problems.push("the source is described without an identifier");
  if (identifier === source) problems.push(`identifier: ${identifier} is the source itself: a restore makes a new one`);
  if (point.kind === "time" && Number.isNaN(point.at.getTime())) problems.push("point: it is no moment");
  if (purpose.kind === "restore-test" && Number.isNaN(purpose.expiresAt.getTime())) {
    problems.push("purpose.expiresAt: it is no moment, and without one nobody would ever delete the copy");
  }
  return problems;
}

type Writable<T> = { -readonly [K in keyof T]?: T[K] };

function carry<Source, Settings>(
  table: CarriedSettings<Source, Settings>,
  source: Source,
  problems: string[],
): Writable<Settings> {
  const carried: Writable<Settings> = {};
  for (const name of Object.keys(table) as (keyof Settings & string)[]) {
    const { of, always, elseItIs } = table[name];
    const value = of(source);
    if (value !== undefined) carried[name] = value;
    else if (always) {
      problems.push(`${name}: the source is not described with it, and RDS would make it ${elseItIs}`);
    }
  }
  return carried;
}

/** A throw-away has what its source has as far as that decides how fast it is, and nothing that outlives it or costs. */
function overrides(purpose: RdsRestorePurpose): Writable<SharedSettings> {
  if (purpose.kind === "recovery") return {};
  const { subnetGroup, securityGroupIds } = purpose;
  return {
    DeletionProtection: false,
    EnableCloudwatchLogsExports: [],
    BackupRetentionPeriod: 1,
    CopyTagsToSnapshot: false,
    ...(subnetGroup === undefined ? {} : { DBSubnetGroupName: subnetGroup }),
    ...(securityGroupIds === undefined ? {} : { VpcSecurityGroupIds: [...securityGroupIds].sort() }),
  };
}

function tagsOf({ TagList }: RdsInstance | RdsCluster, purpose: RdsRestorePurpose, source: string): readonly Tag[] {
  return purpose.kind === "recovery" ? recoveredTags(source, TagList ?? []).tags : throwAwayTags(purpose);
}

function differences<Source, Settings>(
  table: CarriedSettings<Source, Settings>,
  asked: Partial<Settings>,
  restored: Source,
): string[] {
  return (Object.keys(asked) as (keyof Settings & string)[]).flatMap((name) => {
    const [expected, got] = [asked[name], table[name].of(restored)];
    // Settings that are off are not described at all.
    const isOff = (value: unknown): boolean =>
      value === undefined || value === false || value === 0 || (Array.isArray(value) && value.length === 0);
    if ((isOff(expected) && isOff(got)) || text(expected) === text(got)) return [];
    return [`${name} is ${text(got)}, asked for ${text(expected)}`];
  });
}

function text(value: unknown): string {
  return value === undefined ? "unknown" : canonicalJson(value);
}

function tagDifferences(asked: readonly Tag[], { TagList }: RdsInstance | RdsCluster): string[] {
  const got = new Map((TagList ?? []).map(({ Key, Value }) => [Key, Value ?? ""]));
  return asked
    .filter(({ Key, Value }) => got.get(Key) !== Value)
    .map(({ Key, Value }) => `tag ${Key} is ${text(got.get(Key))}, asked for ${text(Value)}`);
}

/** Storage is encrypted with the source's key, or the copy is not as safe as what it replaces. */
function encryptionDifferences(source: RdsInstance | RdsCluster, restored: RdsInstance | RdsCluster): string[] {
  if (!source.StorageEncrypted) return [];
  if (!restored.StorageEncrypted) return ["StorageEncrypted is false, the source's storage is encrypted"];
  return source.KmsKeyId === restored.KmsKeyId
    ? []
    : [`KmsKeyId is ${text(restored.KmsKeyId)}, the source's is ${text(source.KmsKeyId)}`];
}
