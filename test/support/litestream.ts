import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { litestreamConfig, type LitestreamSettings } from "../../recovery";
import { isInstalled } from "./installed";
import { temporaryFolder } from "./postgres";

/** Litestream's own program, never npm's wrapper, which hides its exit code; `undefined` when there is none here. */
export function litestreamProgram(): string | undefined {
  return process.env.DR_LITESTREAM ?? (isInstalled("litestream") ? "litestream" : undefined);
}

/** A running `litestream replicate`. */
export interface Replicating {
  /** Everything that it has said. */
  said(): string;
  /** Ends it from one moment to the next: what it had not sent is lost. */
  kill(): Promise<void>;
}

/** Streams a file with the project's own configuration, only faster. */
export function replicate(settings: LitestreamSettings, env: NodeJS.ProcessEnv = {}): Replicating {
  const { dbs } = litestreamConfig(settings);
  const config = join(temporaryFolder(), "litestream.json");
  const replicas = dbs[0]!.replicas.map((replica) => ({ ...replica, "sync-interval": "100ms" }));
  writeFileSync(config, JSON.stringify({ dbs: [{ path: settings.path, replicas }] }));
  const child: ChildProcess = spawn(litestreamProgram()!, ["replicate", "-config", config], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let said = "";
  for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  return { said: () => said, kill };
}
