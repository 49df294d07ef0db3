import { BackupClient, paginateListRecoveryPointsByResource } from "@aws-sdk/client-backup";
import { type AwsBackupRecoveryPoint } from "../../../recovery";
import "../aws-sdk-notice";
import { messageOf, OperationError } from "../errors";

/** What AWS Backup has of one resource, in the resource's own region. */
export async function readAwsBackups(resourceArn: string, endpoint?: string): Promise<AwsBackupRecoveryPoint[]> {
  const client = new BackupClient({ region: resourceArn.split(":")[3], endpoint });
  try {
    const points: AwsBackupRecoveryPoint[] = [];
    const pages = paginateListRecoveryPointsByResource({ client }, { ResourceArn: resourceArn });
    for await (const { RecoveryPoints = [] } of pages) points.push(...RecoveryPoints);
    return points;
  } catch (error) {
    throw new OperationError(`AWS Backup did not list the recovery points of ${resourceArn}: ${messageOf(error)}`);
  } finally {
    client.destroy();
  }
}
