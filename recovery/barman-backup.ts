import { type OtherSource } from "./recovery-plan";
import { recoveryDefaults } from "./protection";
import { type RecoveryTarget } from "./recovery-target";

/**
 * Backups that Barman's cloud tools keep in an object store, as CloudNativePG and its plugin do: `SERVER/base/ID/backup.info`
 * beside the data, `SERVER/wals/` with the log (Barman documentation, "barman-cloud").
 */

/** One base backup. */
export interface BarmanBackup {
  readonly id: string;
  /** `DONE`, or it cannot be used. */
  readonly status: string;
  readonly error?: string;
  readonly beginAt?: Date;
  /** From here on it is consistent. */
  readonly endAt?: Date;
  /** First and last segment that it needs. */
  readonly beginWal?: string;
  readonly endWal?: string;
  readonly systemIdentifier?: string;
  readonly bytes?: number;
  readonly segmentBytes: number;
}

/** A whole segment of the log in the store. */
export interface BarmanWal {
  /** What PostgreSQL calls it. */
  readonly name: string;
  /** When it was stored: all that is known of how far it reaches. */
  readonly storedAt: Date;
}

const defaultSegmentBytes = 16 * 1024 ** 2;

/** Reads `backup.info`: one `name=value` a line, `None` where there is none. */
export function parseBackupInfo(id: string, text: string): BarmanBackup {
  const fields = new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const [, name, value] = /^([a-z_]+)\s*=\s*(.*)$/.exec(line.trim()) ?? [];
      return name === undefined || value === "None" || value === "" ? [] : [[name, value!] as const];
    }),
  );
  const moment = (name: string): Date | undefined => {
    const at = readMoment(fields.get(name));
    return at;
  };
  const segment = (name: string): string | undefined => {
    const value = fields.get(name);
    return value !== undefined && segmentPattern.test(value) ? value : undefined;
  };
  const number = (name: string): number | undefined => {
    const value = Number(fields.get(name));
    return fields.has(name) && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  };
  const optional = {
    error: fields.get("error"),
    beginAt: moment("begin_time"),
    endAt: moment("end_time"),
    beginWal: segment("begin_wal"),
    endWal: segment("end_wal"),
    systemIdentifier: fields.get("systemid"),
    bytes: number("size"),
  };
  return {
    id,
    status: fields.get("status") ?? "unknown",
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
    segmentBytes: number("xlog_segment_size") ?? defaultSegmentBytes,
  };
}

const segmentPattern = /^[0-9A-F]{24}$/;

/**
 * A segment's name and place by its key below the server's folder, for instance
 * `wals/0000000100000000/000000010000000000000005.gz`; `undefined` for any other object, partial segments included.
 */
export function barmanWalName(key: string): string | undefined {
  return /^wals\/[0-9A-F]{16}\/([0-9A-F]{24})(\.(gz|bz2|xz|snappy|zst|zstd|lz4))?$/.exec(key)?.[1];
}

/** A base backup's id by the key of its `backup.info`. */
export function barmanBackupId(key: string): string | undefined {
  return /^base\/([^/]+)\/backup\.info$/.exec(key)?.[1];
}

/** Barman writes Python's `2026-11-23 01:00:00.123456+00:00`; a local time would be another moment elsewhere. */
function readMoment(text: string | undefined): Date | undefined {
  const [, date, time, zone] =
    /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2}(?:\.\d+)?)(Z|[+-]\d{2}:?\d{2})$/.exec(text ?? "") ?? [];
  if (date === undefined) return undefined;
  const at = new Date(`${date}T${time}${zone}`);
  return Number.isNaN(at.getTime()) ? undefined : at;
}

/** How far the log behind a backup reaches without a hole. */
export interface BarmanReach {
  /** Segments from the backup's first on, none missing; 0 when the first is not there. */
  readonly segments: number;
  /** When the last of them was stored. */
  readonly until?: Date;
  /** The first that is missing although later ones are there. */
  readonly hole?: string;
  /** The backup itself can be made consistent. */
  readonly isWhole: boolean;
}

