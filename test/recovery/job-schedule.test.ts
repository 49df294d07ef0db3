import assert from "node:assert/strict";
import fc from "fast-check";
import {
  jobDeadlines,
  largestGapMinutes,
  nextFirings,
  parseSchedule,
  RecoveryJob,
  scratchGib,
  smallestGapMinutes,
  spreadSchedule,
} from "../../recovery";

const onTheHour = fc.constantFrom(
  "0 */6 * * *",
  "0 3 * * *",
  "*/5 * * * *",
  "*/15 8-18 * * 1-5",
  "0,30 * * * *",
  "0 1,13,20 * * *",
  "@daily",
  "@hourly",
  "@weekly",
  "0-59/7 * * * *",
  "* * * * *",
);

describe("spreadSchedule", () => {
  for (const [expression, seed, expected] of [
    ["0 */6 * * *", "a", "40 */6 * * *"],
    ["@daily", "a", "40 0 * * *"],
    ["*/5 * * * *", "b", "2-59/5 * * * *"],
    ["30 2 * * *", "a", "30 2 * * *"],
    ["* * * * *", "a", "* * * * *"],
  ] as const) {
    it(`moves ${expression} to ${expected} by ${seed}`, () => assert.equal(spreadSchedule(expression, seed), expected));
  }

  it("keeps both gaps, gives Kubernetes' cron, and is the same every time", () => {
    fc.assert(
      fc.property(onTheHour, fc.string(), (expression, seed) => {
        const spread = spreadSchedule(expression, seed);
        assert.equal(spread, spreadSchedule(expression, seed));
        assert.equal(largestGapMinutes(parseSchedule(spread)), largestGapMinutes(parseSchedule(expression)));
        assert.equal(smallestGapMinutes(parseSchedule(spread)), smallestGapMinutes(parseSchedule(expression)));
      }),
      { numRuns: 200 },
    );
  });

  it("uses the whole hour", () => {
    const minutes = new Set(Array.from({ length: 2000 }, (_, at) => spreadSchedule("0 3 * * *", `stack-${at}`)));
    assert.equal(minutes.size, 60);
  });
});

describe("jobDeadlines", () => {
  for (const [expression, deadlines] of [
    ["0 */6 * * *", { intervalSeconds: 21_600, startingDeadlineSeconds: 3600, activeDeadlineSeconds: 19_440 }],
    ["0 3 * * *", { intervalSeconds: 86_400, startingDeadlineSeconds: 3600, activeDeadlineSeconds: 21_600 }],
    ["*/5 * * * *", { intervalSeconds: 300, startingDeadlineSeconds: 150, activeDeadlineSeconds: 270 }],
    ["0 */5 * * *", { intervalSeconds: 14_400, startingDeadlineSeconds: 3600, activeDeadlineSeconds: 12_960 }],
  ] as const) {
    it(`of ${expression}`, () => assert.deepEqual(jobDeadlines(parseSchedule(expression)), deadlines));
  }

  it("end before the next run is due, whatever the schedule", () => {
    const list = (max: number) => fc.uniqueArray(fc.integer({ min: 0, max }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(list(59), list(23), (minutes, hours) => {
        const schedule = parseSchedule(`${minutes.join(",")} ${hours.join(",")} * * *`);
        const { startingDeadlineSeconds, activeDeadlineSeconds } = jobDeadlines(schedule);
        const firings = nextFirings(schedule, new Date("2026-11-23T00:00:00Z"), 60);
        const gaps = firings.slice(1).map((firing, at) => (firing.getTime() - firings[at]!.getTime()) / 1000);
        assert.equal(Math.min(...gaps), smallestGapMinutes(schedule) * 60);
        assert.ok(activeDeadlineSeconds > 0 && gaps.every((gap) => activeDeadlineSeconds < gap));
        assert.ok(startingDeadlineSeconds >= 30 && gaps.every((gap) => startingDeadlineSeconds < gap));
      }),
    );
  });
});

describe("scratchGib", () => {
  it("holds the largest database, its archive, its log and headroom for a restore test, and little else", () => {
    assert.equal(scratchGib(RecoveryJob.RestoreTest, [10, 40]), 81);
    assert.equal(scratchGib(RecoveryJob.Backup, [10, 40]), 1);
    assert.equal(scratchGib(RecoveryJob.Status, []), 1);
  });
});
