import { join } from "node:path";
import { type Client } from "pg";
import {
  baseBackupDue,
  BackupMethod,
  type DatabaseConfig,
  type JobConfig,
  jobConfigDefaults,
  logCoverage,
  type Lsn,
  lsnText,
  replayStart,
  walSlotName,
  type WalSettings,
} from "../../../../recovery";
import { messageOf } from "../../errors";
import { pause } from "../../pause";
import { type Progress } from "../../progress";
import { newestManifest } from "../../store/manifest-reader";
import { type ObjectStore } from "../../store/object-store";
import { readStoredLog } from "../../store/stored-log";
import { takeBackup } from "../take-backup";
import { postgresBase } from "./base-backup";
import { accessOf, describeAccess, type PostgresAccess } from "./libpq";
import {
  createSlot,
  dropSlot,
  identifyServer,
  type LogMoment,
  readLogMoment,
  readSlot,
  type WalServer,
} from "./replication";
import { connect } from "./session";
import { toolsForServer } from "./tools";
import { isLogGone, WalReceiver } from "./wal-receiver";
import { WalSpool } from "./wal-spool";

/** A log to stream. */
export interface StreamRequest {
  readonly config: JobConfig;
  readonly database: DatabaseConfig;
  readonly wal: WalSettings;
  readonly store: ObjectStore;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What a stream did until it was stopped. */
export interface StreamSummary {
  /** Whole segments and histories. */
  files: number;
  partials: number;
  baseBackups: number;
  /** Every hole that was found in the log, and what was done about it. */
  gaps: string[];
  /** Up to where the store has the log. */
  storedUntil: string | null;
}

const pollMilliseconds = 250;
const retryMilliseconds = 2_000;
const continuityMilliseconds = 10 * 60_000;
const baseBackupRetryMilliseconds = 60_000;
/** Kubernetes gives a pod 30 seconds to end. */
const farewellMilliseconds = 20_000;

/**
 * Streams until the signal fires; then what was received is stored, and the receiver ends in order. Whatever fails on the
 * way, the database or the store, is told and tried again: what this cannot do is give up.
 */
export async function streamLog(request: StreamRequest): Promise<StreamSummary> {
  return new LogStream(request).untilStopped();
}

/** One server's log on its way. */
interface Route {
  readonly server: WalServer;
  readonly spool: WalSpool;
}

class LogStream {
  private readonly access: PostgresAccess;
  private readonly slot: string;
  private readonly summary: StreamSummary = { files: 0, partials: 0, baseBackups: 0, gaps: [], storedUntil: null };
  private route: Route | undefined;
  private receiver: WalReceiver | undefined;
  private client: Client | undefined;
  private moments: LogMoment[] = [];
  private flushAt = 0;
  private receiveAt = 0;
  private continuityAt = 0;
  /** Log was stored that this receiver brought: only then can a hole before it be seen. */
  private joined = false;
  /** The server had no log for the receiver before this one. */
  private refusedBefore = false;
  private baseBackup: Promise<void> | undefined;
  private full = false;
  private lastTrouble = "";

  constructor(private readonly request: StreamRequest) {
    this.access = accessOf(request.database);
    this.slot = walSlotName(request.database);
  }

  async untilStopped(): Promise<StreamSummary> {
    const { signal } = this.request;
    while (!signal.aborted) {
      await this.attempt("receiving", () => this.keepReceiving());
      // A segment must never reach the store before the one that it follows.
      const inOrder = await this.attempt("storing the log", () => this.storeFinished(signal));
      if (inOrder && performance.now() >= this.flushAt) {
        this.flushAt = performance.now() + this.flushSeconds * 1000;
        if (await this.attempt("storing the newest log", () => this.flush(signal))) await this.watchContinuity();
      }
      await pause(pollMilliseconds, signal);
    }
    await this.end();
    return this.summary;
  }

  /** Stores what is there, with time of its own: the signal has fired already. */
  private async end(): Promise<void> {
    const farewell = AbortSignal.timeout(farewellMilliseconds);
    await this.receiver?.stop();
    await this.attempt("storing the last of the log", async () => {
      await this.storeFinished(farewell);
      const until = await this.route?.spool.storePartial(undefined, undefined, farewell);
      if (until !== undefined) this.stored(until);
    });
    await this.baseBackup;
    await this.client?.end().catch(() => undefined);
  }

