import { Verdict } from "./verdict";

/** The CloudWatch namespace of what `dr status --publish` publishes. */
export const statusMetricNamespace = "DisasterRecovery";

/**
 * The metrics of one database, published together every time that its status was judged. Alarms treat a missing value as
 * a breach: whatever stops the publishing is as bad as what it would have reported.
 */
export const StatusMetric = {
  /** Age of the newest complete recovery point. Not published while there is none. */
  RecoveryPointAgeSeconds: "RecoveryPointAgeSeconds",
  /** Since the newest moment that the stored log covers. Not published while it covers none, or has a hole. */
  LogAgeSeconds: "LogAgeSeconds",
  /** Age of the newest restore test of a backup. Not published while there is none. */
  RestoreTestAgeSeconds: "RestoreTestAgeSeconds",
  /**
   * 0 when the newest restore test of a backup passed, else 1: it failed, was inconclusive, there is none, or it let a sabotaged copy
   * pass when it was last tried (`dr prove`), and then says nothing.
   */
  RestoreTestNotPassed: "RestoreTestNotPassed",
  /** Age of the newest restore of the log, or of a stream. Not published while there is none, or nothing to restore. */
  PointInTimeTestAgeSeconds: "PointInTimeTestAgeSeconds",
  /** 0 when the newest of them passed, else 1. Not published where there is no log and no stream. */
  PointInTimeTestNotPassed: "PointInTimeTestNotPassed",
  /** 0 when the newest backup run that left a manifest ended with `pass`, else 1. */
  BackupNotPassed: "BackupNotPassed",
} as const;
export type StatusMetric = (typeof StatusMetric)[keyof typeof StatusMetric];

/** What a database's status is published from. */
export interface PublishedStatus {
  /** `null` when there is no complete recovery point. */
  readonly recoveryPointAgeSeconds: number | null;
  /** `null` when the log covers nothing or has a hole; absent where no log is configured. */
  readonly logAgeSeconds?: number | null;
  /** The newest restore test of a backup; absent when there was never one. */
  readonly restoreTest: { readonly ageSeconds: number; readonly verdict: Verdict } | undefined;
  /** The newest restore of the log or the stream; `null` when there was never one, absent where there is neither. */
  readonly pointInTimeTest?: { readonly ageSeconds: number; readonly verdict: Verdict } | null;
  /** Whether the restore test caught every sabotaged copy; absent when nobody tried. */
  readonly proof?: Verdict;
  /** The verdict of the newest readable manifest; absent when there is none. */
  readonly newestBackup: Verdict | undefined;
}

/** The values to publish. An age that does not exist is left out: a missing value is a breach of its alarm. */
export function statusMetricValues(
  status: PublishedStatus,
): { readonly metric: StatusMetric; readonly value: number }[] {
  const { recoveryPointAgeSeconds, logAgeSeconds, restoreTest, pointInTimeTest, proof, newestBackup } = status;
  const tested = proof === Verdict.Fail ? proof : restoreTest?.verdict;
  const notPassed = (verdict: Verdict | undefined): number => (verdict === Verdict.Pass ? 0 : 1);
  return [
    ...(recoveryPointAgeSeconds === null
      ? []
      : [{ metric: StatusMetric.RecoveryPointAgeSeconds, value: recoveryPointAgeSeconds }]),
    ...(typeof logAgeSeconds === "number" ? [{ metric: StatusMetric.LogAgeSeconds, value: logAgeSeconds }] : []),
    ...(restoreTest ? [{ metric: StatusMetric.RestoreTestAgeSeconds, value: restoreTest.ageSeconds }] : []),
    { metric: StatusMetric.RestoreTestNotPassed, value: notPassed(tested) },
    ...(pointInTimeTest ? [{ metric: StatusMetric.PointInTimeTestAgeSeconds, value: pointInTimeTest.ageSeconds }] : []),
    ...(pointInTimeTest === undefined
      ? []
      : [{ metric: StatusMetric.PointInTimeTestNotPassed, value: notPassed(pointInTimeTest?.verdict) }]),
    { metric: StatusMetric.BackupNotPassed, value: notPassed(newestBackup) },
  ];
}

/** What tells one series from another, in the order of the dimensions. */
export interface StatusMetricDimensions {
  /** The environment's name in the job configuration. */
  readonly Environment: string;
  /** The database's name in the job configuration. */
  readonly Database: string;
}
