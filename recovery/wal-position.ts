/** A position in PostgreSQL's write-ahead log: bytes since its beginning. */
export type Lsn = bigint;

/** Reads PostgreSQL's notation, `16/B374D848`; `undefined` when the text is not a position. */
export function parseLsn(text: string): Lsn | undefined {
  const [, high, low] = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text) ?? [];
  return high === undefined ? undefined : (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low!}`);
}

/** PostgreSQL's notation of a position. */
export function lsnText(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`.toUpperCase();
}

/** One file of the log: which timeline it belongs to, and where in the log it begins. */
export interface WalSegment {
  readonly timeline: number;
  readonly start: Lsn;
}

const segmentName = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/;

/**
 * Reads the name of a segment, for instance `0000000100000000000000A3`; `undefined` for any other file.
 *
 * @param segmentBytes `wal_segment_size` of the server
 */
export function parseSegmentName(name: string, segmentBytes: number): WalSegment | undefined {
  const [, timeline, log, segment] = segmentName.exec(name) ?? [];
  if (timeline === undefined) return undefined;
  const start = (BigInt(`0x${log!}`) << 32n) + BigInt(`0x${segment!}`) * BigInt(segmentBytes);
  return { timeline: Number.parseInt(timeline, 16), start };
}

/** The name of the segment that holds a position. */
export function segmentNameAt(timeline: number, lsn: Lsn, segmentBytes: number): string {
  const index = lsn / BigInt(segmentBytes);
  const perLog = 0x1_0000_0000n / BigInt(segmentBytes);
  return [BigInt(timeline), index / perLog, index % perLog].map(eightHexDigits).join("");
}

/** Where the segment that holds a position begins. */
export function segmentStart(lsn: Lsn, segmentBytes: number): Lsn {
  return lsn - (lsn % BigInt(segmentBytes));
}

/** One line of a timeline's history: the timeline that it came from, and where it left it. */
export interface TimelineSwitch {
  readonly timeline: number;
  readonly end: Lsn;
}

/** The name of the file that tells where a timeline came from; the first one has none. */
export function historyName(timeline: number): string {
  return `${eightHexDigits(BigInt(timeline))}.history`;
}

/** The timeline that a history file is about; `undefined` for any other file. */
export function parseHistoryName(name: string): number | undefined {
  const [, timeline] = /^([0-9A-F]{8})\.history$/.exec(name) ?? [];
  return timeline === undefined ? undefined : Number.parseInt(timeline, 16);
}

/**
 * Reads a history file: every ancestor, oldest first.
 *
 * @throws Error when the text is not one
 */
export function parseTimelineHistory(text: string): TimelineSwitch[] {
  return text
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "")
    .map((line) => {
      const [timeline, position] = line.split(/\s+/);
      const end = parseLsn(position ?? "");
      if (!/^\d+$/.test(timeline!) || end === undefined) {
        throw new Error(`Not a line of a timeline's history: ${JSON.stringify(line)}.`);
      }
      return { timeline: Number(timeline), end };
    });
}

function eightHexDigits(value: bigint): string {
  return value.toString(16).toUpperCase().padStart(8, "0");
}
