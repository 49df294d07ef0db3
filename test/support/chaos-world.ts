import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { type Client } from "pg";
import { LocalServer } from "../../job-images/src/engines/postgres/server";
import { findPostgresTools } from "../../job-images/src/engines/postgres/tools";
import { type ObjectStore } from "../../job-images/src/store/object-store";
import { openStore } from "../../job-images/src/store/open-store";
import { coverageOf } from "../../job-images/src/store/stored-log";
import { readCatalog } from "../../job-images/src/store/catalog";
import { type Manifest } from "../../recovery";
import { AcknowledgedRows, ledgerTables } from "./acknowledged-rows";
import { freePort } from "./free-port";
import { withClient } from "./postgres";
import { finished, runnerBundle, type RunnerResult, writeConfig } from "./runner";
import { TcpEndpoint } from "./tcp-endpoint";
import { waitFor } from "./wait-for";

/** How a runner of the chaos runs is started. */
export interface ChaosRunner {
  readonly env?: NodeJS.ProcessEnv;
  /** Its own, tiny /tmp, of so many bytes. Needs root. */
  readonly temporaryBytes?: number;
}

const settings = {
  fsync: "off",
  wal_level: "replica",
  max_wal_senders: "10",
  max_replication_slots: "20",
  max_wal_size: "256MB",
  min_wal_size: "32MB",
  shared_buffers: "16MB",
  max_connections: "50",
  autovacuum: "off",
  hot_standby: "on",
};

/**
 * One PostgreSQL behind an address that survives a failover, with rows coming in, and an honest store that the runs begin
 * with: a dump, a base backup and the log behind it.
 */
export class ChaosWorld {
  private constructor(
    readonly folder: string,
    private server: LocalServer,
    readonly endpoint: TcpEndpoint,
    readonly written: AcknowledgedRows,
    private readonly bundle: string,
  ) {}

  /** The honest recovery points. */
  points: readonly Manifest[] = [];
  /** Up to when the honest log reaches. */
  coversUntil = 0;
  private standby: LocalServer | undefined;

  static async start(): Promise<ChaosWorld> {
    // Not under the temporary folder: some runners get one of their own.
    const folder = mkdtempSync("/var/tmp/dr-chaos-");
    // PostgreSQL's own user makes data directories in it.
    chmodSync(folder, 0o755);
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    const bundle = join(folder, "dr.cjs");
    copyFileSync(runnerBundle(), bundle);
    const tools = (await findPostgresTools()).at(-1)!;
    const port = await freePort();
    const server = await LocalServer.create({ tools, settings, port, dataChecksums: true });
    await withClient(server, "postgres", (client) => client.query("CREATE DATABASE ledger"));
    await withClient(server, "ledger", (client) =>
      client.query(
        `${ledgerTables}
         CREATE TABLE public.ballast AS SELECT i AS id, string_agg(md5(i::text || j), '') AS noise
           FROM generate_series(1, 9000) i, generate_series(1, 10) j GROUP BY i;
         ALTER TABLE public.ballast ADD PRIMARY KEY (id)`,
      ),
    );
    const endpoint = await TcpEndpoint.start(port);
    const written = new AcknowledgedRows({ ...server.access("ledger"), host: "127.0.0.1", port: endpoint.port });
    const world = new ChaosWorld(folder, server, endpoint, written, bundle);
    try {
      await world.seed();
      return world;
    } catch (error) {
      await world.destroy();
      throw error;
    }
  }

  get superuser(): string {
    return this.server.access().user;
  }

  get tools() {
    return this.server.tools;
  }

  /** The URL of one of its databases, by the address that survives. */
  url(databaseName: string): string {
    return `postgresql://${this.superuser}@127.0.0.1:${this.endpoint.port}/${databaseName}`;
  }

  get seedFolder(): string {
    return join(this.folder, "seed");
  }

