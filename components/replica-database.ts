import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { ArgumentProblems } from "./argument-problems";
import { expectRegion } from "./aws-names";
import { markExpectation, markPattern, tagsOf } from "./labels-and-tags";
import {
  automatedBackupsReplica,
  enhancedMonitoringRole,
  type InstanceSettings,
  primaryInstance,
  replicaInstance,
} from "./rds-instance";

/** Where in a VPC a database is. */
export interface DatabaseNetworkArgs {
  /** Subnets in at least two availability zones. */
  subnetIds: pulumi.Input<pulumi.Input<string>[]>;
  securityGroupIds: pulumi.Input<pulumi.Input<string>[]>;
}

/** The database that is replicated, where somebody else made it. */
export interface ExistingDatabaseArgs {
  identifier: pulumi.Input<string>;
  arn: pulumi.Input<string>;
  /** The region that it is in. One other than `region` makes the replica a cross-region one. */
  region: string;
}

/** A replica in another region, made from this stack. */
export interface RegionalReplicaArgs {
  /** The recovery region. */
  region: string;
  network: DatabaseNetworkArgs;
  /** @default the primary's */
  instanceClass?: string;
  /** An existing key there. @default one is made: a key never leaves its region */
  kmsKeyArn?: pulumi.Input<string>;
  /** Also copy snapshots and log there, for a point-in-time recovery in that region. @default true */
  automatedBackups?: boolean;
}

/** What an RDS PostgreSQL database is. */
export interface ManagedDatabaseArgs {
  /** Start of the instances' names; the region follows, since after a failover a role in a name would lie. @default `APPLICATION-ENVIRONMENT` */
  identifier?: string;
  /** For instance `db.m7g.large`. */
  instanceClass: string;
  /** PostgreSQL's version, major alone (`16`) or exact (`16.4`). */
  engineVersion: string;
  network: DatabaseNetworkArgs;
  /** Required unless the database exists. */
  allocatedStorageGib?: number;
  /** RDS grows the storage up to this size by itself. @default twice `allocatedStorageGib` */
  maxAllocatedStorageGib?: number;
  /** The first database. Required unless the database exists. */
  databaseName?: string;
  /** The administrator's role. @default "postgres" */
  username?: string;
  /** Raise it to replace the password. @default 1 */
  passwordVersion?: number;
  /** A standby in another availability zone, with no data loss. @default true */
  multiAz?: boolean;
  /** Days back to which RDS recovers to any point in time; also on replicas, so that a promoted one has them at once. @default 14 */
  backupRetentionDays?: number;
  /** Parameters of PostgreSQL, the same in every region. They take effect at the next restart. @default none */
  parameters?: Record<string, string>;
  /** An existing key in the region. @default one is made */
  kmsKeyArn?: pulumi.Input<string>;
  /** @default true */
  deletionProtection?: boolean;
}

export interface ReplicaDatabaseArgs extends ManagedDatabaseArgs {
  application: string;
  environment: string;
  region: string;
  /** Replicate this database instead of making one: then the first instance here is its replica. */
  source?: ExistingDatabaseArgs;
  /** With `source` in another region: also copy its snapshots and log here. @default true */
  sourceAutomatedBackups?: boolean;
  /** Replicas in the same region. @default 0 */
  localReplicas?: number;
  /** A replica in the recovery region, from this stack. @default none: the recovery site's stack makes one by `source` */
  regionalReplica?: RegionalReplicaArgs;
  /** Regions to which Secrets Manager copies the secret. @default the regional replica's */
  secretReplicaRegions?: string[];
  /** Tags beside the `recovery.*` set. */
  tags?: Record<string, string>;
}

/**
 * An RDS PostgreSQL database and its replicas, in its region and in the recovery region.
 *
 * Pulumi never promotes or demotes an instance: every instance ignores changes of `replicateSourceDb`, so an `up` with a
 * stale configuration, before, during or after a failover, leaves the databases as they are. `dr run failover` alone
 * promotes. Instances are named by their region. Clients read the endpoint from the secret, and not from a CNAME, under
 * which `sslmode=verify-full` fails.
 *
 * The administrator's password is not RDS's own `manageMasterUserPassword`, which RDS refuses on a database that has
 * replicas (RDS User Guide, "Password management with Secrets Manager", limitations).
 */
