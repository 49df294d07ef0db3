import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type DatabaseConfig,
  type JobConfig,
  litestreamConfig,
  parseStoreUrl,
  type TimeSpan,
  windowOf,
} from "../../../../recovery";
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

/** What a stream holds, and in which generations: logs without a hole. Times are known to the second. */
export interface LitestreamWindow extends StreamWindow {
  readonly generations: readonly Generation[];
}

interface Generation extends TimeSpan {
  readonly name: string;
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
 * What the stream holds. @throws NoRecoveryPointError when it holds nothing; that a process replicates says nothing about
 * what can be restored
 */
export async function readStreamWindow(replica: LitestreamReplica): Promise<LitestreamWindow> {
  await litestreamVersion();
  const [snapshots, segments] = [await listed(replica, "snapshots"), await listed(replica, "wal")];
  const generations = [...snapshots].map(([name, { from, to }]) => {
    const log = segments.get(name);
    return { name, from, to: log && log.to > to ? log.to : to };
  });
  if (generations.length > 0) {
    const { holes = [], ...window } = windowOf(generations);
    // What began in a second, as Litestream prints it, may have begun at its end.
    const wider = holes.map(({ from, to }) => ({ from, to: new Date(to.getTime() + 1000) }));
    return { ...window, holes: wider, generations };
  }
  throw new NoRecoveryPointError(
    `${replica.config.store} holds no stream of ${replica.database.name}. Is Litestream running, and does it write there?`,
  );
}

/**
 * When the first and the last of them were created, by generation: the last column of Litestream's table, and the second. A new
 * generation begins whenever Litestream cannot go on where it ended.
 */
async function listed(replica: LitestreamReplica, what: "snapshots" | "wal"): Promise<Map<string, TimeSpan>> {
  const [header, ...lines] = (await run(replica, what, [])).trim().split("\n");
  if (header === undefined || !/^replica\s+generation\b.*\bcreated$/.test(header.trim())) {
    throw new OperationError(`litestream ${what} printed a table of another kind: ${JSON.stringify(header)}`);
  }
  const created = new Map<string, TimeSpan>();
  for (const line of lines) {
    const cells = line.trim().split(/\s+/);
    const [generation, at] = [cells[1]!, new Date(cells.at(-1)!)];
    if (Number.isNaN(at.getTime())) {
      throw new OperationError(`litestream ${what} printed a line of another kind: ${line}`);
    }
    const { from, to } = created.get(generation) ?? { from: at, to: at };
    created.set(generation, { from: at < from ? at : from, to: at > to ? at : to });
  }
  return created;
}

/** What to restore of a stream. @default the newest moment that it holds */
export type StreamTarget = { readonly at: Date } | { readonly endOfGeneration: string } | undefined;

/** Restores into a file that does not exist yet. */
export async function restoreStream(replica: LitestreamReplica, path: string, target: StreamTarget): Promise<void> {
  const words = !target
    ? []
    : "at" in target
      ? ["-timestamp", target.at.toISOString()]
      : ["-generation", target.endOfGeneration];
  await run(replica, "restore", ["-o", path, ...words]);
}

/** The generation whose end is the newest moment before a hole. */
export function generationBefore({ generations }: LitestreamWindow, hole: TimeSpan): string {
  return generations.find(({ to }) => to.getTime() === hole.from.getTime())!.name;
}

async function run(replica: LitestreamReplica, command: string, args: readonly string[]): Promise<string> {
  const { config, database, scratch, signal } = replica;
  const { location } = parseStoreUrl(config.store);
  const file = join(scratch, "litestream.json");
  const settings = litestreamConfig({ path: database.path!, database: database.name, location: location! });
  await writeFile(file, JSON.stringify(settings), { mode: 0o600 });
  // Paths are no place for variables of the environment.
  const words = [command, "-config", file, "-no-expand-env", ...args, database.path!];
  return runTool(program(), words, {
    signal,
    env: await litestreamEnvironment(location!),
    saysErrorsOnOutput: true,
  });
}
