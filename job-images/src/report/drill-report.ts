import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { comparisonTable } from "../../../recovery";
import { type RestorationDrill } from "../procedures/restoration-drill";
import { bytesText, secondsText, table, verdictText } from "./terminal";
import { drillTimeline } from "./drill-timeline";
import { escapeXml } from "./escape-xml";

/** What the drill found, for a terminal. */
export function describeDrill(drill: RestorationDrill, reportPath: string): string {
  const fixes = drill.diagnoses.filter(({ fix }) => fix !== "").map(({ name, fix }) => `  ${name}: ${fix}`);
  const failedChecks = [
    ...[drill.proof, drill.log.proof, drill.table, drill.file.proof].flatMap(({ checks }) => checks),
  ].filter((check) => check.verdict !== "pass");
  return [
    `Drill on the local platform: ${summaryLine(drill)}`,
    "",
    table(
      ["CRITERION", "OBJECTIVE", "MEASURED", "VERDICT"],
      drill.criteria.map((each) => [each.name, each.objective, each.measured, verdictText(each.verdict)]),
    ),
    "",
    table(
      ["PHASE", "TOOK", "BUDGET", "VERDICT"],
      drill.phases.map((each) => [
        each.name,
        secondsText(each.seconds),
        secondsText(each.budgetSeconds),
        verdictText(each.verdict),
      ]),
    ),
    "",
    "what the planner estimated, beside what was measured:",
    table(
      plannedHeader.map((name) => name.toUpperCase()),
      plannedRows(drill),
    ),
    "",
    "what the assessment of this set-up promised, beside what was measured:",
    promised(drill),
    ...failedChecks.map((check) => `${check.name}: ${check.detail}`),
    ...drill.sabotage.filter(({ caught }) => !caught).map(({ name, got }) => `missed sabotage: ${name} (${got})`),
    ...(fixes.length > 0 ? ["", "to do:", ...fixes] : []),
    "",
    `verdict  ${verdictText(drill.verdict)}`,
    `report   ${reportPath}`,
    ...(drill.keptUrl ? [`kept     ${drill.keptUrl}`] : []),
  ].join("\n");
}

const plannedHeader = ["Source", "Term", "Estimated", "Measured"];

/** One row for each term of each source that was carried out; the source is named once. */
function plannedRows({ planned }: RestorationDrill): string[][] {
  const text = (seconds: number | null): string => (seconds === null ? "-" : secondsText(seconds));
  return planned.flatMap(({ engine, terms }) =>
    terms.map(({ term, estimatedSeconds, measuredSeconds }, index) => [
      index === 0 ? engine : "",
      term,
      text(estimatedSeconds),
      text(measuredSeconds),
    ]),
  );
}

const promiseTitle = "What the assessment of this set-up promised, beside what was measured";

/** The assessment counts on the log, which loses least: what was measured of it stands beside. */
function promised({ assessment, log }: RestorationDrill): string {
  return comparisonTable(assessment, { phases: log.proof.phases, achievedRpoSeconds: log.achievedRpoSeconds });
}

function summaryLine(drill: RestorationDrill): string {
  return (
    `a database of ${bytesText(drill.sizeBytes)} with ${drill.committedTransactions} transactions while it ran, ` +
    `a SQLite file of ${bytesText(drill.file.sizeBytes)} with ${drill.file.committedTransactions}`
  );
}

/** Writes the report as a page with its picture, as Markdown, and as JSON. @returns their paths */
export function writeDrillReport(folder: string, drill: RestorationDrill): { html: string; markdown: string } {
  const html = join(folder, "report.html");
  const markdown = join(folder, "report.md");
  const picture = drillTimeline(drill);
  writeFileSync(join(folder, "timeline.svg"), picture);
  writeFileSync(markdown, markdownReport(drill));
  writeFileSync(html, htmlReport(drill, picture));
  writeFileSync(join(folder, "drill.json"), `${JSON.stringify(drill, undefined, 2)}\n`);
  return { html, markdown };
}

