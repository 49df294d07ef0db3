/** The CloudWatch namespace of what `dr status --publish` publishes. */
export const statusMetricNamespace = "DisasterRecovery";

/**
 * The metrics of one database, published together every time that its status was judged. Alarms treat a missing value as
 * a breach: whatever stops the publishing is as bad as what it would have reported.
 */
export const StatusMetric = {
  /** Age of the newest complete recovery point. Not published while there is none. */
  RecoveryPointAgeSeconds: "RecoveryPointAgeSeconds",
  /** Age of the newest restore test. Not published while there is none. */
  RestoreTestAgeSeconds: "RestoreTestAgeSeconds",
  /** 0 when the newest restore test passed, else 1: it failed, was inconclusive, or there is none. */
  RestoreTestNotPassed: "RestoreTestNotPassed",
  /** 0 when the newest backup run that left a manifest ended with `pass`, else 1. */
  BackupNotPassed: "BackupNotPassed",
} as const;
export type StatusMetric = (typeof StatusMetric)[keyof typeof StatusMetric];

/** What tells one series from another, in the order of the dimensions. */
export interface StatusMetricDimensions {
  /** The environment's name in the job configuration. */
  readonly Environment: string;
  /** The database's name in the job configuration. */
  readonly Database: string;
}
