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
    ["a newer format", (it) => ({ ...it, formatVersion: 3, anything: 1 }), /format version 3 is newer than 2/],
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

  describe("of an increment", () => {
    const idOf = (minute: string, method = "base", database = "architect") =>
      `${database}-20261123T14${minute}00Z-${method}-5f3a91c2`;
    const own = idOf("05");
    const base = (buildsOn: readonly string[], more: Partial<Manifest> = {}): Manifest => ({
      ...manifest(),
      formatVersion: 2,
      id: own,
      method: "base",
      source: { ...manifest().source, systemIdentifier: "7", serverMajor: 18 },
      wal: { timeline: 1, start: "0/2000028", end: "0/2000120", segmentBytes: 16 * 1024 ** 2 },
      parts: [{ ...manifest().parts[0]!, name: "base.tar.zst", key: partKey("architect", own, "base.tar.zst") }],
      buildsOn: buildsOn.map((link) => ({ id: link, digest: "c".repeat(64) })),
      fileList: { bytes: 10, sha256: "d".repeat(64) },
      notes: ["a note"],
      ...more,
    });

    it("is read back as it was written", () => {
      const honest = base([idOf("01"), idOf("03")]);
      assert.deepEqual(parseManifest(JSON.stringify(honest)).manifest, honest);
      assert.deepEqual(read(base([idOf("05").replace("5f3a91c2", "00000000")])), [], "two within a second");
    });

    const spoiled: readonly [string, Manifest, RegExp][] = [
      ["a link that is no id", base(["../../etc"]), /"\.\.\/\.\.\/etc" is not a recovery point id/],
      ["another database's", base([idOf("01", "base", "other")]), /is not a base backup of architect/],
      ["a dump", base([idOf("01", "dump")]), /is not a base backup of architect/],
      ["itself", base([own]), /is named twice/],
      ["the same twice", base([idOf("01"), idOf("01")]), /is named twice/],
      ["a newer one", base([idOf("07")]), /is newer than .*, which builds on it/],
      ["links out of order", base([idOf("03"), idOf("01")]), /is newer than .*, which builds on it/],
      ["no links", base([]), /buildsOn/],
      ["more links than a restore could fetch", base(Array.from({ length: 65 }, () => idOf("01"))), /buildsOn/],
      ["a digest that is none", base([], { buildsOn: [{ id: idOf("01"), digest: "x" }] }), /64 lower-case/],
      ["the format that knows none", base([idOf("01")], { formatVersion: 1 }), /formatVersion: is 1/],
      [
        "links of a dump",
        { ...manifest(), formatVersion: 2, buildsOn: base([idOf("01")]).buildsOn },
        /does not belong to a dump/,
      ],
    ];
    for (const [what, wrong, expected] of spoiled) {
      it(`refuses ${what}`, () => assert.match(read(wrong).join("\n"), expected));
    }

    it("has another digest once a link is changed", () => {
      const [one, other] = [base([idOf("01")]), base([idOf("02")])];
      assert.notEqual(manifestDigestInput(one), manifestDigestInput(other));
      assert.notEqual(manifestDigestInput({ ...one, buildsOn: undefined }), manifestDigestInput(one));
    });
  });

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
