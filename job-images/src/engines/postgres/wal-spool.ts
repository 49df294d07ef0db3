import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import {
  historyKey,
  historyName,
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

  /** Whether the receiver would go on from here; otherwise it begins where the slot says. */
  async isEmpty(): Promise<boolean> {
    return (await this.names()).every((name) => parseHistoryName(name) !== undefined);
  }

  /**
   * Stores every finished file, then removes what is stored. The newest segment stays: by it the receiver finds its place
   * again.
   *
   * @returns how many files were stored
   */
  async storeFinished(signal: AbortSignal): Promise<number> {
    const names = await this.names();
    const segments = names.filter((name) => this.segment(name));
    let count = 0;
    for (const name of [...names.filter((name) => parseHistoryName(name) !== undefined), ...segments]) {
      if (this.stored.has(name)) continue;
      await (parseHistoryName(name) === undefined ? this.storeSegment(name, signal) : this.storeHistory(name, signal));
      this.stored.add(name);
      count++;
    }
    const newestTimeline = Math.max(
      0,
      ...names.map((name) => this.segment(name.replace(partialSuffix, ""))?.timeline ?? 0),
    );
    for (const name of segments.slice(0, -1)) await this.forget(name);
    for (const name of names.filter((name) => name.endsWith(partialSuffix))) {
      // What the former timeline left unfinished will never be finished.
      const left = this.segment(name.slice(0, -partialSuffix.length));
      if (!left || left.timeline >= newestTimeline) continue;
      await this.storePartialFile(name, undefined, signal);
      await this.forget(name);
      count++;
    }
    return count;
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
    const partial = names.filter((name) => name.endsWith(partialSuffix)).at(-1);
    const segment = partial && this.segment(partial.slice(0, -partialSuffix.length));
    if (partial !== undefined && segment) {
      const inside =
        received !== undefined && received > segment.start && received <= segment.start + this.segmentBytes;
      if (inside) return this.storePartialFile(partial, { end: received, coversUntil }, signal);
      if (received === undefined) return this.storePartialFile(partial, undefined, signal);
    }
    // Right after a segment was finished there is nothing of the next one: the moment is worth noting all the same.
    const newest = names.flatMap((name) => this.segment(name) ?? []).at(-1);
    if (newest && received === newest.start + this.segmentBytes && coversUntil) {
      const name = segmentNameAt(newest.timeline, received, this.to.segmentBytes);
      await this.putPartial(name, { end: received, coversUntil }, join(this.folder, partial ?? names[0]!), 0, signal);
      return received;
    }
    return undefined;
  }

  /** Removes everything, after the store has it all: the receiver then begins where the slot says. */
  async clear(signal: AbortSignal): Promise<void> {
    await this.storeFinished(signal);
    for (const name of await this.names()) {
      if (name.endsWith(partialSuffix)) await this.storePartialFile(name, undefined, signal);
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
    const path = join(this.folder, name);
    const { size } = await stat(path);
    const sha256 = await hashOf(path, size);
    await this.put(walKey(this.to.database, this.to.systemIdentifier, { name, sha256 }), path, size, signal);
  }

  private async storeHistory(name: string, signal: AbortSignal): Promise<void> {
    const path = join(this.folder, name);
    const parent = parseTimelineHistory(await readFile(path, "utf8")).at(-1);
    if (!parent) return;
    const { size } = await stat(path);
    const history = { timeline: parseHistoryName(name)!, parent, sha256: await hashOf(path, size) };
    await this.put(historyKey(this.to.database, this.to.systemIdentifier, history), path, size, signal);
  }

  private async storePartialFile(
    name: string,
    known: { readonly end: Lsn; readonly coversUntil?: Date } | undefined,
    signal: AbortSignal,
  ): Promise<Lsn | undefined> {
    const path = join(this.folder, name);
    const segment = this.segment(name.slice(0, -partialSuffix.length))!;
    const end = known?.end ?? segment.start + BigInt(await writtenBytes(path));
    if (end === segment.start) return undefined;
    const bytes = Number(end - segment.start);
    await this.putPartial(name.slice(0, -partialSuffix.length), { ...known, end }, path, bytes, signal);
    return end;
  }

  private async putPartial(
    name: string,
    known: { readonly end: Lsn; readonly coversUntil?: Date },
    path: string,
    bytes: number,
    signal: AbortSignal,
  ): Promise<void> {
    const sha256 = await hashOf(path, bytes);
    const { database, systemIdentifier } = this.to;
    await this.put(partialWalKey(database, systemIdentifier, { name, sha256, ...known }), path, bytes, signal);
  }

  /** Compresses the beginning of a file into the store. What is hashed and what is stored is synced and changes no more. */
  private async put(key: string, path: string, bytes: number, signal: AbortSignal): Promise<void> {
    const zstd = new Tool("zstd", ["-3", "-q", "-c"], { stdinPipe: true, signal });
    const feeding = pipeline(beginning(path, bytes), zstd.process.stdin!).catch(() => undefined);
    await this.to.store.put(key, checkedStream([zstd]), { signal });
    await feeding;
  }
}

/** The name of the history of a timeline, which the first has none of. */
export function historyFile(timeline: number): string | undefined {
  return timeline > 1 ? historyName(timeline) : undefined;
}

function beginning(path: string, bytes: number): Readable {
  return bytes === 0 ? Readable.from([]) : createReadStream(path, { end: bytes - 1 });
}

async function hashOf(path: string, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of beginning(path, bytes)) hash.update(chunk as Buffer);
  return hash.digest("hex");
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
