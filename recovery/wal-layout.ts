import { StorePrefix } from "./store-layout";
import { historyName, type Lsn, parseHistoryName, type TimelineSwitch } from "./wal-position";

/** A whole segment in the store. */
export interface StoredWalFile {
  readonly key: string;
  /** What PostgreSQL calls it. */
  readonly name: string;
  /** Lower-case hexadecimal SHA-256 of the file as PostgreSQL reads it, before compression. */
  readonly sha256: string;
}

/** The beginning of a segment that was not full yet. */
export interface StoredPartialSegment extends StoredWalFile {
  /** Up to where the file holds the log. */
  readonly end: Lsn;
  /** A moment, by the server's clock, whose commits all lie before `end`; absent where the server could not be asked. */
  readonly coversUntil?: Date;
}

/** A timeline's history in the store: where the timeline came from is in its key, so that a listing tells everything. */
export interface StoredHistory extends StoredWalFile {
  readonly timeline: number;
  readonly parent: TimelineSwitch;
}

/**
 * The folder of one server's log. A server that was made anew begins to count again: its system identifier keeps its
 * segments from being taken for those of the server before.
 */
export function walFolder(
  prefix: typeof StorePrefix.Wal | typeof StorePrefix.WalPartial,
  database: string,
  systemIdentifier: string,
): string {
  return `${prefix}${database}/${systemIdentifier}/`;
}

/**
 * The key of a whole segment. It holds the content's hash: to store a file twice does nothing, and two servers that both
 * believe to be the primary cannot overwrite each other's log.
 */
export function walKey(database: string, systemIdentifier: string, file: Omit<StoredWalFile, "key">): string {
  return `${walFolder(StorePrefix.Wal, database, systemIdentifier)}${file.name}-${file.sha256}.zst`;
}

/** The key of a timeline's history. */
export function historyKey(
  database: string,
  systemIdentifier: string,
  { timeline, parent, sha256 }: Pick<StoredHistory, "timeline" | "parent" | "sha256">,
): string {
  const from = `${hex(BigInt(parent.timeline), 8)}-${hex(parent.end, 16)}`;
  return `${walFolder(StorePrefix.Wal, database, systemIdentifier)}${historyName(timeline)}-${from}-${sha256}.zst`;
}

/** The key of a partial segment. Each is a new object: none is ever replaced. */
export function partialWalKey(
  database: string,
  systemIdentifier: string,
  { name, end, coversUntil, sha256 }: Omit<StoredPartialSegment, "key">,
): string {
  const moment = coversUntil === undefined ? "unknown" : coversUntil.toISOString().replace(/[-:.]/g, "");
  return `${walFolder(StorePrefix.WalPartial, database, systemIdentifier)}${name}-${hex(end, 16)}-${moment}-${sha256}.zst`;
}

const walKeyPattern = /^wal\/[^/]+\/[^/]+\/([0-9A-F]{24})-([0-9a-f]{64})\.zst$/;
const historyKeyPattern =
  /^wal\/[^/]+\/[^/]+\/([0-9A-F]{8}\.history)-([0-9A-F]{8})-([0-9A-F]{16})-([0-9a-f]{64})\.zst$/;
const partialKeyPattern =
  /^wal-partial\/[^/]+\/[^/]+\/([0-9A-F]{24})-([0-9A-F]{16})-(?:(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z|unknown)-([0-9a-f]{64})\.zst$/;

/** Reads the key of a whole segment; `undefined` for any other object. */
export function parseWalKey(key: string): StoredWalFile | undefined {
  const [, name, sha256] = walKeyPattern.exec(key) ?? [];
  return name === undefined ? undefined : { key, name, sha256: sha256! };
}

/** Reads the key of a history; `undefined` for any other object. */
export function parseHistoryKey(key: string): StoredHistory | undefined {
  const [, name, parent, end, sha256] = historyKeyPattern.exec(key) ?? [];
  if (name === undefined) return undefined;
  return {
    key,
    name,
    sha256: sha256!,
    timeline: parseHistoryName(name)!,
    parent: { timeline: Number.parseInt(parent!, 16), end: BigInt(`0x${end!}`) },
  };
}

/** Reads the key of a partial segment; `undefined` for any other object. */
export function parsePartialWalKey(key: string): StoredPartialSegment | undefined {
  const match = partialKeyPattern.exec(key);
  if (!match) return undefined;
  const [, name, position, year, month, day, hour, minute, second, milliseconds, sha256] = match;
  const at = year && new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}.${milliseconds}Z`);
  return {
    key,
    name: name!,
    end: BigInt(`0x${position}`),
    sha256: sha256!,
    ...(at && !Number.isNaN(at.getTime()) ? { coversUntil: at } : {}),
  };
}

function hex(value: bigint, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
