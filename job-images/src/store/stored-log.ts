import { createHash } from "node:crypto";
import { truncate } from "node:fs/promises";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import {
  logCoverage,
  type LogCoverage,
  type Manifest,
  parseHistoryKey,
  parsePartialWalKey,
  parseWalKey,
  replayStart,
  type StoredLog,
  StorePrefix,
  type StoredWalFile,
  walFolder,
} from "../../../recovery";
import { checkedStream, Tool } from "../process/child";
import { mapConcurrently } from "./concurrently";
import { type ObjectStore } from "./object-store";
import { DamagedPartError } from "./parts";

/** Whose log. */
export interface LogOwner {
  /** The database's name in the job configuration. */
  readonly database: string;
  readonly systemIdentifier: string;
  readonly segmentBytes: number;
}

/** What the store holds of a server's log, from a listing alone. */
export async function readStoredLog(store: ObjectStore, owner: LogOwner): Promise<StoredLog> {
  const keysUnder = async (prefix: typeof StorePrefix.Wal | typeof StorePrefix.WalPartial): Promise<string[]> => {
    const keys: string[] = [];
    for await (const { key } of store.list(walFolder(prefix, owner.database, owner.systemIdentifier))) keys.push(key);
    return keys;
  };
  const [whole, partial] = await Promise.all([keysUnder(StorePrefix.Wal), keysUnder(StorePrefix.WalPartial)]);
  return {
    segmentBytes: owner.segmentBytes,
    files: whole.flatMap((key) => parseWalKey(key) ?? []),
    partials: partial.flatMap((key) => parsePartialWalKey(key) ?? []),
    histories: whole.flatMap((key) => parseHistoryKey(key) ?? []),
  };
}

/** How far the stored log carries a base backup. */
export async function coverageOf(store: ObjectStore, base: Manifest): Promise<LogCoverage> {
  const log = await readStoredLog(store, logOwnerOf(base));
  return logCoverage(log, replayStart(base.wal!));
}

/** Whose log is replayed onto a base backup. */
export function logOwnerOf({ database, source, wal }: Manifest): LogOwner {
  return { database, systemIdentifier: source.systemIdentifier!, segmentBytes: wal!.segmentBytes };
}

const fetchesAtOnce = 4;

/**
 * Brings the log that a replay needs into a folder, under the names that PostgreSQL asks for.
 *
 * @throws DamagedPartError when a file is missing or holds something else than its key says
 */
export async function fetchLog(
  store: ObjectStore,
  log: StoredLog,
  coverage: LogCoverage,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const files: StoredWalFile[] = [...log.histories, ...coverage.files];
  await mapConcurrently(files, fetchesAtOnce, (file) => fetchFile(store, file, join(folder, file.name), signal));
  const { partial } = coverage;
  if (!partial) return;
  const path = join(folder, partial.name);
  await fetchFile(store, partial, path, signal);
  // PostgreSQL takes a segment in its full length only; zeros are where its log ends.
  await truncate(path, log.segmentBytes);
}

async function fetchFile(store: ObjectStore, file: StoredWalFile, path: string, signal: AbortSignal): Promise<void> {
  // Before the tool is started: one that nobody feeds never ends, and neither does the process that started it.
  const body = await store.get(file.key, { signal });
  const zstd = new Tool("zstd", ["-d", "-q", "-c"], { stdinPipe: true, signal });
  const hash = createHash("sha256");
  const hashed = async function* (output: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of output) {
      hash.update(chunk);
      yield chunk;
    }
  };
  const outcomes = await Promise.allSettled([
    pipeline(body, zstd.process.stdin!),
    pipeline(checkedStream([zstd], hashed), createWriteStream(path, { mode: 0o644 })),
  ]);
  signal.throwIfAborted();
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (failure) throw new DamagedPartError(`${file.key} cannot be read: ${(failure.reason as Error).message}`);
  if (hash.digest("hex") !== file.sha256) {
    throw new DamagedPartError(`${file.key} holds something else than was stored: its content has another SHA-256.`);
  }
}
