import { ExitCode, parseRecoveryTarget, type PlannedSource, type RecoveryTarget } from "../../../recovery";
import { type Command } from "../command";
import { oneDatabase } from "../config-file";
import { UsageError } from "../errors";
import { planFor } from "../procedures/recovery-planning";
import { secondsText, table } from "../report/terminal";

/** `dr plan --to WHEN` */
export const plan: Command = {
  name: "plan",
  usage: "[DATABASE] --to WHEN",
  summary: "compare every source that could bring the database back to a moment; changes nothing",
  details:
    "The smallest loss wins, then the shortest time; what failed its last proof comes last. Times are measured where restore tests measured them, else estimated by size.",
  options: { to: { type: "string" } },
  optionHelp: { to: "WHEN  latest, a time like 2026-11-23T14:05:00Z, lsn:X/Y or name:X" },
  maxWords: 1,
  isProof: false,
  async run({ words, options }, context) {
    const database = oneDatabase(context.config(), words[0]);
    const target = targetOf(options.to as string | undefined);
    const { plan } = await planFor(context, database, target);
    return {
      exitCode: plan.chosen ? ExitCode.Pass : ExitCode.Fail,
      json: { database: database.name, sources: plan.sources, chosen: plan.chosen?.id ?? null },
      text: planText(plan.sources, plan.chosen),
    };
  },
};

/** The target that a person gave. @throws UsageError when it is none */
export function targetOf(word: string | undefined): RecoveryTarget {
  if (word === undefined)
    throw new UsageError("Say where to recover to: --to latest, or a time like 2026-11-23T14:05:00Z.");
  const target = parseRecoveryTarget(word);
  if (target.kind === "problem") throw new UsageError(`--to: ${target.problem}`);
  return target;
}

/** The sources as a table, and the choice as a sentence. */
export function planText(sources: readonly PlannedSource[], chosen: PlannedSource | null): string {
  if (sources.length === 0) return "There is nothing to recover from: no recovery point, no log, no standby.";
  const known = (seconds: number | null): string => (seconds === null ? "unknown" : secondsText(seconds));
  const rows = sources.map((source) => [
    source === chosen ? "*" : !source.usable ? "no" : source.doubt === null ? "" : "?",
    known(source.lossSeconds),
    `${known(source.recoverySeconds)}${source.timeBasis === "measured" ? "" : ` (${source.timeBasis})`}`,
    source.provenAt?.replace(/\.\d+Z$/, "Z") ?? "never",
    source.id,
    source.why,
  ]);
  const choice = chosen
    ? `${chosen.id}: loses ${known(chosen.lossSeconds)}, takes ${known(chosen.recoverySeconds)}`
    : "Nothing of this can be used as it is.";
  return `${table(["", "LOSS", "TIME", "PROVEN", "SOURCE", "WHAT"], rows)}\n${choice}`;
}
