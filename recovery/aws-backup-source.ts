import { recoveryDefaults } from "./protection";
import { type OtherSource } from "./recovery-plan";
import { type RecoveryTarget } from "./recovery-target";

/** A recovery point of AWS Backup, spelt as `ListRecoveryPointsByResource` spells it. */
export interface AwsBackupRecoveryPoint {
  readonly RecoveryPointArn?: string | undefined;
  readonly CreationDate?: Date | undefined;
  readonly Status?: string | undefined;
  readonly StatusMessage?: string | undefined;
  readonly BackupSizeBytes?: number | undefined;
  readonly BackupVaultName?: string | undefined;
}

/** What a plan says of one: what it would lose and take, and what a person runs. */
export function awsBackupSource(point: AwsBackupRecoveryPoint, target: RecoveryTarget, now: Date): OtherSource {
  const { RecoveryPointArn: arn, CreationDate: at, Status: status, BackupVaultName: vault } = point;
  const unknown = {
    engine: "aws-backup",
    id: `aws-backup:${arn?.split(":").slice(5).join(":") ?? "without an ARN"}`,
    lossSeconds: null,
    recoverySeconds: null,
  };
  if (status !== "COMPLETED" && status !== "AVAILABLE") {
    return {
      ...unknown,
      why: `it is ${status ?? "in no known state"}${point.StatusMessage ? `: ${point.StatusMessage}` : ""}`,
    };
  }
  if (arn === undefined || at === undefined) return { ...unknown, why: "it has no ARN or no time: ask AWS Backup" };
  const wanted = target.kind === "time" ? target.at : target.kind === "latest" ? now : undefined;
  if (wanted === undefined) return { ...unknown, why: "it holds one moment and has no log to reach a position in" };
  if (at > wanted) return { ...unknown, why: `it is newer than the target: of ${at.toISOString()}` };
  return {
    ...unknown,
    lossSeconds: (wanted.getTime() - at.getTime()) / 1000,
    recoverySeconds: point.BackupSizeBytes ? restoreSeconds(point.BackupSizeBytes) : null,
    why:
      `AWS Backup's, in vault ${vault ?? "unknown"}, of ${at.toISOString()}: ` +
      `aws backup get-recovery-point-restore-metadata --backup-vault-name ${vault ?? "VAULT"} --recovery-point-arn ${arn}, ` +
      "name the old instance's groups in it, then aws backup start-restore-job with it",
  };
}

function restoreSeconds(bytes: number): number {
  return (
    (recoveryDefaults.managedProvisionMinutes + recoveryDefaults.verifyMinutes) * 60 +
    bytes / recoveryDefaults.physicalRestoreBytesPerSecond
  );
}
