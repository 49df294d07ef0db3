import assert from "node:assert/strict";
import { Cron } from "croner";
import fc from "fast-check";
import {
  isDue,
  isLastWeekdayOfMonth,
  largestGapMinutes,
  nextFirings,
  parseSchedule,
  scheduleProblems,
  scheduleWithGapAtMost,
  ScheduleError,
} from "../../recovery/schedule";

const DAY = 1440;

describe("schedule: what Kubernetes accepts", () => {
  const accepted: [
    expression: string,
    field: "minutes" | "hours" | "daysOfMonth" | "months" | "daysOfWeek",
    values: number[],
  ][] = [
    ["0 */6 * * *", "hours", [0, 6, 12, 18]],
    ["5/15 * * * *", "minutes", [5, 20, 35, 50]],
    ["10-30/10 * * * *", "minutes", [10, 20, 30]],
    ["*/90 * * * *", "minutes", [0]],
    ["1,,2 0 * * *", "minutes", [1, 2]],
    ["+5 0 * * *", "minutes", [5]],
    ["*-5 0 * * *", "minutes", Array.from({ length: 60 }, (_, minute) => minute)],
    ["0 0 * JAN-mar *", "months", [1, 2, 3]],
    ["0 0 ? * MON,fri", "daysOfWeek", [1, 5]],
    ["0 0 * * Mon/2", "daysOfWeek", [1, 3, 5]],
    ["  0\t0  1 * * ", "daysOfMonth", [1]],
    ["@hourly", "minutes", [0]],
    ["@midnight", "hours", [0]],
    ["@weekly", "daysOfWeek", [0]],
    ["@annually", "months", [1]],
  ];
  for (const [expression, field, values] of accepted) {
    it(`accepts ${JSON.stringify(expression)}`, () => {
      assert.deepEqual(parseSchedule(expression)[field], values);
    });
  }

  const refused: [expression: string, says: RegExp][] = [
    ["", /expected five fields .* got 0/],
    ["0 0 * *", /got 4/],
    ["0 0 0 * * *", /got 6; Kubernetes has no seconds field/],
    ["0 0 * * 7", /day of week "7": expected 0 to 6; Kubernetes writes Sunday as 0 or SUN/],
    ["0 0 * * 5-7", /expected 0 to 6/],
    ["0 0 * * SAT-SUN", /starts after its end/],
    ["0 0 L * *", /no L, W, # or H/],
    ["0 0 15W * *", /no L, W, # or H/],
    ["0 0 * * 5#2", /no L, W, # or H/],
    ["H H * * *", /minute "H".*hour "H"/s],
    ["60 0 * * *", /minute "60": expected 0 to 59/],
    ["0 24 * * *", /hour "24": expected 0 to 23/],
    ["0 0 0 * *", /day of month "0": expected 1 to 31/],
    ["0 0 * 13 *", /month "13": expected 1 to 12/],
    ["0 0 * JANUARY *", /or a name such as JAN/],
    ["*/0 * * * *", /step of 1 or more/],
    ["1/2/3 * * * *", /too many slashes/],
    ["1-2-3 * * * *", /too many hyphens/],
    ["-5 * * * *", /expected a number/],
    ["30-10 * * * *", /write two ranges, e.g. "30-59,0-10"/],
    ["TZ=Europe/Berlin 0 0 * * *", /set "timeZone" beside the schedule/],
    ["CRON_TZ=UTC 0 0 * * *", /set "timeZone" beside the schedule/],
    ["@every 6h", /instead of "@every 6h"/],
    ["@reboot", /expected one of @yearly/],
    ["@Daily", /unknown macro/],
    ["constructor", /got 1/],
    ["0 0 31 2 *", /never fires/],
    ["0 0 30 2 *", /never fires/],
    ["0 0 31 4,6,9,11 *", /never fires/],
    [", 0 * * *", /never fires/],
  ];
  for (const [expression, says] of refused) {
    it(`refuses ${JSON.stringify(expression)}`, () => {
      assert.throws(
        () => parseSchedule(expression),
        (error: unknown) => error instanceof ScheduleError && says.test(error.message),
      );
    });
  }

  it("lists every problem of an expression and its time zone at once", () => {
    const [schedule, zone, ...more] = scheduleProblems("61 25 * * *", "Mars/Olympus");
    assert.match(schedule ?? "", /minute "61".*hour "25"/);
    assert.match(zone ?? "", /"Mars\/Olympus": expected a name of the tz database/);
    assert.deepEqual(more, []);
    assert.deepEqual(scheduleProblems("0 0 * * *", "Europe/Berlin"), []);
    assert.equal(scheduleProblems("0 0 * * *", "+02:00").length, 1);
  });
});

describe("schedule: when it fires", () => {
  // Confirmed against robfig/cron v3.0.1 itself.
  const cases: [title: string, expression: string, zone: string, after: string, firings: string[]][] = [
    [
      "day of month or day of week, since */2 is no star",
      "0 0 */2 * 1",
      "UTC",
      "2026-02-01T00:00Z",
      ["2026-02-02T00:00Z", "2026-02-03T00:00Z", "2026-02-05T00:00Z", "2026-02-07T00:00Z"],
    ],
    [
      "day of month and day of week with a star",
      "0 0 ? jan mOn",
      "UTC",
      "2026-01-02T00:00Z",
      ["2026-01-05T00:00Z", "2026-01-12T00:00Z"],
    ],
    [
      "a skipped local time does not fire",
      "30 2 * * *",
      "Europe/Berlin",
      "2027-03-27T00:00Z",
      ["2027-03-27T01:30Z", "2027-03-29T00:30Z", "2027-03-30T00:30Z"],
    ],
    [
      "a repeated local time fires twice",
      "30 2 * * *",
      "Europe/Berlin",
      "2027-10-30T00:00Z",
      ["2027-10-30T00:30Z", "2027-10-31T00:30Z", "2027-10-31T01:30Z", "2027-11-01T01:30Z"],
    ],
    [
      "a Friday that starts at 01:00 is passed over",
      "0 3 * * 5",
      "Africa/Cairo",
      "2026-04-16T12:00Z",
      ["2026-04-17T01:00Z", "2026-05-01T00:00Z", "2026-05-08T00:00Z"],
    ],
    [
      "a half-hour change of the clock loses a day",
      "0 5 * * *",
      "Australia/Lord_Howe",
      "2026-10-02T12:00Z",
      ["2026-10-02T18:30Z", "2026-10-04T18:00Z", "2026-10-05T18:00Z"],
    ],
    [
      "a midnight that does not exist, west of Greenwich",
      "0 9 4 11 *",
      "America/Sao_Paulo",
      "2018-10-01T00:00Z",
      ["2018-11-04T11:00Z", "2019-11-04T12:00Z"],
    ],
    ["29 February is found across 2100", "0 0 29 2 *", "UTC", "2096-02-29T00:00Z", ["2104-02-29T00:00Z"]],
  ];
  for (const [title, expression, zone, after, firings] of cases) {
    it(`${title}: ${expression} ${zone}`, () => {
      const actual = nextFirings(parseSchedule(expression), new Date(after), firings.length, zone);
      assert.deepEqual(
        actual,
        firings.map((firing) => new Date(firing)),
      );
    });
  }

  it("is due in the minute of a firing only", () => {
    const schedule = parseSchedule("30 2 * * *");
    assert.equal(isDue(schedule, new Date("2027-01-01T02:30:59Z")), true);
    assert.equal(isDue(schedule, new Date("2027-01-01T02:31:00Z")), false);
    assert.equal(isDue(schedule, new Date("2027-01-01T01:30:00Z"), "Europe/Berlin"), true);
  });

  it("fires when croner does, where both read an expression alike", () => {
    const field = (min: number, max: number) =>
      fc.oneof(
        { weight: 3, arbitrary: fc.constant("*") },
        fc.integer({ min, max }).map(String),
        fc
          .tuple(fc.integer({ min, max }), fc.integer({ min, max }), fc.integer({ min: 1, max: 4 }))
          .map(([a, b, step]) => `${Math.min(a, b)}-${Math.max(a, b)}/${step}`),
        fc.uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength: 3 }).map((values) => values.join(",")),
      );
    const expressions = fc
      .tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6))
      .map((fields) => fields.join(" "));
    const starts = fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2060, 0) }).map((time) => new Date(time));
    fc.assert(
      fc.property(expressions, starts, (expression, after) => {
        const theirs = new Cron(expression, { timezone: "UTC" }).nextRuns(5, after);
        assert.deepEqual(nextFirings(parseSchedule(expression), after, 5), theirs);
      }),
      { numRuns: 300 },
    );
  });
});

