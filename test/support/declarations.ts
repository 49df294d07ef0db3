import fc from "fast-check";
import { type DeclaredDatabase, type RecoverySite } from "../../recovery/declared-database";
import { DependencyKind, type RecoveryDependency } from "../../recovery/dependency";
import { TargetClass } from "../../recovery/evidence";
import { type MeasuredRun } from "../../recovery/measured-runs";
import { objectivesFrom } from "../../recovery/objectives";
import { type Placement } from "../../recovery/placement";
import { type Protection } from "../../recovery/protection";
import { StorageClass } from "../../recovery/retention";
import { scheduleWithGapAtMost } from "../../recovery/schedule";
import { daysAgo } from "./declared-architect";

const GIGABYTE = 1_000_000_000;
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const minutes = fc.integer({ min: 0, max: 240 });

export const placements: fc.Arbitrary<Placement> = fc.record({
  server: maybe(fc.constantFrom("db-1", "db-2")),
  zone: maybe(fc.constantFrom("a", "b")),
  cluster: maybe(fc.constantFrom("blue", "green")),
  region: maybe(fc.constantFrom("eu-1", "us-1")),
  account: maybe(fc.constantFrom("1", "2")),
});

/** Intervals that a schedule can have: hourly to daily and some denser ones. */
export const schedules = fc
  .constantFrom(5, 10, 15, 30, 60, 120, 360, 720, 1440)
  .map((interval) => scheduleWithGapAtMost(interval) ?? "");

const placed = { placement: maybe(placements) };
const speed = { restoreMinutes: maybe(minutes), verifyMinutes: maybe(minutes), switchMinutes: maybe(minutes) };

/** Any protection, without its name. */
const unnamed: fc.Arbitrary<Protection> = fc.oneof(
  fc.record({
    mechanism: fc.constant("dump" as const),
    name: fc.constant(""),
    schedule: maybe(schedules),
    failedRuns: maybe(fc.nat(2)),
    dumpMinutes: maybe(minutes),
    retentionDays: maybe(fc.integer({ min: 0, max: 60 })),
    transitions: maybe(
      fc.array(
        fc.record({
          days: fc.integer({ min: 0, max: 40 }),
          storageClass: fc.constantFrom(StorageClass.Glacier, StorageClass.GlacierInstantRetrieval),
        }),
        { maxLength: 1 },
      ),
    ),
    ...speed,
    ...placed,
  }),
  fc.record({
    mechanism: fc.constant("point-in-time-log" as const),
    name: fc.constant(""),
    managed: maybe(fc.boolean()),
    flushSeconds: maybe(fc.integer({ min: 0, max: 7200 })),
    windowDays: maybe(fc.integer({ min: 0, max: 35 })),
    walRetentionDays: maybe(fc.integer({ min: 0, max: 35 })),
    baseBackupSchedule: maybe(fc.constantFrom("@daily", "@weekly")),
    incrementalsPerFull: maybe(fc.integer({ min: 0, max: 6 })),
    ...speed,
    ...placed,
  }),
  fc.record({
    mechanism: fc.constant("sqlite-stream" as const),
    name: fc.constant(""),
    flushSeconds: maybe(fc.integer({ min: 0, max: 7200 })),
    windowDays: maybe(fc.integer({ min: 0, max: 35 })),
    ...speed,
    ...placed,
  }),
  fc.record({
    mechanism: fc.constant("standby" as const),
    name: fc.constant(""),
    synchronous: maybe(fc.boolean()),
    lagSeconds: maybe(fc.integer({ min: 0, max: 7200 })),
    automatic: maybe(fc.boolean()),
    ...placed,
  }),
  fc.record({
    mechanism: fc.constant("store-copy" as const),
    name: fc.constant(""),
    replicationMinutes: maybe(minutes),
    ...placed,
  }),
  fc.record({
    mechanism: fc.constant("replicas" as const),
    name: fc.constant(""),
    count: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({
    mechanism: fc.constant("rollback" as const),
    name: fc.constant(""),
    automatic: maybe(fc.boolean()),
    progressDeadlineSeconds: maybe(fc.integer({ min: 30, max: 900 })),
    revisionHistoryLimit: maybe(fc.nat(3)),
  }),
  fc.record({ mechanism: fc.constant("pooler" as const), name: fc.constant(""), detectSeconds: maybe(fc.nat(600)) }),
);

/** Some protections with names of their own. */
export const protections = fc
  .array(unnamed, { maxLength: 4 })
  .map((all) => all.map((protection, at): Protection => ({ ...protection, name: `p${at}` })));

/** One more protection for a database that has some. */
export const additions = unnamed.map((protection): Protection => ({ ...protection, name: "added" }));

const sites: fc.Arbitrary<RecoverySite[]> = fc
  .array(fc.record({ name: fc.constant(""), compute: fc.boolean(), startMinutes: maybe(minutes), ...placed }), {
    maxLength: 2,
  })
  .map((all) => all.map((site, at) => ({ ...site, name: `site${at}` })));

const dependencies: fc.Arbitrary<RecoveryDependency[]> = fc
  .array(
    fc.record({
      kind: fc.constantFrom(...Object.values(DependencyKind)),
      name: fc.constant(""),
      placements: fc.array(placements, { maxLength: 2 }),
    }),
    { maxLength: 2 },
  )
  .map((all) => all.map((dependency, at) => ({ ...dependency, name: `needs${at}` })));

export const databases: fc.Arbitrary<DeclaredDatabase> = fc.record({
  name: fc.constant("architect"),
  engine: fc.constantFrom("postgres", "rds", "sqlite"),
  environment: fc.constant("prod"),
  sizeBytes: maybe(fc.constantFrom(0, GIGABYTE / 10, GIGABYTE, 3 * GIGABYTE, 50 * GIGABYTE)),
  placement: maybe(placements),
  protections,
  sites: maybe(sites),
  dependencies: maybe(dependencies),
});

export const runs: fc.Arbitrary<MeasuredRun[]> = fc
  .array(
    fc.record({
      id: fc.constant(""),
      database: fc.constant("architect"),
      mechanism: fc.constantFrom("dump", "point-in-time-log", "standby"),
      targetClass: fc.constantFrom(...Object.values(TargetClass)),
      environment: fc.constantFrom("prod", "staging", "local"),
      sizeBytes: fc.constantFrom(GIGABYTE / 10, GIGABYTE, 3 * GIGABYTE),
      finishedAt: fc.integer({ min: 0, max: 50 }).map(daysAgo),
      verdict: fc.constantFrom("pass", "fail", "inconclusive"),
      measuredRtoSeconds: maybe(fc.integer({ min: 1, max: 4000 })),
      achievedRpoSeconds: fc.oneof(fc.constant("unknown" as const), fc.integer({ min: 0, max: 90_000 })),
    }),
    { maxLength: 4 },
  )
  .map((all) => all.map((run, at) => ({ ...run, id: `run-${at}` })));

export const objectives = fc
  .record({
    rtoMinutes: fc.constantFrom(5, 15, 30, 60, 240),
    rpoMinutes: fc.constantFrom(0, 1, 15, 60, 360, 1440),
    detectCorruptionDays: fc.constantFrom(0, 1, 7, 14),
  })
  .map(objectivesFrom);
