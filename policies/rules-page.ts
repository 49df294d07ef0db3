import { type Policies } from "@pulumi/policy";

/** The page that lists the rules: `RULES.md` is this, and a test fails when it is not. */
export function rulesMarkdown(rules: Policies): string {
  const rows = rules.map(({ name, description, severity, enforcementLevel, framework, url }) =>
    row([`[${name}](${url})`, description, severity, enforcementLevel, framework?.reference]),
  );
  const details = rules.map((rule) => {
    const { name, remediationSteps, configSchema } = rule;
    const isRemedied = "remediateResource" in rule && rule.remediateResource !== undefined;
    const settings = Object.entries(configSchema?.properties ?? {}).map(
      ([setting, schema]) => `- \`${setting}\` (default \`${JSON.stringify(schema.default)}\`): ${schema.description}`,
    );
    const steps = `${remediationSteps}${isRemedied ? " Enforced by `remediate`, it does so by itself where nothing is replaced or lost." : ""}`;
    return [`### ${name}`, "", steps, ...(settings.length === 0 ? [] : ["", ...settings]), ""].join("\n");
  });
  return [
    "# Rules",
    "",
    "Generated from the rules. References are to the AWS Well-Architected Framework's reliability pillar.",
    "",
    row(["Rule", "What it asks for", "Severity", "Level", "Reference"]),
    row(["--", "--", "--", "--", "--"]),
    ...rows,
    "",
    "## What to do, and what can be set",
    "",
    ...details,
  ].join("\n");
}

const row = (cells: readonly (string | undefined)[]): string => `| ${cells.map((cell) => cell ?? "").join(" | ")} |`;
