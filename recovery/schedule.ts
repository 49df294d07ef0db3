import { type TimeZone, type Transition, isTimeZone, timeZoneOf } from "./time-zone";

/**
 * A cron schedule as Kubernetes reads it in `CronJob.spec.schedule` (robfig/cron v3 `ParseStandard` and the API
 * server's own checks). Every list is sorted and holds each value once.
 */
export interface Schedule {
  /** The expression as it was written. */
  readonly expression: string;
  /** 0 to 59. */
  readonly minutes: readonly number[];
  /** 0 to 23. */
  readonly hours: readonly number[];
  /** 1 to 31. */
  readonly daysOfMonth: readonly number[];
  /** 1 to 12. */
  readonly months: readonly number[];
  /** 0 (Sunday) to 6. */
  readonly daysOfWeek: readonly number[];
  /** Whether a day matches by either of its two fields (neither has a star), instead of by both. */
  readonly eitherDay: boolean;
}

/** Why Kubernetes would refuse a schedule, or why this project does, with what to write instead. */
export class ScheduleError extends Error {
  override readonly name = "ScheduleError";
}

interface Field {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const FIELDS: readonly Field[] = [
  { label: "minute", min: 0, max: 59 },
  { label: "hour", min: 0, max: 23 },
  { label: "day of month", min: 1, max: 31 },
  {
    label: "month",
    min: 1,
    max: 12,
    names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
  },
  { label: "day of week", min: 0, max: 6, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

const MACROS: ReadonlyMap<string, string> = new Map([
  ["@yearly", "0 0 1 1 *"],
  ["@annually", "0 0 1 1 *"],
  ["@monthly", "0 0 1 * *"],
  ["@weekly", "0 0 * * 0"],
  ["@daily", "0 0 * * *"],
  ["@midnight", "0 0 * * *"],
  ["@hourly", "0 * * * *"],
]);

const MINUTES_PER_DAY = 1440;
const MILLISECONDS_PER_MINUTE = 60_000;
// The Gregorian calendar repeats after 400 years, weekdays included. The cycle starts late enough that only the rules
// in force count: the clock changes of the past do not happen again.
const CYCLE_START_YEAR = 2026;
const CYCLE_YEARS = 400;
// 29 February is up to eight years from the next one (2096 to 2104).
const LONGEST_GAP_YEARS = 8;
// One failed run is what a plan counts with; the calendar is tabled far enough for two in a row.
const MOST_MISSED_RUNS = 2;

/**
 * Parses what Kubernetes accepts as a CronJob's schedule: five fields, or a macro from `@hourly` to `@annually`.
 *
 * It refuses what Kubernetes refuses (six fields, Sunday as 7, `L`, `W`, `#`, a time zone in the expression), and two
 * things that Kubernetes takes but no recovery objective can rest on: `@every`, which has no fixed time of day and
 * starts anew with the controller, and an expression that never fires.
 *
 * @throws ScheduleError saying what is wrong and what to write instead.
 */
export function parseSchedule(expression: string): Schedule {
  const fail = (problem: string): never => {
    throw new ScheduleError(`schedule ${JSON.stringify(expression)}: ${problem}`);
  };
  if (expression.includes("TZ")) fail('a time zone is not part of the expression; set "timeZone" beside the schedule');
  if (expression.startsWith("@every")) {
    fail(
      'has no fixed time of day, and its interval starts anew with the controller; write the times, e.g. "0 */6 * * *" ' +
        'instead of "@every 6h"',
    );
  }
  if (expression.startsWith("@") && !MACROS.has(expression)) {
    fail(`unknown macro; expected one of ${[...MACROS.keys()].join(" ")}`);
  }
  const fields = (MACROS.get(expression) ?? expression).split(GO_WHITE_SPACE).filter((field) => field !== "");
  if (fields.length !== FIELDS.length) {
    fail(
      `expected five fields (minute, hour, day of month, month, day of week), got ${fields.length}` +
        (fields.length === 6 ? "; Kubernetes has no seconds field: leave out the first" : ""),
    );
  }
  const problems: string[] = [];
  const [minutes, hours, daysOfMonth, months, daysOfWeek] = FIELDS.map((field, at) => {
    try {
      return parseField(fields[at] ?? "", field);
    } catch (error) {
      if (!(error instanceof ScheduleError)) throw error;
      problems.push(error.message);
      return { values: [], star: false };
    }
  }) as [ParsedField, ParsedField, ParsedField, ParsedField, ParsedField];
  if (problems.length > 0) fail(problems.join("; "));
  const schedule: Schedule = {
    expression,
    minutes: minutes.values,
    hours: hours.values,
    daysOfMonth: daysOfMonth.values,
    months: months.values,
    daysOfWeek: daysOfWeek.values,
    eitherDay: !daysOfMonth.star && !daysOfWeek.star,
  };
  if (!everFires(schedule)) {
    fail(
      "never fires: no such date exists; Kubernetes accepts it and runs nothing, so write a day that every month has, e.g. 28",
    );
  }
  return schedule;
}

/** Everything that is wrong with a schedule and its time zone; empty when Kubernetes runs it as written. */
export function scheduleProblems(expression: string, timeZone?: string): string[] {
  const problems: string[] = [];
  try {
    parseSchedule(expression);
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error;
    problems.push(error.message);
  }
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    problems.push(`time zone ${JSON.stringify(timeZone)}: expected a name of the tz database, e.g. "Europe/Berlin"`);
  }
  return problems;
}

/**
 * The next times at which the schedule fires, strictly after a time.
 *
 * @param timeZone IANA name, as in `CronJob.spec.timeZone`. @default "UTC"
 */
export function nextFirings(schedule: Schedule, after: Date, count: number, timeZone?: string): Date[] {
  const search = new FiringSearch(schedule, timeZoneOf(timeZone));
  const firings: Date[] = [];
  let minutes = Math.floor(after.getTime() / MILLISECONDS_PER_MINUTE);
  while (firings.length < count) {
    minutes = search.after(minutes);
    firings.push(new Date(minutes * MILLISECONDS_PER_MINUTE));
  }
  return firings;
}

/**
 * Whether the schedule fires in the minute of this date.
 *
 * @param timeZone IANA name. @default "UTC"
 */
export function isDue(schedule: Schedule, date: Date, timeZone?: string): boolean {
  const minutes = Math.floor(date.getTime() / MILLISECONDS_PER_MINUTE);
  return new FiringSearch(schedule, timeZoneOf(timeZone)).after(minutes - 1) === minutes;
}

/**
 * The longest time between two firings that ever occurs, in minutes: the schedule's part of a worst-case data loss.
 * Exact over the whole calendar (leap years, the eight years without a 29 February around 2100) and, with a time zone,
 * over its clock changes, as the CronJob controller treats them: a skipped local time does not fire, a repeated one
 * fires twice.
 *
 * @param timeZone IANA name. @default "UTC"
 * @param missedRuns firings in between that come to nothing: 1 for the longest time over two gaps in a row. @default 0
 */
export function largestGapMinutes(schedule: Schedule, timeZone?: string, missedRuns = 0): number {
  const zone = timeZoneOf(timeZone);
  const key = `${schedule.expression}\n${zone.name}\n${missedRuns}`;
  const known = gaps.get(key);
  if (known !== undefined) return known;
  const gap = new GapSearch(schedule, zone, missedRuns).largest();
  if (gaps.size >= GAPS_KEPT) gaps.clear();
  gaps.set(key, gap);
  return gap;
}

const GAPS_KEPT = 1000;
const gaps = new Map<string, number>();

/**
 * The rarest schedule of even intervals whose largest gap is at most this many minutes: every half hour for 45.
 * Undefined below one minute, which cron cannot express.
 */
export function scheduleWithGapAtMost(minutes: number): string | undefined {
  const interval = EVEN_INTERVALS_MINUTES.filter((candidate) => candidate <= minutes).at(-1);
  if (interval === undefined) return undefined;
  if (interval < 60) return interval === 1 ? "* * * * *" : `*/${interval} * * * *`;
  if (interval < MINUTES_PER_DAY) return interval === 60 ? "0 * * * *" : `0 */${interval / 60} * * *`;
  return "0 0 * * *";
}

// Divisors of an hour and of a day: others leave a shorter last interval.
const EVEN_INTERVALS_MINUTES = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440];

/**
 * Whether this date is the last given weekday of its month: the guard for "last Friday", which cron cannot say
 * (Kubernetes ORs day of month and day of week).
 *
 * @param weekday 0 (Sunday) to 6.
 * @param timeZone IANA name. @default "UTC"
 */
export function isLastWeekdayOfMonth(date: Date, weekday: number, timeZone?: string): boolean {
  const utcMinutes = Math.floor(date.getTime() / MILLISECONDS_PER_MINUTE);
  const local = new Date((utcMinutes + timeZoneOf(timeZone).offsetMinutes(utcMinutes)) * MILLISECONDS_PER_MINUTE);
  const daysInMonth = new Date(Date.UTC(local.getUTCFullYear(), local.getUTCMonth() + 1, 0)).getUTCDate();
  return local.getUTCDay() === weekday && local.getUTCDate() > daysInMonth - 7;
}

interface ParsedField {
  readonly values: readonly number[];
  readonly star: boolean;
}

// Go's unicode.IsSpace, by which robfig/cron splits the fields.
const GO_WHITE_SPACE = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

function parseField(text: string, field: Field): ParsedField {
  const values = new Set<number>();
  let star = false;
  // Empty items of a list are ignored, as in robfig/cron.
  for (const item of text.split(",").filter((item) => item !== "")) {
    const range = parseRange(item, field);
    for (let value = range.start; value <= range.end; value += range.step) values.add(value);
    star ||= range.star;
  }
  return { values: [...values].sort((a, b) => a - b), star };
}

function parseRange(item: string, field: Field): { start: number; end: number; step: number; star: boolean } {
  const fail = (problem: string): never => {
    throw new ScheduleError(`${field.label} "${item}": ${problem}`);
  };
  const [range = "", stepText, ...moreSteps] = item.split("/");
  const [low = "", high, ...moreHyphens] = range.split("-");
  if (moreSteps.length > 0) fail("too many slashes");
  const every = low === "*" || low === "?";
  if (!every && moreHyphens.length > 0) fail("too many hyphens");
  const start = every ? field.min : parseValue(low, item, field);
  let end = every ? field.max : high === undefined ? start : parseValue(high, item, field);
  const step = stepText === undefined ? 1 : parseNumber(stepText, item, field);
  if (stepText !== undefined && high === undefined) end = field.max;
  if (start < field.min || end > field.max) {
    const sunday = field.label === "day of week" && end === 7 ? "; Kubernetes writes Sunday as 0 or SUN" : "";
    fail(`expected ${field.min} to ${field.max}${sunday}`);
  }
  if (start > end) fail(`starts after its end; write two ranges, e.g. "${start}-${field.max},${field.min}-${end}"`);
  if (step === 0) fail("expected a step of 1 or more");
  return { start, end, step, star: every && step === 1 };
}

function parseValue(text: string, item: string, field: Field): number {
  const named = field.names?.indexOf(text.toLowerCase()) ?? -1;
  return named >= 0 ? named + field.min : parseNumber(text, item, field);
}

function parseNumber(text: string, item: string, field: Field): number {
  if (/^\+?\d+$/.test(text)) return Number(text);
  const special = /[LW#H]/i.test(text) ? "; Kubernetes has no L, W, # or H" : "";
  const names = field.names === undefined ? "" : ` or a name such as ${field.names[0]?.toUpperCase()}`;
  throw new ScheduleError(
    `${field.label} "${item}": expected a number from ${field.min} to ${field.max}${names}${special}`,
  );
}

function everFires(schedule: Schedule): boolean {
  if (schedule.minutes.length === 0 || schedule.hours.length === 0) return false;
  if (schedule.eitherDay && schedule.daysOfWeek.length > 0) return schedule.months.length > 0;
  if (schedule.daysOfWeek.length === 0 && !schedule.eitherDay) return false;
  return schedule.months.some((month) =>
    schedule.daysOfMonth.some((day) => day <= new Date(Date.UTC(2024, month, 0)).getUTCDate()),
  );
}

/** The schedule's fields as tables, for the loops that test one per step. */
class Matcher {
  readonly minute: readonly boolean[];
  readonly hour: readonly boolean[];
  readonly month: readonly boolean[];
  private readonly dayOfMonth: readonly boolean[];
  private readonly dayOfWeek: readonly boolean[];

  constructor(private readonly schedule: Schedule) {
    const table = (values: readonly number[], size: number) => {
      const matches = new Array<boolean>(size).fill(false);
      for (const value of values) matches[value] = true;
      return matches;
    };
    this.minute = table(schedule.minutes, 60);
    this.hour = table(schedule.hours, 24);
    this.month = table(schedule.months, 13);
    this.dayOfMonth = table(schedule.daysOfMonth, 32);
    this.dayOfWeek = table(schedule.daysOfWeek, 7);
  }

  day(dayOfMonth: number, dayOfWeek: number): boolean {
    const byMonth = this.dayOfMonth[dayOfMonth] === true;
    const byWeek = this.dayOfWeek[dayOfWeek] === true;
    return this.schedule.eitherDay ? byMonth || byWeek : byMonth && byWeek;
  }
}

const matchers = new WeakMap<Schedule, Matcher>();

function matcherOf(schedule: Schedule): Matcher {
  let matcher = matchers.get(schedule);
  if (matcher === undefined) matchers.set(schedule, (matcher = new Matcher(schedule)));
  return matcher;
}

/**
 * Finds the next firing by the steps of robfig/cron v3 (month, day, hour, minute, and back to the month whenever one
 * wraps), moving through local time as Go's `time.Time` does. Where clocks change, these steps decide what fires: where
 * midnight does not exist and the zone is east of Greenwich (Cairo, Beirut) they pass over the whole day unless the day
 * before matches too. Unlike the original it does not give up after five years.
 */
class FiringSearch {
  private readonly matcher: Matcher;
  private utcMinutes = 0;
  private local = new Date(0);
  /** Whether a field was moved, after which the smaller ones stand at their start. */
  private moved = false;

  constructor(
    private readonly schedule: Schedule,
    private readonly zone: TimeZone,
  ) {
    this.matcher = matcherOf(schedule);
  }

  /** The next firing after a minute, both in minutes since 1970-01-01T00:00Z. */
  after(utcMinutes: number): number {
    this.moveTo(utcMinutes + 1);
    this.moved = false;
    const lastYear = this.local.getUTCFullYear() + LONGEST_GAP_YEARS + 1;
    while (this.local.getUTCFullYear() <= lastYear) {
      if (this.toMonth() && this.toDay() && this.toHour() && this.toMinute()) return this.utcMinutes;
    }
    throw new ScheduleError(
      `schedule ${JSON.stringify(this.schedule.expression)}: found no firing in ${LONGEST_GAP_YEARS} years`,
    );
  }

  // Each of the four says false when its field wrapped, so that the larger ones are looked at again.

  private toMonth(): boolean {
    while (this.matcher.month[this.local.getUTCMonth() + 1] !== true) {
      if (!this.moved) this.moveToLocal(0, 1, 0, 0);
      this.moved = true;
      this.moveToLocal(1, this.local.getUTCDate(), this.local.getUTCHours(), this.local.getUTCMinutes());
      if (this.local.getUTCMonth() === 0) return false;
    }
    return true;
  }

  private toDay(): boolean {
    while (!this.matcher.day(this.local.getUTCDate(), this.local.getUTCDay())) {
      if (!this.moved) this.moveToLocal(0, this.local.getUTCDate(), 0, 0);
      this.moved = true;
      this.moveToLocal(0, this.local.getUTCDate() + 1, this.local.getUTCHours(), this.local.getUTCMinutes());
      const hour = this.local.getUTCHours();
      if (hour !== 0) this.moveTo(this.utcMinutes + (hour > 12 ? 24 - hour : -hour) * 60);
      if (this.local.getUTCDate() === 1) return false;
    }
    return true;
  }

  private toHour(): boolean {
    while (this.matcher.hour[this.local.getUTCHours()] !== true) {
      if (!this.moved) this.moveToLocal(0, this.local.getUTCDate(), this.local.getUTCHours(), 0);
      this.moved = true;
      this.moveTo(this.utcMinutes + 60);
      if (this.local.getUTCHours() === 0) return false;
    }
    return true;
  }

  private toMinute(): boolean {
    while (this.matcher.minute[this.local.getUTCMinutes()] !== true) {
      this.moved = true;
      this.moveTo(this.utcMinutes + 1);
      if (this.local.getUTCMinutes() === 0) return false;
    }
    return true;
  }

  private moveTo(utcMinutes: number): void {
    this.utcMinutes = utcMinutes;
    this.local = new Date((utcMinutes + this.zone.offsetMinutes(utcMinutes)) * MILLISECONDS_PER_MINUTE);
  }

  /** Go's `time.Date`: a field past its range is carried over, a skipped or repeated time resolves as Go does it. */
  private moveToLocal(monthsOn: number, day: number, hour: number, minute: number): void {
    const { local, zone } = this;
    const wanted =
      Date.UTC(local.getUTCFullYear(), local.getUTCMonth() + monthsOn, day, hour, minute) / MILLISECONDS_PER_MINUTE;
    this.moveTo(wanted - zone.offsetMinutes(wanted - zone.offsetMinutes(wanted)));
  }
}

/** Days of local time that a change of the clock touches, as days since 1970. */
interface ClockChange {
  readonly firstDay: number;
  readonly lastDay: number;
  readonly offsetAfterMinutes: number;
  /** Same for two changes that do the same to a day. */
  readonly kind: string;
}

/** What crossing a clock change found: the largest gap in it, and with which firings the next day begins. */
interface Crossing {
  readonly recent: readonly number[];
  /** The ordinary day that comes next. */
  readonly day: number;
  readonly largest: number;
}

/**
 * Walks the calendar day by day: an ordinary day fires at the same local times as any other, so that only its first and
 * last firings count. Days on which the clock changes are fired one by one.
 */
class GapSearch {
  private readonly matcher: Matcher;
  private readonly firings: FiringSearch;
  /** Local minutes of the day at which an ordinary day fires. */
  private readonly times: readonly number[];
  private readonly crossings = new Map<string, Crossing>();
  /** The firings that a gap can still begin at, oldest first: one more than runs may be missed. */
  private recent: number[] = [];
  private largestSoFar = 0;

  constructor(
    schedule: Schedule,
    private readonly zone: TimeZone,
    private readonly missedRuns: number,
  ) {
    this.matcher = matcherOf(schedule);
    this.firings = new FiringSearch(schedule, zone);
    this.times = schedule.hours.flatMap((hour) => schedule.minutes.map((minute) => hour * 60 + minute));
  }

  largest(): number {
    const { firstDay, cycleEndDay, endDay } = calendar();
    const changes = clockChanges(this.zone);
    let offset = this.zone.offsetMinutes(firstDay * MINUTES_PER_DAY);
    let nextChange = 0;
    let daysAfterCycle = 0;
    for (const time of this.times) this.fire(time);
    this.recent = [];
    for (let day = firstDay; day < endDay; day += 1) {
      const change = changes[nextChange];
      if (change !== undefined && day === change.firstDay) {
        day = this.cross(change, changes);
        while ((changes[nextChange]?.lastDay ?? Infinity) < day) {
          offset = changes[nextChange]?.offsetAfterMinutes ?? offset;
          nextChange += 1;
        }
      } else if (!this.matches(day)) continue;
      this.fireOrdinaryDay(day * MINUTES_PER_DAY - offset);
      // Gaps that begin in the cycle have all ended once as many days more have fired as one of them can span.
      if (day >= cycleEndDay && (daysAfterCycle += 1) > this.missedRuns) break;
    }
    return this.largestSoFar;
  }

  private fire(utcMinutes: number): void {
    const { recent } = this;
    if (recent.length > this.missedRuns) {
      const gap = utcMinutes - (recent.shift() ?? utcMinutes);
      if (gap > this.largestSoFar) this.largestSoFar = gap;
    }
    recent.push(utcMinutes);
  }

  /** Gaps within an ordinary day were looked at before the first; those across midnight need only its ends. */
  private fireOrdinaryDay(midnight: number): void {
    const { times } = this;
    const ends = this.missedRuns + 1;
    if (times.length <= 2 * ends) {
      for (const time of times) this.fire(midnight + time);
      return;
    }
    for (let at = 0; at < ends; at += 1) this.fire(midnight + (times[at] ?? 0));
    this.recent = times.slice(-ends).map((time) => midnight + time);
  }

  private matches(day: number): boolean {
    const { firstDay, months, daysOfMonth } = calendar();
    const at = day - firstDay;
    return this.matcher.month[months[at] ?? 0] === true && this.matcher.day(daysOfMonth[at] ?? 0, weekdayOf(day));
  }

  /** Fires one by one through a clock change, until a day that starts as an ordinary one does, and gives that day. */
  private cross(change: ClockChange, changes: readonly ClockChange[]): number {
    const { firstDay, lastDay, kind } = change;
    const start = firstDay * MINUTES_PER_DAY;
    // Where every day around it fires, one change is like another of its kind.
    const repeats =
      this.recent.length > this.missedRuns &&
      this.times.length > this.missedRuns &&
      this.firesEveryDay(firstDay - 1, lastDay + 1);
    const known = repeats ? this.crossings.get(kind) : undefined;
    if (known !== undefined) {
      this.recent = known.recent.map((firing) => firing + start);
      this.largestSoFar = Math.max(this.largestSoFar, known.largest);
      return known.day + firstDay;
    }
    const largestBefore = this.largestSoFar;
    this.largestSoFar = 0;
    const isTouched = (day: number) => changes.some((other) => day >= other.firstDay && day <= other.lastDay);
    let last = this.recent.at(-1) ?? start - this.zone.offsetMinutes(start) - 1;
    let day: number;
    for (;;) {
      const next = this.firings.after(last);
      const local = next + this.zone.offsetMinutes(next);
      day = Math.floor(local / MINUTES_PER_DAY);
      if (day > lastDay && local - day * MINUTES_PER_DAY === this.times[0] && !isTouched(day)) break;
      this.fire(next);
      last = next;
    }
    if (repeats && day === lastDay + 1) {
      const recent = this.recent.map((firing) => firing - start);
      this.crossings.set(kind, { recent, day: day - firstDay, largest: this.largestSoFar });
    }
    this.largestSoFar = Math.max(this.largestSoFar, largestBefore);
    return day;
  }

  private firesEveryDay(from: number, to: number): boolean {
    for (let day = from; day <= to; day += 1) if (!this.matches(day)) return false;
    return true;
  }
}

function weekdayOf(day: number): number {
  // 1970-01-01 was a Thursday.
  return (day + 4) % 7;
}

interface Calendar {
  /** Days since 1970 of the cycle's start, of its end, and of the end of what is tabled (room for the gaps that span it). */
  readonly firstDay: number;
  readonly cycleEndDay: number;
  readonly endDay: number;
  readonly months: Uint8Array;
  readonly daysOfMonth: Uint8Array;
}

let tabled: Calendar | undefined;

function calendar(): Calendar {
  if (tabled !== undefined) return tabled;
  const dayOf = (year: number) => Date.UTC(year, 0, 1) / MILLISECONDS_PER_MINUTE / MINUTES_PER_DAY;
  const firstDay = dayOf(CYCLE_START_YEAR);
  const cycleEndDay = dayOf(CYCLE_START_YEAR + CYCLE_YEARS);
  const endDay = dayOf(CYCLE_START_YEAR + CYCLE_YEARS + (MOST_MISSED_RUNS + 1) * LONGEST_GAP_YEARS + 1);
  const months = new Uint8Array(endDay - firstDay);
  const daysOfMonth = new Uint8Array(endDay - firstDay);
  for (let at = 0; at < months.length; at += 1) {
    const date = new Date((firstDay + at) * MINUTES_PER_DAY * MILLISECONDS_PER_MINUTE);
    months[at] = date.getUTCMonth() + 1;
    daysOfMonth[at] = date.getUTCDate();
  }
  return (tabled = { firstDay, cycleEndDay, endDay, months, daysOfMonth });
}

const changesByZone = new Map<string, readonly ClockChange[]>();

function clockChanges(zone: TimeZone): readonly ClockChange[] {
  const known = changesByZone.get(zone.name);
  if (known !== undefined) return known;
  const { firstDay, endDay } = calendar();
  const changes = zone.transitions(firstDay * MINUTES_PER_DAY, endDay * MINUTES_PER_DAY).map(clockChange);
  changesByZone.set(zone.name, changes);
  return changes;
}

function clockChange({ atUtcMinutes, offsetBeforeMinutes, offsetAfterMinutes }: Transition): ClockChange {
  const lastBefore = Math.floor((atUtcMinutes - 1 + offsetBeforeMinutes) / MINUTES_PER_DAY);
  const firstAfter = Math.floor((atUtcMinutes + offsetAfterMinutes) / MINUTES_PER_DAY);
  const firstDay = Math.min(lastBefore, firstAfter);
  return {
    firstDay,
    lastDay: Math.max(lastBefore, firstAfter),
    offsetAfterMinutes,
    kind: `${atUtcMinutes - firstDay * MINUTES_PER_DAY} ${offsetBeforeMinutes} ${offsetAfterMinutes}`,
  };
}
