import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { partitionOf } from "./aws-names";

/** What every instance of a database has in common, in whatever region. */
export interface InstanceSettings {
  readonly identifier: string;
  readonly instanceClass: string;
  readonly engineVersion: string;
  /** 0: not stated, RDS then grows nothing. */
  readonly maxAllocatedStorageGib: number;
  readonly multiAz: boolean;
  readonly backupRetentionDays: number;
  readonly parameters: Readonly<Record<string, string>>;
  readonly deletionProtection: boolean;
  readonly monitoringRoleArn: pulumi.Output<string>;
  readonly tags: Record<string, string>;
}

/** Where one instance is. */
export interface InstancePlace {
  readonly region: string;
  readonly network: {
    subnetIds: pulumi.Input<pulumi.Input<string>[]>;
    securityGroupIds: pulumi.Input<pulumi.Input<string>[]>;
  };
  readonly kmsKeyArn?: pulumi.Input<string>;
  /** @default the settings' identifier and the region */
  readonly identifier?: string;
  /** The key and groups of another instance in the region. @default its own are made */
  readonly shared?: RegionalParts;
}

/** What the instances of one region share. */
export interface RegionalParts {
  readonly keyArn: pulumi.Output<string>;
  readonly subnetGroup: aws.rds.SubnetGroup;
  readonly parameterGroup: aws.rds.ParameterGroup;
}

/** An instance and what it stands on. */
export interface DatabaseInstance extends RegionalParts {
  readonly instance: aws.rds.Instance;
}

/** What only a database that is made has. */
export interface NewDatabase {
  readonly allocatedStorageGib: number;
  readonly databaseName: string;
  readonly username: string;
  readonly password: pulumi.Output<string>;
  readonly passwordVersion: number;
}

const monitoringSeconds = 60;

/** A new database. */
export function primaryInstance(
  name: string,
  settings: InstanceSettings,
  place: InstancePlace,
  database: NewDatabase,
  opts: pulumi.CustomResourceOptions,
): DatabaseInstance {
  const parts = place.shared ?? regionalParts(name, settings, place, opts);
  const instance = new aws.rds.Instance(
    name,
    {
      ...commonArgs(name, settings, place, parts, opts),
      engine: "postgres",
      engineVersion: settings.engineVersion,
      allocatedStorage: database.allocatedStorageGib,
      dbName: database.databaseName,
      username: database.username,
      passwordWo: database.password,
      passwordWoVersion: database.passwordVersion,
    },
    instanceOptions(opts),
  );
  return { ...parts, instance };
}

/**
 * A replica of another instance. What it has from its source (engine, name, administrator, storage) is not stated. Its
 * backups are its own, so that it has a point-in-time window from the moment that it is promoted.
 */
export function replicaInstance(
  name: string,
  settings: InstanceSettings,
  place: InstancePlace,
  source: { arn: pulumi.Input<string> },
  opts: pulumi.CustomResourceOptions,
): DatabaseInstance {
  const parts = place.shared ?? regionalParts(name, settings, place, opts);
  const instance = new aws.rds.Instance(
    name,
    // By ARN in the same region too: with a subnet group RDS asks for it.
    { ...commonArgs(name, settings, place, parts, opts), replicateSourceDb: source.arn },
    instanceOptions(opts),
  );
  return { ...parts, instance };
}

/** Copies an instance's snapshots and log to another region, which is where the copy is created. */
export function automatedBackupsReplica(
  name: string,
  settings: InstanceSettings,
  region: string,
  sourceArn: pulumi.Input<string>,
  keyArn: pulumi.Output<string>,
  opts: pulumi.CustomResourceOptions,
): void {
  new aws.rds.InstanceAutomatedBackupsReplication(
    `${name}-automated-backups`,
    { region, sourceDbInstanceArn: sourceArn, kmsKeyId: keyArn, retentionPeriod: settings.backupRetentionDays },
    opts,
  );
}

