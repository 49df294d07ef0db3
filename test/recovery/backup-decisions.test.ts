import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type BackupContents,
  drillPhase,
  judgeProtectionStatus,
  maxPointInTimeTestAgeSeconds,
  newestRestoreTests,
  StatusMetric,
  statusMetricValues,
  maxRecoveryPointAgeMinutes,
  parseObjectiveOverride,
  parseRecoveryTarget,
  proofLevelFor,
  restorationCriteria,
  shrinkageReasons,
} from "../../recovery";

const contents = (rows: readonly number[], bytes = 1000): BackupContents & { id: string } => ({
  id: "before",
  tables: rows.map((count, index) => ({ schema: "public", name: `t${index}`, rows: count, bytes: 0 })),
  parts: [{ name: "dump", key: "k", bytes, sha256: "" }],
});

describe("shrinkage", () => {
  const cases: readonly [string, readonly number[], readonly number[] | undefined, RegExp | null][] = [
    ["a first backup", [10], undefined, null],
    ["a first backup of nothing", [], undefined, /no table/],
    ["a first backup of empty tables", [0, 0], undefined, /all 2 tables are empty/],
    ["growth", [200], [100], null],
    ["exactly the share", [50], [100], null],
    ["a little more than the share", [49], [100], /49 rows, 51 % fewer than the 100/],
    ["a large table emptied while others grew", [0, 100_000], [5000, 50_000], /public.t0 holds 0 rows, 100 % fewer/],
    ["a small table emptied", [0, 100_000], [999, 100_000], null],
  ];
  for (const [what, now, before, expected] of cases) {
    it(`${expected === null ? "accepts" : "suspects"} ${what}`, () => {
      const reasons = shrinkageReasons(contents(now), before && contents(before), 0.5).join("; ");
      if (expected === null) assert.equal(reasons, "");
      else assert.match(reasons, expected);
    });
  }
  it("suspects a table that is gone, and parts that shrank", () => {
    assert.match(shrinkageReasons(contents([5000]), contents([5000, 1000]), 0.5).join(), /t1 is gone/);
    assert.match(shrinkageReasons(contents([10], 100), contents([10], 1000), 0.5).join(), /100 bytes, 90 % fewer/);
  });
  it("compares an increment by what lies on the source's disk: it is as large as what has changed", () => {
    const base = (stored: number, onDisk: number, buildsOn?: readonly unknown[]) => ({
      ...contents([], stored),
      wal: { timeline: 1, start: "0/1", end: "0/2", segmentBytes: 16 * 1024 ** 2 },
      source: { bytes: onDisk },
      buildsOn,
    });
    assert.deepEqual(shrinkageReasons(base(10, 5000, ["full"]), base(1000, 5000), 0.5), []);
    assert.match(shrinkageReasons(base(10, 1000, ["full"]), base(1000, 5000), 0.5).join(), /1000 bytes, 80 % fewer/);
    assert.match(shrinkageReasons(base(1000, 1000), base(10, 5000, ["full"]), 0.5).join(), /1000 bytes, 80 % fewer/);
    assert.match(shrinkageReasons(base(10, 5000), base(1000, 5000), 0.5).join(), /10 bytes, 99 % fewer/);
  });
  it("suspects nothing that only grew, whatever the share", () => {
    const rows = fc.array(fc.nat({ max: 1_000_000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(rows, fc.nat({ max: 1000 }), fc.double({ min: 0, max: 1, noNaN: true }), (before, more, share) => {
        const now = before.map((count) => count + more + 1);
        assert.deepEqual(shrinkageReasons(contents(now), contents(before), share), []);
      }),
    );
  });
});

describe("freshness", () => {
  it("[guide 19] is late by the schedule, or by the RPO where that is longer", () => {
    assert.equal(maxRecoveryPointAgeMinutes({ rpoMinutes: 60 }), 60);
    assert.equal(maxRecoveryPointAgeMinutes({ rpoMinutes: 60, schedule: "0 */6 * * *" }), 6 * 60 + 60);
    assert.equal(maxRecoveryPointAgeMinutes({ rpoMinutes: 2000, schedule: "@hourly" }), 2000);
  });
});

describe("proof level", () => {
  it("[guide 28] compares every row up to the limit, and counts above it", () => {
    assert.equal(proofLevelFor(20 * 1024 ** 3), "content");
    assert.equal(proofLevelFor(20 * 1024 ** 3 + 1), "counts");
    assert.equal(proofLevelFor(1, { level: "structure" }), "structure");
    assert.equal(proofLevelFor(11, { contentUpToBytes: 10 }), "counts");
  });
});

describe("recovery targets", () => {
  it("are moments with a zone, positions or names", () => {
    assert.deepEqual(parseRecoveryTarget("latest"), { kind: "latest" });
    assert.deepEqual(parseRecoveryTarget("2026-11-23T15:05:00+01:00"), {
      kind: "time",
      at: new Date("2026-11-23T14:05:00Z"),
    });
    assert.deepEqual(parseRecoveryTarget("lsn:0/16B3748"), { kind: "lsn", lsn: "0/16B3748" });
    assert.deepEqual(parseRecoveryTarget("name:before migration"), { kind: "name", name: "before migration" });
  });
  for (const wrong of [
    "",
    "yesterday",
    "2026-11-23",
    "2026-11-23T14:05:00",
    "2026-13-23T14:05:00Z",
    "lsn:x",
    "name:",
  ]) {
    it(`[guide 30] are not ${JSON.stringify(wrong)}`, () => assert.equal(parseRecoveryTarget(wrong).kind, "problem"));
  }
});

describe("objective overrides", () => {
  it("take a number with its unit", () => {
    assert.deepEqual(parseObjectiveOverride("rto=90s"), { objective: "rtoMinutes", minutes: 1.5 });
    assert.deepEqual(parseObjectiveOverride("rpo=1h"), { objective: "rpoMinutes", minutes: 60 });
    assert.deepEqual(parseObjectiveOverride("rpo=0min"), { objective: "rpoMinutes", minutes: 0 });
  });
  for (const wrong of ["rto", "rto=", "rto=15", "rto=15m", "rto=-1s", "rto=0s", "mttr=5min"]) {
    it(`refuse ${JSON.stringify(wrong)}`, () => assert.ok("problem" in parseObjectiveOverride(wrong)));
  }
});

describe("protection status", () => {
  const good = {
    recoveryPointAgeSeconds: 10,
    maxRecoveryPointAgeSeconds: 10,
    rtoSeconds: 900,
    restoreTest: { verdict: "pass" as const, ageSeconds: 5, measuredRtoSeconds: 900 },
    drill: { verdict: "pass" as const, ageSeconds: 5, measuredRtoSeconds: null },
    evidenceProblems: [],
    ageText: String,
  };
  const verdicts = (change: object): string =>
    judgeProtectionStatus({ ...good, ...change })
      .map(({ verdict }) => verdict)
      .join(" ");
  const cases: readonly [string, object, string][] = [
    ["all at their limits", {}, "pass pass pass"],
    ["no recovery point", { recoveryPointAgeSeconds: null }, "fail pass pass"],
    ["an old recovery point", { recoveryPointAgeSeconds: 11 }, "fail pass pass"],
    ["never tested", { restoreTest: undefined }, "pass inconclusive pass"],
    ["a failed test", { restoreTest: { ...good.restoreTest, verdict: "fail" } }, "pass fail pass"],
    ["a test that took too long", { restoreTest: { ...good.restoreTest, measuredRtoSeconds: 901 } }, "pass fail pass"],
    ["a test long ago", { restoreTest: { ...good.restoreTest, ageSeconds: 200_000 } }, "pass inconclusive pass"],
    ["a log that was restored", { pointInTimeTest: { last: good.drill, maxAgeSeconds: 5 } }, "pass pass pass pass"],
    ["a log that was never restored", { pointInTimeTest: { maxAgeSeconds: 5 } }, "pass pass inconclusive pass"],
    ["one long ago", { pointInTimeTest: { last: good.drill, maxAgeSeconds: 4 } }, "pass pass inconclusive pass"],
    [
      "one that failed, though the dump's did not",
      { pointInTimeTest: { last: { ...good.drill, verdict: "fail" }, maxAgeSeconds: 5 } },
      "pass pass fail pass",
    ],
    ["a drill long ago", { drill: { ...good.drill, ageSeconds: 40 * 86_400 } }, "pass pass inconclusive"],
    ["sabotage that was caught", { proof: good.drill }, "pass pass pass pass"],
    ["sabotage that was not caught", { proof: { ...good.drill, verdict: "fail" } }, "pass pass pass fail"],
    ["sabotage long ago", { proof: { ...good.drill, ageSeconds: 16 * 86_400 } }, "pass pass pass inconclusive"],
    ["evidence that was changed", { evidenceProblems: ["x"] }, "pass pass pass fail"],
  ];
  for (const [what, change, expected] of cases) {
    it(`[guide 2, 3, 22] ${what}: ${expected}`, () => assert.equal(verdicts(change), expected));
  }
});

describe("restore tests", () => {
  const run = (mechanism: string, at: number) => ({ mechanism, at });
  const newest = (...mechanisms: string[]): (number | undefined)[] => {
    const { restoreTest, pointInTimeTest } = newestRestoreTests(mechanisms.map(run));
    return [restoreTest?.at, pointInTimeTest?.at];
  };
  it("[guide 21] of a backup and of a log are two things, and the newer one hides the other not", () => {
    assert.deepEqual(newest(), [undefined, undefined]);
    assert.deepEqual(newest("dump", "point-in-time-log"), [0, 1]);
    assert.deepEqual(newest("point-in-time-log", "dump"), [1, 0]);
    assert.deepEqual(newest("sqlite-stream", "copy", "copy"), [2, 0]);
    assert.deepEqual(newest("dump", "dump"), [1, undefined]);
    assert.deepEqual(newest("point-in-time-log"), [0, 0], "base backups alone are backups");
  });

  it("of a log are due where there is one: daily in the store, weekly of RDS, which may miss one", () => {
    const rds = { region: "eu-central-1", instanceIdentifier: "architect-prod" };
    const day = 86_400;
    assert.equal(maxPointInTimeTestAgeSeconds({}, false), undefined);
    assert.equal(maxPointInTimeTestAgeSeconds({}, true), 2 * day);
    assert.equal(maxPointInTimeTestAgeSeconds({ wal: { spool: "/spool" } }, false), 2 * day);
    assert.equal(maxPointInTimeTestAgeSeconds({ rds }, false), 15 * day);
  });
});

describe("status metrics", () => {
  const restoreTest = { ageSeconds: 5, verdict: "pass" as const };
  const notPassed = (status: object): number | undefined =>
    statusMetricValues({ recoveryPointAgeSeconds: 1, restoreTest, newestBackup: "pass", ...status }).find(
      ({ metric }) => metric === StatusMetric.RestoreTestNotPassed,
    )?.value;
  it("[guide 22] a restore test that passed counts, unless it let sabotage pass when that was last tried", () => {
    assert.equal(notPassed({}), 0);
    assert.equal(notPassed({ proof: "pass" }), 0);
    assert.equal(notPassed({ proof: "fail" }), 1);
    assert.equal(notPassed({ restoreTest: undefined }), 1);
    assert.equal(notPassed({ restoreTest: { ...restoreTest, verdict: "inconclusive" } }), 1);
  });

  it("[guide 22] a log that was never restored did not pass, and where there is none nothing is said", () => {
    const ofLog = (status: object) =>
      statusMetricValues({ recoveryPointAgeSeconds: 1, restoreTest, newestBackup: "pass", ...status })
        .filter(({ metric }) => metric.startsWith("PointInTimeTest"))
        .map(({ metric, value }) => [metric, value]);
    assert.deepEqual(ofLog({}), []);
    assert.deepEqual(ofLog({ pointInTimeTest: null }), [["PointInTimeTestNotPassed", 1]]);
    for (const [verdict, value] of [
      ["pass", 0],
      ["inconclusive", 1],
      ["fail", 1],
    ] as const) {
      assert.deepEqual(ofLog({ pointInTimeTest: { ageSeconds: 9, verdict } }), [
        ["PointInTimeTestAgeSeconds", 9],
        ["PointInTimeTestNotPassed", value],
      ]);
    }
  });
});

describe("drill criteria", () => {
  const measured = {
    recoverySeconds: 900,
    achievedRpoSeconds: 3600 as number | "unknown",
    proofVerdict: "pass" as const,
    checksPassed: 14,
    checksTotal: 14,
    sabotageCaught: 15,
    sabotageTotal: 15,
    readiness: "pass" as const,
  };
  const judge = (change: object): string =>
    restorationCriteria({ ...measured, ...change }, { rtoMinutes: 15, rpoMinutes: 60 }, String)
      .map(({ verdict }) => verdict)
      .join(" ");
  it("[guide 56, 57] meet an objective exactly, and never by not knowing", () => {
    assert.equal(judge({}), "pass pass pass pass pass");
    assert.equal(judge({ recoverySeconds: 900.1 }), "pass pass fail pass pass");
    assert.equal(judge({ achievedRpoSeconds: 3600.1 }), "pass pass pass fail pass");
    assert.equal(judge({ achievedRpoSeconds: "unknown" }), "pass pass pass inconclusive pass");
    assert.equal(judge({ sabotageCaught: 14 }), "pass pass pass pass fail");
    assert.equal(drillPhase("x", 2, 1).verdict, "fail");
  });
});
