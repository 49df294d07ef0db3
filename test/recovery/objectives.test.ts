import assert from "node:assert/strict";
import fc from "fast-check";
import {
  impliedAvailability,
  objectiveNotes,
  objectiveProblems,
  objectivesFrom,
  objectivesOverridesSchema,
  type ObjectivesOverrides,
  responseTimesFor,
  Tier,
} from "../../recovery/objectives";
import { Scenario, scenarioDescriptions, scenarios } from "../../recovery/scenario";
import { severities, severityLevels, Severity } from "../../recovery/severity";

describe("objectives: the guide's tables are the defaults", () => {
  const defaults = objectivesFrom();

  it("[guide 1, 2, 3, 4, 5] RTO 15 min, RPO 60 min, MTBF 7 d, MTTR 5 min", () => {
    const { rtoMinutes, rpoMinutes, mtbfDays, mttrMinutes } = defaults;
    assert.deepEqual(
      { rtoMinutes, rpoMinutes, mtbfDays, mttrMinutes },
      { rtoMinutes: 15, rpoMinutes: 60, mtbfDays: 7, mttrMinutes: 5 },
    );
  });

  it("[guide 6] the four critical paths with their tiers", () => {
    assert.deepEqual(
      defaults.tiers.map(({ name, tier }) => [name, tier]),
      [
        ["database", Tier.Critical],
        ["application", Tier.Critical],
        ["cache", Tier.Important],
        ["integrations", Tier.Optional],
      ],
    );
  });

  it("[guide 41] response times are the guide's table", () => {
    assert.deepEqual(
      severities.map((severity) => [
        severity,
        severityLevels[severity].responseMinutes,
        severityLevels[severity].impact,
      ]),
      [
        ["P1", 5, "Complete outage"],
        ["P2", 15, "Major degradation"],
        ["P3", 60, "Minor issues"],
        ["P4", 24 * 60, "Non-critical"],
      ],
    );
    for (const severity of severities) assert.ok(severityLevels[severity].actions.length > 0);
  });

  it("[guide 58] the six scenarios with the quick reference's recovery times", () => {
    assert.deepEqual(
      scenarios.map((scenario) => [scenarioDescriptions[scenario].title, defaults.scenarios[scenario].rtoMinutes]),
      [
        ["Pod crash", 2],
        ["Deployment failure", 5],
        ["Database connection issue", 5],
        ["Data corruption", 15],
        ["Complete outage", 15],
        ["Regional failure", 30],
      ],
    );
    assert.equal(defaults.scenarios[Scenario.CompleteOutage].severity, Severity.P1);
  });

  it("are free of problems, and note where the guide contradicts itself", () => {
    assert.deepEqual(objectiveProblems(defaults), []);
    const [region, availability] = objectiveNotes(defaults);
    assert.match(region ?? "", /regional-failure .*RTO 30 min against 15.*the guide allows 30 minutes/);
    // 7 d = 10,080 min; 10,080 / (10,080 + 5) = 0.99950.
    assert.match(availability ?? "", /MTBF 7 d and MTTR 5 min imply 99.95 %/);
    assert.ok(Math.abs(impliedAvailability(defaults) - 10_080 / 10_085) < 1e-12);
  });
});

