import assert from "node:assert/strict";
import fc from "fast-check";
import { logWindow, lossTerms } from "../../recovery/data-loss";
import { totalMinutes } from "../../recovery/derivation";
import { type Protection, type StoreCopyProtection } from "../../recovery/protection";
import { dump, GB, log, SIZE_BYTES, sums } from "../support/declared-architect";

const storeCopy: StoreCopyProtection = { mechanism: "store-copy", name: "replica" };

describe("data loss: the terms", () => {
  const cases: [
    title: string,
    protection: Protection,
    copy: StoreCopyProtection | undefined,
    terms: string[],
    total: number | null,
  ][] = [
    [
      "a dump: gap + failed run + start + dump + upload (3 GB at 50 MB/s = 60 s)",
      dump,
      undefined,
      ["schedule gap 360", "failed run 360", "start delay 2", "dump 1", "upload 0"],
      360 + 360 + 2 + 1 + 0,
    ],
    [
      "a dump read from a store copy: + 15 min of replication",
      dump,
      storeCopy,
      ["schedule gap 360", "failed run 360", "start delay 2", "dump 1", "upload 0", "store replication 15"],
      723 + 15,
    ],
    [
      "a dump with everything stated",
      { ...dump, schedule: "0 * * * *", failedRuns: 2, startDelayMinutes: 5, dumpMinutes: 7, uploadMinutes: 4 },
      { ...storeCopy, replicationMinutes: 1.5 },
      ["schedule gap 60", "failed run 120", "start delay 5", "dump 7", "upload 4", "store replication 1.5"],
      60 + 120 + 5 + 7 + 4 + 1.5,
    ],
    [
      "a failed run on working days: Thursday to Monday is 4 d, of which the largest gap is 3 d",
      { ...dump, schedule: "0 9 * * 1-5" },
      undefined,
      ["schedule gap 4320", "failed run 1440", "start delay 2", "dump 1", "upload 0"],
      4320 + 1440 + 2 + 1,
    ],
    [
      "no failed run counted on",
      { ...dump, failedRuns: 0 },
      undefined,
      ["schedule gap 360", "failed run 0", "start delay 2", "dump 1", "upload 0"],
      363,
    ],
    [
      "clocks that change: 7 h + 6 h in Berlin's autumn",
      { ...dump, timeZone: "Europe/Berlin" },
      undefined,
      ["schedule gap 420", "failed run 360", "start delay 2", "dump 1", "upload 0"],
      420 + 360 + 3,
    ],
    [
      // A run takes 2 + 50 + 3 = 55 min: every gap is 55 min, and the copy that is lost takes another 55.
      "runs of 55 min every 10: each waits for the one before",
      { ...dump, schedule: "*/10 * * * *", dumpMinutes: 50, uploadMinutes: 3 },
      undefined,
      ["schedule gap 10", "failed run 10", "runs that wait 90", "start delay 2", "dump 50", "upload 3"],
      2 * 55 + 55,
    ],
    [
      "a run as long as the gap waits for nothing",
      { ...dump, schedule: "0 * * * *", dumpMinutes: 58 },
      undefined,
      ["schedule gap 60", "failed run 60", "start delay 2", "dump 58", "upload 0"],
      180,
    ],
    [
      // Firings at 00:00 and 01:00: gaps of 1 h and 23 h. A run of 92 min makes the short one 92 min.
      "only the short gap of two is too short",
      { ...dump, schedule: "0 0,1 * * *", dumpMinutes: 90 },
      undefined,
      ["schedule gap 1380", "failed run 60", "runs that wait 32", "start delay 2", "dump 90", "upload 0"],
      23 * 60 + 92 + 92,
    ],
    [
      "no schedule: unknown",
      { ...dump, schedule: undefined },
      undefined,
      ["schedule gap unknown", "start delay 2", "dump 1", "upload 0"],
      null,
    ],
    ["streamed WAL: its flush bound, 60 s", log, undefined, ["flush 1"], 1],
    ["RDS: it uploads its log every 5 minutes", { ...log, managed: true }, undefined, ["flush 5"], 5],
    ["a stated flush bound of 90 s", { ...log, flushSeconds: 90 }, undefined, ["flush 1.5"], 1.5],
    ["a log read from a store copy", log, storeCopy, ["flush 1", "store replication 15"], 16],
    ["a SQLite stream, 10 s", { mechanism: "sqlite-stream", name: "stream" }, undefined, ["flush 0.167"], 0.166667],
    [
      "a synchronous standby",
      { mechanism: "standby", name: "s", synchronous: true },
      undefined,
      ["replication lag 0"],
      0,
    ],
    [
      "a standby at most 30 s behind",
      { mechanism: "standby", name: "s", lagSeconds: 30 },
      undefined,
      ["replication lag 0.5"],
      0.5,
    ],
    [
      "a standby that nothing bounds",
      { mechanism: "standby", name: "s" },
      undefined,
      ["replication lag unknown"],
      null,
    ],
    ["replicas touch no data", { mechanism: "replicas", name: "r", count: 2 }, undefined, ["data untouched 0"], 0],
  ];
  for (const [title, protection, copy, terms, total] of cases) {
    it(`${title}: ${total ?? "unknown"}`, () => {
      const path = { protection, sizeBytes: SIZE_BYTES, ...(copy === undefined ? {} : { copy }) };
      assert.deepEqual(sums(lossTerms(path)), terms);
      assert.equal(totalMinutes(lossTerms(path)), total);
    });
  }

  it("a dump of unknown size takes an unknown time", () => {
    assert.deepEqual(sums(lossTerms({ protection: dump, sizeBytes: undefined })).at(3), "dump unknown");
    assert.equal(totalMinutes(lossTerms({ protection: dump, sizeBytes: undefined })), null);
  });

  it("every term says where its value came from", () => {
    const stated = { ...dump, startDelayMinutes: 2, dumpMinutes: 1 };
    const origins = (protection: Protection) => lossTerms({ protection, sizeBytes: GB }).map(({ origin }) => origin);
    assert.deepEqual(origins(dump), ["schedule", "default", "default", "default", "default"]);
    assert.deepEqual(origins(stated), ["schedule", "default", "config", "config", "default"]);
    const [gap, failed, , size] = lossTerms({ protection: { ...dump, timeZone: "Europe/Berlin" }, sizeBytes: GB });
    assert.equal(gap?.detail, 'largest gap of "0 */6 * * *" Europe/Berlin');
    assert.equal(failed?.detail, "1 failed or skipped in a row: 2 gaps in a row are 780 min at most");
    assert.equal(size?.detail, "1 GB at 50 MB/s");
  });

  it("a shorter interval never loses more", () => {
    const intervals = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30];
    fc.assert(
      fc.property(
        fc.constantFrom(...intervals),
        fc.constantFrom(...intervals),
        fc.nat(2),
        fc.nat(40),
        (one, other, failedRuns, dumpMinutes) => {
          const loss = (minutes: number) =>
            totalMinutes(
              lossTerms({
                protection: { ...dump, schedule: `*/${minutes} * * * *`, failedRuns, dumpMinutes },
                sizeBytes: GB,
              }),
            )!;
          assert.ok(loss(Math.min(one, other)) <= loss(Math.max(one, other)));
        },
      ),
    );
  });
});

describe("data loss: how far back a log reaches", () => {
  it("[guide 30] log retention - two days between base backups, one of which failed, - one base backup", () => {
    // 14 d - 2 d - 1 min (3 GB at 50 MB/s) = 12 d - 1 min.
    const { days, detail } = logWindow(log, SIZE_BYTES);
    assert.ok(Math.abs((days ?? 0) - (12 - 1 / 1440)) < 1e-9);
    assert.match(detail, /14 d of log - 2 d between base backups, one failed, - 1 min for one = a window of 12 d/);
  });

  it("a managed window is what it says, and an unstated one unknown", () => {
    assert.equal(logWindow({ ...log, windowDays: 7 }, SIZE_BYTES).days, 7);
    assert.equal(logWindow({ ...log, walRetentionDays: undefined }, SIZE_BYTES).days, undefined);
    assert.equal(logWindow({ ...log, baseBackupSchedule: undefined }, SIZE_BYTES).days, undefined);
    assert.equal(logWindow(log, undefined).days, undefined);
  });
});