interface ReportTable {
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

function reportTables(drill: RestorationDrill): ReportTable[] {
  return [
    {
      title: "Criteria",
      header: ["Criterion", "Objective", "Measured", "Verdict"],
      rows: drill.criteria.map((each) => [each.name, each.objective, each.measured, each.verdict]),
    },
    {
      title: "Phases",
      header: ["Phase", "Took", "Budget", "Verdict"],
      rows: drill.phases.map((each) => [
        each.name,
        secondsText(each.seconds),
        secondsText(each.budgetSeconds),
        each.verdict,
      ]),
    },
    {
      title: "What the planner estimated, beside what was measured",
      header: plannedHeader,
      rows: plannedRows(drill),
    },
    {
      title: "The restored copy",
      header: ["Check", "Verdict", "Found"],
      rows: drill.proof.checks.map((check) => [check.name, check.verdict, check.detail]),
    },
    {
      title: "The copy of base backup and log",
      header: ["Check", "Verdict", "Found"],
      rows: drill.log.proof.checks.map((check) => [check.name, check.verdict, check.detail]),
    },
    {
      title: `Rows of ${drill.table.table}, brought back beside the live ones`,
      header: ["Check", "Verdict", "Found"],
      rows: drill.table.checks.map((check) => [check.name, check.verdict, check.detail]),
    },
    {
      title: "The restored SQLite file",
      header: ["Check", "Verdict", "Found"],
      rows: drill.file.proof.checks.map((check) => [check.name, check.verdict, check.detail]),
    },
    {
      title: `Sabotage: ${drill.proofs.caught} of ${drill.proofs.total} as expected`,
      header: ["Sabotage", "Meant to be found by", "Caught", "Found by"],
      rows: drill.sabotage.map((each) => [each.name, each.expected, each.caught ? "yes" : "NO", each.got]),
    },
    {
      title: "Readiness",
      header: ["What", "Verdict", "Found", "To do"],
      rows: drill.diagnoses.map((each) => [each.name, each.verdict, each.found, each.fix]),
    },
  ];
}

function markdownReport(drill: RestorationDrill): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replace(/\|/g, "\\|").replace(/\s+/g, " ")).join(" | ")} |`;
  return [
    `# Disaster recovery drill: ${drill.verdict}`,
    "",
    `Platform **local**, ${summaryLine(drill)}. Recovery point \`${drill.recoveryPoint}\`, evidence \`${drill.evidenceKey}\`.`,
    "",
    "![timeline](timeline.svg)",
    ...reportTables(drill).flatMap(({ title, header, rows }) => [
      "",
      `## ${title}`,
      "",
      row(header),
      row(header.map(() => "--")),
      ...rows.map(row),
    ]),
    "",
    `## ${promiseTitle}`,
    "",
    "```text",
    promised(drill),
    "```",
    "",
  ].join("\n");
}

function htmlReport(drill: RestorationDrill, picture: string): string {
  const cell = (text: string): string =>
    `<td${["pass", "fail", "inconclusive"].includes(text) ? ` class="${text}"` : ""}>${escapeXml(text)}</td>`;
  const tables = reportTables(drill).map(
    ({ title, header, rows }) => `<h2>${escapeXml(title)}</h2>
<table><thead><tr>${header.map((name) => `<th>${escapeXml(name)}</th>`).join("")}</tr></thead>
<tbody>${rows.map((cells) => `<tr>${cells.map(cell).join("")}</tr>`).join("\n")}</tbody></table>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Disaster recovery drill: ${drill.verdict}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #1d2733; }
h1 { font-size: 1.6rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #dde3ea; vertical-align: top; overflow-wrap: anywhere }
th { font-weight: 600; color: #5a6878 } .pass { color: #12784a } .fail { color: #b3261e; font-weight: 600 } .inconclusive { color: #996a00; font-weight: 600 }
svg { width: 100%; height: auto }
</style></head><body>
<h1>Disaster recovery drill: <span class="${drill.verdict}">${drill.verdict}</span></h1>
<p>Platform <strong>local</strong>, ${escapeXml(summaryLine(drill))}. Recovery point <code>${escapeXml(drill.recoveryPoint)}</code>, evidence <code>${escapeXml(drill.evidenceKey)}</code>.</p>
${picture}
${tables.join("\n")}
<h2>${promiseTitle}</h2>
<pre>${escapeXml(promised(drill))}</pre>
</body></html>
`;
}
