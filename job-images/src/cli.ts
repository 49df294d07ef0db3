import { parseArgs } from "node:util";
import { constants } from "node:os";
import { ExitCode, type JobConfig, Verdict } from "../../recovery";
import { type Command, type CommandContext, type CommandInput } from "./command";
import { commands } from "./commands";
import { readConfig } from "./config-file";
import { InterruptedError, messageOf, NoRecoveryPointError, OperationError, UsageError } from "./errors";
import { TerminalProgress } from "./report/terminal-progress";
import { type ObjectStore } from "./store/object-store";
import { openStore } from "./store/open-store";
import { runnerVersion } from "./version";

const globalOptions = {
  config: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const globalHelp: Readonly<Record<string, string>> = {
  config: "FILE  the job configuration; default: $DR_CONFIG, else dr.json",
  json: "print exactly one JSON document; progress goes to standard error",
  help: "print this",
};

async function main(argv: readonly string[]): Promise<number> {
  const [word, ...rest] = argv;
  if (word === undefined || word === "--help" || word === "-h" || word === "help") {
    process.stdout.write(`${overview()}\n`);
    return word === undefined ? ExitCode.Usage : ExitCode.Pass;
  }
  if (word === "--version") {
    process.stdout.write(`${runnerVersion}\n`);
    return ExitCode.Pass;
  }
  const command = commands.find(({ name }) => name === word);
  if (!command) {
    process.stderr.write(`dr has no command ${JSON.stringify(word)}.\n\n${overview()}\n`);
    return ExitCode.Usage;
  }
  // Known before the words are parsed, so that even a usage error is one JSON document.
  const json = rest.includes("--json");
  try {
    const input = parseWords(command, rest);
    if (input.options.help === true) {
      process.stdout.write(`${helpOf(command)}\n`);
      return ExitCode.Pass;
    }
    return await runCommand(command, input, json);
  } catch (error) {
    return reportError(command, error, json);
  }
}

async function runCommand(command: Command, input: CommandInput, json: boolean): Promise<number> {
  const stop = new AbortController();
  const progress = new TerminalProgress();
  const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
  const onSignal = (signal: NodeJS.Signals): void =>
    stop.abort(new InterruptedError(signal as (typeof signals)[number]));
  for (const signal of signals) process.once(signal, onSignal);
  let config: JobConfig | undefined;
  let store: ObjectStore | undefined;
  const configPath = input.options.config as string | undefined;
  const context: CommandContext = {
    config: () => (config ??= readConfig(configPath)),
    store: () => (store ??= openStore(context.config().store)),
    progress,
    signal: stop.signal,
    print: (line) => void (json ? process.stderr : process.stdout).write(`${line}\n`),
  };
  try {
    const outcome = await command.run(input, context);
    progress.end();
    process.stdout.write(json ? `${JSON.stringify(outcome.json, undefined, 2)}\n` : `${outcome.text}\n`);
    return stop.signal.aborted ? signalExitCode(stop.signal.reason) : outcome.exitCode;
  } catch (error) {
    // Whatever a signal broke, the signal is the reason.
    throw stop.signal.aborted ? (stop.signal.reason as Error) : error;
  } finally {
    progress.end();
    store?.close();
    for (const signal of signals) process.removeListener(signal, onSignal);
  }
}

function parseWords(command: Command, argv: readonly string[]): CommandInput {
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({
      args: [...argv],
      options: { ...globalOptions, ...command.options },
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\n\n${helpOf(command)}`);
  }
  if (parsed.positionals.length > command.maxWords && parsed.values.help !== true) {
    throw new UsageError(
      `${JSON.stringify(parsed.positionals[command.maxWords])} is one word too many.\n\n${helpOf(command)}`,
    );
  }
  return { words: parsed.positionals, options: parsed.values };
}

function reportError(command: Command, error: unknown, json: boolean): number {
  const exitCode = exitCodeOfError(command, error);
  const verdict = exitCode === ExitCode.Fail ? Verdict.Fail : Verdict.Inconclusive;
  const known = error instanceof UsageError || error instanceof OperationError || error instanceof InterruptedError;
  process.stderr.write(`${known ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
  if (json) {
    const problems = error instanceof UsageError ? error.problems : [];
    process.stdout.write(`${JSON.stringify({ verdict, error: messageOf(error), problems }, undefined, 2)}\n`);
  }
  return exitCode;
}

function exitCodeOfError(command: Command, error: unknown): number {
  if (error instanceof InterruptedError) return signalExitCode(error);
  if (error instanceof UsageError) return ExitCode.Usage;
  if (command.isProof && !(error instanceof NoRecoveryPointError)) return ExitCode.Inconclusive;
  return ExitCode.Fail;
}

function signalExitCode(reason: unknown): number {
  return 128 + constants.signals[(reason as InterruptedError).signal];
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    "dr: back up, restore, prove and drill the recovery of databases.",
    "",
    "usage: dr COMMAND [WORDS] [--config FILE] [--json]     dr COMMAND --help",
    "",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "exit codes: 0 pass, 1 fail, 2 usage or configuration, 3 it could not be judged, 128+n on a signal",
  ].join("\n");
}

function helpOf(command: Command): string {
  const help = { ...command.optionHelp, ...globalHelp };
  const width = Math.max(...Object.keys(help).map((name) => name.length));
  return [
    `usage: dr ${command.name} ${command.usage}`.trimEnd(),
    "",
    command.summary,
    ...(command.details === "" ? [] : ["", command.details]),
    "",
    ...Object.entries(help).map(([name, text]) => `  --${name.padEnd(width)}  ${text}`),
  ].join("\n");
}

// Node ends a process whose last promise nothing will ever settle, with exit code 0. Until a command has said otherwise
// nothing was judged.
process.exitCode = ExitCode.Inconclusive;
void main(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = exitCode;
});