describe("objectives: what a user states", () => {
  const cases: [title: string, overrides: ObjectivesOverrides, rtos: number[]][] = [
    ["a shorter overall RTO shortens all but the region", { rtoMinutes: 4 }, [2, 4, 4, 4, 4, 30]],
    ["one second", { rtoMinutes: 1 / 60 }, [1 / 60, 1 / 60, 1 / 60, 1 / 60, 1 / 60, 30]],
    ["a longer overall RTO leaves the short incidents as they are", { rtoMinutes: 240 }, [2, 5, 5, 240, 240, 240]],
    ["a scenario of its own", { scenarios: { "data-corruption": { rtoMinutes: 10 } } }, [2, 5, 5, 10, 15, 30]],
  ];
  for (const [title, overrides, rtos] of cases) {
    it(`${title}: ${rtos.map((rto) => rto.toFixed(2)).join(" ")}`, () => {
      const objectives = objectivesFrom(overrides);
      assert.deepEqual(
        scenarios.map((scenario) => objectives.scenarios[scenario].rtoMinutes),
        rtos,
      );
      assert.deepEqual(objectiveProblems(objectives), []);
    });
  }

  it("an overall RPO is each scenario's, unless it has its own", () => {
    const objectives = objectivesFrom({ rpoMinutes: 30, scenarios: { "regional-failure": { rpoMinutes: 5 } } });
    assert.deepEqual(
      scenarios.map((scenario) => objectives.scenarios[scenario].rpoMinutes),
      [30, 30, 30, 30, 30, 5],
    );
  });

  it("[guide 41] response times can differ by severity", () => {
    const { response } = objectivesFrom({
      response: { decideMinutes: 1, bySeverity: { P2: { acknowledgeMinutes: 15 } } },
    });
    assert.deepEqual(responseTimesFor(response, Severity.P1), {
      detectMinutes: 3,
      acknowledgeMinutes: 5,
      decideMinutes: 1,
    });
    assert.deepEqual(responseTimesFor(response, Severity.P2), {
      detectMinutes: 3,
      acknowledgeMinutes: 15,
      decideMinutes: 1,
    });
  });

  const wrong: [title: string, overrides: ObjectivesOverrides, says: RegExp[]][] = [
    ["a negative number", { rpoMinutes: -1 }, [/^rpoMinutes: expected a number of 0 or more, got -1/]],
    ["not a number", { rtoMinutes: NaN }, [/^rtoMinutes: expected a number above 0, got NaN/]],
    [
      "an RTO of nothing",
      { scenarios: { "pod-crash": { rtoMinutes: 0 } } },
      [/^scenarios.pod-crash.rtoMinutes: .* got 0/],
    ],
    ["infinity", { mtbfDays: Infinity }, [/^mtbfDays: .* got Infinity/]],
    ["a mean above the maximum", { mttrMinutes: 16 }, [/^mttrMinutes: 16 is above rtoMinutes 15/]],
    [
      "a scenario looser than the whole",
      { scenarios: { "data-corruption": { rtoMinutes: 45, rpoMinutes: 61 } } },
      [
        /data-corruption.rtoMinutes: 45 is looser than the overall rtoMinutes 15; .*looserBecause/,
        /rpoMinutes: 61 is looser/,
      ],
    ],
    [
      "an explicit region looser than the whole, without a reason",
      { scenarios: { "regional-failure": { rtoMinutes: 30 } } },
      [/30 is looser/],
    ],
    [
      "an answer slower than its severity",
      { response: { acknowledgeMinutes: 6 } },
      [/P1 is acknowledged after 6 minutes, but the severity table allows 5/],
    ],
    [
      "a path twice",
      {
        tiers: [
          { name: "db", tier: Tier.Critical },
          { name: "db", tier: Tier.Optional },
        ],
      },
      [/"db" is listed more than once/],
    ],
    [
      "five mistakes at once",
      { rtoMinutes: -15, rpoMinutes: NaN, mtbfDays: 0, mttrMinutes: -5, response: { detectMinutes: -3 } },
      [/^rtoMinutes/, /^rpoMinutes/, /^mtbfDays/, /^mttrMinutes/, /^response.detectMinutes/],
    ],
  ];
  for (const [title, overrides, says] of wrong) {
    it(`names ${title}`, () => {
      const problems = objectiveProblems(objectivesFrom(overrides));
      for (const expected of says)
        assert.ok(
          problems.some((problem) => expected.test(problem)),
          problems.join("\n"),
        );
    });
  }

  it("a looser scenario with its reason is a note, not a problem", () => {
    const objectives = objectivesFrom({
      scenarios: { "data-corruption": { rtoMinutes: 45, looserBecause: "the forensic copy comes first" } },
    });
    assert.deepEqual(objectiveProblems(objectives), []);
    assert.match(
      objectiveNotes(objectives).join("\n"),
      /data-corruption .*RTO 45 min against 15.*the forensic copy comes first/,
    );
  });

  it("a configuration may state any part and nothing else", () => {
    assert.deepEqual(
      objectivesOverridesSchema.parse({ rtoMinutes: 5, scenarios: { "pod-crash": { rtoMinutes: 1 } } }),
      {
        rtoMinutes: 5,
        scenarios: { "pod-crash": { rtoMinutes: 1 } },
      },
    );
    assert.throws(() => objectivesOverridesSchema.parse({ rto: 5 }));
    assert.throws(() => objectivesOverridesSchema.parse({ scenarios: { meteor: {} } }));
  });

  it("consistent positive numbers never have problems, and no scenario is looser unnoticed", () => {
    const minutes = fc.integer({ min: 1, max: 10_000 });
    fc.assert(
      fc.property(minutes, minutes, (rtoMinutes, rpoMinutes) => {
        const objectives = objectivesFrom({ rtoMinutes, rpoMinutes, mttrMinutes: 1 });
        assert.deepEqual(objectiveProblems(objectives), []);
        for (const scenario of scenarios) {
          const own = objectives.scenarios[scenario];
          assert.ok(own.rtoMinutes <= rtoMinutes || own.looserBecause !== undefined);
          assert.ok(own.rpoMinutes <= rpoMinutes);
        }
      }),
    );
  });
});
