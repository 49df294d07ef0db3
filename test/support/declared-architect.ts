import { assess, type Outcome } from "../../recovery/assess";
import { type DeclaredDatabase } from "../../recovery/declared-database";
import { TargetClass } from "../../recovery/evidence";
import { type EvidenceRules, type MeasuredRun } from "../../recovery/measured-runs";
import { objectivesFrom, type ObjectivesOverrides } from "../../recovery/objectives";
import { type DumpProtection, type LogProtection } from "../../recovery/protection";
import { type Scenario } from "../../recovery/scenario";

/** The time at which these tests judge evidence. */
export const NOW = new Date("2026-11-23T12:00:00Z");

/** A database of 3 GB, so that size over throughput comes to whole numbers: 1 min of dump, 2 min of restore. */
export const GB = 1_000_000_000;
export const SIZE_BYTES = 3 * GB;

export const home = { server: "db-1", zone: "eu-1a", region: "eu-1", account: "111111111111" };
const bucket = { region: "eu-1", account: "111111111111" };

/** The guide's dumps: every 6 hours, in a bucket of the same region. */
export const dump: DumpProtection = {
  mechanism: "dump",
  name: "dump",
  schedule: "0 */6 * * *",
  retentionDays: 120,
  placement: bucket,
};

/** WAL streamed to the same bucket, with a base backup a day. */
export const log: LogProtection = {
  mechanism: "point-in-time-log",
  name: "log",
  walRetentionDays: 14,
  baseBackupSchedule: "@daily",
  placement: bucket,
};

/** A production database with these protections. */
export function architect(declared: Partial<DeclaredDatabase> = {}): DeclaredDatabase {
  return {
    name: "architect",
    engine: "postgres",
    environment: "prod",
    sizeBytes: SIZE_BYTES,
    placement: home,
    protections: [dump],
    ...declared,
  };
}

/** What one scenario costs it. */
export function outcomeOf(
  scenario: Scenario,
  database: DeclaredDatabase,
  {
    objectives,
    evidence,
    rules,
  }: {
    objectives?: ObjectivesOverrides;
    evidence?: readonly MeasuredRun[];
    rules?: Partial<EvidenceRules>;
  } = {},
): Outcome {
  const outcomes = assess({
    objectives: objectivesFrom(objectives),
    databases: [database],
    now: NOW,
    ...(evidence === undefined ? {} : { evidence }),
    ...(rules === undefined ? {} : { rules }),
  });
  const outcome = outcomes.find((candidate) => candidate.scenario === scenario);
  if (outcome === undefined) throw new Error(`no outcome for ${scenario}`);
  return outcome;
}

/** A term list as `name minutes`, to compare with arithmetic that is written out. */
export function sums(terms: Outcome["derivation"]["loss"]): string[] {
  return terms.map(({ name, minutes }) => `${name} ${minutes === null ? "unknown" : Number(minutes.toFixed(3))}`);
}

/** A restore test in production into a durable server that took 3 minutes and lost 10, a day ago. */
export function run(measured: Partial<MeasuredRun> = {}): MeasuredRun {
  return {
    id: "run-1",
    database: "architect",
    mechanism: "dump",
    targetClass: TargetClass.DurableServer,
    environment: "prod",
    sizeBytes: SIZE_BYTES,
    finishedAt: daysAgo(1),
    verdict: "pass",
    level: "content",
    measuredRtoSeconds: 180,
    achievedRpoSeconds: 600,
    ...measured,
  };
}

export function daysAgo(days: number): string {
  return new Date(NOW.getTime() - days * 86_400_000).toISOString();
}