  /** The keys of the honest store, with the files that hold them. */
  seedFiles(): { readonly key: string; readonly path: string }[] {
    return readdirSync(this.seedFolder, { recursive: true, encoding: "utf8" })
      .map((name) => join(this.seedFolder, name))
      .filter((path) => statSync(path).isFile())
      .map((path) => ({ key: relative(this.seedFolder, path), path }))
      .filter(({ key }) => /^(parts|catalog|wal|wal-partial)\//.test(key));
  }

  /** A job configuration in a folder of its own. */
  configure(folder: string, store: string, database: Record<string, unknown> = {}): string {
    mkdirSync(folder, { recursive: true });
    return writeConfig(folder, {
      store,
      databases: [
        {
          name: "ledger",
          engine: "postgres",
          url: this.url("ledger"),
          canary: { canarySeconds: 5 },
          backup: { maxBytesPerSecond: 6_000_000 },
          ...database,
        },
      ],
    });
  }

  /** Starts the runner. */
  start(args: readonly string[], { env, temporaryBytes }: ChaosRunner = {}): ChildProcess {
    const command = [process.execPath, this.bundle, ...args, "--json"];
    const [program, ...words] =
      temporaryBytes === undefined
        ? command
        : [
            ...["unshare", "--mount", "--", "sh", "-c"],
            `mount -t tmpfs -o size=${temporaryBytes},mode=1777 tmpfs /tmp && exec "$@"`,
            "sh",
            ...command,
          ];
    return spawn(program!, words, { env: { ...process.env, ...env } });
  }

  /** Runs the runner to its end. */
  run(args: readonly string[], how: ChaosRunner = {}): Promise<RunnerResult> {
    return finished(this.start(args, how));
  }

  /** The server comes back where it was. */
  async restart(mode: "fast" | "immediate"): Promise<void> {
    await this.server.stop(mode);
    await this.server.start();
  }

  /** Makes the standby that a failover will need. */
  async prepareFailover(): Promise<void> {
    this.standby = await LocalServer.createStandby(this.server, {
      tools: this.tools,
      settings,
      port: await freePort(),
    });
  }

  /** The primary is gone, and the standby takes over its address. */
  async failOver(): Promise<void> {
    const standby = this.standby!;
    await this.server.stop("immediate");
    await withClient(standby, "postgres", (client) => client.query("SELECT pg_promote(true, 60)"));
    this.endpoint.pointTo(standby.access().port);
    const old = this.server;
    this.server = standby;
    this.standby = undefined;
    await old.destroy();
    await this.in("ledger", (client) => this.written.forgetWhatIsGone(client));
  }

  in<Result>(databaseName: string, work: (client: Client) => Promise<Result>): Promise<Result> {
    return withClient(this.server, databaseName, work);
  }

  /** Starts a server on a recovered data directory, as its owner would. */
  async inCopy<Result>(dataDirectory: string, work: (client: Client) => Promise<Result>): Promise<Result> {
    const server = await LocalServer.forDataOfAnother(
      { tools: this.tools, settings: { fsync: "off" }, dataDirectory },
      this.superuser,
    );
    try {
      await server.start();
      return await withClient(server, "ledger", work);
    } finally {
      await server.destroy();
    }
  }

  async destroy(): Promise<void> {
    await this.written.stop();
    await this.standby?.destroy();
    await this.server.destroy();
    await this.endpoint.stop();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private async seed(): Promise<void> {
    const folder = join(this.folder, "seeding");
    const config = this.configure(folder, `file://${this.seedFolder}`, {
      wal: { spool: join(folder, "spool"), flushSeconds: 1, slot: "dr_seed" },
    });
    const must = async (args: readonly string[]): Promise<void> => {
      const { exitCode, stdout } = await this.run([...args, "--config", config]);
      if (exitCode !== 0) throw new Error(stdout);
    };
    await must(["prepare", "ledger"]);
    await waitFor("a heartbeat", 30, () =>
      this.in("ledger", async (client) => (await client.query("SELECT FROM dr_canary.heartbeat")).rowCount! > 0),
    );
    await must(["backup"]);
    const stream = this.start(["stream", "ledger", "--config", config]);
    const ended = finished(stream);
    try {
      await this.untilCovered(`file://${this.seedFolder}`, Date.now());
    } finally {
      stream.kill("SIGTERM");
      await ended;
    }
    const store = openStore(`file://${this.seedFolder}`);
    this.points = (await readCatalog(store)).map(({ manifest }) => manifest!);
    await this.in("ledger", (client) => client.query("SELECT pg_drop_replication_slot('dr_seed')"));
    rmSync(folder, { recursive: true, force: true });
  }

  /** Waits until the log in a store reaches a moment; remembers how far that is. */
  private async untilCovered(url: string, moment: number): Promise<void> {
    const store = openStore(url);
    this.coversUntil = await waitFor(`the log in ${url} to reach ${new Date(moment).toISOString()}`, 60, async () => {
      const until = await coveredUntil(store);
      return until !== undefined && until >= moment ? until : undefined;
    });
  }
}

/** Up to when a store has the log behind its newest base backup. */
export async function coveredUntil(store: ObjectStore): Promise<number | undefined> {
  const base = (await readCatalog(store)).find(({ manifest }) => manifest?.wal)?.manifest;
  return base && (await coverageOf(store, base)).coversUntil?.getTime();
}
