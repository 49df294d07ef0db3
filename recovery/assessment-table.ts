import { type Outcome } from "./assess";
import { knownMinutes, type Term, TermName, totalMinutes } from "./derivation";
import { type EvidencePhase } from "./evidence";
import { defaultEvidenceRules } from "./measured-runs";
import { defaultResponseTimes } from "./objectives";
import { coverage, Mechanism, recoveryDefaults } from "./protection";
import { bytesText, numberText } from "./quantity-text";
import { scenarioDescriptions, scenarios } from "./scenario";
import { combineVerdicts, Verdict } from "./verdict";

/** The one verdict of an assessment: every database in every scenario. */
export function assessmentVerdict(outcomes: readonly Outcome[]): Verdict {
  return combineVerdicts(outcomes.map(({ verdict }) => verdict));
}

/** The assessment as the one JSON document that `dr assess --json` prints. */
export function assessmentJson(outcomes: readonly Outcome[]): string {
  return JSON.stringify({ verdict: assessmentVerdict(outcomes), assessment: outcomes }, null, 2);
}

const HEADINGS = ["database", "scenario", "loss", "RPO", "recovery", "RTO", "verdict", "by", "largest for RTO"];
const MISSING = "-";

/**
 * The assessment for a terminal: one row an outcome, and below them the derivation, the reasons and the fix of each that
 * does not pass.
 *
 * @param derivations `all` also derives what passes. @default "not-passed"
 */
export function assessmentTable(
  outcomes: readonly Outcome[],
  { derivations = "not-passed" }: { readonly derivations?: "all" | "not-passed" | "none" } = {},
): string {
  const details = outcomes.filter(
    ({ verdict }) => derivations === "all" || (derivations === "not-passed" && verdict !== Verdict.Pass),
  );
  return [plainTable([HEADINGS, ...outcomes.map(row)]), ...details.map(derivationText)].join("\n\n") + "\n";
}

function row(outcome: Outcome): string[] {
  return [
    outcome.database,
    outcome.scenario,
    minutesText(outcome.rpoMinutes),
    minutesText(outcome.objective.rpoMinutes),
    minutesText(outcome.rtoMinutes) + (outcome.rtoMinutes === null ? "" : outcome.measured ? " measured" : ""),
    minutesText(outcome.objective.rtoMinutes),
    outcome.verdict,
    outcome.by === null ? MISSING : outcome.by + (outcome.proof === null ? "" : " (proven)"),
    largestText(outcome),
  ];
}

function largestText({ largestSizeBytes }: Outcome): string {
  if (largestSizeBytes === null) return MISSING;
  return largestSizeBytes === 0 ? "none" : bytesText(largestSizeBytes);
}

function minutesText(minutes: number | null): string {
  return minutes === null ? MISSING : `${numberText(minutes)} min`;
}

function derivationText(outcome: Outcome): string {
  return [
    `${outcome.database}, ${outcome.scenario}: ${outcome.verdict}`,
    ...termLines("loss", outcome.derivation.loss),
    ...termLines("recovery", outcome.derivation.recovery),
    ...reasons(outcome).map(([label, reason]) => `  ${label}: ${reason}`),
  ]
    .map(printable)
    .join("\n");
}

/** What there is to say beside the numbers, each with its label. */
function reasons({ why, notCounted, proof, by, fix }: Outcome): [label: string, reason: string][] {
  const unproven: [string, string][] = by === null ? [] : [["proof", "no restore of it was ever proven"]];
  return [
    ...why.map((reason): [string, string] => ["why", reason]),
    ...notCounted.map((reason): [string, string] => ["does not count", reason]),
    ...(proof === null
      ? unproven
      : [["proof", `${proof.evidence} of ${proof.at}, level ${proof.level ?? "unknown"}`] as [string, string]]),
    ...(fix?.text ?? []).map((text): [string, string] => ["fix", text]),
    ...(fix?.noFixBecause === undefined ? [] : [["no fix", fix.noFixBecause] as [string, string]]),
  ];
}

function termLines(label: string, terms: readonly Term[]): string[] {
  if (terms.length === 0) return [];
  const total = totalMinutes(terms);
  const names = Math.max(...terms.map(({ name }) => name.length));
  return [
    `  ${label} ${total === null ? `at least ${minutesText(knownMinutes(terms))}` : minutesText(total)} =`,
    ...terms.map(
      ({ name, minutes, origin, detail }) =>
        `    ${name.padEnd(names)}  ${(minutes === null ? "unknown" : minutesText(minutes)).padStart(9)}  ${origin}: ${detail}`,
    ),
  ];
}

/** The assessment for a pull request comment: the table, and the derivation of each outcome to unfold. */
export function assessmentMarkdown(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map((outcome) => row(outcome).map(markdownText));
  const details = outcomes.map((outcome) => {
    const { database, scenario, verdict, derivation } = outcome;
    const terms = [
      ...derivation.loss.map((term) => ["loss", term] as const),
      ...derivation.recovery.map((term) => ["recovery", term] as const),
    ].map(([label, { name, minutes, origin, detail }]) =>
      [label, name, minutes === null ? "unknown" : minutesText(minutes), origin, detail].map(markdownText),
    );
    return [
      `<details><summary>${markdownText(database)}, ${scenario}: ${verdict}</summary>`,
      "",
      ...(terms.length === 0 ? [] : [markdownTable([["of", "term", "value", "from", "how"], ...terms]), ""]),
      ...reasons(outcome).map(([label, reason]) => `- ${label}: ${markdownReason(label, reason)}`),
      "",
      "</details>",
    ].join("\n");
  });
  return (
    [`**Recovery assessment: ${assessmentVerdict(outcomes)}**`, markdownTable([HEADINGS, ...rows]), ...details].join(
      "\n\n",
    ) + "\n"
  );
}

