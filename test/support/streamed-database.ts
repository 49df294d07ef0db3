import { type ChildProcess } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { LocalServer } from "../../job-images/src/engines/postgres/server";
import { findPostgresTools, type PostgresTools } from "../../job-images/src/engines/postgres/tools";
import { freePort } from "./free-port";
import { temporaryFolder, withClient } from "./postgres";
import { drJson, finished, type RunnerResult, startRunner, writeConfig } from "./runner";
import { waitFor } from "./wait-for";

/** A PostgreSQL server of its own, whose log `dr stream` brings into a directory. */
export interface StreamedDatabase {
  readonly server: LocalServer;
  readonly folder: string;
  readonly config: string;
  /** Where the store's files are. */
  readonly store: string;
  readonly spool: string;
  /** Every stream that was started, however it ended. */
  readonly running: Set<ChildProcess>;
  /** Starts `dr stream`. */
  stream(): Streaming;
  destroy(): Promise<void>;
}

/** A running `dr stream`. */
export interface Streaming {
  readonly process: ChildProcess;
  /** Everything it has said so far. */
  said(): string;
  /** Ends it in order. */
  stop(): Promise<RunnerResult>;
}

/** What the server and the stream are configured with. */
export interface StreamedDatabaseOptions {
  readonly settings?: Readonly<Record<string, string>>;
  readonly wal?: Readonly<Record<string, unknown>>;
  /** What the job configuration says beside the database. @default a store in the folder */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of the database, beside name, engine, URL, canary and log. */
  readonly database?: Readonly<Record<string, unknown>>;
  /** @default true */
  readonly dataChecksums?: boolean;
  /** @default the newest PostgreSQL of the machine */
  readonly tools?: PostgresTools;
  /** Of `dr prepare` and `dr stream`. */
  readonly env?: NodeJS.ProcessEnv;
}

export async function streamedDatabase(options: StreamedDatabaseOptions = {}): Promise<StreamedDatabase> {
  const tools = options.tools ?? (await findPostgresTools()).at(-1)!;
  const server = await LocalServer.create({
    tools,
    settings: {
      fsync: "off",
      wal_level: "replica",
      track_commit_timestamp: "on",
      max_wal_size: "256MB",
      shared_buffers: "32MB",
      ...options.settings,
    },
    port: await freePort(),
    dataChecksums: options.dataChecksums ?? true,
  });
  const folder = temporaryFolder();
  await withClient(server, "postgres", (client) => client.query("CREATE DATABASE ledger"));
  await withClient(server, "ledger", (client) =>
    client.query(
      `CREATE TABLE public.entry (id bigserial PRIMARY KEY, amount int NOT NULL, note text, at timestamptz NOT NULL DEFAULT clock_timestamp());
       CREATE TABLE public.total AS SELECT 0 AS amount`,
    ),
  );
  const database = streamOf(server, folder, options);
  const prepared = await drJson(["prepare", "ledger", "--config", database.config], options.env);
  if (prepared.exitCode !== 0) throw new Error(prepared.stdout);
  return database;
}

/** The same database on another server, as clients find it after a failover: same store, same spool. */
export function movedTo(
  database: StreamedDatabase,
  server: LocalServer,
  options: Pick<StreamedDatabaseOptions, "env"> = {},
): StreamedDatabase {
  return streamOf(server, database.folder, options, database.running);
}

function streamOf(
  server: LocalServer,
  folder: string,
  { wal = {}, config: others = {}, database = {}, env = {} }: StreamedDatabaseOptions = {},
  running = new Set<ChildProcess>(),
): StreamedDatabase {
  const spool = join(folder, "spool");
  const config = writeConfig(folder, {
    store: `file://${folder}/store`,
    ...others,
    databases: [
      {
        name: "ledger",
        engine: "postgres",
        url: server.url("ledger"),
        canary: { canarySeconds: 1 },
        wal: { spool, flushSeconds: 1, ...wal },
        ...database,
      },
    ],
  });
  return {
    server,
    running,
    folder,
    config,
    spool,
    store: join(folder, "store"),
    stream() {
      const child = startRunner(["stream", "ledger", "--config", config, "--json"], env);
      running.add(child);
      let text = "";
      child.stderr!.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
      const end = finished(child);
      return {
        process: child,
        said: () => text,
        stop: () => {
          child.kill("SIGTERM");
          return end;
        },
      };
    },
    async destroy() {
      for (const child of running) child.kill("SIGKILL");
      await server.destroy();
    },
  };
}

/** Waits until the store has a base backup. */
export function untilBaseBackup(database: StreamedDatabase, count = 1): Promise<unknown> {
  return waitFor("a base backup", 60, () => manifestsOf(database).length >= count);
}

/** The manifests in the store, without what lies beside them. */
export function manifestsOf(database: Pick<StreamedDatabase, "store">): string[] {
  return keysUnder(database, "catalog/ledger").filter((name) => name.endsWith(".json"));
}

/** Waits until the log in the store reaches the present moment. */
export async function untilCovered(database: StreamedDatabase): Promise<void> {
  const now = await withClient(database.server, "ledger", async (client) => {
    const { rows } = await client.query<{ now: Date }>("SELECT clock_timestamp() AS now");
    return rows[0]!.now.toISOString().replace(/[-:.]/g, "");
  });
  await waitFor("the log to be in the store", 30, () =>
    keysUnder(database, "wal-partial/ledger").some((key) => (/-(\d{8}T\d{9}Z)-/.exec(key)?.[1] ?? "") >= now),
  );
}

/** The store's files under a folder of it. */
export function keysUnder(database: Pick<StreamedDatabase, "store">, folder: string): string[] {
  try {
    return readdirSync(join(database.store, folder), { recursive: true, encoding: "utf8" });
  } catch {
    return [];
  }
}
