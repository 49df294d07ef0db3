import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OperationError } from "../../errors";
import { runTool, type RunAs } from "../../process/child";
import { type PostgresAccess } from "./libpq";
import { connect } from "./session";
import { type PostgresTools } from "./tools";

const defaultReadySeconds = 60;
const ownerFile = "owner.pid";
const folderPrefix = "dr-server-";

/**
 * Nothing that a restored database carries may act on anything: no network, no replication, no archiving, no workers
 * of extensions. Nothing needs to survive a crash either, so nothing is synced.
 */
export const throwAwaySettings: Readonly<Record<string, string>> = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  archive_mode: "off",
  max_logical_replication_workers: "0",
  shared_preload_libraries: "",
  autovacuum: "off",
  max_wal_size: "8GB",
  checkpoint_timeout: "1d",
  shared_buffers: "128MB",
  maintenance_work_mem: "128MB",
  jit: "off",
};

/** How a server of our own is made. */
export interface ServerOptions {
  readonly tools: PostgresTools;
  /** Keys and values of `postgresql.conf`. */
  readonly settings: Readonly<Record<string, string>>;
  /** Cut the server off from every network, where the operating system lets us. @default false */
  readonly isolated?: boolean;
  /** Listen on this loopback port beside the socket. */
  readonly port?: number;
  readonly dataChecksums?: boolean;
  /** A data directory outside of the server's own folder, which `destroy` leaves alone. @default one inside it */
  readonly dataDirectory?: string;
  /** How long it may take to accept connections: a replay of much log takes as long as it takes. @default 60 */
  readonly readySeconds?: number;
  /** Go on running after this process has ended, until somebody stops it. @default false */
  readonly outlive?: boolean;
  readonly signal?: AbortSignal;
}

/** The bootstrap superuser: a name that no backup's own roles collide with. */
const superuser = "dr_superuser";

/** A PostgreSQL server that this process started, and that ends with it unless it was asked to outlive it. */
export class LocalServer {
  private constructor(
    /** Holds the data directory, the socket and the log; removed by `destroy`. */
    readonly directory: string,
    readonly tools: PostgresTools,
    private readonly options: ServerOptions,
    /** Whom it runs as, and its data belongs to; absent when that is ourselves. */
    readonly runAs: RunAs | undefined,
    /** Whether the server has no network at all, not even by mistake. */
    readonly isolated: boolean,
  ) {}

  /** How a standby reaches its primary. */
  private follow: string | undefined;
  /** The superuser of a data directory that came from elsewhere. */
  private foreignSuperuser: string | undefined;
  private process: ChildProcess | undefined;
  private exited: Promise<void> = Promise.resolve();

  /** Makes an empty server and starts it. */
  static create(options: ServerOptions): Promise<LocalServer> {
    return LocalServer.make(options, (server) =>
      server.runAsOwner("initdb", [
        "--pgdata=data",
        `--username=${superuser}`,
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
        ...(options.dataChecksums ? ["--data-checksums"] : []),
      ]),
    );
  }

  /** Makes a server that follows another one, and starts it. */
  static createStandby(primary: LocalServer, options: ServerOptions): Promise<LocalServer> {
    const { host, port, user } = primary.access();
    return LocalServer.make(options, async (server) => {
      await server.runAsOwner("pg_basebackup", [
        "--pgdata=data",
        `--dbname=host=${host} port=${port} user=${user}`,
        "--wal-method=stream",
        "--checkpoint=fast",
        "--no-sync",
      ]);
      writeFileSync(join(server.dataDirectory, "standby.signal"), "");
      server.follow = `host=${host} port=${port} user=${user}`;
    });
  }

  /**
   * A server for a data directory that comes from elsewhere, not started yet: the caller fills `dataDirectory` first.
   * Nothing of its own configuration takes part: it may archive, replicate and load whatever its source did.
   *
   * @param superuser a superuser of that cluster
   */
  static async forDataOfAnother(options: ServerOptions, superuser: string): Promise<LocalServer> {
    const server = await LocalServer.prepare(options);
    server.foreignSuperuser = superuser;
    writeFileSync(join(server.directory, "server.conf"), "");
    writeFileSync(join(server.directory, "hba.conf"), "local all all trust\n");
    writeFileSync(join(server.directory, "ident.conf"), "");
    return server;
  }

