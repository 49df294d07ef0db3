import { CloudWatchClient, PutMetricDataCommand, StandardUnit } from "@aws-sdk/client-cloudwatch";
import { StatusMetric, statusMetricNamespace, statusMetricValues, type Verdict } from "../../../recovery";

/** What `dr status` found of one database, as far as alarms are concerned. */
export interface DatabaseStatus {
  readonly database: string;
  readonly environment: string;
  readonly newestRecoveryPoint: { readonly ageSeconds: number | null } | null;
  readonly log: { readonly ageSeconds: number | null; readonly gap: unknown } | null;
  readonly lastRestoreTest: { readonly ageSeconds?: number; readonly verdict?: Verdict } | null;
  readonly lastPointInTimeTest: { readonly ageSeconds?: number; readonly verdict?: Verdict } | null;
  /** Whether it has a log or a stream to test. */
  readonly pointInTimeTestDue: boolean;
  readonly lastSabotage: { readonly verdict?: Verdict } | null;
  readonly newestBackup: Verdict | undefined;
}

const ages: ReadonlySet<string> = new Set([
  StatusMetric.RecoveryPointAgeSeconds,
  StatusMetric.LogAgeSeconds,
  StatusMetric.RestoreTestAgeSeconds,
  StatusMetric.PointInTimeTestAgeSeconds,
]);

/** Publishes the status of databases as CloudWatch metrics. Credentials and region come by the SDK's own rules. */
export async function publishStatus(databases: readonly DatabaseStatus[]): Promise<void> {
  const client = new CloudWatchClient({});
  try {
    for (const status of databases) {
      const values = statusMetricValues({
        recoveryPointAgeSeconds: status.newestRecoveryPoint?.ageSeconds ?? null,
        ...(status.log ? { logAgeSeconds: status.log.gap ? null : status.log.ageSeconds } : {}),
        restoreTest: endedRun(status.lastRestoreTest),
        ...(status.pointInTimeTestDue ? { pointInTimeTest: endedRun(status.lastPointInTimeTest) ?? null } : {}),
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

function endedRun(run: DatabaseStatus["lastRestoreTest"]) {
  const { ageSeconds, verdict } = run ?? {};
  return ageSeconds === undefined || verdict === undefined ? undefined : { ageSeconds, verdict };
}
