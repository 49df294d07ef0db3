import assert from "node:assert/strict";
import { assess } from "../../recovery/assess";
import {
  assessmentJson,
  assessmentMarkdown,
  assessmentTable,
  assessmentVerdict,
  comparisonTable,
} from "../../recovery/assessment-table";
import { objectivesFrom } from "../../recovery/objectives";
import { architect, dump, NOW, outcomeOf, run } from "../support/declared-architect";

const outcomes = assess({ objectives: objectivesFrom(), databases: [architect()], now: NOW, evidence: [run()] });

describe("assessment output", () => {
  it("is one row an outcome in a terminal, and the derivation of what does not pass", () => {
    const [table = "", ...details] = assessmentTable(outcomes).trimEnd().split("\n\n");
    const rows = table.split("\n");
    assert.equal(rows.length, 1 + 6);
    assert.match(
      rows[4] ?? "",
      /^architect +data-corruption +723 min +60 min +14 min measured +15 min +fail +dump \(proven\) +4 GB$/,
    );
    assert.equal(details.length, outcomes.filter(({ verdict }) => verdict !== "pass").length);
    const corruption = details.find((text) => text.includes("data-corruption")) ?? "";
    assert.match(
      corruption,
      /loss 723 min =\n {4}schedule gap +360 min {2}schedule: largest gap of "0 \*\/6 \* \* \*"/,
    );
    assert.match(corruption, /measured +3 min {2}evidence: p95 of 1 runs, fetch to proof: run-1/);
    assert.match(corruption, /why: loss 723 min is above the RPO of 60 min/);
    assert.match(corruption, /proof: run-1 of .*, level content/);
    assert.match(corruption, /fix: dump: `schedule: \*\/20 \* \* \* \*`/);
    assert.doesNotMatch(assessmentTable(outcomes, { derivations: "none" }), /why:/);
  });

  it("gives what is known of a sum of which a term is not", () => {
    const unknown = outcomeOf("data-corruption", architect({ sizeBytes: undefined }));
    // 360 + 360 + 2, without the dump itself.
    assert.match(
      assessmentTable([unknown]),
      /loss at least 722 min =[\s\S]*dump +unknown {2}default: the database's size is unknown/,
    );
  });

  it("is one JSON document with what the contract names", () => {
    const document = JSON.parse(assessmentJson(outcomes)) as { verdict: string; assessment: Record<string, unknown>[] };
    assert.equal(document.verdict, "fail");
    assert.equal(document.assessment.length, 6);
    for (const outcome of document.assessment) {
      for (const field of ["database", "scenario", "rpoMinutes", "rtoMinutes", "verdict", "derivation", "fix"]) {
        assert.ok(field in outcome, field);
      }
    }
    assert.deepEqual(document.assessment[3]?.fix, {
      changes: [{ change: "set", protection: "dump", settings: { schedule: "*/20 * * * *" } }],
      text: ["dump: `schedule: */20 * * * *`"],
    });
  });

  it("is Markdown in which no name can break a table", () => {
    const hostile = { ...dump, name: "a|b\n<img src=x>`@all" };
    const markdown = assessmentMarkdown([outcomeOf("data-corruption", architect({ protections: [hostile] }))]);
    const table = markdown.split("\n\n")[1]?.split("\n") ?? [];
    assert.equal(table.length, 3);
    for (const line of table) assert.equal(line.split("|").length, 2 + 9, line);
    assert.doesNotMatch(markdown, /<img|@all/);
    assert.match(markdown, /^\*\*Recovery assessment: fail\*\*/);
    assert.match(markdown, /<details><summary>architect, data-corruption: fail<\/summary>/);
  });

  it("moves no cursor of a terminal", () => {
    const text = assessmentTable([
      outcomeOf("data-corruption", architect({ protections: [{ ...dump, name: "\u001b[2Jx" }] })),
    ]);
    assert.equal(text.includes("\u001b"), false);
  });

  it("fails as a whole when one outcome fails, and passes for none", () => {
    assert.equal(assessmentVerdict(outcomes), "fail");
    assert.equal(assessmentVerdict([]), "inconclusive");
  });
});

describe("assessment beside measurement", () => {
  it("lines up the terms of a derivation with the phases of a run", () => {
    const outcome = outcomeOf("complete-outage", architect());
    const measured = {
      phases: [
        { name: "fetch", seconds: 4 },
        { name: "create", seconds: 1 },
        { name: "restore", seconds: 20 },
        { name: "analyze", seconds: 2 },
        { name: "finish", seconds: 0.5 },
        { name: "prove", seconds: 9 },
        { name: "cleanup", seconds: 1 },
      ],
      achievedRpoSeconds: 33,
    };
    const rows = comparisonTable(outcome, measured)
      .split("\n")
      .map((line) => line.split(/ {2,}/).slice(0, 3).join("|"));
    assert.deepEqual(rows, [
      "term|derived|measured",
      "detect|180 s|-",
      "acknowledge|300 s|-",
      "decide|120 s|-",
      "provision|60 s|-",
      "fetch|12 s|4 s",
      // create 1 + restore 20 + analyze 2 + finish 0.5
      "restore|120 s|23.5 s",
      "verify|120 s|9 s",
      "switch|60 s|-",
      "cleanup|-|1 s",
      // 972 s = 16.2 min; 4 + 23.5 + 9 + 1
      "recovery, all terms|972 s|37.5 s",
      // 723 min
      "loss, worst case|43380 s|33 s",
    ]);
  });

  it("says nothing where nothing was measured", () => {
    const table = comparisonTable(outcomeOf("complete-outage", architect()), {
      phases: [],
      achievedRpoSeconds: "unknown",
    });
    assert.match(table, /loss, worst case +43380 s +-/);
  });
});
