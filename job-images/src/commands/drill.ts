import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { compactUtc, exitCodeOf, objectiveProblems, objectivesFrom, parseObjectiveOverride } from "../../../recovery";
import { type Command } from "../command";
import { UsageError } from "../errors";
import { runRestorationDrill } from "../procedures/restoration-drill";
import { describeDrill, writeDrillReport } from "../report/drill-report";

/** `dr drill --platform local` */
export const drill: Command = {
  name: "drill",
  usage: "--platform local [--objective rto=15min] [--workdir DIR] [--keep]",
  summary: "lose a real database and recover it, against the objectives",
  details:
    "The local platform needs no cloud and no cluster: a real primary with writers, a store and a second server, all on this machine.",
  options: {
    platform: { type: "string" },
    objective: { type: "string", multiple: true },
    workdir: { type: "string" },
    scale: { type: "string" },
    keep: { type: "boolean" },
  },
  optionHelp: {
    platform: "local",
    objective: "rto=15min or rpo=1h; may be given twice; default: the guide's",
    workdir: "DIR  for the store, the evidence and the report; default: .drill/ and the time",
    scale: "N  size of the database; 1 is about 100 MB; default: 0.4",
    keep: "leave the restored server running",
  },
  maxWords: 0,
  isProof: true,
  async run({ options }, context) {
    const problems: string[] = [];
    if (options.platform !== "local") problems.push("--platform: expected local");
    const objectives: { rtoMinutes?: number; rpoMinutes?: number } = {};
    for (const word of (options.objective ?? []) as string[]) {
      const override = parseObjectiveOverride(word);
      if ("problem" in override) problems.push(`--objective: ${override.problem}`);
      else objectives[override.objective] = override.minutes;
    }
    problems.push(...objectiveProblems(objectivesFrom(objectives)).map((problem) => `--objective: ${problem}`));
    const scale = Number(options.scale ?? 0.4);
    if (!(scale > 0 && scale <= 1000))
      problems.push(`--scale: expected a number above 0, at most 1000; got ${String(options.scale)}`);
    if (problems.length > 0) throw new UsageError("The drill cannot be run like this:", problems);

    const workdir = resolve((options.workdir as string | undefined) ?? join(".drill", compactUtc(new Date())));
    mkdirSync(workdir, { recursive: true });
    const result = await runRestorationDrill({ ...context, workdir, objectives, scale, keep: options.keep === true });
    const report = writeDrillReport(workdir, result);
    return {
      exitCode: exitCodeOf(result.verdict),
      json: { ...result, workdir, report: report.html, reportMarkdown: report.markdown },
      text: describeDrill(result, report.html),
    };
  },
};