/** Follows the log from a backup's first segment, on its own timeline. */
export function barmanReach(backup: BarmanBackup, log: readonly BarmanWal[]): BarmanReach {
  const { beginWal, endWal, segmentBytes } = backup;
  if (beginWal === undefined || endWal === undefined) return { segments: 0, isWhole: false };
  const stored = new Map(log.map((segment) => [segment.name, segment.storedAt]));
  let [name, segments, until] = [beginWal, 0, undefined as Date | undefined];
  for (; stored.has(name); name = nextSegment(name, segmentBytes)) {
    segments += 1;
    const at = stored.get(name)!;
    // A segment that was stored again late says nothing about those after it.
    if (until === undefined || at > until) until = at;
  }
  const later = log.some((segment) => segment.name.slice(0, 8) === beginWal.slice(0, 8) && segment.name > name);
  return {
    segments,
    ...(until === undefined ? {} : { until }),
    ...(later ? { hole: name } : {}),
    isWhole: segments > 0 && name > endWal,
  };
}

/** The segment after this one: 2^32 bytes of log share the middle part of the name. */
function nextSegment(name: string, segmentBytes: number): string {
  const perLog = 2 ** 32 / segmentBytes;
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, "0");
  const [log, segment] = [Number.parseInt(name.slice(8, 16), 16), Number.parseInt(name.slice(16), 16)];
  return segment + 1 < perLog
    ? `${name.slice(0, 16)}${hex(segment + 1)}`
    : `${name.slice(0, 8)}${hex(log + 1)}${hex(0)}`;
}

/** What a plan says of one such backup: what it would lose and take, and what a person runs. */
export function barmanSource(
  { backup, reach, server, store }: BarmanPlace,
  target: RecoveryTarget,
  now: Date,
): OtherSource {
  const id = `cloudnative-pg:${server}/${backup.id}`;
  const unknown = { engine: "cloudnative-pg", id, lossSeconds: null, recoverySeconds: null };
  if (backup.status !== "DONE") {
    return { ...unknown, why: `it is ${backup.status}${backup.error ? `: ${backup.error}` : ""}` };
  }
  if (!reach.isWhole || backup.endAt === undefined || reach.until === undefined) {
    return {
      ...unknown,
      why: `its log from ${backup.beginWal ?? "an unknown segment"} to ${backup.endWal ?? "an unknown one"} is not all there: it cannot be made consistent`,
    };
  }
  const wanted = target.kind === "time" ? target.at : target.kind === "latest" ? now : undefined;
  if (wanted !== undefined && backup.endAt > wanted) {
    return { ...unknown, why: `it is newer than the target: of ${backup.endAt.toISOString()}` };
  }
  const until = reach.until > backup.endAt ? reach.until : backup.endAt;
  const lossSeconds = wanted === undefined ? null : Math.max(0, (wanted.getTime() - until.getTime()) / 1000);
  const hole = reach.hole === undefined ? "" : `, then a hole at ${reach.hole}`;
  const recoveryTarget =
    target.kind === "time" && lossSeconds === 0 ? `, targetTime ${JSON.stringify(target.at.toISOString())}` : "";
  return {
    ...unknown,
    lossSeconds,
    recoverySeconds:
      backup.bytes === undefined ? null : restoreSeconds(backup.bytes, reach.segments * backup.segmentBytes),
    why:
      `CloudNativePG's, from ${backup.endAt.toISOString()} to about ${until.toISOString()}${hole}: ` +
      `kubectl apply a new Cluster with bootstrap.recovery from ${store}, server ${server}, backupID ${backup.id}${recoveryTarget}`,
  };
}

/** A backup with its reach and the place that it lies in. */
export interface BarmanPlace {
  readonly backup: BarmanBackup;
  readonly reach: BarmanReach;
  readonly server: string;
  /** URL of the store, for a person. */
  readonly store: string;
}

function restoreSeconds(bytes: number, logBytes: number): number {
  return (
    recoveryDefaults.provisionMinutes * 60 +
    bytes / recoveryDefaults.physicalRestoreBytesPerSecond +
    logBytes / recoveryDefaults.replayBytesPerSecond +
    recoveryDefaults.verifyMinutes * 60
  );
}