/** A fix is written as Markdown already; everything else is text. */
function markdownReason(label: string, reason: string): string {
  return label === "fix" ? reason.replace(/[<\r\n]/g, " ") : markdownText(reason);
}

/** Text that cannot break out of a cell, whatever a database or a file is called. */
function markdownText(text: string): string {
  return text.replace(/[\r\n]+/g, " ").replace(/[\\`*_{}[\]<>|#@~]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Names come from configurations: nothing in them may move the terminal's cursor. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}

function plainTable(rows: readonly (readonly string[])[]): string {
  const widths = columnWidths(rows);
  return rows
    .map((cells) => cells.map(printable))
    .map((cells) =>
      cells
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function markdownTable(rows: readonly (readonly string[])[]): string {
  const widths = columnWidths(rows);
  const line = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}

function columnWidths(rows: readonly (readonly string[])[]): number[] {
  return (rows[0] ?? []).map((_, at) => Math.max(3, ...rows.map((cells) => cells[at]?.length ?? 0)));
}

/** Which term of a recovery each phase of a restore belongs to. */
export const phaseTerms: ReadonlyMap<string, TermName> = new Map([
  ["fetch", TermName.Fetch],
  ["fetch log", TermName.Fetch],
  ["create", TermName.Restore],
  ["restore", TermName.Restore],
  ["analyze", TermName.Restore],
  ["finish", TermName.Restore],
  ["verify", TermName.Restore],
  ["replay", TermName.Replay],
  ["prove", TermName.Verify],
  ["check", TermName.Verify],
  ["read", TermName.Restore],
  ["copy", TermName.Restore],
]);

/** What a drill or a restore test measured. */
export interface Measurement {
  readonly phases: readonly EvidencePhase[];
  readonly achievedRpoSeconds: number | "unknown";
}

/** A derivation term by term beside what was measured; what nothing measured says so. */
export function comparisonTable({ derivation, rpoMinutes, rtoMinutes }: Outcome, measured: Measurement): string {
  const seconds = new Map<string, number>();
  for (const phase of measured.phases) {
    const term = phaseTerms.get(phase.name) ?? phase.name;
    seconds.set(term, (seconds.get(term) ?? 0) + phase.seconds);
  }
  const named = new Set<string>(derivation.recovery.map(({ name }) => name));
  const recovery = derivation.recovery.map(({ name, minutes, origin }) => [
    name,
    secondsText(minutes === null ? undefined : minutes * 60),
    secondsText(seconds.get(name)),
    origin,
  ]);
  const others = [...seconds]
    .filter(([name]) => !named.has(name))
    .map(([name, value]) => [name, MISSING, secondsText(value), MISSING]);
  const total = [...seconds.values()].reduce((sum, value) => sum + value, 0);
  const achieved = measured.achievedRpoSeconds === "unknown" ? undefined : measured.achievedRpoSeconds;
  return plainTable([
    ["term", "derived", "measured", "derived from"],
    ...recovery,
    ...others,
    [
      "recovery, all terms",
      secondsText(rtoMinutes === null ? undefined : rtoMinutes * 60),
      secondsText(total),
      MISSING,
    ],
    [
      "loss, worst case",
      secondsText(rpoMinutes === null ? undefined : rpoMinutes * 60),
      secondsText(achieved),
      MISSING,
    ],
  ]);
}

function secondsText(seconds: number | undefined): string {
  return seconds === undefined ? MISSING : `${numberText(seconds)} s`;
}

/** Which mechanism helps in which scenario, and why or under which condition: the table of the model's documentation. */
export function coverageMarkdown(): string {
  const mechanisms = Object.values(Mechanism);
  const overview = markdownTable([
    ["Scenario", ...mechanisms],
    ...scenarios.map((scenario) => [
      scenarioDescriptions[scenario].title,
      ...mechanisms.map((mechanism) => (coverage[mechanism][scenario].helps ? "yes" : "no")),
    ]),
  ]);
  return `${overview}\n\n${markdownTable([["Mechanism", "Scenario", "Helps", "Because"], ...coverageReasons()])}`;
}

/** One row for all mechanisms and scenarios that share an answer. */
function coverageReasons(): string[][] {
  const rows = new Map<string, { mechanisms: string[]; cells: string[] }>();
  for (const mechanism of Object.values(Mechanism)) {
    const reasons = new Set(scenarios.map((scenario) => coverage[mechanism][scenario].because));
    for (const because of reasons) {
      const answered = scenarios.filter((scenario) => coverage[mechanism][scenario].because === because);
      const titles = answered.map((scenario) => scenarioDescriptions[scenario].title).join(", ");
      const helps = answered.some((scenario) => coverage[mechanism][scenario].helps) ? "yes" : "no";
      const key = `${titles}: ${because}`;
      const row = rows.get(key) ?? { mechanisms: [], cells: [titles, helps, because] };
      row.mechanisms.push(mechanism);
      rows.set(key, row);
    }
  }
  return [...rows.values()].map(({ mechanisms, cells }) => [mechanisms.join(", "), ...cells]);
}

/** What is assumed where nothing is stated or measured: the other table of the model's documentation. */
export function defaultsMarkdown(): string {
  const values = Object.entries<string | number>({
    ...defaultResponseTimes,
    ...recoveryDefaults,
    ...defaultEvidenceRules,
  });
  const text = (name: string, value: string | number) =>
    typeof value === "number" && name.endsWith("BytesPerSecond") ? `${bytesText(value)}/s` : String(value);
  return markdownTable([["Assumption", "Value"], ...values.map(([name, value]) => [`\`${name}\``, text(name, value)])]);
}
