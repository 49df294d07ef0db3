import { parseSchedule, type Schedule } from "./schedule";

const MINUTES_PER_HOUR = 60;

/**
 * The same schedule at another minute, so that the jobs of many stacks do not all start on the hour. The minute follows
 * from the seed alone: it is known at preview, and the same at every deployment.
 *
 * Only a schedule that begins on the hour is moved, since that is what people write who do not care about the minute;
 * any other minute was meant. All its firings move by the same few minutes within their hours, so the largest gap stays
 * what it was.
 *
 * @param seed what tells jobs apart, for instance `architect-go/prod/backup`
 * @throws ScheduleError when Kubernetes would not take the schedule
 */
export function spreadSchedule(expression: string, seed: string): string {
  const schedule = parseSchedule(expression);
  const offset = minuteOffset(schedule, seed);
  if (offset === 0) return expression;
  return [minuteField(schedule.minutes, offset), ...otherFields(schedule)].join(" ");
}

function minuteOffset({ minutes }: Schedule, seed: string): number {
  if (minutes[0] !== 0) return 0;
  const room = MINUTES_PER_HOUR - minutes.at(-1)!;
  return fnv1a(seed) % room;
}

function minuteField(minutes: readonly number[], offset: number): string {
  const step = minutes[1];
  const isEven =
    step !== undefined && MINUTES_PER_HOUR % step === 0 && minutes.every((minute, at) => minute === at * step);
  if (isEven && minutes.length === MINUTES_PER_HOUR / step) return `${offset}-59/${step}`;
  return minutes.map((minute) => minute + offset).join(",");
}

/** The fields after the minute, as they were written; a macro's as it means them. */
function otherFields(schedule: Schedule): string[] {
  if (!schedule.expression.startsWith("@")) return schedule.expression.trim().split(/\s+/).slice(1);
  const field = (values: readonly number[], all: number) => (values.length === all ? "*" : values.join(","));
  const { hours, daysOfMonth, months, daysOfWeek } = schedule;
  return [field(hours, 24), field(daysOfMonth, 31), field(months, 12), field(daysOfWeek, 7)];
}

/** The 32-bit FNV-1a hash: small, and the same everywhere. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash ^= text.charCodeAt(at);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}
