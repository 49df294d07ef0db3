import { type ParseArgsConfig } from "node:util";
import { type ExitCode, type JobConfig } from "../../recovery";
import { type Progress } from "./progress";
import { type ObjectStore } from "./store/object-store";

/** What every command gets. Configuration and store are read when a command asks, not before. */
export interface CommandContext {
  /** @throws UsageError with every problem of the configuration */
  config(): JobConfig;
  store(): ObjectStore;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** For a command that goes on until it is stopped and has something to say meanwhile. */
  readonly print: (line: string) => void;
}

/** Words and options of one call, as `util.parseArgs` gives them. */
export interface CommandInput {
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
}

/** What a command did: once for machines, once for people. */
export interface CommandOutcome {
  readonly exitCode: ExitCode;
  readonly json: unknown;
  readonly text: string;
}

/** One command of the runner. */
export interface Command {
  readonly name: string;
  /** After the name, for instance `ID --into URL`. */
  readonly usage: string;
  /** One line. */
  readonly summary: string;
  /** What the help says beyond the summary. */
  readonly details: string;
  readonly options: NonNullable<ParseArgsConfig["options"]>;
  /** What each option is for. */
  readonly optionHelp: Readonly<Record<string, string>>;
  /** Most words that it takes. */
  readonly maxWords: number;
  /** A proof that breaks down has judged nothing: an unexpected error ends 3, not 1. */
  readonly isProof: boolean;
  run(input: CommandInput, context: CommandContext): Promise<CommandOutcome>;
}
