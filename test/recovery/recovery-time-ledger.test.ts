import assert from "node:assert/strict";
import fc from "fast-check";
import { type RecoverySite } from "../../recovery/declared-database";
import { totalMinutes } from "../../recovery/derivation";
import { type RunFindings, TimeBasis } from "../../recovery/measured-runs";
import { objectivesFrom, responseTimesFor } from "../../recovery/objectives";
import { type Protection } from "../../recovery/protection";
import {
  type LedgerPath,
  largestSizeWithin,
  recoveryTimeLedger,
  storageClassAt,
} from "../../recovery/recovery-time-ledger";
import { dump, GB, log, SIZE_BYTES, sums } from "../support/declared-architect";

const nothingMeasured: RunFindings = { timeBasis: TimeBasis.None, seconds: 0, ids: [], achievedRpoIds: [] };
const site: RecoverySite = { name: "dr", compute: true, placement: { region: "eu-2" } };

function path(protection: Protection, more: Partial<LedgerPath> = {}): LedgerPath {
  return {
    protection,
    sizeBytes: SIZE_BYTES,
    response: responseTimesFor(objectivesFrom().response, "P1"),
    findings: nothingMeasured,
    copyAgeDays: 0,
    ...more,
  };
}

const RESPONSE = ["detect 3", "acknowledge 5", "decide 2"];

describe("recovery-time ledger: the terms", () => {
  const cases: [title: string, path: LedgerPath, terms: string[], total: number | null][] = [
    [
      // 3 GB stored as 0.4 = 1.2 GB at 100 MB/s = 12 s; 3 GB at 25 MB/s = 120 s.
      "a dump: detect + acknowledge + decide + provision + fetch + restore + verify + switch",
      path(dump),
      [...RESPONSE, "provision 1", "fetch 0.2", "restore 2", "verify 2", "switch 1"],
      10 + 1 + 0.2 + 2 + 2 + 1,
    ],
    [
      "a physical copy is restored at 100 MB/s: 30 s",
      path({ ...dump, method: "base" }),
      [...RESPONSE, "provision 1", "fetch 0.2", "restore 0.5", "verify 2", "switch 1"],
      14.7,
    ],
    [
      // Two days of log at 0.1 of 3 GB a day = 0.6 GB at 50 MB/s = 12 s.
      "a log: the base backup, and up to two days of log replayed onto it",
      path(log),
      [...RESPONSE, "provision 1", "fetch 0.2", "restore 0.5", "replay 0.2", "verify 2", "switch 1"],
      14.9,
    ],
    [
      "RDS: 20 min for a new instance, nothing fetched by us",
      path({ ...log, managed: true, windowDays: 7 }),
      [...RESPONSE, "provision 20", "restore 0.5", "replay 0.2", "verify 2", "switch 1"],
      33.7,
    ],
    [
      "everything stated",
      path({
        ...log,
        provisionMinutes: 0.5,
        storedBytes: 600_000_000,
        fetchBytesPerSecond: 10_000_000,
        restoreMinutes: 4,
        logBytesPerDay: 3 * GB,
        replayBytesPerSecond: 100_000_000,
        verifyMinutes: 5,
        switchMinutes: 2,
      }),
      // 600 MB at 10 MB/s = 60 s; 2 d of 3 GB at 100 MB/s = 60 s.
      [...RESPONSE, "provision 0.5", "fetch 1", "restore 4", "replay 1", "verify 5", "switch 2"],
      23.5,
    ],
    [
      "elsewhere: its compute starts first",
      path(dump, { site }),
      [...RESPONSE, "start site 5", "provision 1", "fetch 0.2", "restore 2", "verify 2", "switch 1"],
      21.2,
    ],
    [
      "an archived copy: Glacier's 5 hours",
      path({ ...dump, transitions: [{ days: 30, storageClass: "GLACIER" }] }, { copyAgeDays: 30 }),
      [...RESPONSE, "retrieve 300", "provision 1", "fetch 0.2", "restore 2", "verify 2", "switch 1"],
      316.2,
    ],
    [
      "an alarm: 3 periods of 60 s and `for` of 120 s",
      path(dump, { detection: { periodSeconds: 60, evaluationPeriods: 3, forSeconds: 120 } }),
      ["detect 5", "acknowledge 5", "decide 2", "provision 1", "fetch 0.2", "restore 2", "verify 2", "switch 1"],
      18.2,
    ],
    [
      "a severity that is answered within 15 minutes",
      path(dump, {
        response: responseTimesFor(
          objectivesFrom({ response: { bySeverity: { P2: { acknowledgeMinutes: 15 } } } }).response,
          "P2",
        ),
      }),
      ["detect 3", "acknowledge 15", "decide 2", "provision 1", "fetch 0.2", "restore 2", "verify 2", "switch 1"],
      26.2,
    ],
    [
      "a standby waits for a person",
      path({ mechanism: "standby", name: "s", lagSeconds: 1 }),
      [...RESPONSE, "promote 1", "verify 1", "switch 1"],
      13,
    ],
    [
      "an automatic standby waits for nobody",
      path({ mechanism: "standby", name: "s", synchronous: true, automatic: true }),
      ["promote 2", "switch 0"],
      2,
    ],
    ["one pod restarts", path({ mechanism: "replicas", name: "r", count: 1 }), ["detect 0.5", "act 1"], 1.5],
    [
      "two pods: the other serves on",
      path({ mechanism: "replicas", name: "r", count: 2 }),
      ["detect 0.5", "act 0"],
      0.5,
    ],
    ["a rollback by hand", path({ mechanism: "rollback", name: "r" }), [...RESPONSE, "act 1"], 11],
    [
      "an automatic rollback: after the rollout's deadline",
      path({ mechanism: "rollback", name: "r", automatic: true, progressDeadlineSeconds: 120 }),
      ["detect 2", "act 1"],
      3,
    ],
    ["a pooler", path({ mechanism: "pooler", name: "p" }), ["detect 0.5", "act 1"], 1.5],
    [
      "a database of unknown size",
      path(dump, { sizeBytes: undefined }),
      [...RESPONSE, "provision 1", "fetch unknown", "restore unknown", "verify 2", "switch 1"],
      null,
    ],
    [
      "measured: p95 instead of provision, fetch, restore and verify",
      path(dump, { findings: { ...nothingMeasured, timeBasis: TimeBasis.Measured, seconds: 90, ids: ["a"] } }),
      [...RESPONSE, "measured 1.5", "switch 1"],
      12.5,
    ],
    [
      // 40 ns a byte * 3 GB = 120 s.
      "scaled from elsewhere",
      path(dump, { findings: { ...nothingMeasured, timeBasis: TimeBasis.Scaled, seconds: 40e-9, ids: ["a"] } }),
      [...RESPONSE, "measured 2", "switch 1"],
      13,
    ],
    [
      "measured too long ago",
      path(dump, { findings: { ...nothingMeasured, timeBasis: TimeBasis.Stale, ids: ["a"] } }),
      [...RESPONSE, "measured unknown", "switch 1"],
      null,
    ],
  ];
  for (const [title, ledgerPath, terms, total] of cases) {
    it(`${title}: ${total ?? "unknown"}`, () => {
      const { terms: actual } = recoveryTimeLedger(ledgerPath);
      assert.deepEqual(sums(actual), terms);
      assert.equal(totalMinutes(actual), total);
    });
  }
});

