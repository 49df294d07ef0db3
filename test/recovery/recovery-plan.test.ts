import assert from "node:assert/strict";
import fc from "fast-check";
import {
  BackupMethod,
  defaultEvidenceRules,
  type MeasuredRun,
  type PlannedPoint,
  planRecovery,
  type RecoveryTarget,
  streamSourceId,
  TargetClass,
  Verdict,
} from "../../recovery";

const now = new Date("2026-11-23T14:10:00Z");
const at = (time: string): Date => new Date(`2026-11-23T${time}Z`);
const gigabyte = 1e9;

const dump = (time: string, more: Partial<PlannedPoint> = {}): PlannedPoint => ({
  id: `architect-20261123T${time.replace(/:/g, "")}Z-dump-00000001`,
  method: BackupMethod.Dump,
  problems: [],
  at: at(time),
  storedBytes: gigabyte / 4,
  sourceBytes: gigabyte,
  ...more,
});
const base = (time: string, coversUntil: string | undefined, gap?: string): PlannedPoint => ({
  ...dump(time),
  id: `architect-20261123T${time.replace(/:/g, "")}Z-base-00000001`,
  method: BackupMethod.Base,
  log: {
    base: { timeline: 1, start: 100n, consistent: 200n },
    segmentBytes: 16 * 1024 ** 2,
    coverage: {
      timeline: 1,
      end: 5000n,
      files: [],
      ...(coversUntil ? { coversUntil: at(coversUntil) } : {}),
      ...(gap ? { gap: { segment: gap, why: "it is not in the store" } } : {}),
    },
  },
});
const plan = (target: RecoveryTarget, points: PlannedPoint[], runs: MeasuredRun[] = []) =>
  planRecovery({ database: "architect", environment: "prod", target, points, runs, rules: defaultEvidenceRules, now });
const time = (text: string): RecoveryTarget => ({ kind: "time", at: at(text) });
const run = (mechanism: string, verdict: Verdict, seconds: number, sizeBytes = gigabyte): MeasuredRun => ({
  id: `run-${mechanism}-${verdict}`,
  database: "architect",
  mechanism,
  targetClass: TargetClass.DurableServer,
  environment: "prod",
  sizeBytes,
  finishedAt: "2026-11-23T04:00:00.000Z",
  verdict,
  level: "content",
  measuredRtoSeconds: verdict === Verdict.Pass ? seconds : undefined,
  achievedRpoSeconds: 0,
});

describe("the plan of a recovery from a SQLite stream", () => {
  const copy: PlannedPoint = {
    ...dump("12:00:00"),
    id: "app-20261123T120000Z-copy-00000001",
    method: BackupMethod.Copy,
  };
  const sources = (target: RecoveryTarget, runs: MeasuredRun[] = []) =>
    planRecovery({
      ...{ database: "architect", environment: "prod", target, points: [copy], runs, rules: defaultEvidenceRules, now },
      stream: { from: at("11:00:00"), to: at("14:09:30"), sourceBytes: gigabyte },
    }).sources.map(({ id, lossSeconds, usable, to }) => ({ id, lossSeconds, usable, to }));
  const stream = (target: RecoveryTarget, runs?: MeasuredRun[]) =>
    sources(target, runs).find(({ id }) => id === streamSourceId)!;

  it("reaches every moment of its window, and the newest of it for a later one", () => {
    const within = { lossSeconds: 0, usable: true, id: streamSourceId };
    assert.deepEqual(stream(time("13:00:00")), { ...within, to: time("13:00:00") });
    assert.deepEqual(stream({ kind: "latest" }), { ...within, lossSeconds: 30, to: { kind: "latest" } });
    assert.deepEqual(
      stream(time("14:09:50")),
      { ...within, lossSeconds: 20, to: { ...time("14:09:50"), orBefore: true } },
      "never `latest`: until a person has said yes it may have passed the moment",
    );
    assert.equal(sources(time("13:00:00"))[0]!.id, streamSourceId, "it loses less than the copy");
  });

  it("reaches a moment in a hole only as of the end before it, and says so", () => {
    const hole = { from: at("12:30:00"), to: at("13:30:00") };
    const planned = (target: RecoveryTarget) =>
      planRecovery({
        ...{
          database: "architect",
          environment: "prod",
          target,
          points: [],
          runs: [],
          rules: defaultEvidenceRules,
          now,
        },
        stream: { from: at("11:00:00"), to: at("14:09:30"), holes: [hole], sourceBytes: gigabyte },
      }).sources[0]!;
    assert.equal(planned(time("13:00:00")).lossSeconds, 1800);
    assert.match(
      planned(time("13:00:00")).why,
      /but for a hole: the target lies in one, .*12:30:00.* newest before it/,
    );
    assert.equal(planned(time("13:30:00")).lossSeconds, 0);
    assert.match(planned(time("13:30:00")).why, /but for a hole$/);
  });

  it("is not used before it began or for a position, and after its newest test has failed as the last resort", () => {
    assert.equal(stream(time("10:00:00")).usable, false);
    assert.equal(stream({ kind: "lsn", lsn: "0/1" }).usable, false);
    const failed = sources({ kind: "latest" }, [run("sqlite-stream", Verdict.Fail, 0)]);
    assert.deepEqual(
      failed.map(({ id, usable }) => [id, usable]),
      [
        [copy.id, true],
        [streamSourceId, true],
      ],
    );
    assert.equal(stream({ kind: "latest" }, [run("copy", Verdict.Fail, 0)]).usable, true);
    const tooOld = { ...run("sqlite-stream", Verdict.Fail, 9), measuredRtoSeconds: 9 };
    assert.equal(stream({ kind: "latest" }, [tooOld]).usable, true, "it restored, and was only old");
  });
});

