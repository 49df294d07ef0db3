import { type ManifestWal } from "./manifest";
import { type StoredHistory, type StoredPartialSegment, type StoredWalFile } from "./wal-layout";
import { type Lsn, parseLsn, parseSegmentName, segmentNameAt, segmentStart } from "./wal-position";

/** Everything that the store holds of one server's log. */
export interface StoredLog {
  /** `wal_segment_size` of the server. */
  readonly segmentBytes: number;
  readonly files: readonly StoredWalFile[];
  readonly partials: readonly StoredPartialSegment[];
  readonly histories: readonly StoredHistory[];
}

/** What a replay begins with: a base backup's place in the log. */
export interface ReplayStart {
  readonly timeline: number;
  /** The first byte that the replay reads. */
  readonly start: Lsn;
  /** Where the replay has made the copy whole: no earlier moment can be recovered to. */
  readonly consistent: Lsn;
}

/** Where the replay of a base backup begins and is whole. */
export function replayStart({ timeline, start, end }: ManifestWal): ReplayStart {
  return { timeline, start: parseLsn(start)!, consistent: parseLsn(end)! };
}

/** How far a base backup can be carried by the stored log. */
export interface LogCoverage {
  /** The timeline to follow. */
  readonly timeline: number;
  /** Up to where the log is there without a hole. */
  readonly end: Lsn;
  /** A moment, by the server's clock, whose commits all lie before `end`; absent where nobody noted one. */
  readonly coversUntil?: Date;
  /** The files to replay, in order. */
  readonly files: readonly StoredWalFile[];
  /** What is there of the segment after the last whole one. */
  readonly partial?: StoredPartialSegment;
  /** Why the log ends here although there is more of it; nothing after it can be recovered from this base. */
  readonly gap?: LogGap;
}

/** A hole in the stored log. */
export interface LogGap {
  /** The first segment that is missing. */
  readonly segment: string;
  readonly why: string;
}

/** One stretch of the line that the server lived on. */
interface Stretch {
  readonly timeline: number;
  readonly begin: Lsn;
  /** Where the next timeline took over; absent for the last. */
  readonly end?: Lsn;
}

/**
 * Follows the log from a base backup to where it ends or breaks. After a promotion it follows the newest timeline that
 * descends from the base, because that is the one whose server served; what the former primary may have written after
 * the switch is not on it.
 *
 * A partial segment is used only where the whole one is not there, and nothing is replayed behind it. Where PostgreSQL
 * documents the rules: "Timelines" and `recovery_target_timeline`.
 */
export function logCoverage(log: StoredLog, base: ReplayStart): LogCoverage {
  const line = lineFrom(log, base);
  const segmentBytes = BigInt(log.segmentBytes);
  const wholeByName = groupByName(log.files);
  const partialsByName = groupByName(log.partials);
  const files: StoredWalFile[] = [];
  let timeline = base.timeline;
  let position = segmentStart(base.start, log.segmentBytes);

  for (;;) {
    // Newest first: the child's copy of the segment in which a timeline ended begins with what the parent had written.
    const candidates = line
      .filter(({ begin, end }) => begin < position + segmentBytes && (end === undefined || end > position))
      .reverse()
      .map((stretch) => ({ stretch, name: segmentNameAt(stretch.timeline, position, log.segmentBytes) }));
    const missing = candidates[0]!.name;
    const found = candidates.find(({ name }) => wholeByName.has(name) || partialsByName.has(name));
    if (!found) return covered(position, { missing, next: position });
    const { stretch, name } = found;
    const [whole, ...others] = wholeByName.get(name) ?? [];
    if (others.length > 0) {
      const why = `${others.length + 1} servers have written different contents of it`;
      return { ...covered(position, { missing, next: position }), gap: { segment: name, why } };
    }
    timeline = stretch.timeline;
    const next = position + segmentBytes;
    const cut = stretch.end !== undefined && stretch.end < next ? stretch.end : undefined;
    if (whole === undefined) {
      const partial = partialsByName.get(name)!.reduce((best, each) => (each.end > best.end ? each : best));
      const end = cut !== undefined && cut < partial.end ? cut : partial.end;
      return { ...covered(end, { missing, next }), partial };
    }
    files.push(whole);
    if (cut !== undefined) return covered(cut, { missing, next });
    position = next;
  }

  function covered(end: Lsn, hole: { readonly missing: string; readonly next: Lsn }): LogCoverage {
    const continues = [...log.files, ...log.partials].some(({ name }) => {
      const segment = parseSegmentName(name, log.segmentBytes);
      return segment !== undefined && segment.start >= hole.next && isOnLine(line, segment.timeline, segment.start);
    });
    const coversUntil = latestMoment(log, line, end);
    return {
      timeline,
      end,
      files,
      ...(coversUntil ? { coversUntil } : {}),
      ...(continues ? { gap: { segment: hole.missing, why: "it is not in the store, and later ones are" } } : {}),
    };
  }
}

/** The timelines from the base's to the newest that descends from it. */
function lineFrom({ histories }: StoredLog, base: ReplayStart): Stretch[] {
  const parents = new Map(histories.map(({ timeline, parent }) => [timeline, parent]));
  for (const newest of [...parents.keys()].sort((a, b) => b - a)) {
    const line: Stretch[] = [];
    let timeline = newest;
    let end: Lsn | undefined;
    // A timeline's number is higher than its parent's, or the history is not one.
    for (let parent = parents.get(timeline); parent && parent.timeline < timeline; parent = parents.get(timeline)) {
      if (timeline <= base.timeline) break;
      line.unshift({ timeline, begin: parent.end, end });
      [timeline, end] = [parent.timeline, parent.end];
    }
    const descends = timeline === base.timeline && end !== undefined && end >= base.consistent;
    if (descends) return [{ timeline, begin: 0n, end }, ...line];
  }
  return [{ timeline: base.timeline, begin: 0n }];
}

function isOnLine(line: readonly Stretch[], timeline: number, position: Lsn): boolean {
  return line.some((stretch) => stretch.timeline === timeline && (stretch.end === undefined || position < stretch.end));
}

function latestMoment({ partials, segmentBytes }: StoredLog, line: readonly Stretch[], end: Lsn): Date | undefined {
  let latest: Date | undefined;
  for (const { name, end: partialEnd, coversUntil } of partials) {
    if (!coversUntil || partialEnd > end || (latest && coversUntil <= latest)) continue;
    const segment = parseSegmentName(name, segmentBytes);
    if (segment && isOnLine(line, segment.timeline, partialEnd - 1n)) latest = coversUntil;
  }
  return latest;
}

function groupByName<T extends { readonly name: string }>(files: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const file of files) {
    const group = groups.get(file.name);
    if (group) group.push(file);
    else groups.set(file.name, [file]);
  }
  return groups;
}