describe("schedule: the largest gap", () => {
  const cases: [expression: string, zone: string | undefined, minutes: number, why: string][] = [
    ["* * * * *", undefined, 1, "every minute"],
    ["0 */6 * * *", undefined, 360, "the guide's every 6 hours"],
    ["0 0-18/6 * * *", undefined, 360, "18:00 to 00:00"],
    ["0 */5 * * *", undefined, 300, "20:00 to 00:00 is only 4 h, all others 5 h"],
    ["0 1,13,20 * * *", undefined, 12 * 60, "01:00 to 13:00"],
    ["@daily", undefined, DAY, "a day"],
    ["0 9 * * 1-5", undefined, 3 * DAY, "Friday to Monday"],
    ["0 0 31 * *", undefined, 61 * DAY, "31 March to 31 May"],
    ["0 0 1 * *", undefined, 31 * DAY, "a long month"],
    [
      "0 0 29 2 *",
      undefined,
      2921 * DAY,
      "29 February 2096 to 2104, eight years of which one is a leap year: 8 * 365 + 1",
    ],
    ["0 0 29 2 */1", undefined, 2921 * DAY, "*/1 is still a star"],
    [
      "0 0 29 2 1",
      undefined,
      350 * DAY,
      "Mondays in February or the 29th: 22 February 2027 to 7 February 2028 and the like",
    ],
    ["0 0 * * 1", "Europe/Berlin", 7 * DAY + 60, "the week of the longer Sunday"],
    ["0 */6 * * *", "Europe/Berlin", 420, "00:00 to 06:00 with an hour repeated"],
    ["30 2 * * *", "Europe/Berlin", 2 * DAY - 60, "02:30 skipped, and the day an hour shorter"],
    ["0 2 * * *", "Asia/Kolkata", DAY, "no clock changes"],
    ["0 3 * * 5", "Africa/Cairo", 14 * DAY - 60, "the Friday without a midnight is passed over"],
    ["0 0 * * 0", "Australia/Lord_Howe", 14 * DAY + 30, "a half-hour change loses the next Sunday"],
    ["*/20 * * * *", "Australia/Lord_Howe", 30, "01:40 to 02:40 with half an hour skipped"],
    ["30 3 25 10 *", "Europe/Berlin", 366 * DAY + 60, "to a leap year in which clocks change on 25 October"],
    [
      "0 12 1-2,31 * *",
      "America/New_York",
      29 * DAY + 60,
      "2 November to 1 December around a change on 3 to 7 November",
    ],
    ["* * * * *", "America/New_York", 1, "a skipped hour is no time at all"],
  ];
  for (const [expression, zone, minutes, why] of cases) {
    it(`${expression} ${zone ?? "UTC"}: ${minutes} min (${why})`, () => {
      assert.equal(largestGapMinutes(parseSchedule(expression), zone), minutes);
    });
  }

  const missed: [expression: string, zone: string | undefined, missedRuns: number, minutes: number, why: string][] = [
    ["0 */6 * * *", undefined, 1, 720, "two gaps of 6 h"],
    ["0 1,13,20 * * *", undefined, 1, 19 * 60, "01:00 to 20:00: 12 h + 7 h"],
    ["0 9 * * 1-5", undefined, 1, 4 * DAY, "Thursday to Monday: 1 d + 3 d, not twice 3 d"],
    ["0 9 * * 1-5", undefined, 2, 5 * DAY, "Wednesday to Monday"],
    ["0 0 29 2 *", undefined, 1, (2921 + 1461) * DAY, "eight years and four"],
    ["*/5 * * * *", undefined, 2, 15, "three gaps of 5 min"],
    ["30 2 * * *", "Europe/Berlin", 1, 3 * DAY - 60, "the skipped night, and one more run that failed"],
    ["0 */6 * * *", "Europe/Berlin", 1, 780, "7 h and 6 h"],
  ];
  for (const [expression, zone, missedRuns, minutes, why] of missed) {
    it(`${expression} ${zone ?? "UTC"} with ${missedRuns} missed: ${minutes} min (${why})`, () => {
      assert.equal(largestGapMinutes(parseSchedule(expression), zone, missedRuns), minutes);
    });
  }

  const field = (min: number, max: number) =>
    fc.oneof(
      fc.constant("*"),
      fc.integer({ min, max }).map(String),
      fc.integer({ min: 1, max }).map((step) => `*/${step}`),
      fc.uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength: 4 }).map((values) => values.join(",")),
    );
  const sparse = fc
    .tuple(fc.integer({ min: 0, max: 59 }), field(0, 23), field(1, 31), field(1, 12), field(0, 6))
    .map((fields) => fields.join(" "))
    .filter((expression) => scheduleProblems(expression).length === 0);
  const zones = fc.constantFrom(
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Africa/Cairo",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/Santiago",
    "Atlantic/Azores",
    "Africa/Casablanca",
  );

  const missedRuns = fc.integer({ min: 0, max: 2 });

  it("is never exceeded by what fires, in any zone", () => {
    fc.assert(
      fc.property(sparse, zones, missedRuns, fc.integer({ min: 2027, max: 2100 }), (expression, zone, missed, year) => {
        const schedule = parseSchedule(expression);
        const gap = largestGapMinutes(schedule, zone, missed);
        const firings = nextFirings(schedule, new Date(Date.UTC(year, 0)), 300, zone);
        for (const [at, firing] of firings.entries()) {
          const before = firings[at - 1 - missed];
          if (before !== undefined) assert.ok(firing.getTime() - before.getTime() <= gap * 60_000);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("is reached by what fires, somewhere in the 400 years after which the calendar repeats", () => {
    const oneHour = sparse.filter((expression) => parseSchedule(expression).hours.length === 1);
    fc.assert(
      fc.property(oneHour, zones, missedRuns, (expression, zone, missed) => {
        const schedule = parseSchedule(expression);
        const gap = largestGapMinutes(schedule, zone, missed);
        const recent: number[] = [];
        let largest = 0;
        let last = Date.UTC(2026, 0);
        while (last < Date.UTC(2450, 0) && largest < gap) {
          for (const firing of nextFirings(schedule, new Date(last), 100, zone)) {
            last = firing.getTime();
            if (recent.length > missed) largest = Math.max(largest, (last - recent.shift()!) / 60_000);
            recent.push(last);
          }
        }
        assert.equal(largest, gap);
      }),
      { numRuns: 25 },
    );
  });

  it("proposes the rarest even schedule within a gap", () => {
    assert.equal(scheduleWithGapAtMost(45), "*/30 * * * *");
    assert.equal(scheduleWithGapAtMost(60), "0 * * * *");
    assert.equal(scheduleWithGapAtMost(59.9), "*/30 * * * *");
    assert.equal(scheduleWithGapAtMost(5 * DAY), "0 0 * * *");
    assert.equal(scheduleWithGapAtMost(1), "* * * * *");
    assert.equal(scheduleWithGapAtMost(0.9), undefined);
    fc.assert(
      fc.property(fc.double({ min: 1, max: 3000, noNaN: true }), (minutes) => {
        assert.ok(largestGapMinutes(parseSchedule(scheduleWithGapAtMost(minutes)!)) <= minutes);
      }),
    );
  });
});

describe("schedule: the last weekday of a month", () => {
  const FRIDAY = 5;
  it("[guide 55] is true on the last Friday and on no other day", () => {
    const lastFridays = [];
    for (let at = Date.UTC(2026, 0, 1, 12); at < Date.UTC(2027, 0); at += DAY * 60_000) {
      if (isLastWeekdayOfMonth(new Date(at), FRIDAY)) lastFridays.push(new Date(at).toISOString().slice(5, 10));
    }
    assert.deepEqual(lastFridays, [
      "01-30",
      "02-27",
      "03-27",
      "04-24",
      "05-29",
      "06-26",
      "07-31",
      "08-28",
      "09-25",
      "10-30",
      "11-27",
      "12-25",
    ]);
  });

  it("goes by the local date", () => {
    const fridayInTokyo = new Date("2026-01-29T16:00:00Z");
    assert.equal(isLastWeekdayOfMonth(fridayInTokyo, FRIDAY), false);
    assert.equal(isLastWeekdayOfMonth(fridayInTokyo, FRIDAY, "Asia/Tokyo"), true);
  });
});