export class ReplicaDatabase extends pulumi.ComponentResource {
  /** The instance of this region. */
  public readonly identifier: pulumi.Output<string>;
  public readonly arn: pulumi.Output<string>;
  /** Host name of the instance of this region. */
  public readonly address: pulumi.Output<string>;
  public readonly port: pulumi.Output<number>;
  /** Secret with `host`, `port`, `dbname`, `username` and `password`; absent with `source`, whose own it is. */
  public readonly secretArn: pulumi.Output<string | undefined>;
  /** The key that encrypts the storage of this region's instances. */
  public readonly dataKeyArn: pulumi.Output<string>;
  /** The role of enhanced monitoring. */
  public readonly monitoringRoleArn: pulumi.Output<string>;
  /** Identifiers of the replicas, those in this region first. */
  public readonly replicaIdentifiers: pulumi.Output<string[]>;
  /** The replica in the recovery region. */
  public readonly regionalReplicaAddress: pulumi.Output<string | undefined>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: ReplicaDatabaseArgs, opts: pulumi.ComponentResourceOptions = {}) {
    replicaDatabaseProblems(args).throwIfAny("ReplicaDatabase", name);
    super("disaster-recovery:index:ReplicaDatabase", name, args, opts);
    const kept: pulumi.CustomResourceOptions = { parent: this, protect: opts.protect ?? true };
    const settings: InstanceSettings = {
      identifier: args.identifier ?? `${args.application}-${args.environment}`,
      instanceClass: args.instanceClass,
      engineVersion: args.engineVersion,
      maxAllocatedStorageGib: args.maxAllocatedStorageGib ?? (args.allocatedStorageGib ?? 0) * 2,
      multiAz: args.multiAz ?? true,
      backupRetentionDays: args.backupRetentionDays ?? defaultBackupRetentionDays,
      parameters: args.parameters ?? {},
      deletionProtection: args.deletionProtection ?? true,
      monitoringRoleArn: enhancedMonitoringRole(name, args.region, tagsFor(args), { parent: this }),
      tags: tagsFor(args),
    };
    const place = { region: args.region, network: args.network, kmsKeyArn: args.kmsKeyArn };
    const password = args.source ? undefined : this.password(name, args);
    const first = args.source
      ? replicaInstance(name, settings, place, args.source, kept)
      : primaryInstance(
          name,
          settings,
          place,
          {
            allocatedStorageGib: args.allocatedStorageGib!,
            databaseName: args.databaseName!,
            username: args.username ?? defaultUsername,
            password: password!,
            passwordVersion: passwordVersionOf(args),
          },
          kept,
        );
    if (args.source && args.source.region !== args.region && (args.sourceAutomatedBackups ?? true)) {
      automatedBackupsReplica(name, settings, args.region, args.source.arn, first.keyArn, kept);
    }
    const source = { identifier: first.instance.identifier, arn: first.instance.arn, region: args.region };
    const local = Array.from({ length: args.localReplicas ?? 0 }, (_, at) => {
      const suffix = `replica-${at + 1}`;
      const identifier = `${settings.identifier}-${args.region}-${suffix}`;
      return replicaInstance(`${name}-${suffix}`, settings, { ...place, identifier, shared: first }, source, kept);
    });
    const { regionalReplica } = args;
    const regional = regionalReplica && this.regional(name, settings, regionalReplica, source, kept);

    this.identifier = first.instance.identifier;
    this.arn = first.instance.arn;
    this.address = first.instance.address;
    this.port = first.instance.port;
    this.secretArn = pulumi.output(password && this.secret(name, args, first.instance, password, kept));
    this.dataKeyArn = first.keyArn;
    this.monitoringRoleArn = settings.monitoringRoleArn;
    this.replicaIdentifiers = pulumi.all(
      [...local, ...(regional ? [regional] : [])].map(({ instance }) => instance.identifier),
    );
    this.regionalReplicaAddress = pulumi.output(regional?.instance.address);
    this.registerOutputs({
      identifier: this.identifier,
      arn: this.arn,
      address: this.address,
      port: this.port,
      secretArn: this.secretArn,
      dataKeyArn: this.dataKeyArn,
      monitoringRoleArn: this.monitoringRoleArn,
      replicaIdentifiers: this.replicaIdentifiers,
      regionalReplicaAddress: this.regionalReplicaAddress,
    });
  }

  private password(name: string, args: ReplicaDatabaseArgs): pulumi.Output<string> {
    return new random.RandomPassword(
      `${name}-password`,
      // Special characters need escaping somewhere, always.
      { length: 32, special: false, keepers: { version: String(passwordVersionOf(args)) } },
      { parent: this },
    ).result;
  }

  private regional(
    name: string,
    settings: InstanceSettings,
    replica: RegionalReplicaArgs,
    source: ExistingDatabaseArgs,
    kept: pulumi.CustomResourceOptions,
  ) {
    const { region, network, kmsKeyArn, instanceClass = settings.instanceClass, automatedBackups = true } = replica;
    const there = { ...settings, instanceClass };
    const made = replicaInstance(`${name}-${region}`, there, { region, network, kmsKeyArn }, source, kept);
    if (automatedBackups) automatedBackupsReplica(`${name}-${region}`, settings, region, source.arn, made.keyArn, kept);
    return made;
  }

  private secret(
    name: string,
    args: ReplicaDatabaseArgs,
    instance: aws.rds.Instance,
    password: pulumi.Output<string>,
    kept: pulumi.CustomResourceOptions,
  ): pulumi.Output<string> {
    const { region, application, environment } = args;
    const replicaRegions = args.secretReplicaRegions ?? (args.regionalReplica ? [args.regionalReplica.region] : []);
    const secret = new aws.secretsmanager.Secret(
      `${name}-secret`,
      {
        name: `${application}/${environment}/database`,
        region,
        description: `Where the database of ${application} (${environment}) is, and its administrator's password.`,
        recoveryWindowInDays: 30,
        replicas: replicaRegions.map((region) => ({ region })),
        tags: tagsFor(args),
      },
      kept,
    );
    new aws.secretsmanager.SecretVersion(
      `${name}-secret`,
      {
        secretId: secret.id,
        region,
        // Write-only: it is in no state but the password's own, and a failover's change of the host is not undone.
        secretStringWo: pulumi.jsonStringify({
          engine: "postgres",
          host: instance.address,
          port: instance.port,
          dbname: args.databaseName,
          username: args.username ?? defaultUsername,
          password,
        }),
        secretStringWoVersion: passwordVersionOf(args),
      },
      kept,
    );
    return secret.arn;
  }
}

