import assert from "node:assert/strict";
import { copyNameProblem, recoveredTags, remainingSteps, restoredFromTag, throwAwayTags } from "../../recovery";
import { describedInstance } from "../support/described-rds";

const tag = (Key: string, Value = "x") => ({ Key, Value });

describe("the tags of a recovered copy", () => {
  it("are its source's, but for AWS's own, a throw-away's and what the source was itself restored from", () => {
    const throwAway = throwAwayTags({ database: "a", environment: "b", expiresAt: new Date(0) });
    const source = [
      tag("owner", "ann"),
      tag("aws:cloudformation:stack-id"),
      tag(restoredFromTag, "older"),
      ...throwAway,
    ];
    assert.deepEqual(recoveredTags("architect-prod", source), {
      tags: [tag("owner", "ann"), tag(restoredFromTag, "architect-prod")],
      leftOut: [],
    });
  });

  it("are at most fifty, or RDS would refuse the recovery; what has no room is told", () => {
    const many = (count: number) => Array.from({ length: count }, (_, at) => tag(`tag-${at}`));
    assert.deepEqual(recoveredTags("s", many(49)).leftOut, []);
    const { tags, leftOut } = recoveredTags("s", many(50));
    assert.equal(tags.length, 50);
    assert.deepEqual(tags.at(-1), tag(restoredFromTag, "s"));
    assert.deepEqual(leftOut, ["tag-49"]);
    const steps = remainingSteps({ ...describedInstance, TagList: many(51) }, "copy");
    assert.match(steps.join("\n"), /^the tags tag-49, tag-50: /m);
  });
});

describe("the name of a recovered copy", () => {
  const source = { region: "eu-central-1", instanceIdentifier: "architect-prod" };
  const cases: readonly [string, object, string, boolean][] = [
    ["begins with its source's", {}, "architect-prod-2", true],
    ["is not only that", {}, "architect-prod-", false],
    ["is not its source's", {}, "architect-prod", false],
    ["needs the dash", {}, "architect-prod2", false],
    ["is of a cluster alike", { instanceIdentifier: undefined, clusterIdentifier: "ledger" }, "ledger-2", true],
    ["is what the configuration allows", { copyPrefixes: ["spare-", "architect-"] }, "architect-2", true],
    ["and nothing else then", { copyPrefixes: ["spare-"] }, "architect-prod-2", false],
  ];
  for (const [what, more, name, isGood] of cases) {
    it(`[guide 8] ${what}: ${name}`, () => {
      const problem = copyNameProblem({ ...source, ...more }, name);
      if (isGood) assert.equal(problem, undefined);
      else assert.match(problem!, /^expected a name that begins with (architect-prod|spare)-, as in/);
    });
  }
});
