export { BackupBucket } from "./backup-bucket";
export type {
  BackupBucketArgs,
  BackupReplicaArgs,
  BackupRetentionArgs,
  ObjectLockArgs,
  StorePrincipalsArgs,
} from "./backup-bucket";
export { BackupJob } from "./backup-job";
export type { BackupJobArgs } from "./backup-job";
export { DisasterRecovery } from "./disaster-recovery";
export type { AlertingArgs, CopiesArgs, DisasterRecoveryArgs, ExistingStoreArgs } from "./disaster-recovery";
export { Encryption, ObjectLockMode } from "./hardened-bucket";
export type {
  JobArgs,
  JobObjectivesArgs,
  JobResourcesArgs,
  KeyReferenceArgs,
  ProtectedDatabaseArgs,
  RecoveryPodArgs,
  SqliteFileArgs,
  SqliteStreamArgs,
  WalArgs,
} from "./job-arguments";
export { IdentityProvider, NetworkPolicyKind } from "./job-network";
export type { JobNetworkArgs } from "./job-network";
export type { ProtectedManagedDatabaseArgs } from "./managed-database";
export { PointInTimeTestJob } from "./point-in-time-test-job";
export type { PointInTimeTestJobArgs } from "./point-in-time-test-job";
export { ProofJob } from "./proof-job";
export type { ProofJobArgs } from "./proof-job";
export type { RdsRestoreArgs, RdsSourceArgs, RdsTestArgs } from "./rds-source";
export { ReaperJob } from "./reaper-job";
export type { ReaperJobArgs } from "./reaper-job";
export { RecoveryAlerts, SubscriptionProtocol } from "./recovery-alerts";
export type { RecoveryAlertsArgs, SeverityTopicsArgs, SubscriptionArgs, WatchedReplicaArgs } from "./recovery-alerts";
export { RecoveryCopies } from "./recovery-copies";
export type { ImageCopyArgs, RecoveryCopiesArgs, StateBucketArgs } from "./recovery-copies";
export { RecoveryIdentity } from "./recovery-identity";
export type {
  IdentityServiceAccountsArgs,
  OidcProviderArgs,
  RecoveryIdentityArgs,
  ServiceAccountArgs,
  SigningKeyArgs,
} from "./recovery-identity";
export type { ClusterArgs, JobScheduleArgs } from "./recovery-jobs";
export { RecoverySite } from "./recovery-site";
export type { RecoverySiteArgs, StandbyDatabaseArgs } from "./recovery-site";
export { ReplicaDatabase } from "./replica-database";
export type {
  DatabaseNetworkArgs,
  ExistingDatabaseArgs,
  ManagedDatabaseArgs,
  RegionalReplicaArgs,
  ReplicaDatabaseArgs,
} from "./replica-database";
export { RestoreTestJob } from "./restore-test-job";
export type { RestoreTestJobArgs } from "./restore-test-job";
export { SqliteBackupJob } from "./sqlite-backup-job";
export type { SqliteBackupJobArgs } from "./sqlite-backup-job";
export { SqliteReplication } from "./sqlite-replication";
export type { SqliteReplicationArgs } from "./sqlite-replication";
export { StatusJob } from "./status-job";
export type { StatusJobArgs } from "./status-job";
export { WalArchive } from "./wal-archive";
export type { WalArchiveArgs } from "./wal-archive";
export { Engine, ProofLevel, Severity, SigningKeyKind, StorageClass } from "../recovery";
export type { OrphanRule } from "../recovery";