const defaultBackupRetentionDays = 14;
const defaultUsername = "postgres";
const passwordVersionOf = ({ passwordVersion = 1 }: ReplicaDatabaseArgs): number => passwordVersion;

function tagsFor({ application, environment, tags }: ReplicaDatabaseArgs): Record<string, string> {
  return tagsOf({ application, environment, component: "replica-database" }, tags);
}

/** Everything that is wrong with the arguments. */
export function replicaDatabaseProblems(args: ReplicaDatabaseArgs): ArgumentProblems {
  const problems = new ArgumentProblems();
  const { source, regionalReplica } = args;
  problems.expect(markPattern.test(args.application), "application", markExpectation, args.application);
  problems.expect(markPattern.test(args.environment), "environment", markExpectation, args.environment);
  expectRegion(problems, "region", args.region);
  problems.expect(
    /^db\.[a-z0-9]+\.[a-z0-9]+$/.test(args.instanceClass),
    "instanceClass",
    "as in db.m7g.large",
    args.instanceClass,
  );
  problems.expect(
    /^\d{2}(\.\d+)?$/.test(args.engineVersion),
    "engineVersion",
    "a version of PostgreSQL, as in 16 or 16.4",
    args.engineVersion,
  );
  const identifier = args.identifier ?? `${args.application}-${args.environment}`;
  problems.expect(
    /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(identifier) && identifier.length <= 36,
    "identifier",
    "at most 36 lower-case letters, digits and single dashes, beginning with a letter",
    identifier,
  );
  problems.expectInteger("backupRetentionDays", args.backupRetentionDays, 1, 35);
  problems.expectInteger("localReplicas", args.localReplicas, 0, 15);
  problems.expectInteger("passwordVersion", args.passwordVersion, 1);
  problems.expectInteger("allocatedStorageGib", args.allocatedStorageGib, 20, 65_536);
  if (args.maxAllocatedStorageGib !== undefined) {
    problems.expectInteger(
      "maxAllocatedStorageGib",
      args.maxAllocatedStorageGib,
      args.allocatedStorageGib ?? 20,
      65_536,
    );
  }
  if (source === undefined) {
    for (const field of ["allocatedStorageGib", "databaseName"] as const) {
      if (args[field] === undefined) problems.add(field, "is missing: a database is made unless there is a source");
    }
  } else {
    expectRegion(problems, "source.region", source.region);
    for (const field of ["allocatedStorageGib", "databaseName", "username", "passwordVersion"] as const) {
      if (args[field] !== undefined) problems.add(field, "does not belong to a replica: it has its source's");
    }
  }
  if (regionalReplica !== undefined) {
    expectRegion(problems, "regionalReplica.region", regionalReplica.region);
    if (regionalReplica.region === args.region) {
      problems.add("regionalReplica.region", `is ${args.region}, the database's own: use localReplicas`);
    }
  }
  return problems;
}
