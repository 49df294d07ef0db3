import { type ChildProcess, spawn } from "node:child_process";
import { Readable } from "node:stream";
import { OperationError } from "../errors";

/** Whom a child runs as, when not as ourselves: servers never run as root. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

/** How a tool is started. Secrets go into `env`, never into `args`. */
export interface ToolOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  readonly cwd?: string;
  readonly runAs?: RunAs;
  /** Another tool's output, connected by the kernel: no byte passes through this process. */
  readonly stdin?: Readable;
  /** Text for standard input. */
  readonly input?: string;
  /** The caller writes to `process.stdin` itself. @default false */
  readonly stdinPipe?: boolean;
  /**
   * Has the tool gather this much before it writes, by coreutils' `stdbuf`. What writes row by row fills its 4 KiB so
   * often that the writing costs more than the reading. @default what the tool does by itself
   */
  readonly outputBufferBytes?: number;
  /**
   * It says on standard output why it failed: `runTool` tells that, too. Never of one whose output is data.
   * @default false
   */
  readonly saysErrorsOnOutput?: boolean;
  /** Exit codes that are no failure. @default [0] */
  readonly allowedExitCodes?: readonly number[];
}

const keptErrorBytes = 16 * 1024;

/** A started tool: its output and the promise of its end. */
export class Tool {
  private errorText = "";
  /** Resolves once the tool ended well; rejects with its own words otherwise. */
  readonly ended: Promise<void>;
  readonly process: ChildProcess;

  constructor(
    readonly program: string,
    args: readonly string[],
    options: ToolOptions = {},
  ) {
    const { outputBufferBytes } = options;
    const [command, words] =
      outputBufferBytes === undefined
        ? [program, args]
        : ["stdbuf", [`--output=${outputBufferBytes}`, program, ...args]];
    this.process = spawn(command, words, {
      env: options.env ?? process.env,
      cwd: options.cwd,
      uid: options.runAs?.uid,
      gid: options.runAs?.gid,
      stdio: [options.stdin ?? (options.input !== undefined || options.stdinPipe ? "pipe" : "ignore"), "pipe", "pipe"],
    });
    const stop = (): void => void this.process.kill("SIGTERM");
    options.signal?.addEventListener("abort", stop, { once: true });
    this.process.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.errorText = (this.errorText + text).slice(-keptErrorBytes);
    });
    if (options.input !== undefined) {
      // A tool that ends early closes its input; its exit code says why, so the write error says nothing new.
      this.process.stdin!.on("error", () => undefined).end(options.input);
    }
    this.ended = new Promise<void>((resolve, reject) => {
      this.process.on("error", (error: NodeJS.ErrnoException) => {
        reject(
          new OperationError(
            error.code === "ENOENT"
              ? `${command} is not installed (npm run setup installs what is missing).`
              : `${program} could not be started: ${error.message}`,
          ),
        );
      });
      // Not "close": that waits for somebody to read the output, and perhaps nobody will.
      const errorsRead = new Promise<void>((read) => this.process.stderr!.once("close", () => read()));
      this.process.on("exit", (code, signal) => void errorsRead.then(() => settle(code, signal)));
      const settle = (code: number | null, signal: NodeJS.Signals | null): void => {
        options.signal?.removeEventListener("abort", stop);
        if (options.signal?.aborted) reject(options.signal.reason as Error);
        else if (code !== null && (options.allowedExitCodes ?? [0]).includes(code)) resolve();
        else reject(new OperationError(this.failure(code, signal)));
      };
    });
    // Whoever awaits `ended` gets the rejection; before that it must not count as unhandled.
    this.ended.catch(() => undefined);
    // The child holds its own copy; ours must go, or a dead reader would never be noticed by its writer.
    if (options.stdin) options.stdin.destroy();
  }

  get output(): Readable {
    return this.process.stdout!;
  }

  /** What the tool said on standard error, its end only. */
  get errors(): string {
    return this.errorText.trim();
  }

  private failure(code: number | null, signal: NodeJS.Signals | null): string {
    const name = this.program.split("/").pop()!;
    const how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
    return `${name} ${how}${this.errors === "" ? "" : `: ${this.errors}`}`;
  }
}

/** Runs a tool to its end and gives what it printed. For small outputs only. @throws OperationError with the tool's words */
export async function runTool(program: string, args: readonly string[], options: ToolOptions = {}): Promise<string> {
  const tool = new Tool(program, args, options);
  const chunks: Buffer[] = [];
  const read = new Promise((resolve) =>
    tool.output.on("data", (chunk: Buffer) => chunks.push(chunk)).once("close", resolve),
  );
  const printed = (): string => Buffer.concat(chunks).toString("utf8");
  try {
    await Promise.all([tool.ended, read]);
  } catch (error) {
    if (!options.saysErrorsOnOutput || !(error instanceof OperationError)) throw error;
    await read;
    const said = printed().trim().slice(-keptErrorBytes);
    throw said === "" ? error : new OperationError(`${error.message}: ${said}`);
  }
  return printed();
}

/**
 * The last tool's output as one stream that ends only after every tool ended well. Until all exit codes are known a
 * reader cannot mistake a truncated stream for a whole one; when one fails, the stream fails with its words and the
 * others are stopped.
 */
export function checkedOutput(tools: readonly Tool[]): AsyncGenerator<Buffer> {
  const { output } = tools[tools.length - 1]!;
  // Node throws away what a tool said that ended before anybody listened, and reading may begin much later.
  output.on("readable", () => undefined);
  return readChecked(tools, output);
}

/**
 * The same as a stream for whoever takes one, with what it passes through on the way. However it is left, read to its
 * end or never begun, the tools are stopped.
 */
export function checkedStream(
  tools: readonly Tool[],
  through: (output: AsyncIterable<Buffer>) => AsyncIterable<Buffer> = (output) => output,
): Readable {
  const stream = Readable.from(through(checkedOutput(tools)), { objectMode: false });
  return stream.once("close", () => stop(tools));
}

async function* readChecked(tools: readonly Tool[], output: Readable): AsyncGenerator<Buffer> {
  try {
    let streamError: unknown;
    try {
      yield* output as AsyncIterable<Buffer>;
    } catch (error) {
      streamError = error;
    }
    await allEnded(tools);
    if (streamError !== undefined) throw streamError as Error;
  } finally {
    stop(tools);
  }
}

function stop(tools: readonly Tool[]): void {
  for (const tool of tools) if (tool.process.exitCode === null) tool.process.kill("SIGTERM");
}

/** Waits for all tools. The first of the pipeline to fail is the cause: later ones only see its broken pipe. */
export async function allEnded(tools: readonly Tool[]): Promise<void> {
  const ends = await Promise.allSettled(
    tools.map((tool) =>
      tool.ended.catch((error: unknown) => {
        stop(tools.filter((other) => other !== tool));
        throw error;
      }),
    ),
  );
  const failures = ends.flatMap((end) => (end.status === "rejected" ? [end.reason as Error] : []));
  const cause = failures.find((failure) => !/SIGTERM|SIGPIPE|Broken pipe/.test(failure.message)) ?? failures[0];
  if (cause) throw cause;
}
