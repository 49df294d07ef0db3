/** The properties of a CloudWatch alarm that rules read. */
export interface AlarmProps {
  readonly name?: string;
  readonly metricName?: string;
  readonly namespace?: string;
  readonly alarmDescription?: string;
  readonly treatMissingData?: string;
  readonly actionsEnabled?: boolean;
  readonly alarmActions?: readonly string[];
  readonly threshold?: number;
  readonly comparisonOperator?: string;
  readonly period?: number;
  readonly evaluationPeriods?: number;
  readonly dimensions?: Readonly<Record<string, string>>;
}

/** Whether an alarm watches the age of backups; a restore test's age is another thing. */
export function isStalenessAlarm({ metricName = "" }: AlarmProps): boolean {
  return /(recovery-?point|backup|dump|snapshot).*(age|staleness)|(age|time)since.*(backup|dump)/i.test(metricName);
}

/** Whether an alarm watches how far the stored log is behind, or what piles up on the server meanwhile. */
export function isLogAgeAlarm({ metricName = "" }: AlarmProps): boolean {
  return /(wal|log|archive).*(age|lag|delay|staleness)|replicationslot.*lag|(slot|transactionlogs)diskusage/i.test(
    metricName,
  );
}

/** Whether an alarm watches how restores of a log or a stream end; their age does not tell that. */
export function isPointInTimeTestAlarm({ metricName = "" }: AlarmProps): boolean {
  return /(point-?in-?time|pitr|log|wal|stream)-?(restore-?)?test.*(not-?passed|fail|outcome|result|success)/i.test(
    metricName,
  );
}

/** Whether an alarm is about recovery at all: the others of a stack are not this pack's business. */
export function isRecoveryAlarm({ metricName = "", namespace = "", name = "" }: AlarmProps): boolean {
  return /disasterrecovery|backup|restore|recovery|replica|dump|wal/i.test(`${namespace} ${metricName} ${name}`);
}