describe("the plan of a recovery", () => {
  it("[guide 30] the log loses nothing at a moment that it covers; a dump loses what came after it", () => {
    const { chosen, sources } = plan(time("14:05:00"), [dump("12:00:00"), base("01:00:00", "14:09:30")]);
    assert.equal(chosen?.engine, "point-in-time-log");
    assert.equal(chosen?.lossSeconds, 0);
    assert.deepEqual(chosen?.to, time("14:05:00"));
    assert.equal(sources[1]?.lossSeconds, 125 * 60);
    assert.equal(sources[1]?.usable, true);
  });

  it("of an increment counts that it is unpacked and put together, and what all of its chain weighs", () => {
    const whole = base("01:00:00", "14:09:30");
    const increment = { ...base("13:00:00", "14:09:30"), increments: 2, storedBytes: 3 * whole.storedBytes };
    const secondsOf = (point: PlannedPoint, name: string): number =>
      plan({ kind: "latest" }, [point]).sources[0]!.terms.find((term) => term.name === name)!.seconds;
    assert.equal(secondsOf(increment, "restore"), 2 * secondsOf(whole, "restore"));
    assert.equal(secondsOf(increment, "fetch"), 3 * secondsOf(whole, "fetch"));
    // Nothing is lost by either, so the one that is there sooner is taken.
    assert.equal(plan({ kind: "latest" }, [increment, whole]).chosen?.id, whole.id);
  });

  it("beyond the log's end the loss is told, and the log's end is the target", () => {
    const { chosen } = plan({ kind: "latest" }, [dump("12:00:00"), base("01:00:00", "14:09:30")]);
    assert.equal(chosen?.lossSeconds, 30);
    assert.deepEqual(chosen?.to, { kind: "latest" });
    const named = plan(time("14:09:50"), [base("01:00:00", "14:09:30")]).chosen;
    assert.deepEqual([named?.lossSeconds, named?.to], [20, { ...time("14:09:50"), orBefore: true }]);
  });

  it("behind a hole the last moment before it is the target: `latest` would promise what is lost", () => {
    const { chosen } = plan({ kind: "latest" }, [base("01:00:00", "13:00:00", "0000000100000000000000A3")]);
    assert.deepEqual(chosen?.to, time("13:00:00"));
    assert.equal(chosen?.lossSeconds, 70 * 60);
    assert.match(chosen?.why ?? "", /then a hole at 0000000100000000000000A3/);
  });

  it("[guide 31] what cannot be used says why", () => {
    const { chosen, sources } = plan(time("11:00:00"), [
      dump("12:00:00"),
      dump("10:00:00", { problems: ["parts: one is missing"] }),
      dump("09:00:00", { retrievalMinutes: 720 }),
      base("11:30:00", "14:00:00"),
    ]);
    assert.equal(chosen, null);
    const all = sources.map(({ why }) => why).join("\n");
    for (const reason of [
      /newer than the target/,
      /one is missing/,
      /archive: .* 720 minutes/,
      /base backup is newer/,
    ]) {
      assert.match(all, reason);
    }
    assert.ok(sources.find(({ why }) => why.includes("archive"))!.recoverySeconds! > 720 * 60, "its retrieval counts");
  });

  it("what failed its last proof is the last resort, and nothing else is refused for it", () => {
    const lastProof = { verdict: "fail", at: "2026-11-23T12:30:00.000Z" };
    const { sources, chosen } = plan({ kind: "latest" }, [dump("12:00:00", { lastProof }), dump("08:00:00")]);
    assert.deepEqual(
      sources.map(({ usable, doubt }) => [usable, doubt !== null]),
      [
        [true, false],
        [true, true],
      ],
    );
    assert.equal(chosen?.lossSeconds, 370 * 60);
    assert.match(sources[1]!.why, /failed its proof; holds 2026-11-23T12:00/);
    const alone = plan({ kind: "latest" }, [dump("12:00:00", { lastProof })]).chosen;
    assert.equal(alone?.lossSeconds, 130 * 60, "on the worst night it is tried, and proven before it is used");
  });

  it("a copy that was good and only too old is chosen: it is what a disaster leaves", () => {
    const lastProof = { verdict: "fail", at: "2026-11-23T08:30:00.000Z", restored: true };
    const { chosen } = plan({ kind: "latest" }, [dump("08:00:00", { lastProof })]);
    assert.equal(chosen?.lossSeconds, 370 * 60);
    assert.equal(chosen?.provenAt, null);
    const tooOld = { ...run("dump", Verdict.Fail, 0), measuredRtoSeconds: 40 };
    assert.ok(plan({ kind: "latest" }, [dump("12:00:00")], [tooOld]).chosen);
  });

  it("a position is for the log alone", () => {
    const points = [dump("12:00:00"), base("01:00:00", "14:00:00")];
    assert.equal(plan({ kind: "lsn", lsn: "0/1000" }, points).chosen?.engine, "point-in-time-log");
    assert.equal(plan({ kind: "lsn", lsn: "0/10" }, points).chosen, null, "before the base backup was whole");
    assert.equal(plan({ kind: "lsn", lsn: "0/2000" }, points).chosen, null, "after the log's end");
    assert.equal(plan({ kind: "name", name: "before-migration" }, points).chosen?.engine, "point-in-time-log");
  });

  it("a measured time replaces the estimate, a run of another size scales it", () => {
    const measured = plan({ kind: "latest" }, [dump("12:00:00")], [run("dump", Verdict.Pass, 77)]).chosen;
    assert.deepEqual([measured?.recoverySeconds, measured?.timeBasis], [77, "measured"]);
    const scaled = plan({ kind: "latest" }, [dump("12:00:00")], [run("dump", Verdict.Pass, 50, gigabyte / 2)]).chosen;
    assert.deepEqual([scaled?.recoverySeconds, scaled?.timeBasis], [150, "scaled"]);
    assert.equal(plan({ kind: "latest" }, [dump("12:00:00")]).chosen?.timeBasis, "estimate");
  });

  it("an unproven point of a mechanism whose newest test failed is not chosen", () => {
    const failed = [run("point-in-time-log", Verdict.Fail, 0)];
    const { chosen, sources } = plan({ kind: "latest" }, [dump("12:00:00"), base("01:00:00", "14:09:30")], failed);
    assert.equal(chosen?.engine, "dump");
    assert.match(sources[1]?.why ?? "", /newest restore test of point-in-time-log.*failed/);
  });

  it("never chooses a source while another usable one loses less", () => {
    const times = fc.integer({ min: 0, max: 13 }).map((hour) => `${String(hour).padStart(2, "0")}:00:00`);
    const points = fc.array(
      fc.oneof(
        times.map((each) => dump(each)),
        fc.tuple(times, times).map(([from, to]) => base(from, to)),
      ),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(points, times, (all, wanted) => {
        const { chosen, sources } = plan(time(wanted), all);
        const usable = sources.filter((source) => source.usable);
        assert.equal(chosen, usable[0] ?? null);
        for (const { lossSeconds } of usable) assert.ok(chosen!.lossSeconds! <= lossSeconds! + 1);
        assert.equal(sources.length, all.length, "none is left out");
      }),
    );
  });
});

