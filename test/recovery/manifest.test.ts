import assert from "node:assert/strict";
import fc from "fast-check";
import {
  canonicalJson,
  combineVerdicts,
  exitCodeOf,
  type Manifest,
  manifestDigestInput,
  parseManifest,
  parseRecoveryPointId,
  partKey,
  recoveryPointId,
  Verdict,
} from "../../recovery";

const id = "architect-20261123T140500Z-dump-5f3a91c2";

export function manifest(): Manifest {
  return {
    formatVersion: 1,
    id,
    database: "architect",
    engine: "postgres",
    method: "dump",
    startedAt: "2026-11-23T14:05:00.000Z",
    finishedAt: "2026-11-23T14:06:00.000Z",
    consistentAt: "2026-11-23T14:05:01.000Z",
    source: { databaseName: "architect", serverVersion: "15.18", serverMajor: 15, bytes: 1000 },
    tools: { pg_dump: "15.18" },
    runnerVersion: "0.1.0",
    objectives: { rpoMinutes: 60, rtoMinutes: 15 },
    tables: [{ schema: "public", name: "users", rows: 3, bytes: 8192 }],
    parts: [{ name: "dump.pgc.zst", key: partKey("architect", id, "dump.pgc.zst"), bytes: 10, sha256: "a".repeat(64) }],
    verdict: "pass",
    reasons: [],
    digest: "b".repeat(64),
  };
}

const read = (value: unknown): readonly string[] => parseManifest(JSON.stringify(value)).problems ?? [];

describe("manifest", () => {
  it("[guide 31] is read back as it was written", () => {
    assert.deepEqual(parseManifest(JSON.stringify(manifest())).manifest, manifest());
  });

  const hostile: readonly [string, (honest: Manifest) => unknown, RegExp][] = [
    ["an array", () => [], /expected object/],
    ["null", () => null, /expected object/],
    ["a newer format", (it) => ({ ...it, formatVersion: 2, anything: 1 }), /format version 2 is newer than 1/],
    ["no parts", (it) => ({ ...it, parts: [] }), /holds nothing/],
    [
      "a key that climbs out",
      (it) => ({ ...it, parts: [{ ...it.parts[0], key: "parts/../../etc/passwd" }] }),
      /is not parts\/architect/,
    ],
    ["a part name that climbs out", (it) => ({ ...it, parts: [{ ...it.parts[0], name: "../x" }] }), /plain file name/],
    ["a part twice", (it) => ({ ...it, parts: [it.parts[0], it.parts[0]] }), /named twice/],
    ["another database's id", (it) => ({ ...it, database: "other" }), /names another database/],
    ["another method's id", (it) => ({ ...it, method: "base" }), /names another database or method/],
    ["no id", (it) => ({ ...it, id: "latest" }), /not a recovery point id/],
    ["an end before its start", (it) => ({ ...it, finishedAt: "2026-11-23T14:04:59.000Z" }), /before startedAt/],
    ["a local time", (it) => ({ ...it, consistentAt: "2026-11-23T14:05:00" }), /consistentAt/],
    ["negative bytes", (it) => ({ ...it, parts: [{ ...it.parts[0], bytes: -1 }] }), /bytes/],
    ["a short hash", (it) => ({ ...it, parts: [{ ...it.parts[0], sha256: "abc" }] }), /64 lower-case/],
  ];
  for (const [what, change, expected] of hostile) {
    it(`refuses ${what}`, () => assert.match(read(change(manifest())).join("\n"), expected));
  }

  it("names every problem at once", () => {
    assert.ok(read({ ...manifest(), engine: "oracle", verdict: "maybe", tables: "none" }).length >= 3);
  });

  it("never throws, whatever the text is", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseManifest(text)));
  });

  it("has the same digest however its fields are ordered, and another one after any edit", () => {
    const { digest, ...honest } = manifest();
    assert.equal(digest.length, 64);
    const reversed = Object.fromEntries(Object.entries(honest).reverse()) as typeof honest;
    assert.equal(manifestDigestInput(reversed), manifestDigestInput(honest));
    for (const field of Object.keys(honest) as (keyof typeof honest)[]) {
      assert.notEqual(manifestDigestInput({ ...honest, [field]: "edited" }), manifestDigestInput(honest), field);
    }
  });
});

describe("canonical JSON", () => {
  it("does not depend on the order of keys, and is JSON of the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // JSON has no -0.
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        assert.deepEqual(JSON.parse(canonicalJson(plain)), plain);
        const shuffled = JSON.parse(JSON.stringify(plain), (_key, inner: unknown) =>
          inner !== null && typeof inner === "object" && !Array.isArray(inner)
            ? Object.fromEntries(Object.entries(inner).reverse())
            : inner,
        ) as unknown;
        assert.equal(canonicalJson(shuffled), canonicalJson(plain));
      }),
    );
  });
});

describe("recovery point ids", () => {
  it("[guide 31] carry database, UTC time and method, and sort by time", () => {
    const names = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/);
    const times = fc.date({ min: new Date("2000-01-01"), max: new Date("2099-12-31"), noInvalidDate: true });
    fc.assert(
      fc.property(names, times, times, (name, one, other) => {
        const ids = [one, other].map((at) => recoveryPointId(name, at, "dump", "0a1b2c3d"));
        assert.equal(parseRecoveryPointId(ids[0]!)?.database, name);
        assert.equal(parseRecoveryPointId(ids[0]!)?.startedAt.getTime(), Math.floor(one.getTime() / 1000) * 1000);
        const seconds = Math.floor(one.getTime() / 1000) - Math.floor(other.getTime() / 1000);
        assert.equal(Math.sign(seconds), ids[0]! < ids[1]! ? -1 : ids[0] === ids[1] ? 0 : 1);
      }),
    );
  });

  for (const wrong of [
    "",
    "latest",
    "../x",
    "a-20261123T140500Z-dump-5f3a91c2/..",
    "A-20261123T140500Z-dump-5f3a91c2",
    "a-20261323T140500Z-dump-5f3a91c2",
  ]) {
    it(`are not ${JSON.stringify(wrong)}`, () => assert.equal(parseRecoveryPointId(wrong), undefined));
  }
});

describe("verdicts", () => {
  it("[guide 57] combine so that an unknown is never a pass", () => {
    const verdicts = fc.array(fc.constantFrom(...Object.values(Verdict)));
    fc.assert(
      fc.property(verdicts, (each) => {
        const combined = combineVerdicts(each);
        const expected = each.includes("fail")
          ? "fail"
          : each.length === 0 || each.includes("inconclusive")
            ? "inconclusive"
            : "pass";
        assert.equal(combined, expected);
      }),
    );
    assert.deepEqual(Object.values(Verdict).map(exitCodeOf), [0, 1, 3]);
  });
});
