import assert from "node:assert/strict";
import fc from "fast-check";
import {
  guideRetention,
  type Lifecycle,
  type LifecycleContext,
  LifecycleFault,
  lifecycleFor,
  lifecycleProblems,
  objectLockProblems,
  pitrWindowMinutes,
  retrievalMinutes,
  StorageClass,
  storageClassesWithin,
  storageClassTerms,
} from "../../recovery/retention";

const clean: Lifecycle = lifecycleFor(guideRetention);

describe("retention: the lifecycle", () => {
  it("[guide 16, 20] 30 hot days and 90 archive days move at 30 and expire at 120", () => {
    assert.deepEqual(lifecycleFor(guideRetention, "parts/"), {
      prefix: "parts/",
      transitions: [{ days: 30, storageClass: "GLACIER" }],
      expirationDays: 120,
      noncurrentExpirationDays: 30,
      expiredObjectDeleteMarker: true,
      abortIncompleteMultipartDays: 7,
    });
    assert.deepEqual(lifecycleProblems(clean, { retention: guideRetention, objectLockDays: 30 }), []);
  });

  it("[guide 16, 20] the guide's own lifecycle contradicts its own retention, with the numbers", () => {
    const guides: Lifecycle = { transitions: [{ days: 30, storageClass: StorageClass.Glacier }], expirationDays: 90 };
    const messages = lifecycleProblems(guides, { retention: guideRetention }).map(
      ({ fault, message }) => `${fault}: ${message}`,
    );
    assert.deepEqual(messages, [
      "wasteful: an object is in GLACIER for 60 days (90 - 30) and paid for 90",
      "contradictory: 30 hot + 90 archive = 120 days are wanted, and objects expire after 90, since days count from " +
        "creation: 60 days in the archive, 30 days missing",
      "wasteful: no noncurrent expiration: in a versioned bucket expiration only adds a delete marker, and the versions " +
        "stay and are paid for without end",
      "wasteful: delete markers with nothing behind them are never removed, and slow down every listing",
      "wasteful: parts of uploads that never finished stay, invisible, and are paid for without end",
    ]);
  });

  it("without an archive nothing moves", () => {
    assert.deepEqual(lifecycleFor({ ...guideRetention, archiveDays: 0 }).transitions, []);
  });

  const { Invalid, Wasteful, Contradictory } = LifecycleFault;
  const cases: [title: string, change: Partial<Lifecycle>, context: LifecycleContext, fault: string, says: RegExp][] = [
    [
      "fractional days",
      { expirationDays: 120.5 },
      {},
      Invalid,
      /expiration: expected a whole number of days, 1 or more, got 120.5/,
    ],
    ["NaN days", { noncurrentExpirationDays: NaN }, {}, Invalid, /noncurrent expiration: .* got NaN/],
    ["expiring at once", { expirationDays: 0 }, {}, Invalid, /expiration: .* got 0/],
    [
      "moving to STANDARD",
      { transitions: [{ days: 30, storageClass: "STANDARD" }] },
      {},
      Invalid,
      /moves an object to STANDARD/,
    ],
    [
      "infrequent access before 30 days",
      { transitions: [{ days: 29, storageClass: "STANDARD_IA" }] },
      {},
      Invalid,
      /STANDARD_IA after 29 days: S3 asks for 30/,
    ],
    [
      "one zone before 30 days",
      { transitions: [{ days: 0, storageClass: "ONEZONE_IA" }] },
      {},
      Invalid,
      /ONEZONE_IA after 0 days: S3 asks for 30/,
    ],
    [
      "expiring with the move",
      { transitions: [{ days: 120, storageClass: "GLACIER" }] },
      {},
      Invalid,
      /expiration after 120 days is not later than the transition to GLACIER after 120/,
    ],
    [
      "noncurrent expiring before its move",
      { noncurrentTransitions: [{ days: 31, storageClass: "GLACIER" }] },
      {},
      Invalid,
      /noncurrent expiration after 30 days is not later/,
    ],
    [
      "going back up",
      {
        transitions: [
          { days: 10, storageClass: "DEEP_ARCHIVE" },
          { days: 20, storageClass: "GLACIER" },
        ],
        expirationDays: 400,
      },
      {},
      Invalid,
      /GLACIER after 20 days cannot follow the one to DEEP_ARCHIVE after 10/,
    ],
    [
      "two moves on one day",
      {
        transitions: [
          { days: 30, storageClass: "GLACIER_IR" },
          { days: 30, storageClass: "GLACIER" },
        ],
      },
      {},
      Invalid,
      /cannot follow/,
    ],
    // 30 + 149 = 179 days in DEEP_ARCHIVE, with the 30 noncurrent ones.
    [
      "deep archive for less than 180 days",
      { transitions: [{ days: 1, storageClass: "DEEP_ARCHIVE" }], expirationDays: 150 },
      {},
      Wasteful,
      /DEEP_ARCHIVE for 179 days \(180 - 1\) and paid for 180/,
    ],
    [
      "a stop of 20 days in infrequent access",
      {
        transitions: [
          { days: 30, storageClass: "STANDARD_IA" },
          { days: 50, storageClass: "GLACIER" },
        ],
        expirationDays: 150,
      },
      {},
      Wasteful,
      /STANDARD_IA for 20 days \(50 - 30\) and paid for 30/,
    ],
    [
      "an archive that never begins",
      { transitions: [] },
      { retention: guideRetention },
      Contradictory,
      /90 days of archive are wanted, and nothing is ever moved/,
    ],
    [
      "archiving hot backups",
      { transitions: [{ days: 20, storageClass: "GLACIER" }] },
      { retention: guideRetention },
      Contradictory,
      /30 hot days are wanted, and the first transition is after 20/,
    ],
    [
      "a lock that outlives the object",
      {},
      { objectLockDays: 121 },
      Contradictory,
      /lock holds a version for 121 days, and it expires after 120/,
    ],
    [
      "an archive within the RTO",
      {},
      { rtoMinutes: 15, rtoWindowDays: 31 },
      Contradictory,
      /last 31 days are needed within 15 minutes, and after 30 days they are in GLACIER, which takes up to 300 minutes/,
    ],
    [
      "an archive from the first day",
      { transitions: [{ days: 0, storageClass: "DEEP_ARCHIVE" }], expirationDays: 400 },
      { rtoMinutes: 15 },
      Contradictory,
      /in DEEP_ARCHIVE, which takes up to 720 minutes/,
    ],
  ];
  for (const [title, change, context, fault, says] of cases) {
    it(`[guide 16] ${fault}: ${title}`, () => {
      const problems = lifecycleProblems({ ...clean, ...change }, context);
      assert.ok(
        problems.some((problem) => problem.fault === fault && says.test(problem.message)),
        JSON.stringify(problems, null, 1),
      );
    });
  }

  it("bounds are inclusive", () => {
    assert.deepEqual(lifecycleProblems(clean, { rtoMinutes: 15, rtoWindowDays: 30, objectLockDays: 120 }), []);
    assert.deepEqual(lifecycleProblems(clean, { rtoMinutes: 300, rtoWindowDays: 120 }), []);
    // 150 + 30 noncurrent days - 0 = 180 days in DEEP_ARCHIVE.
    assert.deepEqual(
      lifecycleProblems({ ...clean, transitions: [{ days: 0, storageClass: "DEEP_ARCHIVE" }], expirationDays: 150 }),
      [],
    );
    assert.deepEqual(
      lifecycleProblems(
        { ...clean, noncurrentExpirationDays: undefined, expiredObjectDeleteMarker: false },
        { versioned: false },
      ),
      [],
    );
  });

  it("a lifecycle made from a retention never contradicts it", () => {
    fc.assert(
      fc.property(
        fc.record({
          hotDays: fc.integer({ min: 30, max: 4000 }),
          archiveDays: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 4000 })),
          archiveClass: fc.constantFrom(...Object.values(StorageClass).filter((name) => name !== "STANDARD")),
          noncurrentDays: fc.integer({ min: 1, max: 400 }),
        }),
        (retention) => {
          const problems = lifecycleProblems(lifecycleFor(retention), { retention });
          const inArchive = retention.archiveDays + retention.noncurrentDays;
          const paid = retention.archiveDays > 0 ? storageClassTerms[retention.archiveClass].minimumBilledDays : 0;
          assert.deepEqual(
            problems.map(({ fault }) => fault),
            inArchive < paid ? [Wasteful] : [],
          );
        },
      ),
    );
  });
});