  private get flushSeconds(): number {
    return this.request.wal.flushSeconds ?? jobConfigDefaults.walFlushSeconds;
  }

  private note(text: string): void {
    this.request.progress.note(`${new Date().toISOString()} ${text}`);
  }

  /** @returns whether it worked; what did not is told once, and tried again */
  private async attempt(what: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (this.request.signal.aborted) return false;
      const trouble = `${what}: ${messageOf(error)}`;
      if (trouble !== this.lastTrouble) this.note(trouble);
      this.lastTrouble = trouble;
      await this.client?.end().catch(() => undefined);
      this.client = undefined;
      return false;
    }
  }

  private async keepReceiving(): Promise<void> {
    if (this.receiver && this.receiver.failure === undefined) return this.heedTheLimit();
    if (performance.now() < this.receiveAt) return;
    this.receiveAt = performance.now() + retryMilliseconds;
    const failure = this.receiver?.failure;
    this.receiver = undefined;
    if (failure !== undefined) {
      this.note(`receiving ended: ${failure}`);
      if (isLogGone(failure)) await this.startOverWithoutLog();
    }
    if (this.full && !(await this.hasRoom())) return;
    this.full = false;
    await this.findRoute();
    await this.ensureSlot();
    const { server, spool } = this.route!;
    for (const name of await spool.dropUnmade(this.request.signal)) {
      this.note(`${name} was never made whole, for want of room: it is received again`);
    }
    this.receiver = new WalReceiver(this.access, await toolsForServer(server.major), this.slot, spool.folder);
    this.continuityAt = 0;
    this.joined = false;
    this.note(`receiving the log of ${describeAccess(this.access)}, timeline ${server.timeline}, slot ${this.slot}`);
  }

  /** A spool that fills its volume would stop everything; the slot keeps the log on the primary instead. */
  private async heedTheLimit(): Promise<void> {
    if (await this.hasRoom()) return;
    this.full = true;
    await this.receiver?.stop();
    this.receiver = undefined;
    this.note(`the spool is full: receiving waits for the store, and slot ${this.slot} keeps the log on the server`);
  }

  private async hasRoom(): Promise<boolean> {
    const limit = this.request.wal.maxSpoolBytes ?? jobConfigDefaults.maxSpoolBytes;
    return (await this.route!.spool.waitingBytes()) < limit;
  }

  private async findRoute(): Promise<void> {
    const server = await identifyServer(this.access);
    if (this.route?.server.systemIdentifier !== server.systemIdentifier) {
      if (this.route) this.note(`this is another server: ${server.systemIdentifier}`);
      await this.route?.spool.clear(this.request.signal);
      const spool = new WalSpool(join(this.request.wal.spool, server.systemIdentifier), {
        store: this.request.store,
        database: this.request.database.name,
        systemIdentifier: server.systemIdentifier,
        segmentBytes: server.segmentBytes,
      });
      await spool.open();
      this.moments = [];
      this.route = { server, spool };
    } else this.route = { ...this.route, server };
  }

  private async ensureSlot(): Promise<void> {
    const client = await this.connected();
    const slot = await readSlot(client, this.slot);
    if (slot?.lost) {
      await dropSlot(client, this.slot);
      await this.startOver(
        `slot ${this.slot} was invalidated: the server kept as much as max_slot_wal_keep_size lets it`,
      );
    }
    if (!slot || slot.lost) {
      await createSlot(client, this.slot);
      this.note(`made slot ${this.slot}`);
    }
  }

  /** The next log will not join what is stored: the spool must not say otherwise. */
  private async startOver(why: string): Promise<void> {
    await this.route?.spool.clear(this.request.signal);
    this.note(`the log is interrupted: ${why}`);
  }

  /**
   * The server no longer has what was asked for. With an empty spool the receiver begins at the slot's position; when that
   * is refused too, the slot promises what nobody has: a receiver that asked for less moved it back there (PostgreSQL takes
   * its word for it), and there it would stay.
   */
  private async startOverWithoutLog(): Promise<void> {
    await this.startOver("the server no longer has what the spool ends with");
    if (this.refusedBefore) {
      const client = await this.connected();
      if (await readSlot(client, this.slot)) await dropSlot(client, this.slot);
      this.note(`dropped slot ${this.slot}, whose position the server has no log of`);
    }
    this.refusedBefore = true;
  }

