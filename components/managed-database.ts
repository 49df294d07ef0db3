import * as pulumi from "@pulumi/pulumi";
import { Engine, type OrphanRule, type ProofLevel } from "../recovery";
import { authorityMountPath, type KeyReferenceArgs, type ProtectedDatabaseArgs } from "./job-arguments";
import { type RdsRestoreArgs } from "./rds-source";
import { type ManagedDatabaseArgs, type ReplicaDatabase } from "./replica-database";

/** A database that is made, and protected. */
export interface ProtectedManagedDatabaseArgs extends ManagedDatabaseArgs {
  /** Its name in the store, in evidence and in alarms. */
  name: string;
  /** The addresses of its subnets: the backup job may reach them, and no other job may. */
  cidrs: string[];
  /** Size on the server's disk, in GiB. @default `allocatedStorageGib` */
  sizeGib?: number;
  /** The role that backups log in as; `dr prepare` makes it. @default "backup" */
  backupUser?: string;
  /** The key of a Secret that holds that role's password. */
  passwordSecret?: KeyReferenceArgs;
  /** The key of a ConfigMap that holds the certificate authority of RDS. @default none: TLS is required, not verified */
  certificateAuthority?: KeyReferenceArgs;
  /** How deep a restored copy is compared. @default by size */
  proofLevel?: ProofLevel;
  /** Foreign keys that the application keeps and the database does not declare. */
  orphanRules?: OrphanRule[];
  /** How RDS restores it. Which instance, key and secret it is, the component knows. @default tests where the instance is */
  rds?: RdsRestoreArgs;
}

/** What the jobs are told of a managed database. */
type KnownDatabase = Pick<
  ReplicaDatabase,
  "identifier" | "address" | "port" | "secretArn" | "dataKeyArn" | "monitoringRoleArn"
>;

/** A managed database as the jobs see it. */
export function protectedDatabaseOf(
  args: ProtectedManagedDatabaseArgs,
  database: KnownDatabase,
  databaseName: string,
): ProtectedDatabaseArgs {
  const { name, cidrs, backupUser = "backup", passwordSecret, certificateAuthority, proofLevel, orphanRules } = args;
  const tls =
    certificateAuthority === undefined
      ? "sslmode=require"
      : `sslmode=verify-full&sslrootcert=${authorityMountPath(name)}/ca.pem`;
  return {
    name,
    engine: Engine.Rds,
    url: pulumi.interpolate`postgresql://${backupUser}@${database.address}:${database.port}/${databaseName}?${tls}`,
    passwordSecret,
    certificateAuthority,
    sizeGib: args.sizeGib ?? args.allocatedStorageGib ?? 0,
    cidrs,
    proofLevel,
    orphanRules,
    rds: {
      ...args.rds,
      instanceIdentifier: database.identifier,
      secretArn: database.secretArn,
      dataKeyArn: database.dataKeyArn,
      monitoringRoleArn: database.monitoringRoleArn,
    },
  };
}

/** A managed database before there is one: what can be checked of it. */
export function unmadeDatabase(args: ProtectedManagedDatabaseArgs): ProtectedDatabaseArgs {
  const unknown = pulumi.output("not-made-yet");
  const database = {
    identifier: unknown,
    address: unknown,
    port: pulumi.output(5432),
    secretArn: unknown,
    dataKeyArn: unknown,
    monitoringRoleArn: unknown,
  };
  return protectedDatabaseOf(args, database, args.databaseName ?? args.name);
}

/** The part of the arguments that is the database's own. */
export function managedDatabaseArgsOf(args: ProtectedManagedDatabaseArgs): ManagedDatabaseArgs {
  return {
    identifier: args.identifier,
    instanceClass: args.instanceClass,
    engineVersion: args.engineVersion,
    network: args.network,
    allocatedStorageGib: args.allocatedStorageGib,
    maxAllocatedStorageGib: args.maxAllocatedStorageGib,
    databaseName: args.databaseName,
    username: args.username,
    passwordVersion: args.passwordVersion,
    multiAz: args.multiAz,
    backupRetentionDays: args.backupRetentionDays,
    parameters: args.parameters,
    kmsKeyArn: args.kmsKeyArn,
    deletionProtection: args.deletionProtection,
  };
}
