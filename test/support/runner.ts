import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { buildSync } from "esbuild";

let bundle: string | undefined;

/** The runner as one file, made once for a test run: the same bundle that the image holds. */
export function runnerBundle(): string {
  if (bundle === undefined) {
    const folder = mkdtempSync(join(tmpdir(), "dr-test-bundle-"));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    bundle = join(folder, "dr.cjs");
    buildSync({
      entryPoints: [resolve("job-images/src/cli.ts")],
      bundle: true,
      platform: "node",
      target: "node20",
      outfile: bundle,
      external: ["pg-native"],
      banner: { js: "#!/usr/bin/env node" },
    });
    chmodSync(bundle, 0o755);
  }
  return bundle;
}

/** What a finished run of the runner said. */
export interface RunnerResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the runner in a process of its own. */
export function startRunner(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  return spawn(process.execPath, [runnerBundle(), ...args], { env: { ...process.env, ...env } });
}

/** Waits for a started runner. */
export function finished(child: ChildProcess): Promise<RunnerResult> {
  let stdout = "";
  let stderr = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolveResult) => {
    child.on("close", (code, signal) =>
      // As a shell says it: a signal that came before the runner could answer it ends the process all the same.
      resolveResult({ exitCode: signal === null ? code : 128 + constants.signals[signal], stdout, stderr }),
    );
  });
}

/** Runs the runner to its end. */
export function dr(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<RunnerResult> {
  return finished(startRunner(args, env));
}

/** Runs the runner with `--json` and reads its one document. */
export async function drJson<Document = Record<string, unknown>>(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<RunnerResult & { readonly json: Document }> {
  const result = await dr([...args, "--json"], env);
  try {
    return { ...result, json: JSON.parse(result.stdout) as Document };
  } catch {
    throw new Error(
      `dr ${args.join(" ")} printed no JSON document (exit code ${result.exitCode}):\n${result.stdout}\n${result.stderr}`,
    );
  }
}

/** Writes a job configuration into a folder and gives its path. */
export function writeConfig(folder: string, config: unknown): string {
  const path = join(folder, "dr.json");
  writeFileSync(path, JSON.stringify(config));
  return path;
}
