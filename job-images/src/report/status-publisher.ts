import { CloudWatchClient, PutMetricDataCommand, StandardUnit } from "@aws-sdk/client-cloudwatch";
import { StatusMetric, statusMetricNamespace, statusMetricValues, type Verdict } from "../../../recovery";

/** What `dr status` found of one database, as far as alarms are concerned. */
export interface DatabaseStatus {
  readonly database: string;
  readonly environment: string;
  readonly newestRecoveryPoint: { readonly ageSeconds: number | null } | null;
  readonly log: { readonly ageSeconds: number | null; readonly gap: unknown } | null;
  readonly lastRestoreTest: { readonly ageSeconds?: number; readonly verdict?: Verdict } | null;
  readonly lastSabotage: { readonly verdict?: Verdict } | null;
  readonly newestBackup: Verdict | undefined;
}

const ages: ReadonlySet<string> = new Set([
  StatusMetric.RecoveryPointAgeSeconds,
  StatusMetric.LogAgeSeconds,
  StatusMetric.RestoreTestAgeSeconds,
]);

/** Publishes the status of databases as CloudWatch metrics. Credentials and region come by the SDK's own rules. */
export async function publishStatus(databases: readonly DatabaseStatus[]): Promise<void> {
  const client = new CloudWatchClient({});
  try {
    for (const status of databases) {
      const { lastRestoreTest: test } = status;
      const values = statusMetricValues({
        recoveryPointAgeSeconds: status.newestRecoveryPoint?.ageSeconds ?? null,
        ...(status.log ? { logAgeSeconds: status.log.gap ? null : status.log.ageSeconds } : {}),
        restoreTest:
          test?.ageSeconds === undefined || test.verdict === undefined
            ? undefined
            : { ageSeconds: test.ageSeconds, verdict: test.verdict },
        ...(status.lastSabotage?.verdict === undefined ? {} : { proof: status.lastSabotage.verdict }),
        newestBackup: status.newestBackup,
      });
      const dimensions = [
        { Name: "Environment", Value: status.environment },
        { Name: "Database", Value: status.database },
      ];
      await client.send(
        new PutMetricDataCommand({
          Namespace: statusMetricNamespace,
          MetricData: values.map(({ metric, value }) => ({
            MetricName: metric,
            Value: value,
            Unit: ages.has(metric) ? StandardUnit.Seconds : StandardUnit.Count,
            Dimensions: dimensions,
          })),
        }),
      );
    }
  } finally {
    client.destroy();
  }
}
