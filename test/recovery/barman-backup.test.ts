import assert from "node:assert/strict";
import {
  barmanBackupId,
  barmanReach,
  barmanSource,
  barmanWalName,
  type BarmanWal,
  parseBackupInfo,
  type RecoveryTarget,
} from "../../recovery";

const info = (more = ""): string =>
  [
    "backup_label=None",
    "begin_offset=40",
    "begin_time=2026-11-23 01:00:00.123456+00:00",
    "begin_wal=0000000100000000000000FE",
    "begin_xlog=0/FE000028",
    "compression=gzip",
    "end_time=2026-11-23 02:05:00.654321+01:00",
    "end_wal=000000010000000100000000",
    "error=None",
    "mode=concurrent",
    "server_name=cloud",
    "size=1000000000",
    "status=DONE",
    "systemid=7444444444444444444",
    "tablespaces=None",
    "timeline=1",
    "xlog_segment_size=16777216",
    more,
  ].join("\n");
const backup = parseBackupInfo("20261123T010000", info());
const segments = (...names: string[]): BarmanWal[] =>
  names.map((name, index) => ({ name, storedAt: new Date(Date.UTC(2026, 10, 23, 1, 5 + index)) }));
const whole = segments(
  "0000000100000000000000FD",
  "0000000100000000000000FE",
  "0000000100000000000000FF",
  "000000010000000100000000",
  "000000010000000100000001",
);
const now = new Date("2026-11-23T02:00:00Z");
const source = (log: BarmanWal[], target: RecoveryTarget, of = backup) =>
  barmanSource({ backup: of, reach: barmanReach(of, log), server: "pg", store: "s3://cnpg" }, target, now);

describe("a backup of CloudNativePG", () => {
  it("is read from its backup.info, times in any zone", () => {
    assert.deepEqual(backup, {
      id: "20261123T010000",
      status: "DONE",
      beginAt: new Date("2026-11-23T01:00:00.123Z"),
      endAt: new Date("2026-11-23T01:05:00.654Z"),
      beginWal: "0000000100000000000000FE",
      endWal: "000000010000000100000000",
      systemIdentifier: "7444444444444444444",
      bytes: 1_000_000_000,
      segmentBytes: 16777216,
    });
    assert.equal(parseBackupInfo("x", "begin_time=2026-11-23 01:00:00").beginAt, undefined, "a local time is none");
    assert.equal(parseBackupInfo("x", "nonsense").status, "unknown");
  });

  it("is found by its keys, with its log in any compression and no partial segment", () => {
    assert.equal(barmanBackupId("base/20261123T010000/backup.info"), "20261123T010000");
    assert.equal(barmanBackupId("base/20261123T010000/data.tar.gz"), undefined);
    const folder = "wals/0000000100000000/";
    for (const end of ["", ".gz", ".bz2", ".snappy", ".zst"]) {
      assert.equal(barmanWalName(`${folder}0000000100000000000000FE${end}`), "0000000100000000000000FE");
    }
    assert.equal(barmanWalName(`${folder}0000000100000000000000FE.partial`), undefined);
    assert.equal(barmanWalName(`${folder}00000002.history`), undefined);
  });

  it("reaches as far as its log has no hole, over the end of a log file", () => {
    assert.deepEqual(barmanReach(backup, whole), { segments: 4, until: whole.at(-1)!.storedAt, isWhole: true });
    const holed = whole.filter(({ name }) => !name.endsWith("FF"));
    assert.deepEqual(barmanReach(backup, holed), {
      segments: 1,
      until: whole[1]!.storedAt,
      hole: "0000000100000000000000FF",
      isWhole: false,
    });
  });

  it("[guide 31] is counted with loss, time and what a person runs, and is never usable by this program", () => {
    const reached = source(whole, { kind: "time", at: new Date("2026-11-23T01:08:00Z") });
    assert.equal(reached.lossSeconds, 0);
    assert.equal(Math.round(reached.recoverySeconds!), 60 + 10 + 1 + 120);
    assert.match(reached.why, /bootstrap\.recovery .* backupID 20261123T010000, targetTime "2026-11-23T01:08:00/);
    assert.equal(source(whole, { kind: "latest" }).lossSeconds, 51 * 60);
  });

  for (const [what, log, target, of, why] of [
    [
      "failed",
      whole,
      { kind: "latest" },
      parseBackupInfo("x", info("status=FAILED\nerror=disk full")),
      /FAILED: disk full/,
    ],
    ["lacks log", whole.slice(0, 3), { kind: "latest" }, backup, /cannot be made consistent/],
    ["says no segment", whole, { kind: "latest" }, parseBackupInfo("x", "status=DONE"), /unknown segment/],
    ["is newer", whole, { kind: "time", at: new Date("2026-11-23T01:00:00Z") }, backup, /newer than the target/],
  ] as const) {
    it(`that ${what} says so and promises nothing`, () => {
      const told = source([...log], target, of);
      assert.equal(told.lossSeconds, null);
      assert.match(told.why, why);
    });
  }
});
