import assert from "node:assert/strict";
import fc from "fast-check";
import { reaperDecision, type ReaperCandidate, ThrowAwayTag, throwAwayTags } from "../../recovery";

const now = new Date("2026-11-23T14:00:00Z");
const expiresAt = new Date("2026-11-23T12:00:00Z");
const tags = throwAwayTags({ database: "architect", environment: "prod", expiresAt });
const forgotten: ReaperCandidate = { identifier: "dr-test-1", tags, status: "available", deletionProtection: false };
const with_ = (key: string, value: string): ReaperCandidate => ({
  ...forgotten,
  tags: [...tags.filter(({ Key }) => Key !== key), { Key: key, Value: value }],
});

describe("the reaper", () => {
  it("[guide 49] deletes a restore test of this environment whose time is over", () => {
    assert.equal(reaperDecision(forgotten, "prod", now).remove, true);
  });

  const kept: readonly [string, ReaperCandidate, RegExp][] = [
    ["without any tag", { ...forgotten, tags: [] }, /not tagged/],
    ["with another purpose", with_(ThrowAwayTag.Purpose, "recovery"), /not tagged/],
    ["without an expiry", { ...forgotten, tags: tags.filter(({ Key }) => Key !== ThrowAwayTag.ExpiresAt) }, /no tag/],
    ["with an empty expiry", with_(ThrowAwayTag.ExpiresAt, ""), /no tag/],
    ["with an unreadable expiry", with_(ThrowAwayTag.ExpiresAt, "yesterday"), /cannot be read/],
    ["with an expiry in a local time", with_(ThrowAwayTag.ExpiresAt, "2026-11-23T12:00:00"), /cannot be read/],
    ["with a number as expiry", with_(ThrowAwayTag.ExpiresAt, "0"), /cannot be read/],
    ["with an expiry in the future", with_(ThrowAwayTag.ExpiresAt, "2026-11-23T15:00:00.000Z"), /expires at/],
    ["of another environment", with_(ThrowAwayTag.Environment, "staging"), /of environment staging/],
    ["without a database", { ...forgotten, tags: tags.filter(({ Key }) => Key !== ThrowAwayTag.Database) }, /no tag/],
    ["with another tag", with_("owner", "ann"), /also carries owner/],
    ["with a tag twice", { ...forgotten, tags: [...tags, tags[0]!] }, /twice/],
    ["that is protected", { ...forgotten, deletionProtection: true }, /protected/],
    ["that goes already", { ...forgotten, status: "deleting" }, /already/],
    [
      "of a cluster with an instance of somebody else",
      { ...forgotten, members: [{ ...forgotten, identifier: "x", tags: [] }] },
      /its instance x stays/,
    ],
  ];
  for (const [what, candidate, why] of kept) {
    it(`keeps one ${what}`, () => {
      const decision = reaperDecision(candidate, "prod", now);
      assert.equal(decision.remove, false);
      assert.match(decision.why, why);
    });
  }

  it("lets AWS's own tags be there", () => {
    assert.equal(reaperDecision(with_("aws:backup:source-resource", "x"), "prod", now).remove, true);
  });

  it("never deletes anything that lacks a tag, has another, or is not over, whatever else it has", () => {
    const key = fc.oneof(fc.constantFrom(...Object.values(ThrowAwayTag)), fc.string({ minLength: 1, maxLength: 12 }));
    const value = fc.oneof(
      fc.constantFrom("restore-test", "prod", "architect"),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(fc.record({ Key: key, Value: value }), { maxLength: 8 }), fc.boolean(), (some, ours) => {
        const all = ours ? [...tags.filter(({ Key }) => !some.some((one) => one.Key === Key)), ...some] : some;
        const { remove } = reaperDecision({ ...forgotten, tags: all }, "prod", now);
        if (!remove) return;
        const values = new Map(all.map(({ Key, Value }) => [Key, Value]));
        assert.deepEqual(
          [...values.keys()].filter((one) => !one.startsWith("aws:")).sort(),
          Object.values(ThrowAwayTag).sort(),
        );
        assert.ok(Date.parse(values.get(ThrowAwayTag.ExpiresAt)!) < now.getTime());
      }),
      { numRuns: 500 },
    );
  });
});
