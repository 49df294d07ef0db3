/**
 * Where a time zone's clock stands at an instant, from the ICU data that Node carries. The cron schedules of
 * Kubernetes follow local time (`spec.timeZone`), so skipped and repeated hours decide when a backup runs.
 */
export interface TimeZone {
  /** IANA name, e.g. `Europe/Berlin`. */
  readonly name: string;
  /** Minutes that local time is ahead of UTC at this instant (minutes since 1970-01-01T00:00Z). */
  offsetMinutes(utcMinutes: number): number;
  /** Every change of the offset in [fromUtcMinutes, toUtcMinutes), in order. */
  transitions(fromUtcMinutes: number, toUtcMinutes: number): readonly Transition[];
}

/** One change of a time zone's clock. */
export interface Transition {
  /** First instant with the new offset, minutes since 1970-01-01T00:00Z. */
  readonly atUtcMinutes: number;
  readonly offsetBeforeMinutes: number;
  readonly offsetAfterMinutes: number;
}

interface Segment {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
}

const MINUTES_PER_DAY = 1440;
// Shorter than the shortest change known (Morocco's month without summer time), so that none is stepped over.
const PROBE_MINUTES = 10 * MINUTES_PER_DAY;

const zones = new Map<string, TimeZone>();

/**
 * The time zone of this name; `UTC` when none is given.
 *
 * @throws RangeError when the name is no IANA time zone.
 */
export function timeZoneOf(name = "UTC"): TimeZone {
  const known = zones.get(name);
  if (known !== undefined) return known;
  const zone = name === "UTC" ? utc : new IntlTimeZone(name);
  zones.set(name, zone);
  return zone;
}

/** Whether Kubernetes takes this as `spec.timeZone`: a name of the tz database, and not `Local`. */
export function isTimeZone(name: string): boolean {
  try {
    timeZoneOf(name);
    return true;
  } catch {
    return false;
  }
}

const utc: TimeZone = { name: "UTC", offsetMinutes: () => 0, transitions: () => [] };

function yearOf(utcMinutes: number): number {
  return new Date(utcMinutes * 60_000).getUTCFullYear();
}

class IntlTimeZone implements TimeZone {
  private readonly format: Intl.DateTimeFormat;
  private readonly years = new Map<number, readonly Segment[]>();
  private last: Segment = { start: 0, end: 0, offset: 0 };

  constructor(readonly name: string) {
    // Intl also takes bare offsets such as "+02:00", which Kubernetes does not.
    if (!/^[A-Za-z]/.test(name)) throw new RangeError(`Invalid time zone specified: ${name}`);
    this.format = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset", year: "numeric" });
  }

  offsetMinutes(utcMinutes: number): number {
    if (utcMinutes >= this.last.start && utcMinutes < this.last.end) return this.last.offset;
    const segment = this.segmentsOf(yearOf(utcMinutes)).find(({ end }) => utcMinutes < end);
    if (segment === undefined) throw new RangeError(`No offset of ${this.name} at minute ${utcMinutes}`);
    this.last = segment;
    return segment.offset;
  }

  transitions(fromUtcMinutes: number, toUtcMinutes: number): readonly Transition[] {
    const found: Transition[] = [];
    let before = this.offsetMinutes(fromUtcMinutes - 1);
    const lastYear = yearOf(toUtcMinutes);
    for (let year = yearOf(fromUtcMinutes); year <= lastYear; year += 1) {
      for (const { start, end, offset } of this.segmentsOf(year)) {
        if (end <= fromUtcMinutes || start >= toUtcMinutes) continue;
        const atUtcMinutes = Math.max(start, fromUtcMinutes);
        if (offset !== before) found.push({ atUtcMinutes, offsetBeforeMinutes: before, offsetAfterMinutes: offset });
        before = offset;
      }
    }
    return found;
  }

  private segmentsOf(year: number): readonly Segment[] {
    const known = this.years.get(year);
    if (known !== undefined) return known;
    const yearEnd = Date.UTC(year + 1, 0, 1) / 60_000;
    const segments: Segment[] = [];
    let start = Date.UTC(year, 0, 1) / 60_000;
    let offset = this.probe(start);
    for (let low = start; low < yearEnd;) {
      const high = Math.min(low + PROBE_MINUTES, yearEnd);
      const after = this.probe(high);
      if (after !== offset) {
        const at = this.changeBetween(low, high, offset);
        segments.push({ start, end: at, offset });
        start = at;
        offset = after;
      }
      low = high;
    }
    if (start < yearEnd) segments.push({ start, end: yearEnd, offset });
    this.years.set(year, segments);
    return segments;
  }

  /** The first minute after `low`, up to `high`, whose offset is not `offset`. */
  private changeBetween(low: number, high: number, offset: number): number {
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.probe(middle) === offset) low = middle;
      else high = middle;
    }
    return high;
  }

  private probe(utcMinutes: number): number {
    const match = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(this.format.format(utcMinutes * 60_000));
    const [, sign, hours, minutes] = match ?? [];
    if (sign === undefined) return 0;
    return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  }
}