/** The role by which RDS publishes what the instance's operating system measures. */
export function enhancedMonitoringRole(
  name: string,
  region: string,
  tags: Record<string, string>,
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const role = new aws.iam.Role(
    `${name}-monitoring`,
    {
      description: "RDS enhanced monitoring.",
      assumeRolePolicy: JSON.stringify({
        Version: "2012-10-17",
        Statement: [
          { Effect: "Allow", Principal: { Service: "monitoring.rds.amazonaws.com" }, Action: "sts:AssumeRole" },
        ],
      }),
      tags,
    },
    opts,
  );
  new aws.iam.RolePolicyAttachment(
    `${name}-monitoring`,
    {
      role: role.name,
      policyArn: `arn:${partitionOf(region)}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole`,
    },
    opts,
  );
  return role.arn;
}

function commonArgs(
  name: string,
  settings: InstanceSettings,
  place: InstancePlace,
  parts: RegionalParts,
  opts: pulumi.CustomResourceOptions,
) {
  const identifier = place.identifier ?? `${settings.identifier}-${place.region}`;
  const finalSnapshot = new random.RandomId(
    `${name}-final-snapshot`,
    { byteLength: 4, keepers: { identifier } },
    { parent: opts.parent },
  );
  return {
    identifier,
    region: place.region,
    instanceClass: settings.instanceClass,
    storageType: "gp3",
    ...(settings.maxAllocatedStorageGib > 0 ? { maxAllocatedStorage: settings.maxAllocatedStorageGib } : {}),
    storageEncrypted: true,
    kmsKeyId: parts.keyArn,
    multiAz: settings.multiAz,
    dbSubnetGroupName: parts.subnetGroup.name,
    vpcSecurityGroupIds: place.network.securityGroupIds,
    parameterGroupName: parts.parameterGroup.name,
    publiclyAccessible: false,
    backupRetentionPeriod: settings.backupRetentionDays,
    copyTagsToSnapshot: true,
    deletionProtection: settings.deletionProtection,
    // RDS refuses a final snapshot of a replica. So does a deletion of it here, until somebody means it.
    skipFinalSnapshot: false,
    finalSnapshotIdentifier: pulumi.interpolate`${identifier}-final-${finalSnapshot.hex}`,
    autoMinorVersionUpgrade: true,
    enabledCloudwatchLogsExports: ["postgresql", "upgrade"],
    monitoringInterval: monitoringSeconds,
    monitoringRoleArn: settings.monitoringRoleArn,
    performanceInsightsEnabled: true,
    performanceInsightsKmsKeyId: parts.keyArn,
    tags: settings.tags,
  };
}

/** A failover's promotion is the runner's alone: no later `up` may undo it, nor make a former primary a replica. */
function instanceOptions(opts: pulumi.CustomResourceOptions): pulumi.CustomResourceOptions {
  return { ...opts, ignoreChanges: ["replicateSourceDb"] };
}

function regionalParts(
  name: string,
  settings: InstanceSettings,
  place: InstancePlace,
  opts: pulumi.CustomResourceOptions,
): RegionalParts {
  const { region } = place;
  const { tags } = settings;
  const keyArn =
    place.kmsKeyArn !== undefined
      ? pulumi.output(place.kmsKeyArn)
      : new aws.kms.Key(
          `${name}-key`,
          {
            region,
            description: `Encrypts the database ${settings.identifier}-${region}, its snapshots and its log.`,
            enableKeyRotation: true,
            deletionWindowInDays: 30,
            tags,
          },
          opts,
        ).arn;
  const subnetGroup = new aws.rds.SubnetGroup(
    name,
    { region, subnetIds: place.network.subnetIds, tags },
    { parent: opts.parent },
  );
  const major = settings.engineVersion.split(".")[0]!;
  const parameterGroup = new aws.rds.ParameterGroup(
    name,
    {
      region,
      family: `postgres${major}`,
      parameters: [
        { name: "rds.force_ssl", value: "1" },
        ...Object.entries(settings.parameters).map(([parameter, value]) => ({
          name: parameter,
          value,
          // The one way that static parameters take.
          applyMethod: "pending-reboot",
        })),
      ],
      tags,
    },
    { parent: opts.parent },
  );
  return { keyArn, subnetGroup, parameterGroup };
}