describe("retention: what an RTO allows to be where", () => {
  it("[guide 16] only the classes that answer in time", () => {
    assert.deepEqual(storageClassesWithin(15), ["STANDARD", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR"]);
    assert.deepEqual(storageClassesWithin(300), ["STANDARD", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "GLACIER"]);
    assert.deepEqual(storageClassesWithin(299.9).includes("GLACIER"), false);
    assert.equal(storageClassesWithin(720).includes("DEEP_ARCHIVE"), true);
  });

  it("[guide 16] expedited retrieval counts only below 250 MB and with capacity that was bought", () => {
    const small = { largestObjectBytes: 249_999_999, provisionedCapacity: true };
    assert.equal(retrievalMinutes("GLACIER", small), 5);
    assert.equal(retrievalMinutes("GLACIER", { ...small, provisionedCapacity: false }), 300);
    assert.equal(retrievalMinutes("GLACIER", { ...small, largestObjectBytes: 250_000_000 }), 300);
    assert.equal(retrievalMinutes("GLACIER", { provisionedCapacity: true }), 300);
    assert.equal(retrievalMinutes("DEEP_ARCHIVE", small), 720);
  });
});

describe("retention: windows and locks", () => {
  const HOUR = 60;
  const DAY = 24 * HOUR;

  it("[guide 30] the point-in-time window is WAL retention - base backup interval - base backup duration", () => {
    const weekly = {
      walRetentionMinutes: 14 * DAY,
      baseBackupIntervalMinutes: 7 * DAY,
      baseBackupDurationMinutes: HOUR,
    };
    assert.equal(pitrWindowMinutes(weekly), 14 * DAY - 7 * DAY - HOUR);
    assert.equal(pitrWindowMinutes({ ...weekly, walRetentionMinutes: 7 * DAY }), -HOUR);
  });

  it("the window is what every moment can reach, in a simulation of base backups and log retention", () => {
    const minutes = fc.integer({ min: 1, max: 50 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), minutes, minutes, (walRetention, interval, duration) => {
        fc.pre(duration <= interval);
        const window = pitrWindowMinutes({
          walRetentionMinutes: walRetention,
          baseBackupIntervalMinutes: interval,
          baseBackupDurationMinutes: duration,
        });
        // At `now`, a time is reachable from a base backup that began within the log's retention and ended before it.
        let shortest = Infinity;
        for (let now = 1000; now < 1000 + interval; now += 1) {
          const starts = Array.from({ length: 1100 }, (_, at) => at * interval).filter(
            (start) => start >= now - walRetention && start + duration <= now,
          );
          const oldest = starts.length === 0 ? undefined : Math.min(...starts) + duration;
          shortest = Math.min(shortest, oldest === undefined ? -Infinity : now - oldest);
        }
        if (window > 0) assert.ok(shortest >= window, `${shortest} ${window}`);
      }),
      { numRuns: 50 },
    );
  });

  const locks: [lockDays: number, says: RegExp[]][] = [
    [14, []],
    [120, []],
    [13, [/13 days ends before damage is noticed \(14 days\)/]],
    [121, [/121 days outlives the retention of 120 days/]],
    [0, [/1 or more, got 0/, /ends before/]],
  ];
  for (const [lockDays, says] of locks) {
    it(`[guide 17] an object lock of ${lockDays} days between detection 14 and retention 120: ${says.length} problems`, () => {
      const problems = objectLockProblems({ lockDays, detectCorruptionDays: 14, retentionDays: 120 });
      assert.equal(problems.length, says.length);
      for (const [at, expected] of says.entries()) assert.match(problems[at] ?? "", expected);
    });
  }
});
