/** The properties of an RDS instance that rules read. */
export interface DatabaseInstanceProps {
  readonly identifier?: string;
  readonly region?: string;
  readonly engine?: string;
  readonly allocatedStorage?: number;
  readonly storageEncrypted?: boolean;
  readonly multiAz?: boolean;
  readonly backupRetentionPeriod?: number;
  readonly deletionProtection?: boolean;
  readonly skipFinalSnapshot?: boolean;
  readonly finalSnapshotIdentifier?: string;
  readonly deleteAutomatedBackups?: boolean;
  readonly publiclyAccessible?: boolean;
  readonly manageMasterUserPassword?: boolean;
  readonly replicateSourceDb?: string;
}

/** The properties of an Aurora cluster that rules read. */
export type DatabaseClusterProps = Pick<
  DatabaseInstanceProps,
  | "region"
  | "storageEncrypted"
  | "backupRetentionPeriod"
  | "deletionProtection"
  | "skipFinalSnapshot"
  | "finalSnapshotIdentifier"
> & { readonly clusterIdentifier?: string; readonly replicationSourceIdentifier?: string };