describe("recovery-time ledger: the largest database", () => {
  it("[guide 2] is what the RTO leaves after the fixed terms, over what each byte takes", () => {
    // 15 - (3 + 5 + 2 + 1 + 2 + 1) = 1 min = 60 s; a byte takes 0.4/100 MB/s + 1/25 MB/s = 44 ns; 60 s / 44 ns = 1.3636 GB.
    const ledger = recoveryTimeLedger(path(dump));
    assert.equal(ledger.fixedMinutes, 14);
    assert.equal(largestSizeWithin(ledger, 15), Math.floor(60 / 44e-9));
  });

  it("is known when the database's size is not", () => {
    assert.equal(
      largestSizeWithin(recoveryTimeLedger(path(dump, { sizeBytes: undefined })), 15),
      Math.floor(60 / 44e-9),
    );
  });

  it("is none when the fixed terms alone take longer, even by little", () => {
    assert.equal(largestSizeWithin(recoveryTimeLedger(path(dump)), 13.999), 0);
    assert.equal(largestSizeWithin(recoveryTimeLedger(path(dump)), 14), 0);
  });

  it("does not exist where size does not matter", () => {
    assert.equal(
      largestSizeWithin(recoveryTimeLedger(path({ mechanism: "standby", name: "s", lagSeconds: 1 })), 15),
      undefined,
    );
  });

  it("meets the RTO, and a larger one does not", () => {
    fc.assert(
      fc.property(
        fc.constantFrom<Protection>(dump, log, { ...dump, method: "base" }),
        fc.integer({ min: 15, max: 600 }),
        (protection, rto) => {
          const largest = largestSizeWithin(recoveryTimeLedger(path(protection)), rto)!;
          const minutes = (sizeBytes: number) =>
            totalMinutes(recoveryTimeLedger(path(protection, { sizeBytes })).terms)!;
          assert.ok(minutes(largest) <= rto);
          assert.ok(minutes(largest + 100_000) > rto);
        },
      ),
    );
  });
});

describe("recovery-time ledger: where a copy lies", () => {
  const archived = {
    ...dump,
    transitions: [
      { days: 90, storageClass: "DEEP_ARCHIVE" },
      { days: 30, storageClass: "GLACIER" },
    ] as const,
  };
  for (const [age, storageClass] of [
    [0, "STANDARD"],
    [29, "STANDARD"],
    [30, "GLACIER"],
    [89, "GLACIER"],
    [90, "DEEP_ARCHIVE"],
  ] as const) {
    it(`at ${age} days in ${storageClass}`, () => assert.equal(storageClassAt(archived, age), storageClass));
  }
});