  private static async make(
    options: ServerOptions,
    fill: (server: LocalServer) => Promise<unknown>,
  ): Promise<LocalServer> {
    const server = await LocalServer.prepare(options);
    try {
      await fill(server);
      server.writeSettings();
      await server.start();
      return server;
    } catch (error) {
      await server.destroy();
      throw error;
    }
  }

  private static async prepare(options: ServerOptions): Promise<LocalServer> {
    sweepDeadServers();
    const runAs = unprivilegedUser();
    const directory = await mkdtemp(join(shortTemporaryFolder(), folderPrefix));
    writeFileSync(join(directory, ownerFile), String(process.pid));
    if (runAs) chownSync(directory, runAs.uid, runAs.gid);
    return new LocalServer(directory, options.tools, options, runAs, options.isolated === true && canIsolate());
  }

  /** Runs one of PostgreSQL's programs in the server's folder, as the user that the server runs as. */
  private runAsOwner(program: string, args: readonly string[]): Promise<string> {
    return runTool(this.tools.program(program), args, {
      cwd: this.directory,
      runAs: this.runAs,
      signal: this.options.signal,
      env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8" },
    });
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  get dataDirectory(): string {
    return this.options.dataDirectory ?? join(this.directory, "data");
  }

  /** How to reach a database of it. */
  access(databaseName = "postgres"): PostgresAccess {
    return { host: this.directory, port: this.port, user: this.superuser, databaseName };
  }

  /** How to reach it from another program, as the job configuration writes it. */
  url(databaseName: string, user = this.superuser): string {
    return `postgresql://${user}@/${encodeURIComponent(databaseName)}?host=${encodeURIComponent(this.directory)}&port=${this.port}`;
  }

  /**
   * Starts the server, again after a stop as well.
   *
   * @param settings for this start alone; only on data of another server
   */
  async start(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const log = openSync(join(this.directory, "log"), "a");
    const launcher = this.launcher();
    const child = spawn(
      launcher[0]!,
      [
        ...launcher.slice(1),
        this.tools.program("postgres"),
        "-D",
        this.dataDirectory,
        ...this.foreignArguments(settings),
      ],
      {
        cwd: this.directory,
        stdio: ["ignore", log, log],
        env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8" },
        // Ctrl-C in a terminal reaches the whole group; the server is stopped by us, in order.
        detached: true,
        ...(this.isolated ? {} : this.runAs),
      },
    );
    closeSync(log);
    this.process = child;
    this.exited = new Promise((resolve) => child.once("exit", () => resolve()));
    child.once("error", () => undefined);
    if (this.options.outlive && child.pid !== undefined) {
      child.unref();
      writeFileSync(join(this.directory, ownerFile), String(child.pid));
    }
    await this.untilReady(child);
  }

  /** `fast` rolls back what runs and stops in order; `immediate` is what a crash leaves. */
  async stop(mode: "fast" | "immediate"): Promise<void> {
    this.process?.kill(mode === "fast" ? "SIGINT" : "SIGQUIT");
    await this.exited;
    this.process = undefined;
  }

  /** Stops the server and removes everything of it. Never throws: it runs on the way out. */
  async destroy(): Promise<void> {
    await this.stop("immediate");
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  private get port(): number {
    return this.options.port ?? 5432;
  }

  private get superuser(): string {
    return this.foreignSuperuser ?? superuser;
  }

  private allSettings(): Record<string, string> {
    return {
      listen_addresses: this.options.port === undefined ? "" : "127.0.0.1",
      port: String(this.port),
      unix_socket_directories: this.directory,
      ...(this.follow === undefined ? {} : { primary_conninfo: this.follow }),
      ...this.options.settings,
    };
  }

  private writeSettings(): void {
    const lines = Object.entries(this.allSettings()).map(
      ([name, value]) => `${name} = '${value.replace(/'/g, "''")}'\n`,
    );
    writeFileSync(join(this.dataDirectory, "postgresql.auto.conf"), lines.join(""));
  }

  /** The command line wins over every file, `postgresql.auto.conf` of the data directory included. */
  private foreignArguments(settings: Readonly<Record<string, string>>): string[] {
    if (this.foreignSuperuser === undefined) return [];
    const files = {
      config_file: join(this.directory, "server.conf"),
      hba_file: join(this.directory, "hba.conf"),
      ident_file: join(this.directory, "ident.conf"),
    };
    return Object.entries({ ...this.allSettings(), ...settings, ...files }).flatMap(([name, value]) => [
      "-c",
      `${name}=${value}`,
    ]);
  }

  /** The words before `postgres`: the kernel ends the server when this process dies, however it dies. */
  private launcher(): string[] {
    const dieWithUs = ["setpriv", ...(this.options.outlive ? [] : ["--pdeathsig", "QUIT"])];
    if (!this.isolated) return [...dieWithUs, "--"];
    const user = this.runAs ? [`--reuid=${this.runAs.uid}`, `--regid=${this.runAs.gid}`, "--clear-groups"] : [];
    return [...isolationCommand(), ...dieWithUs, ...user, "--"];
  }

  private async untilReady(child: ChildProcess): Promise<void> {
    const deadline = performance.now() + (this.options.readySeconds ?? defaultReadySeconds) * 1000;
    for (;;) {
      this.options.signal?.throwIfAborted();
      try {
        await (await connect(this.access(), { connectTimeoutSeconds: 2 })).end();
        return;
      } catch (error) {
        if (
          child.exitCode !== null ||
          child.signalCode !== null ||
          child.pid === undefined ||
          performance.now() > deadline
        ) {
          throw new OperationError(`A local PostgreSQL server did not start.\n${this.logTail()}`, { cause: error });
        }
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
  }

  private logTail(): string {
    return readFileSync(join(this.directory, "log"), "utf8").trim().split("\n").slice(-8).join("\n");
  }
}

/** The user that servers run as when we are root: PostgreSQL refuses to run as root, and rightly. */
function unprivilegedUser(): RunAs | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith("postgres:"));
  const fields = line?.split(":");
  if (!fields) throw new OperationError("There is no user postgres to run a server as: `npm run setup` installs it.");
  return { uid: Number(fields[2]), gid: Number(fields[3]) };
}

function isolationCommand(): string[] {
  return process.getuid?.() === 0
    ? ["unshare", "--net", "--"]
    : ["unshare", "--user", "--map-current-user", "--net", "--"];
}

let isolationWorks: boolean | undefined;

/** Whether this machine lets us start a process without a network. In a pod the NetworkPolicy does it instead. */
function canIsolate(): boolean {
  const [program, ...args] = isolationCommand();
  isolationWorks ??= spawnSync(program!, [...args, "true"], { stdio: "ignore" }).status === 0;
  return isolationWorks;
}

/** A socket's path may have 107 bytes, and the server's user must be able to enter its folder. */
function shortTemporaryFolder(): string {
  const folder = tmpdir();
  return folder.length > 60 || process.getuid?.() === 0 ? "/tmp" : folder;
}

/** Removes what runs that were killed outright left behind. Their servers died with them. */
function sweepDeadServers(): void {
  const root = shortTemporaryFolder();
  for (const entry of readdirSync(root)) {
    if (!entry.startsWith(folderPrefix)) continue;
    const directory = join(root, entry);
    try {
      const pid = Number(readFileSync(join(directory, ownerFile), "utf8"));
      if (!isAlive(pid)) rmSync(directory, { recursive: true, force: true });
    } catch {
      // Being made at this moment, or somebody else's: not ours to remove.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A scratch folder inside a server's own, for archives on their way in. */
export function scratchFolder(server: LocalServer): string {
  const folder = join(server.directory, "scratch");
  mkdirSync(folder, { recursive: true });
  return folder;
}
