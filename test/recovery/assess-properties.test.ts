import assert from "node:assert/strict";
import fc from "fast-check";
import { assess, type Outcome } from "../../recovery/assess";
import { type DeclaredDatabase } from "../../recovery/declared-database";
import { totalMinutes } from "../../recovery/derivation";
import { applyFix } from "../../recovery/fix";
import { type MeasuredRun } from "../../recovery/measured-runs";
import { type Objectives } from "../../recovery/objectives";
import { appliesTo, coverage } from "../../recovery/protection";
import { objectiveShare } from "../../recovery/recovery-path";
import { Scenario } from "../../recovery/scenario";
import { NOW } from "../support/declared-architect";
import { additions, databases, objectives, runs, schedules } from "../support/declarations";

const VERDICTS = ["pass", "inconclusive", "fail"];

function outcomes(database: DeclaredDatabase, wanted: Objectives, evidence: readonly MeasuredRun[] = []): Outcome[] {
  return assess({ objectives: wanted, databases: [database], evidence, now: NOW });
}

/** How bad an outcome is: its verdict, and the larger share of its objectives that it uses up. */
function isWorse(outcome: Outcome, than: Outcome): boolean {
  const [verdict, before] = [VERDICTS.indexOf(outcome.verdict), VERDICTS.indexOf(than.verdict)];
  if (verdict !== before) return verdict > before;
  const share = ({ rpoMinutes, rtoMinutes, objective }: Outcome) =>
    objectiveShare({ lossMinutes: rpoMinutes, recoveryMinutes: rtoMinutes }, objective);
  return share(outcome) > share(than);
}

