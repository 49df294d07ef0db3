import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import {
  historyKey,
  type Lsn,
  parseHistoryName,
  parseSegmentName,
  parseTimelineHistory,
  partialWalKey,
  segmentNameAt,
  walKey,
} from "../../../../recovery";
import { checkedStream, Tool } from "../../process/child";
import { type ObjectStore } from "../../store/object-store";

/** Whose log it is, and where it goes. */
export interface LogDestination {
  readonly store: ObjectStore;
  readonly database: string;
  readonly systemIdentifier: string;
  readonly segmentBytes: number;
}

const partialSuffix = ".partial";

/**
 * The folder between `pg_receivewal` and the store. What is in it and not in the store yet is nowhere else: nothing is
 * removed from it before the store has said that it is durable there.
 */
export class WalSpool {
  private readonly stored = new Set<string>();

  constructor(
    readonly folder: string,
    private readonly to: LogDestination,
  ) {}

  async open(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
  }

  /** Bytes that wait for the store. */
  async waitingBytes(): Promise<number> {
    const names = (await this.names()).filter((name) => !this.stored.has(name));
    const sizes = await Promise.all(
      names.map((name) =>
        stat(join(this.folder, name)).then(
          (file) => file.size,
          () => 0,
        ),
      ),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  /**
   * Stores every finished file, then removes what is stored. The newest segment stays: by it the receiver finds its place
   * again.
   *
   * @returns how many files were stored, and how many of them hold log: a timeline's history comes before all of it
   */
  async storeFinished(signal: AbortSignal): Promise<{ readonly files: number; readonly ofLog: number }> {
    const names = await this.names();
    const segments = names.filter((name) => this.segment(name));
    let files = 0;
    let ofLog = 0;
    for (const name of [...names.filter((name) => parseHistoryName(name) !== undefined), ...segments]) {
      if (this.stored.has(name)) continue;
      const isHistory = parseHistoryName(name) !== undefined;
      await (isHistory ? this.storeHistory(name, signal) : this.storeSegment(name, signal));
      this.stored.add(name);
      files++;
      if (!isHistory) ofLog++;
    }
    for (const name of segments.slice(0, -1)) await this.forget(name);
    const newestTimeline = Math.max(0, ...names.map((name) => this.segment(segmentOf(name))?.timeline ?? 0));
    for (const name of names.filter((name) => name.endsWith(partialSuffix))) {
      // What the former timeline left unfinished will never be finished.
      if ((this.segment(segmentOf(name))?.timeline ?? newestTimeline) >= newestTimeline) continue;
      await this.storeAsWritten(name, signal);
      await this.forget(name);
      files++;
      ofLog++;
    }
    return { files, ofLog };
  }

  /**
   * Stores what has been received of the segment that is not full yet.
   *
   * @param received up to where the receiver has synced; absent when the server cannot say
   * @param coversUntil a moment whose commits all lie before `received`
   * @returns up to where the store has the log now; `undefined` when there is nothing to store
   */
  async storePartial(
    received: Lsn | undefined,
    coversUntil: Date | undefined,
    signal: AbortSignal,
  ): Promise<Lsn | undefined> {
    const names = await this.names();
    // Finished a moment ago, or the history of what follows: until it is in the store, nothing behind it may be.
    const comesBefore = (name: string): boolean =>
      this.segment(name) !== undefined || parseHistoryName(name) !== undefined;
    if (names.some((name) => comesBefore(name) && !this.stored.has(name))) return undefined;
    const partial = names.filter((name) => name.endsWith(partialSuffix)).at(-1);
    const segment = partial === undefined ? undefined : this.segment(segmentOf(partial));
    if (partial !== undefined && segment) {
      if (received === undefined) return this.storeAsWritten(partial, signal);
      if (received > segment.start && received <= segment.start + this.segmentBytes) {
        return this.putPartial(partial, { end: received, coversUntil }, Number(received - segment.start), signal);
      }
    }
    // Right after a segment was finished there is nothing of the next one: the moment is worth noting all the same.
    const newest = names.flatMap((name) => this.segment(name) ?? []).at(-1);
    if (newest && received === newest.start + this.segmentBytes && coversUntil) {
      const name = segmentNameAt(newest.timeline, received, this.to.segmentBytes);
      return this.putPartial(name, { end: received, coversUntil }, 0, signal);
    }
    return undefined;
  }

  /**
   * Removes what a full disk left of a new segment: the receiver makes a segment whole before it writes into it, and
   * refuses one of another size for ever. The server still has it from its beginning.
   *
   * @returns the names
   */
  async dropUnmade(signal: AbortSignal): Promise<readonly string[]> {
    const dropped: string[] = [];
    for (const name of await this.names()) {
      if (!name.endsWith(partialSuffix) || !this.segment(segmentOf(name))) continue;
      const { size } = await stat(join(this.folder, name));
      if (size === 0 || size === this.to.segmentBytes) continue;
      // It should hold zeros alone; if anything else is in it, the store gets it first.
      await this.storeAsWritten(name, signal);
      await this.forget(name);
      dropped.push(name);
    }
    return dropped;
  }

  /** Removes everything, after the store has it all: the receiver then begins where the slot says. */
  async clear(signal: AbortSignal): Promise<void> {
    await this.storeFinished(signal);
    for (const name of await this.names()) {
      if (name.endsWith(partialSuffix)) await this.storeAsWritten(name, signal);
      await this.forget(name);
    }
  }

  private get segmentBytes(): bigint {
    return BigInt(this.to.segmentBytes);
  }

  private segment(name: string) {
    return parseSegmentName(name, this.to.segmentBytes);
  }

  private async names(): Promise<string[]> {
    return (await readdir(this.folder)).sort();
  }

  private async forget(name: string): Promise<void> {
    await rm(join(this.folder, name), { force: true });
    this.stored.delete(name);
  }

  private async storeSegment(name: string, signal: AbortSignal): Promise<void> {
    const { database, systemIdentifier, segmentBytes } = this.to;
    await this.put(name, segmentBytes, (sha256) => walKey(database, systemIdentifier, { name, sha256 }), signal);
  }

  private async storeHistory(name: string, signal: AbortSignal): Promise<void> {
    const text = await readFile(join(this.folder, name), "utf8");
    const parent = parseTimelineHistory(text).at(-1);
    if (!parent) return;
    const timeline = parseHistoryName(name)!;
    const { database, systemIdentifier } = this.to;
    const key = (sha256: string): string => historyKey(database, systemIdentifier, { timeline, parent, sha256 });
    await this.put(name, Buffer.byteLength(text), key, signal);
  }

  /** What was written of a segment that the server cannot be asked about. */
  private async storeAsWritten(name: string, signal: AbortSignal): Promise<Lsn | undefined> {
    const { start } = this.segment(segmentOf(name))!;
    const written = await writtenBytes(join(this.folder, name));
    return written === 0 ? undefined : this.putPartial(name, { end: start + BigInt(written) }, written, signal);
  }

  private async putPartial(
    file: string,
    known: { readonly end: Lsn; readonly coversUntil?: Date },
    bytes: number,
    signal: AbortSignal,
  ): Promise<Lsn> {
    const name = segmentOf(file);
    const { database, systemIdentifier } = this.to;
    const key = (sha256: string): string => partialWalKey(database, systemIdentifier, { name, sha256, ...known });
    await this.put(bytes === 0 ? undefined : file, bytes, key, signal);
    return known.end;
  }

  /**
   * Compresses the beginning of a file into the store. The file is opened once: the receiver may rename it meanwhile, and
   * what it has synced changes no more.
   */
  private async put(
    name: string | undefined,
    bytes: number,
    key: (sha256: string) => string,
    signal: AbortSignal,
  ): Promise<void> {
    const file = name === undefined ? undefined : await open(join(this.folder, name));
    try {
      const beginning = (): Readable =>
        file && bytes > 0 ? file.createReadStream({ start: 0, end: bytes - 1, autoClose: false }) : Readable.from([]);
      const hash = createHash("sha256");
      for await (const chunk of beginning()) hash.update(chunk as Buffer);
      const broken = new AbortController();
      const zstd = new Tool("zstd", ["-3", "-q", "-c"], { stdinPipe: true, signal });
      // A reading that fails must not look like the end of the file.
      pipeline(beginning(), zstd.process.stdin!).catch((error: unknown) => broken.abort(error));
      await this.to.store.put(key(hash.digest("hex")), checkedStream([zstd]), {
        signal: AbortSignal.any([signal, broken.signal]),
      });
    } finally {
      await file?.close();
    }
  }
}

function segmentOf(name: string): string {
  return name.endsWith(partialSuffix) ? name.slice(0, -partialSuffix.length) : name;
}

/** The receiver fills a new segment with zeros first; what follows the last other byte was never written. */
async function writtenBytes(path: string): Promise<number> {
  let position = 0;
  let written = 0;
  for await (const chunk of createReadStream(path)) {
    const buffer = chunk as Buffer;
    let index = buffer.length;
    while (index > 0 && buffer[index - 1] === 0) index--;
    if (index > 0) written = position + index;
    position += buffer.length;
  }
  return written;
}
