import assert from "node:assert/strict";
import fc from "fast-check";
import {
  historyKey,
  historyName,
  logCoverage,
  type LogCoverage,
  lsnText,
  parseHistoryKey,
  parseHistoryName,
  parseLsn,
  parsePartialWalKey,
  parseSegmentName,
  parseTimelineHistory,
  parseWalKey,
  partialWalKey,
  segmentNameAt,
  segmentStart,
  type StoredLog,
  walKey,
} from "../../recovery";

const segmentBytes = 16 * 1024 * 1024;
const size = BigInt(segmentBytes);
const sha = "a".repeat(64);

/** The position in the middle of a segment. */
const within = (segment: number): bigint => BigInt(segment) * size + size / 2n;
const whole = (timeline: number, segment: number, sha256 = sha) => {
  const name = segmentNameAt(timeline, BigInt(segment) * size, segmentBytes);
  return parseWalKey(walKey("db", "7", { name, sha256 }))!;
};
const partial = (timeline: number, segment: number, end: bigint, minute?: number) => {
  const name = segmentNameAt(timeline, BigInt(segment) * size, segmentBytes);
  const coversUntil = minute === undefined ? undefined : new Date(Date.UTC(2026, 10, 23, 14, minute));
  return parsePartialWalKey(partialWalKey("db", "7", { name, end, coversUntil, sha256: sha }))!;
};
const history = (timeline: number, parent: number, end: bigint) =>
  parseHistoryKey(historyKey("db", "7", { timeline, parent: { timeline: parent, end }, sha256: sha }))!;
const log = (parts: Partial<StoredLog>): StoredLog => ({
  segmentBytes,
  files: [],
  partials: [],
  histories: [],
  ...parts,
});
const base = { timeline: 1, start: within(2), consistent: within(2) + 100n };
const names = ({ files }: LogCoverage): string[] => files.map(({ name }) => name);

