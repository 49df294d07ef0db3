import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { freePort } from "./free-port";
import { isInstalled } from "./installed";
import { waitFor } from "./wait-for";

/** Why moto cannot be started here; `undefined` when it can. */
export function whyNoMoto(): string | undefined {
  return isInstalled("moto_server") ? undefined : "moto_server is not installed (pip install 'moto[server]')";
}

let running: Promise<{ endpoint: string; server: ChildProcess }> | undefined;

/** The endpoint of an AWS in memory (S3, KMS, IAM, ...) that all tests of this run share. */
export async function moto(): Promise<string> {
  running ??= start();
  return (await running).endpoint;
}

after(async () => {
  const server = (await running?.catch(() => undefined))?.server;
  if (!server || server.exitCode !== null) return;
  server.kill();
  await once(server, "exit");
});

async function start(): Promise<{ endpoint: string; server: ChildProcess }> {
  const port = await freePort();
  const server = spawn("moto_server", ["-H", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
  process.once("exit", () => server.kill("SIGKILL"));
  const endpoint = `http://127.0.0.1:${port}`;
  await waitFor("moto", 60, async () => (await fetch(`${endpoint}/moto-api/`)).ok);
  return { endpoint, server };
}
