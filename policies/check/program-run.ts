import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { existsSync, statSync } from "node:fs";
import { predictedOutputs } from "./predicted-outputs";
import { type Answer, type RecordedResource, RecordingMonitor } from "./recording-monitor";

/** A program and the configuration to run it with. */
export interface ProgramRequest {
  /** The folder of `Pulumi.yaml`. */
  readonly directory: string;
  /** `main` of `Pulumi.yaml`. @default the program of `package.json` */
  readonly main?: string;
  readonly project: string;
  readonly stack: string;
  /** By full name, as the engine passes it on: text, and maps as JSON. */
  readonly config: Readonly<Record<string, string>>;
  /** Names of the values that are secret. @default none */
  readonly secretKeys?: readonly string[];
  /** Whether the program is TypeScript that Pulumi compiles. @default true */
  readonly typescript?: boolean;
  /** `runtime.options.tsconfig` of `Pulumi.yaml`. @default "tsconfig.json" */
  readonly tsconfig?: string;
}

/** How a program is run. */
export interface RunOptions {
  /** What providers answer. @default what can be told from the inputs */
  readonly answer?: Answer;
  /** Whether the program is told that this is a preview, in which what nobody answers is unknown. @default true */
  readonly preview?: boolean;
}

/** What a run of a program did. */
export interface ProgramRecording {
  readonly exitCode: number | null;
  readonly resources: readonly RecordedResource[];
  /** As on the wire. */
  readonly outputs: Readonly<Record<string, unknown>>;
  /** What it told the engine, and what it printed. */
  readonly log: readonly string[];
  /** What it told the engine as an error; where it said nothing, what it printed. */
  readonly errors: readonly string[];
  /** Stacks whose outputs it read, which are not known here. */
  readonly stackReferences: readonly string[];
  /** What only a cloud could have answered. */
  readonly lookUps: readonly string[];
}

/**
 * Runs a Node program by its own copy of Pulumi's program runner, as the CLI does, against an engine that records. Types
 * are not checked, which takes longer than everything else.
 *
 * @throws Error when the program has no @pulumi/pulumi
 */
export async function runProgram(
  request: ProgramRequest,
  { answer = predictedOutputs, preview = true }: RunOptions = {},
): Promise<ProgramRecording> {
  const { project, stack } = request;
  const monitor = new RecordingMonitor({ project, stack, answer });
  const address = await monitor.listen();
  try {
    const { exitCode, output } = await run(request, address, preview);
    const { resources, outputs, log, errors, stackReferences, lookUps } = monitor;
    return {
      exitCode,
      resources,
      outputs,
      log: [...log, ...(output === "" ? [] : [output])],
      errors: errors.length > 0 || exitCode === 0 ? errors : [output.trim()],
      stackReferences: [...stackReferences],
      lookUps: [...lookUps],
    };
  } finally {
    monitor.close();
  }
}

async function run(
  request: ProgramRequest,
  address: string,
  preview: boolean,
): Promise<{ exitCode: number | null; output: string }> {
  const { directory, project, stack, config, secretKeys = [], typescript = true, tsconfig } = request;
  const { folder, entry } = entryOf(request);
  const runner = createRequire(join(resolve(folder), "program.js")).resolve("@pulumi/pulumi/cmd/run");
  const args = ["--project", project, "--stack", stack, "--monitor", address, "--engine", address];
  // The SDK takes a stack trace for every value that it computes; of ten frames each, that is a quarter of the run.
  const child = spawn(
    process.execPath,
    ["--stack-trace-limit=3", runner, ...args, ...(preview ? ["--dry-run"] : []), entry],
    {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        PULUMI_CONFIG: JSON.stringify(config),
        PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(secretKeys),
        PULUMI_NODEJS_TYPESCRIPT: String(typescript),
        PULUMI_NODEJS_TRANSPILE_ONLY: "true",
        ...(tsconfig === undefined ? {} : { PULUMI_NODEJS_TSCONFIG_PATH: resolve(directory, tsconfig) }),
      },
    },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((done, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) => done({ exitCode, output }));
  });
}

/** As the CLI starts it: in the folder of `main`, by its file's name. */
function entryOf({ directory, main }: ProgramRequest): { folder: string; entry: string } {
  if (main === undefined) return { folder: directory, entry: "." };
  const path = join(directory, main);
  if (existsSync(path) && statSync(path).isDirectory()) return { folder: path, entry: "." };
  return { folder: dirname(path), entry: basename(path) };
}
