import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assess } from "../../recovery/assess";
import { assessmentTable, coverageMarkdown, defaultsMarkdown } from "../../recovery/assessment-table";
import { objectivesFrom } from "../../recovery/objectives";
import { Mechanism } from "../../recovery/protection";
import { Scenario, scenarios } from "../../recovery/scenario";
import { architect, NOW } from "../support/declared-architect";

const PAGE = join(__dirname, "../../docs/recovery-model.md");

function example(): string {
  const outcomes = assess({ objectives: objectivesFrom(), databases: [architect()], now: NOW });
  const corruption = outcomes.filter(({ scenario }) => scenario === Scenario.DataCorruption);
  return ["```text", assessmentTable(corruption).trimEnd(), "```"].join("\n");
}

function generated(page: string): string {
  const parts: Readonly<Record<string, () => string>> = {
    example,
    coverage: coverageMarkdown,
    defaults: defaultsMarkdown,
  };
  return page.replace(
    /(<!-- generated: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, start: string, name: string, end: string) => `${start}\n${parts[name]?.() ?? ""}\n\n${end}`,
  );
}

describe("docs/recovery-model.md", () => {
  it("[guide 58] has the tables that the code has; UPDATE_DOCS=1 writes them", () => {
    const page = readFileSync(PAGE, "utf8");
    if (process.env.UPDATE_DOCS === "1") writeFileSync(PAGE, generated(page));
    assert.equal(readFileSync(PAGE, "utf8"), generated(page), "the page is stale: run this test with UPDATE_DOCS=1");
  });

  it("answers for every mechanism in every scenario", () => {
    const [overview = "", reasons = ""] = coverageMarkdown().split("\n\n");
    assert.equal(overview.split("\n").length, 2 + scenarios.length);
    const answers = reasons
      .split("\n")
      .slice(2)
      .map((line) => line.split("|").map((cell) => cell.trim()));
    let answered = 0;
    for (const [, mechanisms = "", titles = ""] of answers)
      answered += mechanisms.split(", ").length * titles.split(", ").length;
    assert.equal(answered, Object.values(Mechanism).length * scenarios.length);
  });
});
