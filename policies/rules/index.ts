import { type PolicyPackArgs } from "@pulumi/policy";
import { alarmCanBeDelivered } from "./alarm-can-be-delivered";
import { alarmReachesSomebody } from "./alarm-reaches-somebody";
import { alarmSaysWhatToDo } from "./alarm-says-what-to-do";
import { asStrictAs } from "./as-strict-as";
import { backupCommand } from "./backup-command";
import { backupWriterCannotDelete } from "./backup-writer-cannot-delete";
import { bucketEncryption } from "./bucket-encryption";
import { bucketKept } from "./bucket-kept";
import { bucketLifecycle } from "./bucket-lifecycle";
import { bucketObjectLock } from "./bucket-object-lock";
import { bucketPublicAccess } from "./bucket-public-access";
import { bucketReplication } from "./bucket-replication";
import { bucketTlsOnly } from "./bucket-tls-only";
import { bucketVersioning } from "./bucket-versioning";
import { copyOutOfReach } from "./copy-out-of-reach";
import { cronJobDeadlines } from "./cron-job-deadlines";
import { cronJobSchedule } from "./cron-job-schedule";
import { deploymentRollback } from "./deployment-rollback";
import { disruptionBudget } from "./disruption-budget";
import { drillMonthly } from "./drill-monthly";
import { evidenceGate } from "./evidence-gate";
import { evidenceStanding } from "./evidence-standing";
import { kmsKey } from "./kms-key";
import { logAgeAlarm } from "./log-age-alarm";
import { logStreamKept } from "./log-stream-kept";
import { objectivesJudged } from "./objectives-judged";
import { objectivesMet } from "./objectives-met";
import { pinnedImage } from "./pinned-image";
import { planReviewed } from "./plan-reviewed";
import { podHardening } from "./pod-hardening";
import { pointInTimeTestAlarm } from "./point-in-time-test-alarm";
import { rdsBackupWindow } from "./rds-backup-window";
import { rdsCrossRegionCopy } from "./rds-cross-region-copy";
import { rdsFailoverSafe } from "./rds-failover-safe";
import { rdsKept } from "./rds-kept";
import { rdsManagedPassword } from "./rds-managed-password";
import { rdsMultiAz } from "./rds-multi-az";
import { rdsPrivate } from "./rds-private";
import { rdsReplicaParity } from "./rds-replica-parity";
import { realContacts } from "./real-contacts";
import { restoreTestAlarm } from "./restore-test-alarm";
import { restoreTestPresent } from "./restore-test-present";
import { sqliteBackupBeside } from "./sqlite-backup-beside";
import { sqliteFailsClosed } from "./sqlite-fails-closed";
import { sqliteOneWriter } from "./sqlite-one-writer";
import { sqliteRestoredFirst } from "./sqlite-restored-first";
import { stalenessAlarm } from "./staleness-alarm";

/** Every rule of the pack, for `new PolicyPack(name, { policies: rules })` in a pack of one's own. */
export const rules: PolicyPackArgs["policies"] = [
  alarmCanBeDelivered,
  alarmReachesSomebody,
  alarmSaysWhatToDo,
  asStrictAs,
  backupCommand,
  backupWriterCannotDelete,
  bucketEncryption,
  bucketKept,
  bucketLifecycle,
  bucketObjectLock,
  bucketPublicAccess,
  bucketReplication,
  bucketTlsOnly,
  bucketVersioning,
  copyOutOfReach,
  cronJobDeadlines,
  cronJobSchedule,
  deploymentRollback,
  disruptionBudget,
  drillMonthly,
  evidenceGate,
  evidenceStanding,
  kmsKey,
  logAgeAlarm,
  logStreamKept,
  objectivesJudged,
  objectivesMet,
  pinnedImage,
  planReviewed,
  podHardening,
  pointInTimeTestAlarm,
  rdsBackupWindow,
  rdsCrossRegionCopy,
  rdsFailoverSafe,
  rdsKept,
  rdsManagedPassword,
  rdsMultiAz,
  rdsPrivate,
  rdsReplicaParity,
  realContacts,
  restoreTestAlarm,
  restoreTestPresent,
  sqliteBackupBeside,
  sqliteFailsClosed,
  sqliteOneWriter,
  sqliteRestoredFirst,
  stalenessAlarm,
];

export {
  alarmCanBeDelivered,
  alarmReachesSomebody,
  alarmSaysWhatToDo,
  asStrictAs,
  backupCommand,
  backupWriterCannotDelete,
  bucketEncryption,
  bucketKept,
  bucketLifecycle,
  bucketObjectLock,
  bucketPublicAccess,
  bucketReplication,
  bucketTlsOnly,
  bucketVersioning,
  copyOutOfReach,
  cronJobDeadlines,
  cronJobSchedule,
  deploymentRollback,
  disruptionBudget,
  drillMonthly,
  evidenceGate,
  evidenceStanding,
  kmsKey,
  logAgeAlarm,
  logStreamKept,
  objectivesJudged,
  objectivesMet,
  pinnedImage,
  planReviewed,
  podHardening,
  pointInTimeTestAlarm,
  rdsBackupWindow,
  rdsCrossRegionCopy,
  rdsFailoverSafe,
  rdsKept,
  rdsManagedPassword,
  rdsMultiAz,
  rdsPrivate,
  rdsReplicaParity,
  realContacts,
  restoreTestAlarm,
  restoreTestPresent,
  sqliteBackupBeside,
  sqliteFailsClosed,
  sqliteOneWriter,
  sqliteRestoredFirst,
  stalenessAlarm,
};
