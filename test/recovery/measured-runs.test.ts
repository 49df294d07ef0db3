import assert from "node:assert/strict";
import fc from "fast-check";
import {
  defaultEvidenceRules,
  findingsOf,
  type MeasuredRun,
  percentile95,
  type RunSubject,
} from "../../recovery/measured-runs";
import { daysAgo, NOW, run, SIZE_BYTES } from "../support/declared-architect";

const subject: RunSubject = {
  database: "architect",
  mechanism: "dump",
  targetClass: "durable-server",
  environment: "prod",
  sizeBytes: SIZE_BYTES,
};
const findings = (...runs: MeasuredRun[]) => findingsOf(runs, subject, NOW, defaultEvidenceRules);

describe("measured runs: what replaces an estimate", () => {
  const cases: [title: string, change: Partial<MeasuredRun>, basis: string][] = [
    ["the same database, mechanism, target, environment and size", {}, "measured"],
    ["20 % smaller", { sizeBytes: 0.8 * SIZE_BYTES }, "measured"],
    ["20 % larger", { sizeBytes: 1.2 * SIZE_BYTES }, "measured"],
    ["35 days old", { finishedAt: daysAgo(35) }, "measured"],
    ["more than 20 % smaller scales", { sizeBytes: 0.8 * SIZE_BYTES - 1 }, "scaled"],
    ["more than 20 % larger scales", { sizeBytes: 1.2 * SIZE_BYTES + 1 }, "scaled"],
    ["a throw-away target scales", { targetClass: "throw-away" }, "scaled"],
    ["staging scales", { environment: "staging" }, "scaled"],
    ["a laptop scales", { environment: "local", targetClass: "throw-away" }, "scaled"],
    ["a tenth of the size scales", { sizeBytes: 0.1 * SIZE_BYTES }, "scaled"],
    ["less than a tenth says nothing", { sizeBytes: 0.1 * SIZE_BYTES - 1 }, "none"],
    ["stale", { finishedAt: daysAgo(35.001) }, "stale"],
    ["stale and elsewhere says nothing", { finishedAt: daysAgo(36), environment: "staging" }, "none"],
    ["another database", { database: "other" }, "none"],
    ["another mechanism", { mechanism: "base" }, "none"],
    ["a copy that was never proven", { measuredRtoSeconds: undefined, verdict: "fail" }, "none"],
    ["a clock in the future", { finishedAt: daysAgo(-1) }, "none"],
  ];
  for (const [title, change, basis] of cases) {
    it(`${title}: ${basis}`, () => assert.equal(findings(run(change)).timeBasis, basis));
  }

  it("unknown size: nothing is known to be of the same size", () => {
    assert.notEqual(
      findingsOf([run()], { ...subject, sizeBytes: undefined }, NOW, defaultEvidenceRules).timeBasis,
      "measured",
    );
  });

  it("a fresh run elsewhere does not refresh a stale one of the same thing", () => {
    assert.equal(
      findings(run({ finishedAt: daysAgo(40) }), run({ id: "run-2", environment: "staging" })).timeBasis,
      "stale",
    );
  });

  it("is the 95th percentile of the last twenty runs: of fewer, the slowest", () => {
    const runs = Array.from({ length: 25 }, (_, at) =>
      run({ id: `run-${at}`, finishedAt: daysAgo(at + 1), measuredRtoSeconds: 100 + at }),
    );
    // Runs 0 to 19 took 100 to 119 s; the 19th of 20 is 118 s.
    assert.equal(findings(...runs).seconds, 118);
    assert.equal(findings(...runs.slice(0, 3)).seconds, 102);
    assert.deepEqual(findings(...runs.slice(0, 3)).ids, ["run-0", "run-1", "run-2"]);
  });

  it("scales by size, and by 1.5 for being elsewhere", () => {
    // 90 s for 1.5 GB = 60 ns a byte; times 1.5 = 90 ns.
    const { seconds } = findings(run({ targetClass: "throw-away", sizeBytes: SIZE_BYTES / 2, measuredRtoSeconds: 90 }));
    assert.ok(Math.abs(seconds - 90e-9) < 1e-15);
  });

  it("percentiles are one of the values, and at most 5 % are above", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 50 }), (values) => {
        const p95 = percentile95(values);
        assert.ok(values.includes(p95));
        assert.ok(values.filter((value) => value > p95).length <= 0.05 * values.length);
      }),
    );
  });
});

describe("measured runs: what a path is known by", () => {
  it("the newest run decides whether it works; an older proof stays beside it", () => {
    const proof = run({ id: "good", finishedAt: daysAgo(2) });
    const failed = run({ id: "bad", verdict: "fail", measuredRtoSeconds: undefined });
    assert.equal(findings(proof, failed).unproven?.id, "bad");
    assert.equal(findings(proof, failed).proof?.id, "good");
    assert.equal(findings(run(), { ...failed, finishedAt: daysAgo(3) }).unproven, undefined);
  });

  it("a run whose objective was missed still proved its copy", () => {
    assert.equal(findings(run({ verdict: "fail", measuredRtoSeconds: 9999 })).unproven, undefined);
  });

  it("what restores lost counts from every fresh run of the environment", () => {
    const lost = (...runs: MeasuredRun[]) => findings(...runs).achievedRpoSeconds;
    assert.equal(
      lost(run({ achievedRpoSeconds: 10 }), run({ id: "2", targetClass: "throw-away", achievedRpoSeconds: 20 })),
      20,
    );
    assert.equal(lost(run({ achievedRpoSeconds: "unknown" })), undefined);
    assert.equal(lost(run({ environment: "staging" })), undefined);
    assert.equal(lost(run({ finishedAt: daysAgo(36) })), undefined);
  });

  it("the order of the records changes nothing", () => {
    const runs = [
      run(),
      run({ id: "run-2" }),
      run({ id: "run-3", environment: "staging" }),
      run({ id: "run-4", verdict: "fail", measuredRtoSeconds: undefined, finishedAt: daysAgo(5) }),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(runs, { minLength: runs.length }), (shuffled) => {
        assert.deepEqual(findings(...shuffled), findings(...runs));
      }),
    );
  });
});
