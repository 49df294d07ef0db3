import assert from "node:assert/strict";
import fc from "fast-check";
import { judgeReProtection, type ReProtectionState, Verdict } from "../../recovery";

const since = new Date("2026-11-23T14:00:00Z");
const now = new Date("2026-11-23T14:20:00Z");
const after = new Date("2026-11-23T14:10:00Z");
const before = new Date("2026-11-23T13:00:00Z");
const ok = { verdict: Verdict.Pass, detail: "as it should be" };
const whole: ReProtectionState = {
  since,
  now,
  backup: { id: "new", at: after },
  log: { coversUntil: new Date("2026-11-23T14:19:00Z"), maxAgeSeconds: 3600 },
  standby: { streaming: true, detail: "streaming" },
  readiness: ok,
  assessment: ok,
};

describe("a recovery is finished", () => {
  it("when everything is in place again, and the time until then is measured", () => {
    const judged = judgeReProtection(whole);
    assert.deepEqual([judged.verdict, judged.missing, judged.reProtectedSeconds], ["pass", [], 1200]);
  });

  for (const [what, change, missing] of [
    ["there is no backup", { backup: undefined }, "backup"],
    ["the newest backup is of before", { backup: { id: "old", at: before } }, "backup"],
    ["no log of it is there", { log: { maxAgeSeconds: 3600 } }, "log"],
    ["the log is of before", { log: { coversUntil: before, maxAgeSeconds: 36_000 } }, "log"],
    ["the log has a hole", { log: { coversUntil: after, gap: "0000A3", maxAgeSeconds: 3600 } }, "log"],
    ["the log stands still", { log: { coversUntil: after, maxAgeSeconds: 599 } }, "log"],
    ["the standby does not follow", { standby: { streaming: false, detail: "away" } }, "standby"],
    ["something is in the way", { readiness: { ...ok, verdict: Verdict.Fail } }, "readiness"],
    ["nobody knows what it would cost", { assessment: { ...ok, verdict: Verdict.Inconclusive } }, "assessment"],
  ] as const) {
    it(`not while ${what}`, () => {
      const judged = judgeReProtection({ ...whole, ...change });
      assert.notEqual(judged.verdict, Verdict.Pass);
      assert.deepEqual(judged.missing, [missing]);
      assert.equal(judged.reProtectedSeconds, null);
    });
  }

  it("without a log or a standby where the configuration asks for none", () => {
    assert.equal(judgeReProtection({ ...whole, log: undefined, standby: undefined }).verdict, Verdict.Pass);
  });

  it("exactly when nothing is missing", () => {
    const verdict = fc.constantFrom(...Object.values(Verdict));
    const at = fc.constantFrom(undefined, before, after);
    fc.assert(
      fc.property(at, at, fc.boolean(), verdict, verdict, (backupAt, coversUntil, streaming, readiness, assessment) => {
        const judged = judgeReProtection({
          ...whole,
          backup: backupAt && { id: "it", at: backupAt },
          log: { coversUntil, maxAgeSeconds: 3600 },
          standby: { streaming, detail: "" },
          readiness: { verdict: readiness, detail: "" },
          assessment: { verdict: assessment, detail: "" },
        });
        const finished = judged.verdict === Verdict.Pass;
        assert.equal(finished, judged.missing.length === 0);
        assert.equal(finished, judged.reProtectedSeconds !== null);
        assert.equal(
          finished,
          backupAt === after && coversUntil === after && streaming && readiness === "pass" && assessment === "pass",
        );
      }),
    );
  });
});