describe("assessment: what always holds", () => {
  it("adding a protection never worsens an outcome", () => {
    fc.assert(
      fc.property(databases, additions, objectives, runs, (database, added, wanted, evidence) => {
        const before = outcomes(database, wanted, evidence);
        const after = outcomes({ ...database, protections: [...database.protections, added] }, wanted, evidence);
        for (const [at, outcome] of after.entries()) assert.equal(isWorse(outcome, before[at]!), false);
      }),
      { numRuns: 100 },
    );
  });

  it("a shorter interval never increases the loss", () => {
    const loss = (schedule: string, wanted: Objectives) =>
      outcomes(
        {
          name: "architect",
          engine: "postgres",
          sizeBytes: 0,
          placement: { server: "db-1" },
          protections: [{ mechanism: "dump", name: "dump", schedule, placement: { region: "eu-1" } }],
        },
        wanted,
      ).find(({ scenario }) => scenario === Scenario.CompleteOutage)?.rpoMinutes ?? NaN;
    const ordered = [
      "*/5 * * * *",
      "*/10 * * * *",
      "*/15 * * * *",
      "*/30 * * * *",
      "0 * * * *",
      "0 */2 * * *",
      "0 */6 * * *",
      "0 */12 * * *",
      "0 0 * * *",
    ];
    fc.assert(
      fc.property(schedules, schedules, objectives, (one, other, wanted) => {
        const [shorter, longer] = [one, other].sort((a, b) => ordered.indexOf(a) - ordered.indexOf(b));
        assert.ok(loss(shorter!, wanted) <= loss(longer!, wanted));
      }),
    );
  });

  it("a scenario that no mechanism helps with is never met", () => {
    fc.assert(
      fc.property(databases, objectives, runs, (database, wanted, evidence) => {
        for (const { scenario, verdict, by, rpoMinutes, rtoMinutes } of outcomes(database, wanted, evidence)) {
          const helps = database.protections.some(
            ({ mechanism }) => appliesTo(mechanism, database.engine) && coverage[mechanism][scenario].helps,
          );
          if (!helps)
            assert.deepEqual(
              { verdict, by, rpoMinutes, rtoMinutes },
              { verdict: "fail", by: null, rpoMinutes: null, rtoMinutes: null },
            );
        }
      }),
    );
  });

  it("what is unknown is never met, and what passes meets its objectives by the sum of its terms", () => {
    fc.assert(
      fc.property(databases, objectives, runs, (database, wanted, evidence) => {
        for (const { verdict, rpoMinutes, rtoMinutes, objective, derivation, why, fix } of outcomes(
          database,
          wanted,
          evidence,
        )) {
          const terms = [...derivation.loss, ...derivation.recovery];
          // Every value is in minutes, none is negative, and the totals are the sums of their terms.
          for (const { minutes } of terms) assert.ok(minutes === null || minutes >= 0);
          if (rpoMinutes !== null) assert.equal(rpoMinutes, totalMinutes(derivation.loss));
          if (rtoMinutes !== null) assert.equal(rtoMinutes, totalMinutes(derivation.recovery));
          assert.equal(verdict === "pass", why.length === 0);
          assert.equal(verdict === "pass", fix === null);
          if (verdict !== "pass") continue;
          assert.ok(terms.every(({ minutes }) => minutes !== null));
          assert.ok(rpoMinutes !== null && rpoMinutes <= objective.rpoMinutes);
          assert.ok(rtoMinutes !== null && rtoMinutes <= objective.rtoMinutes);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("the order of databases, protections, sites, dependencies and evidence changes nothing", () => {
    const shuffled = <T>(items: readonly T[], seed: number): T[] =>
      [...items]
        .map((item, at) => ({ item, key: Math.sin(seed + at) }))
        .sort((a, b) => a.key - b.key)
        .map(({ item }) => item);
    fc.assert(
      fc.property(databases, databases, objectives, runs, fc.nat(1000), (one, two, wanted, evidence, seed) => {
        const other = { ...two, name: "other" };
        const reorder = (database: DeclaredDatabase): DeclaredDatabase => ({
          ...database,
          protections: shuffled(database.protections, seed),
          ...(database.sites === undefined ? {} : { sites: shuffled(database.sites, seed) }),
          ...(database.dependencies === undefined ? {} : { dependencies: shuffled(database.dependencies, seed) }),
        });
        const straight = assess({ objectives: wanted, databases: [one, other], evidence, now: NOW });
        const reordered = assess({
          objectives: wanted,
          databases: [reorder(other), reorder(one)],
          evidence: shuffled(evidence, seed),
          now: NOW,
        });
        assert.deepEqual(reordered, straight);
      }),
      { numRuns: 60 },
    );
  });

  it("the proposed fix, applied, meets the objective, or its absence has a reason", () => {
    let proposed = 0;
    fc.assert(
      fc.property(databases, objectives, runs, (database, wanted, evidence) => {
        for (const { scenario, fix } of outcomes(database, wanted, evidence)) {
          if (fix === null) continue;
          if (fix.changes === undefined) {
            assert.ok(fix.noFixBecause.length > 20, fix.noFixBecause);
            continue;
          }
          proposed += 1;
          assert.ok(fix.text.length === fix.changes.length && fix.text.every((text) => text.length > 0));
          const fixed = outcomes(applyFix(database, fix.changes), wanted, evidence).find(
            (outcome) => outcome.scenario === scenario,
          );
          assert.equal(fixed?.verdict, "pass");
        }
      }),
      { numRuns: 150 },
    );
    assert.ok(proposed > 100, `only ${proposed} fixes were proposed`);
  });

  it("no part of a proposed fix can be left out", () => {
    fc.assert(
      fc.property(databases, objectives, (database, wanted) => {
        for (const { scenario, fix } of outcomes(database, wanted)) {
          for (const left of fix?.changes ?? []) {
            const fewer = applyFix(
              database,
              (fix?.changes ?? []).filter((change) => change !== left),
            );
            const outcome = outcomes(fewer, wanted).find((candidate) => candidate.scenario === scenario);
            assert.notEqual(outcome?.verdict, "pass");
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