describe("the plan of a recovery from RDS's own backups", () => {
  const log = {
    id: "rds-log",
    mechanism: "point-in-time-log",
    targetClass: TargetClass.Rds,
    from: at("01:00:00"),
    to: at("14:05:00"),
    sourceBytes: 100 * gigabyte,
  };
  const snapshot = (taken: string, problems: string[] = []) => ({
    id: `rds-snapshot:rds:architect-${taken}`,
    mechanism: "rds-snapshot",
    targetClass: TargetClass.Rds,
    at: at(taken),
    sourceBytes: 100 * gigabyte,
    problems,
  });
  const rdsPlan = (target: RecoveryTarget, runs: MeasuredRun[] = [], snapshots = [snapshot("02:00:00")]) =>
    planRecovery({
      ...{ database: "architect", environment: "prod", target, points: [dump("12:00:00")], runs },
      ...{ rules: defaultEvidenceRules, now, stream: log, snapshots },
    });

  it("[guide 30] its log brings any moment of its window back, the dump and the snapshot what they hold", () => {
    const { chosen, sources } = rdsPlan(time("13:00:00"));
    assert.equal(chosen?.id, "rds-log");
    assert.deepEqual(
      sources.map(({ id, lossSeconds }) => [id.split(":")[0], lossSeconds]),
      [
        ["rds-log", 0],
        ["architect-20261123T120000Z-dump-00000001", 3600],
        ["rds-snapshot", 11 * 3600],
      ],
    );
    // A new instance, its storage, the proof.
    assert.deepEqual([chosen?.recoverySeconds, chosen?.timeBasis], [20 * 60 + 1000 + 120, "estimate"]);
  });

  it("what lies after its newest restorable moment is lost, and is said", () => {
    const { chosen } = rdsPlan({ kind: "latest" });
    assert.deepEqual([chosen?.id, chosen?.lossSeconds, chosen?.to], ["rds-log", 300, { kind: "latest" }]);
  });

  it("a moment before its window is brought back by a snapshot, where one is usable", () => {
    const early = rdsPlan(time("00:30:00"), [], [snapshot("00:00:00"), snapshot("00:10:00", ["it is being made"])]);
    assert.equal(early.chosen?.id, "rds-snapshot:rds:architect-00:00:00");
    assert.match(early.sources.map(({ why }) => why).join(), /begins after the target.*|it is being made/);
  });

  it("a measured restore replaces the estimate, and a failed test makes the log a last resort", () => {
    const measured = { ...run("point-in-time-log", Verdict.Pass, 1234, 100 * gigabyte), targetClass: TargetClass.Rds };
    const { chosen } = rdsPlan(time("13:00:00"), [measured]);
    assert.deepEqual(
      [chosen?.recoverySeconds, chosen?.timeBasis, chosen?.provenAt],
      [1234, "measured", measured.finishedAt],
    );
    assert.notEqual(
      rdsPlan(time("13:00:00"), [{ ...measured, verdict: Verdict.Fail, measuredRtoSeconds: undefined }]).chosen?.id,
      "rds-log",
    );
    const failed = { ...measured, recoveryPoint: snapshot("02:00:00").id, verdict: Verdict.Fail };
    const last = rdsPlan(time("13:00:00"), [{ ...failed, mechanism: "rds-snapshot" }]).sources.at(-1)!;
    assert.match(last.why, /failed its proof/);
    assert.equal(last.usable, true, "it may have failed for its place's sake, and is proven before anybody uses it");
  });
});
