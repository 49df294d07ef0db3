import { assessmentMarkdown, assessmentTable, combineVerdicts, type Verdict } from "../../recovery";
import { type AssessedScenario, type JudgedStack, type Violation } from "./judged-stacks";
import { Level, type RuleInfo } from "./rule-info";

/** What `recovery-check` prints. */
export interface Report {
  readonly stacks: readonly JudgedStack[];
  readonly rules: readonly RuleInfo[];
}

/** One verdict for all stacks. */
export const reportVerdict = ({ stacks }: Report): Verdict => combineVerdicts(stacks.map(({ verdict }) => verdict));

/** The one JSON document. */
export function reportJson(report: Report): object {
  return { verdict: reportVerdict(report), stacks: report.stacks };
}

/** For a terminal: each stack's violations grouped by resource, and its assessment. */
export function reportText(report: Report): string {
  const parts = report.stacks.flatMap((stack) => {
    const { violations, unjudged, assessment } = stack;
    const groups = byResource(violations).map(([resource, own]) =>
      [
        resource,
        ...own.flatMap(({ policy, severity, enforcementLevel, message }) => {
          const rule = report.rules.find(({ name }) => name === policy);
          return [
            `  ${enforcementLevel} ${policy} (${severity})`,
            ...message.split("\n").map((line) => `    ${line}`),
            ...(rule === undefined || enforcementLevel === Level.Advisory
              ? []
              : [`    what to do: ${rule.remediationSteps}`]),
          ];
        }),
      ].join("\n"),
    );
    return [
      `${stack.stack}: ${stack.verdict} (${stack.resources} resources, ${countsText(violations)})`,
      ...groups,
      ...(unjudged.length === 0 ? [] : [`not judged:\n${unjudged.map((why) => `  ${why}`).join("\n")}`]),
      ...(assessment.length === 0 ? [] : [assessmentTable(assessment.filter(isToBeMet)).trimEnd()]),
      ...acceptedLines(assessment),
    ];
  });
  return [...parts, `verdict: ${reportVerdict(report)}`].join("\n\n");
}

/** For a comment on a pull request. */
export function reportMarkdown(report: Report): string {
  const parts = report.stacks.flatMap((stack) => {
    const { violations, unjudged, assessment } = stack;
    const rows = violations.map(
      ({ policy, severity, enforcementLevel, urn, message }) =>
        `| ${[enforcementLevel, severity, policy, nameOf(urn), message].map(cell).join(" | ")} |`,
    );
    return [
      `## ${stack.stack}: ${stack.verdict}`,
      `${stack.resources} resources, ${countsText(violations)}.`,
      ...(rows.length === 0
        ? []
        : [["| Level | Severity | Policy | Resource | What |", "| -- | -- | -- | -- | -- |", ...rows].join("\n")]),
      ...(unjudged.length === 0 ? [] : [["Not judged:", "", ...unjudged.map((why) => `- ${cell(why)}`)].join("\n")]),
      ...(assessment.length === 0 ? [] : [assessmentMarkdown(assessment.filter(isToBeMet)).trimEnd()]),
      ...acceptedLines(assessment).map(cell),
    ];
  });
  return `${[`# Recovery check: ${reportVerdict(report)}`, ...parts].join("\n\n")}\n`;
}

/**
 * For code hosts: SARIF 2.1.0. A policy is about a resource and not about a line, so every result is at the beginning of
 * its stack's file.
 */
export function reportSarif({ stacks, rules }: Report): object {
  const levels = { [Level.Mandatory]: "error", [Level.Advisory]: "warning" } as Readonly<Record<Level, string>>;
  const results = stacks.flatMap(({ path, stack, violations, unjudged }) => {
    const locations = (urn: string) => [
      {
        physicalLocation: { artifactLocation: { uri: path.replace(/\\/g, "/") }, region: { startLine: 1 } },
        ...(urn === "" ? {} : { logicalLocations: [{ fullyQualifiedName: urn, kind: "resource" }] }),
      },
    ];
    return [
      ...violations.map(({ policy, enforcementLevel, urn, message }) => ({
        ruleId: policy,
        level: levels[enforcementLevel] ?? "error",
        message: { text: `${nameOf(urn) || stack}: ${message}` },
        locations: locations(urn),
        partialFingerprints: { "resource/v1": `${policy} ${urn || stack}` },
      })),
      ...unjudged.map((why) => ({
        ruleId: "not-judged",
        level: "error",
        message: { text: `${stack}: ${why}` },
        locations: locations(""),
      })),
    ];
  });
  const described = rules.map(({ name, description, remediationSteps, url, severity }) => ({
    id: name,
    shortDescription: { text: description },
    help: { text: remediationSteps },
    helpUri: url,
    properties: { tags: ["disaster-recovery"], severity },
  }));
  const notJudged = { id: "not-judged", shortDescription: { text: "What is not known is not a pass." } };
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [{ tool: { driver: { name: "recovery-check", rules: [...described, notJudged] } }, results }],
  };
}

const isToBeMet = ({ accepted }: AssessedScenario): boolean => accepted === undefined;

const acceptedLines = (assessment: readonly AssessedScenario[]): string[] =>
  assessment.flatMap(({ database, scenario, accepted }) =>
    accepted === undefined ? [] : [`not survived, and accepted: ${database}, ${scenario}: ${accepted}`],
  );

function byResource(violations: readonly Violation[]): [string, Violation[]][] {
  const groups = new Map<string, Violation[]>();
  for (const violation of violations) {
    const name = nameOf(violation.urn) || "the stack as a whole";
    groups.set(name, [...(groups.get(name) ?? []), violation]);
  }
  return [...groups];
}

/** Type and name, which is how people know a resource. */
function nameOf(urn: string): string {
  const [, , type = "", name = ""] = urn.split("::");
  return urn === "" ? "" : `${type.split("$").at(-1)} ${name}`;
}

function countsText(violations: readonly Violation[]): string {
  const mandatory = violations.filter(({ enforcementLevel }) => enforcementLevel === Level.Mandatory).length;
  return `${mandatory} mandatory and ${violations.length - mandatory} advisory violations`;
}

const cell = (text: string): string => text.replace(/\|/g, "\\|").replace(/</g, "&lt;").replace(/\n/g, "<br>");