  private async storeFinished(signal: AbortSignal): Promise<void> {
    if (!this.route) return;
    const { files, ofLog } = await this.route.spool.storeFinished(signal);
    this.summary.files += files;
    // A history tells what follows what; of what is missing before the log that it announces it tells nothing.
    if (files > ofLog) this.continuityAt = 0;
    if (ofLog > 0) this.join();
  }

  private async flush(signal: AbortSignal): Promise<void> {
    if (!this.route) return;
    const received = await this.receivedUntil();
    const moment = received === undefined ? undefined : this.moments.filter(({ lsn }) => lsn <= received).at(-1);
    const until = await this.route.spool.storePartial(received, moment?.at, signal);
    if (until === undefined) {
      this.flushAt = Math.min(this.flushAt, performance.now() + retryMilliseconds / 2);
      return;
    }
    this.summary.partials++;
    this.stored(until);
  }

  private stored(until: Lsn): void {
    this.summary.storedUntil = lsnText(until);
    this.lastTrouble = "";
    this.join();
  }

  /** The first of a receiver's log is in the store: whether it follows what was there is looked at now, not in ten minutes. */
  private join(): void {
    if (!this.joined) this.continuityAt = 0;
    this.joined = true;
    this.refusedBefore = false;
  }

  /** Notes a moment of the server, and gives the receiver a second to be as far as the log was then. */
  private async receivedUntil(): Promise<Lsn | undefined> {
    if (this.receiver === undefined || this.receiver.failure !== undefined) return undefined;
    try {
      const client = await this.connected();
      const moment = await readLogMoment(client);
      this.moments = [...this.moments.slice(-10), moment];
      const deadline = performance.now() + 1000;
      for (;;) {
        const received = (await readSlot(client, this.slot))?.received;
        if ((received !== undefined && received >= moment.lsn) || performance.now() > deadline) return received;
        await pause(20, this.request.signal);
      }
    } catch {
      // The server is away, and what was received before is stored all the same.
      await this.client?.end().catch(() => undefined);
      this.client = undefined;
      return undefined;
    }
  }

  private async connected(): Promise<Client> {
    return (this.client ??= await connect(this.access, { applicationName: "dr stream watch" }));
  }

  /** Looks for holes, and takes the base backup that is due. Whatever fails here is tried again at its time. */
  private async watchContinuity(): Promise<void> {
    if (this.baseBackup || performance.now() < this.continuityAt || !this.route) return;
    this.continuityAt = performance.now() + continuityMilliseconds;
    await this.attempt("looking for holes in the log", async () => {
      const { server } = this.route!;
      const { database, store } = this.request;
      const newest = await newestManifest(
        store,
        database.name,
        ({ method, source }) => method === BackupMethod.Base && source.systemIdentifier === server.systemIdentifier,
      );
      const log = await readStoredLog(store, { database: database.name, ...server });
      const coverage = newest?.wal && logCoverage(log, replayStart(newest.wal));
      const due = baseBackupDue({
        newest,
        coverage,
        schedule: this.request.wal.baseBackupSchedule ?? jobConfigDefaults.baseBackupSchedule,
        timeZone: database.backup?.timeZone,
        now: new Date(),
      });
      if (coverage?.gap) this.summary.gaps.push(`${coverage.gap.segment}: ${coverage.gap.why}`);
      if (due !== undefined) this.baseBackup = this.takeBaseBackup(due);
    });
  }

  private async takeBaseBackup(why: string): Promise<void> {
    this.note(`taking a base backup: ${why}`);
    try {
      const { id } = await takeBackup({ ...this.request, engine: postgresBase });
      this.summary.baseBackups++;
      this.note(`took ${id}`);
    } catch (error) {
      if (!this.request.signal.aborted) this.note(`the base backup failed: ${messageOf(error)}`);
      this.continuityAt = performance.now() + baseBackupRetryMilliseconds;
    } finally {
      this.baseBackup = undefined;
    }
  }
}
