export { BackupBucket } from "./backup-bucket";
export type {
  BackupBucketArgs,
  BackupReplicaArgs,
  BackupRetentionArgs,
  ObjectLockArgs,
  StorePrincipalsArgs,
} from "./backup-bucket";
export { Encryption, ObjectLockMode } from "./hardened-bucket";
