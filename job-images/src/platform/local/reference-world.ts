import { type Client } from "pg";
import { accessOfUrl } from "../../engines/postgres/libpq";
import { beat, prepareStatements } from "../../engines/postgres/prepare";
import { LocalServer } from "../../engines/postgres/server";
import { connect } from "../../engines/postgres/session";
import { findPostgresTools, type PostgresTools } from "../../engines/postgres/tools";
import { OperationError } from "../../errors";
import { referenceDatabaseSettings, referenceRoles, referenceSchema, referenceTransaction } from "./reference-database";

/** The settings of a server that has to survive a crash. */
export const durableSettings: Readonly<Record<string, string>> = {
  wal_level: "replica",
  max_wal_senders: "5",
  max_replication_slots: "5",
  max_slot_wal_keep_size: "1GB",
  shared_buffers: "128MB",
  wal_log_hints: "on",
};

const databaseName = "architect";
const backupRole = "backup";
const heartbeatDeadlineSeconds = 30;

/** The newest installed server programs. @throws OperationError */
export async function newestServerTools(): Promise<PostgresTools> {
  const newest = (await findPostgresTools()).at(-1);
  if (newest) return newest;
  throw new OperationError("PostgreSQL is not installed here: `npm run setup` installs it.");
}

/** A primary on this machine with the application's database, its writers and its heartbeat. */
export class ReferenceWorld {
  private readonly stopping = new AbortController();
  private readonly working: Promise<void>[] = [];
  private readonly failures: Error[] = [];
  private lost = false;
  /** Transactions that the application's writer had confirmed. */
  committedTransactions = 0;
  private heartbeats = 0;

  private constructor(readonly primary: LocalServer) {}

  /**
   * Starts the primary and fills its database.
   *
   * @param scale of the data; 1 is about 100 MB
   * @param slot the replication slot of its log, where somebody will stream it
   */
  static async create(scale: number, signal?: AbortSignal, slot?: string): Promise<ReferenceWorld> {
    const tools = await newestServerTools();
    const primary = await LocalServer.create({ tools, settings: durableSettings, dataChecksums: true, signal });
    const world = new ReferenceWorld(primary);
    try {
      await world.fill(scale, slot);
      return world;
    } catch (error) {
      await world.destroy();
      throw error;
    }
  }

  /** As a superuser connects to it, who may put recovered rows beside the live ones. */
  get adminUrl(): string {
    return this.primary.url(databaseName);
  }

  /** Work on its database as a superuser. */
  async inDatabase<Result>(work: (client: Client) => Promise<Result>): Promise<Result> {
    const client = await connect(this.primary.access(databaseName), { applicationName: "dr drill" });
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  /** As the backup role connects to it. */
  get backupUrl(): string {
    return this.primary.url(databaseName, backupRole);
  }

  /** Starts the application's writer and the heartbeat; both go on until the primary dies or the world ends. */
  startWorking(canarySeconds: number): void {
    this.working.push(
      this.loop(this.primary.url(databaseName, "architect"), 5, async (client) => {
        await client.query(referenceTransaction);
        this.committedTransactions++;
      }),
      this.loop(this.backupUrl, canarySeconds * 1000, async (client) => {
        await beat(client);
        this.heartbeats++;
      }),
    );
  }

  /** Waits until so many more heartbeats were committed. @throws when they do not come */
  async untilHeartbeats(count: number, signal: AbortSignal): Promise<void> {
    const goal = this.heartbeats + count;
    const deadline = performance.now() + heartbeatDeadlineSeconds * 1000;
    while (this.heartbeats < goal) {
      signal.throwIfAborted();
      if (this.failures[0]) throw this.failures[0];
      if (performance.now() > deadline)
        throw new OperationError(`No heartbeat came within ${heartbeatDeadlineSeconds} s.`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /**
   * The primary is gone from one moment to the next.
   *
   * @returns that moment
   * @throws when the writers had failed before: a drill without a load proves nothing
   */
  async loseThePrimary(): Promise<Date> {
    const at = new Date();
    this.lost = true;
    await this.primary.stop("immediate");
    this.stopping.abort();
    await Promise.all(this.working);
    if (this.failures[0]) throw this.failures[0];
    return at;
  }

  async destroy(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.working);
    await this.primary.destroy();
  }

  private async fill(scale: number, slot: string | undefined): Promise<void> {
    const admin = await connect(this.primary.access());
    try {
      await admin.query(referenceRoles);
      await admin.query(`CREATE DATABASE ${databaseName} OWNER architect_owner`);
      await admin.query(referenceDatabaseSettings(databaseName));
    } finally {
      await admin.end();
    }
    const client = await connect(this.primary.access(databaseName));
    try {
      await client.query(referenceSchema(scale));
      for (const statement of await prepareStatements(client, backupRole, slot)) await client.query(statement);
      await client.query(`ALTER ROLE ${backupRole} REPLICATION`);
    } finally {
      await client.end();
    }
  }

  private async loop(
    url: string,
    pauseMilliseconds: number,
    work: (client: Client) => Promise<unknown>,
  ): Promise<void> {
    const client = await connect(accessOfUrl(url), { applicationName: "architect-go" });
    try {
      while (!this.stopping.signal.aborted) {
        await work(client);
        await new Promise((resolve) => setTimeout(resolve, pauseMilliseconds));
      }
    } catch (error) {
      if (!this.lost && !this.stopping.signal.aborted) this.failures.push(error as Error);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
