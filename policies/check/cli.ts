#!/usr/bin/env node
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ExitCode, exitCodeOf, Verdict } from "../../recovery";
import { check } from "./check";
import { reportJson, reportMarkdown, reportSarif, reportText, reportVerdict } from "./report";
import { UsageError } from "./usage-error";

const HELP = `usage: recovery-check STACK... [--program DIR] [--config DIR] [--evidence FILE] [--deployed FILE]
                               [--record FILE] [--json] [--markdown] [--sarif FILE]

Runs a Pulumi Node program with the configuration of each stack, without a cloud, a backend or the Pulumi CLI, and judges
what it registers by the recovery policies. A stack and the stack of its recovery site are judged together.

  --program DIR    the folder of Pulumi.yaml; default: the current one
  --config DIR     the policies' configurations, as --policy-pack-config takes them: prod.json for prod and for
                   prod-recovery; default: policies/config of the program; without a file every default holds
  --evidence FILE  what dr evidence pull printed: while restore tests do not pass, a change may not weaken anything
  --deployed FILE  what is deployed, to compare with
  --record FILE    write that these stacks are what is deployed; run it after a deployment
  --json           exactly one JSON document
  --markdown       for a comment on a pull request
  --sarif FILE     also write SARIF 2.1.0 for a code host
  --help           this

exit codes: 0 pass, 1 a mandatory violation, 2 usage or configuration, 3 it could not be judged`;

const options = {
  program: { type: "string" },
  config: { type: "string" },
  evidence: { type: "string" },
  deployed: { type: "string" },
  record: { type: "string" },
  json: { type: "boolean" },
  markdown: { type: "boolean" },
  sarif: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

function parse(argv: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    if (values.help === true) return { values, positionals };
    const problems = [
      ...(positionals.length === 0 ? ["name at least one stack"] : []),
      ...(values.json === true && values.markdown === true ? ["--json and --markdown exclude each other"] : []),
    ];
    if (problems.length > 0) throw new UsageError([...problems, "", HELP]);
    return { values, positionals: [...new Set(positionals)] };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError([error instanceof Error ? error.message : String(error), "", HELP]);
  }
}

async function main(argv: readonly string[]): Promise<ExitCode> {
  const { values, positionals: stacks } = parse(argv);
  const print = (text: string): void => void process.stdout.write(`${text.trimEnd()}\n`);
  if (values.help === true) {
    print(HELP);
    return ExitCode.Pass;
  }
  const { program: directory = ".", config: configFolder, evidence, deployed, record } = values;
  const report = await check({
    directory,
    stacks,
    ...(configFolder === undefined ? {} : { configFolder }),
    ...(evidence === undefined ? {} : { evidenceFile: evidence }),
    ...(deployed === undefined ? {} : { deployedFile: deployed }),
    ...(record === undefined ? {} : { recordFile: record }),
  });
  if (values.sarif !== undefined) writeFileSync(values.sarif, `${JSON.stringify(reportSarif(report), undefined, 2)}\n`);
  if (values.json === true) print(JSON.stringify(reportJson(report), undefined, 2));
  else print(values.markdown === true ? reportMarkdown(report) : reportText(report));
  return exitCodeOf(reportVerdict(report));
}

// Until something was judged, nothing was.
process.exitCode = ExitCode.Inconclusive;
const argv = process.argv.slice(2);
main(argv).then(
  (exitCode) => (process.exitCode = exitCode),
  (error: unknown) => {
    const isUsage = error instanceof UsageError;
    const problems = isUsage ? error.problems.filter((problem) => problem !== "" && problem !== HELP) : [String(error)];
    process.stderr.write(`${isUsage ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    if (argv.includes("--json")) {
      process.stdout.write(
        `${JSON.stringify({ verdict: Verdict.Inconclusive, problems, stacks: [] }, undefined, 2)}\n`,
      );
    }
    process.exitCode = isUsage ? ExitCode.Usage : ExitCode.Inconclusive;
  },
);
