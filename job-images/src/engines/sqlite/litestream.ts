import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type DatabaseConfig, type JobConfig, litestreamConfig, parseStoreUrl } from "../../../../recovery";
import { NoRecoveryPointError, OperationError } from "../../errors";
import { runTool } from "../../process/child";
import { type StreamWindow } from "../engine";
import { litestreamEnvironment } from "./litestream-credentials";

/** A stream in the store. */
export interface LitestreamReplica {
  readonly config: Pick<JobConfig, "store">;
  readonly database: DatabaseConfig;
  /** Folder for Litestream's configuration. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

/** Litestream's own program: `DR_LITESTREAM`, else the one in the path. */
function program(): string {
  return process.env.DR_LITESTREAM ?? "litestream";
}

/** The version that is installed. @throws OperationError when there is none, or one that keeps its replicas otherwise */
export async function litestreamVersion(): Promise<string> {
  const version = (await runTool(program(), ["version"])).trim().replace(/^v/, "");
  if (version.startsWith("0.3.")) return version;
  throw new OperationError(`Litestream ${version} keeps its replicas in another format: 0.3 is expected.`);
}

/**
 * What the stream holds, to the second. @throws NoRecoveryPointError when it holds nothing; that a process replicates says nothing about
 * what can be restored
 */
export async function readStreamWindow(replica: LitestreamReplica): Promise<StreamWindow> {
  await litestreamVersion();
  const [snapshots, segments] = [await listed(replica, "snapshots"), await listed(replica, "wal")];
  const from = Math.min(...snapshots);
  const to = Math.max(...snapshots, ...segments);
  if (snapshots.length > 0) return { from: new Date(from), to: new Date(to) };
  throw new NoRecoveryPointError(
    `${replica.config.store} holds no stream of ${replica.database.name}. Is Litestream running, and does it write there?`,
  );
}

/** When each of them was created: the last column of Litestream's table. */
async function listed(replica: LitestreamReplica, what: "snapshots" | "wal"): Promise<number[]> {
  const [header, ...lines] = (await run(replica, what, [])).trim().split("\n");
  if (header === undefined || !/\bcreated$/.test(header.trim())) {
    throw new OperationError(`litestream ${what} printed a table of another kind: ${JSON.stringify(header)}`);
  }
  return lines.map((line) => {
    const at = new Date(line.trim().split(/\s+/).at(-1)!).getTime();
    if (Number.isNaN(at)) throw new OperationError(`litestream ${what} printed a line of another kind: ${line}`);
    return at;
  });
}

/**
 * Restores into a file that does not exist yet.
 *
 * @param at @default the newest moment that the stream holds
 */
export async function restoreStream(replica: LitestreamReplica, path: string, at?: Date): Promise<void> {
  const timestamp = at === undefined ? [] : ["-timestamp", at.toISOString()];
  await run(replica, "restore", ["-o", path, ...timestamp]);
}

async function run(replica: LitestreamReplica, command: string, args: readonly string[]): Promise<string> {
  const { config, database, scratch, signal } = replica;
  const { location } = parseStoreUrl(config.store);
  const file = join(scratch, "litestream.json");
  const settings = litestreamConfig({ path: database.path!, database: database.name, location: location! });
  await writeFile(file, JSON.stringify(settings), { mode: 0o600 });
  // Paths are no place for variables of the environment.
  const words = [command, "-config", file, "-no-expand-env", ...args, database.path!];
  return runTool(program(), words, { signal, env: await litestreamEnvironment(location!) });
}
