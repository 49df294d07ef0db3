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
export { Encryption, ObjectLockMode } from "./hardened-bucket";
export type {
  JobArgs,
  JobObjectivesArgs,
  JobResourcesArgs,
  KeyReferenceArgs,
  ProtectedDatabaseArgs,
} from "./job-arguments";
export { IdentityProvider, NetworkPolicyKind } from "./job-network";
export type { JobNetworkArgs } from "./job-network";
export { RecoveryIdentity } from "./recovery-identity";
export type {
  IdentityServiceAccountsArgs,
  OidcProviderArgs,
  RecoveryIdentityArgs,
  ServiceAccountArgs,
  SigningKeyArgs,
} from "./recovery-identity";
export { RestoreTestJob } from "./restore-test-job";
export type { RestoreTestJobArgs } from "./restore-test-job";
export { StatusJob } from "./status-job";
export type { StatusJobArgs } from "./status-job";
export { Engine, ProofLevel, SigningKeyKind, StorageClass } from "../recovery";