describe("the log's words", () => {
  it("a position is what PostgreSQL prints", () => {
    assert.equal(parseLsn("16/B374D848"), 0x16b374d848n);
    assert.equal(lsnText(0x16b374d848n), "16/B374D848");
    for (const wrong of ["", "16", "16/", "/16", "16/B374D8480", "x/1", "16/B374D848 "])
      assert.equal(parseLsn(wrong), undefined);
  });

  it("a segment's name is what pg_walfile_name gives", () => {
    assert.equal(segmentNameAt(1, parseLsn("16/B374D848")!, segmentBytes), "0000000100000016000000B3");
    assert.equal(segmentNameAt(2, parseLsn("1/0")!, 1024 ** 3), "000000020000000100000000");
    assert.deepEqual(parseSegmentName("0000000A00000016000000B3", segmentBytes), {
      timeline: 10,
      start: 0x16b3000000n,
    });
    for (const wrong of ["", "0000000100000016000000B3.partial", "00000002.history", "0000000100000016000000b3"]) {
      assert.equal(parseSegmentName(wrong, segmentBytes), undefined);
    }
  });

  it("names, positions and keys are read back as they were written", () => {
    const position = fc.bigInt({ min: 1n, max: 2n ** 50n });
    fc.assert(
      fc.property(
        position,
        fc.integer({ min: 1, max: 2 ** 31 }),
        fc.integer({ min: 20, max: 30 }),
        (lsn, timeline, bits) => {
          const bytes = 2 ** bits;
          assert.equal(parseLsn(lsnText(lsn)), lsn);
          const name = segmentNameAt(timeline, lsn, bytes);
          assert.deepEqual(parseSegmentName(name, bytes), { timeline, start: segmentStart(lsn, bytes) });
          const coversUntil = new Date(Number(lsn % 4_000_000_000_000n));
          const key = partialWalKey("db", "7", { name, end: lsn, coversUntil, sha256: sha });
          assert.deepEqual(parsePartialWalKey(key), { key, name, end: lsn, coversUntil, sha256: sha });
          const parent = { timeline, end: lsn };
          const child = historyKey("db", "7", { timeline: timeline + 1, parent, sha256: sha });
          assert.deepEqual(parseHistoryKey(child)?.parent, parent);
        },
      ),
    );
  });

  it("a timeline's history is read as PostgreSQL writes it", () => {
    const text = "# a comment\n1\t0/5000100\tno recovery target specified\n\n2\t1/A0\tbefore 2026-11-23 14:05:00+00\n";
    assert.deepEqual(parseTimelineHistory(text), [
      { timeline: 1, end: 0x5000100n },
      { timeline: 2, end: 0x1000000a0n },
    ]);
    assert.throws(() => parseTimelineHistory("not one\n"), /Not a line of a timeline's history: "not one"/);
    assert.equal(parseHistoryName(historyName(10)), 10);
  });

  it("what is no log is not taken for one", () => {
    for (const key of [
      "wal/db/7/readme",
      "wal/db/7/000000010000000000000002.zst",
      `catalog/db/000000010000000000000002-${sha}.zst`,
    ]) {
      assert.equal(parseWalKey(key) ?? parsePartialWalKey(key) ?? parseHistoryKey(key), undefined, key);
    }
  });
});

describe("how far the stored log carries a base backup", () => {
  it("to the end of the last whole segment, when all are there", () => {
    const coverage = logCoverage(log({ files: [whole(1, 1), whole(1, 2), whole(1, 3)] }), base);
    assert.equal(coverage.end, 4n * size);
    assert.deepEqual(names(coverage), ["000000010000000000000002", "000000010000000000000003"]);
    assert.equal(coverage.gap, undefined);
  });

  it("nowhere, when nothing of it is there, and without a hole", () => {
    const coverage = logCoverage(log({}), base);
    assert.deepEqual(coverage, { timeline: 1, end: 2n * size, files: [] });
  });

  it("into the newest partial segment, and to the moment that it covers", () => {
    const partials = [
      partial(1, 3, 3n * size + 10n, 1),
      partial(1, 3, 3n * size + 20n, 2),
      partial(1, 2, within(2), 0),
    ];
    const coverage = logCoverage(log({ files: [whole(1, 2)], partials }), base);
    assert.equal(coverage.end, 3n * size + 20n);
    assert.equal(coverage.partial, partials[1]);
    assert.equal(coverage.coversUntil?.toISOString(), "2026-11-23T14:02:00.000Z");
  });

  it("a partial segment never beats the whole one", () => {
    const coverage = logCoverage(
      log({ files: [whole(1, 2), whole(1, 3)], partials: [partial(1, 3, within(3), 1)] }),
      base,
    );
    assert.equal(coverage.end, 4n * size);
    assert.equal(coverage.partial, undefined);
    assert.ok(coverage.coversUntil);
  });

  it("a missing segment is a hole, whatever comes after it", () => {
    for (const after of [
      { files: [whole(1, 2), whole(1, 4)] },
      { files: [whole(1, 2)], partials: [partial(1, 4, within(4))] },
    ]) {
      const coverage = logCoverage(log(after), base);
      assert.equal(coverage.end, 3n * size);
      assert.deepEqual(coverage.gap, {
        segment: "000000010000000000000003",
        why: "it is not in the store, and later ones are",
      });
    }
  });

  it("a segment that stayed partial is a hole, once later ones are there", () => {
    const coverage = logCoverage(
      log({ files: [whole(1, 2), whole(1, 4)], partials: [partial(1, 3, within(3), 3)] }),
      base,
    );
    assert.equal(coverage.end, within(3));
    assert.equal(coverage.gap?.segment, "000000010000000000000003");
  });

  it("two contents of one segment: two servers believe to be the primary, and neither is followed", () => {
    const coverage = logCoverage(log({ files: [whole(1, 2), whole(1, 3), whole(1, 3, "b".repeat(64))] }), base);
    assert.equal(coverage.end, 3n * size);
    assert.match(coverage.gap?.why ?? "", /2 servers have written different contents/);
  });

  it("a promotion is crossed: the child's copy of the segment stands for the parent's", () => {
    const files = [whole(1, 2), whole(2, 3), whole(2, 4)];
    const partials = [partial(1, 3, within(3), 1), partial(1, 4, within(4), 59)];
    const coverage = logCoverage(log({ files, partials, histories: [history(2, 1, within(3))] }), base);
    assert.equal(coverage.timeline, 2);
    assert.deepEqual(names(coverage), [
      "000000010000000000000002",
      "000000020000000000000003",
      "000000020000000000000004",
    ]);
    assert.equal(
      coverage.coversUntil?.getUTCMinutes(),
      1,
      "what the former primary wrote after the switch does not count",
    );
  });

  it("right after a promotion, what the parent left is used up to the switch", () => {
    const parts = {
      files: [whole(1, 2)],
      partials: [partial(1, 3, within(3) + 500n)],
      histories: [history(2, 1, within(3))],
    };
    const coverage = logCoverage(log(parts), base);
    assert.equal(coverage.end, within(3));
    assert.equal(coverage.timeline, 1);
    assert.equal(coverage.gap, undefined);
  });

  it("a timeline that left before the base backup was whole is not its own", () => {
    const parts = { files: [whole(1, 2), whole(1, 3), whole(2, 2)], histories: [history(2, 1, base.consistent - 50n)] };
    const coverage = logCoverage(log(parts), base);
    assert.equal(coverage.timeline, 1);
    assert.equal(coverage.end, 4n * size);
  });

  it("of two promotions the newest is followed, through all of its ancestors", () => {
    const histories = [history(2, 1, within(3)), history(3, 2, within(4)), history(4, 1, within(9))];
    const files = [whole(1, 2), whole(2, 3), whole(3, 4), whole(3, 5)];
    const coverage = logCoverage(log({ files, histories: histories.slice(0, 2) }), base);
    assert.equal(coverage.timeline, 3);
    assert.equal(coverage.end, 6n * size);
  });

  it("reads two weeks of partial segments, one every few seconds", () => {
    const partials = Array.from({ length: 200_000 }, (_, index) => {
      const coversUntil = new Date(Date.UTC(2026, 10, 1) + index * 6000);
      return { ...partial(1, 2, within(2) + 200n), end: within(2) + 200n + BigInt(index), coversUntil };
    });
    const { coversUntil, end } = logCoverage(log({ partials }), base);
    assert.deepEqual([coversUntil, end], [new Date(Date.UTC(2026, 10, 1) + 199_999 * 6000), within(2) + 200_199n]);
  });

  it("never reaches beyond the first segment that is not there, and always names it", () => {
    const segments = fc.uniqueArray(fc.integer({ min: 2, max: 12 }), { maxLength: 11 });
    fc.assert(
      fc.property(segments, (present) => {
        const coverage = logCoverage(log({ files: present.map((segment) => whole(1, segment)) }), base);
        let next = 2;
        while (present.includes(next)) next++;
        assert.equal(coverage.end, BigInt(next) * size);
        assert.equal(coverage.files.length, next - 2);
        assert.equal(
          coverage.gap !== undefined,
          present.some((segment) => segment > next),
        );
      }),
    );
  });
});
