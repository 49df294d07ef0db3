import assert from "node:assert/strict";
import fc from "fast-check";
import {
  chainHeads,
  chainProblems,
  EvidenceKind,
  type EvidenceRecord,
  type ObjectReference,
  TargetClass,
  Verdict,
} from "../../recovery";

const minute = 60_000;
const start = Date.UTC(2026, 0, 1);

/** A record that names what it saw. */
function record(index: number, saw: readonly ObjectReference[], signed = true): EvidenceRecord {
  const at = start + index * 60 * minute;
  const id = String(index).padStart(4, "0");
  return {
    object: { key: `evidence/a/${id}.json`, versionId: `v${id}`, sha256: id.padStart(64, "a") },
    signed,
    evidence: {
      formatVersion: 1,
      id,
      kind: EvidenceKind.RestoreTest,
      database: "a",
      engine: "postgres",
      mechanism: "dump",
      environment: "test",
      targetClass: TargetClass.ThrowAway,
      startedAt: new Date(at).toISOString(),
      finishedAt: new Date(at + minute).toISOString(),
      verdict: Verdict.Pass,
      sizeBytes: 1,
      phases: [],
      achievedRpoSeconds: 0,
      checks: [],
      runnerVersion: "0",
      previous: saw,
      digest: "0".repeat(64),
    },
  };
}

function chainOf(length: number): EvidenceRecord[] {
  const records: EvidenceRecord[] = [];
  for (let index = 0; index < length; index++) records.push(record(index, chainHeads(records)));
  return records;
}

const without = (records: readonly EvidenceRecord[], index: number) => records.filter((_, at) => at !== index);

describe("chain of evidence", () => {
  it("is whole when each record names those before it", () => {
    assert.deepEqual(chainProblems([]), []);
    for (const length of [1, 2, 9]) assert.deepEqual(chainProblems(chainOf(length)), []);
  });

  it("joins again after two writers that did not see each other", () => {
    const [first] = chainOf(1) as [EvidenceRecord];
    const saw = [first.object];
    const left = record(1, saw);
    const right = { ...record(1, saw), object: { ...left.object, key: "evidence/a/0001b.json" } };
    assert.deepEqual(chainProblems([first, left, right]), []);
    const joined = record(2, chainHeads([first, left, right]));
    assert.equal(joined.evidence.previous?.length, 2);
    assert.deepEqual(chainProblems([first, left, right, joined]), []);
    assert.match(chainProblems([first, left, joined]).join(), /0001b\.json: is missing/);
  });

  it("finds any record that was dropped but the last, and that one by an anchor", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), (length, which) => {
        const records = chainOf(length);
        const dropped = which % length;
        const rest = without(records, dropped);
        const key = records[dropped]!.object.key;
        const problems = chainProblems(rest, chainHeads(records));
        assert.ok(problems.some((problem) => problem.startsWith(`${key}: is missing`)));
        assert.equal(chainProblems(rest).length > 0, dropped < length - 1);
      }),
    );
  });

  it("finds any record that was replaced", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.nat(), fc.boolean(), (length, which, otherVersion) => {
        const records = chainOf(length);
        const at = which % (length - 1);
        const { object } = records[at]!;
        const forged = otherVersion ? { ...object, versionId: "other" } : { ...object, sha256: "f".repeat(64) };
        records[at] = { ...records[at]!, object: forged };
        assert.match(chainProblems(records).join(), new RegExp(`${object.key}: is not the record that`));
      }),
    );
  });

  it("compares versions only where both sides have one", () => {
    const records = chainOf(3).map(({ object, ...rest }) => ({ object: { ...object, versionId: undefined }, ...rest }));
    assert.deepEqual(chainProblems(records), []);
  });

  it("finds a record that was put in afterwards, and a history that begins anew", () => {
    const records = chainOf(4);
    const insertion = {
      ...record(1, [records[0]!.object]),
      object: { ...records[1]!.object, key: "evidence/a/0001x.json" },
    };
    assert.match(chainProblems([...records, insertion]).join(), /0001x\.json: was put in afterwards/);
    assert.match(chainProblems([...records, record(9, [])]).join(), /0009\.json: names nothing before it/);
  });

  it("finds an unsigned record after signed ones, and takes those from before there was a key", () => {
    const records = chainOf(4);
    const unsigned = (...which: number[]) => records.map((one, at) => ({ ...one, signed: !which.includes(at) }));
    assert.deepEqual(chainProblems(unsigned(0, 1)), []);
    assert.deepEqual(chainProblems(unsigned(0, 1, 2, 3)), []);
    assert.deepEqual(chainProblems(unsigned(2)), ["evidence/a/0002.json: is not signed, and earlier ones are"]);
  });
});
