import assert from "node:assert/strict";
import { type DeclaredDatabase } from "../../recovery/declared-database";
import { type Term, TermName, TermOrigin, totalMinutes } from "../../recovery/derivation";
import { type MeasuredRun } from "../../recovery/measured-runs";
import { objectiveNotes, objectivesFrom, type ObjectivesOverrides } from "../../recovery/objectives";
import { type Protection, type StandbyProtection } from "../../recovery/protection";
import { type Scenario } from "../../recovery/scenario";
import {
  architect,
  daysAgo,
  dump,
  GB,
  home,
  log,
  outcomeOf,
  run,
  SIZE_BYTES,
  sums,
} from "../support/declared-architect";

const elsewhere = { region: "us-1", account: home.account };
const site = { name: "us", compute: true, placement: elsewhere };
const standby: StandbyProtection = {
  mechanism: "standby",
  name: "standby",
  lagSeconds: 60,
  placement: { server: "db-2", zone: "eu-1b", region: "eu-1", account: home.account },
};
const storeCopy: Protection = { mechanism: "store-copy", name: "replica", placement: elsewhere };

interface Case {
  readonly title: string;
  readonly scenario: Scenario;
  readonly declared: Partial<DeclaredDatabase>;
  readonly objectives?: ObjectivesOverrides;
  readonly evidence?: readonly MeasuredRun[];
  readonly expected: {
    readonly rpo: number | null;
    readonly rto: number | null;
    readonly verdict: string;
    readonly by: string | null;
    readonly says?: RegExp;
  };
}

function check({ title, scenario, declared, objectives, evidence, expected }: Case): void {
  it(`${title}: ${expected.verdict}`, () => {
    const outcome = outcomeOf(scenario, architect(declared), {
      ...(objectives === undefined ? {} : { objectives }),
      ...(evidence === undefined ? {} : { evidence }),
    });
    const { rpoMinutes: rpo, rtoMinutes: rto, verdict, by } = outcome;
    const { says = /^/, ...numbers } = expected;
    assert.deepEqual({ rpo, rto, verdict, by }, numbers);
    assert.match([...outcome.why, ...outcome.notCounted].join("\n"), says);
  });
}

describe("assessment: dumps", () => {
  // Recovery of 3 GB: 10 response + 1 provision + 0.2 fetch + 2 restore + 2 verify + 1 switch = 16.2 min.
  const objectives = { rpoMinutes: 723, rtoMinutes: 16.2 };
  check({
    title: "exactly at its objectives meets them: 360 + 360 + 2 + 1 = 723 and 16.2",
    scenario: "complete-outage",
    declared: {},
    objectives,
    expected: { rpo: 723, rto: 16.2, verdict: "pass", by: "dump" },
  });
  check({
    title: "a microminute less is missed: RPO",
    scenario: "complete-outage",
    declared: {},
    objectives: { ...objectives, rpoMinutes: 722.99999 },
    expected: { rpo: 723, rto: 16.2, verdict: "fail", by: "dump", says: /loss 723 min is above the RPO of 723 min/ },
  });
  check({
    title: "a microminute less is missed: RTO",
    scenario: "complete-outage",
    declared: {},
    objectives: { ...objectives, rtoMinutes: 16.19999 },
    expected: { rpo: 723, rto: 16.2, verdict: "fail", by: "dump", says: /recovery 16.2 min is above the RTO/ },
  });
  check({
    title: "in a lost region does not count",
    scenario: "regional-failure",
    declared: { sites: [site] },
    expected: { rpo: null, rto: null, verdict: "fail", by: null, says: /dump: it is in the failed region eu-1/ },
  });
  check({
    // 723 + 15 replication; 16.2 + 5 to start the site.
    title: "through a store copy in another region counts, with its replication",
    scenario: "regional-failure",
    declared: { protections: [dump, storeCopy], sites: [site] },
    objectives: { rpoMinutes: 738 },
    expected: { rpo: 738, rto: 21.2, verdict: "pass", by: "dump via replica" },
  });
  check({
    title: "in a store that says not where it is are unknown",
    scenario: "complete-outage",
    declared: { protections: [{ ...dump, placement: undefined }] },
    objectives,
    expected: { rpo: 723, rto: 16.2, verdict: "inconclusive", by: "dump", says: /nobody said where it lives/ },
  });
  check({
    title: "without a schedule are unknown",
    scenario: "complete-outage",
    declared: { protections: [{ ...dump, schedule: undefined }] },
    objectives,
    expected: {
      rpo: null,
      rto: 16.2,
      verdict: "inconclusive",
      by: "dump",
      says: /schedule gap is unknown: no schedule is declared/,
    },
  });
  check({
    title: "without a schedule and known to take too long are missed all the same",
    scenario: "complete-outage",
    declared: { protections: [{ ...dump, schedule: undefined, dumpMinutes: 90 }] },
    objectives: { rpoMinutes: 60, rtoMinutes: 16.2 },
    expected: {
      rpo: null,
      rto: 16.2,
      verdict: "fail",
      by: "dump",
      says: /loss at least 92 min is above the RPO of 60 min/,
    },
  });
  check({
    title: "with a schedule that Kubernetes refuses recover nothing",
    scenario: "complete-outage",
    declared: { protections: [{ ...dump, schedule: "0 0 31 2 *" }] },
    expected: { rpo: null, rto: null, verdict: "fail", by: "dump", says: /never fires/ },
  });
  check({
    title: "of a database of unknown size are unknown",
    scenario: "complete-outage",
    declared: { sizeBytes: undefined },
    objectives: { rpoMinutes: 10_000, rtoMinutes: 600 },
    expected: { rpo: null, rto: null, verdict: "inconclusive", by: "dump", says: /the database's size is unknown/ },
  });
});

describe("assessment: corruption is noticed late", () => {
  // Damage is noticed after 7 d, and the newest copy from before it is up to 723 min = 0.5 d older: 7.5 d.
  const objectives = { rpoMinutes: 723, rtoMinutes: 16.2 };
  check({
    title: "copies kept for 8 d reach back far enough",
    scenario: "data-corruption",
    declared: { protections: [{ ...dump, retentionDays: 8 }] },
    objectives,
    expected: { rpo: 723, rto: 16.2, verdict: "pass", by: "dump" },
  });
  check({
    title: "copies kept for 7 d do not",
    scenario: "data-corruption",
    declared: { protections: [{ ...dump, retentionDays: 7 }] },
    objectives,
    expected: { rpo: null, rto: null, verdict: "fail", by: "dump", says: /kept for 7 d, and one of 7.5 d is needed/ },
  });
  check({
    title: "copies of which nobody said how long they are kept",
    scenario: "data-corruption",
    declared: { protections: [{ ...dump, retentionDays: undefined }] },
    objectives,
    expected: {
      rpo: 723,
      rto: 16.2,
      verdict: "inconclusive",
      by: "dump",
      says: /nobody said how long the copies are kept/,
    },
  });
  check({
    // The copy of 7 d lies in Glacier already: 5 h = 300 min.
    title: "a copy that was archived by then takes Glacier's hours",
    scenario: "data-corruption",
    declared: { protections: [{ ...dump, transitions: [{ days: 7, storageClass: "GLACIER" }] }] },
    objectives,
    expected: { rpo: 723, rto: 316.2, verdict: "fail", by: "dump", says: /recovery 316 min is above/ },
  });
  check({
    title: "a copy that is archived a day later does not",
    scenario: "data-corruption",
    declared: { protections: [{ ...dump, transitions: [{ days: 8, storageClass: "GLACIER" }] }] },
    objectives,
    expected: { rpo: 723, rto: 16.2, verdict: "pass", by: "dump" },
  });
  check({
    title: "an RDS window of 7 d reaches back 7 d",
    scenario: "data-corruption",
    declared: { engine: "rds", protections: [{ ...log, managed: true, walRetentionDays: undefined, windowDays: 7 }] },
    objectives: { rtoMinutes: 60 },
    expected: { rpo: 5, rto: 33.7, verdict: "pass", by: "log" },
  });
  check({
    title: "an RDS window of 6 d does not",
    scenario: "data-corruption",
    declared: { engine: "rds", protections: [{ ...log, managed: true, walRetentionDays: undefined, windowDays: 6 }] },
    objectives: { rtoMinutes: 60 },
    expected: {
      rpo: null,
      rto: null,
      verdict: "fail",
      by: "log",
      says: /a window of 6 d, and damage is noticed after 7 d/,
    },
  });
  check({
    title: "RDS's default window of 0 d recovers nothing in any scenario",
    scenario: "complete-outage",
    declared: { engine: "rds", protections: [{ ...log, managed: true, walRetentionDays: undefined, windowDays: 0 }] },
    objectives: { rtoMinutes: 60 },
    expected: { rpo: null, rto: null, verdict: "fail", by: "log", says: /nothing can be recovered/ },
  });
  check({
    // 9 d of log - 2 d between base backups (one failed) - 1 min = 7 d - 1 min.
    title: "a log kept for 9 d misses 7 d by the minute that a base backup takes",
    scenario: "data-corruption",
    declared: { protections: [{ ...log, walRetentionDays: 9 }] },
    expected: { rpo: null, rto: null, verdict: "fail", by: "log", says: /9 d of log - 2 d .* - 1 min/ },
  });
  check({
    title: "a SQLite stream needs the window as well",
    scenario: "data-corruption",
    declared: {
      engine: "sqlite",
      protections: [{ mechanism: "sqlite-stream", name: "stream", windowDays: 6, placement: elsewhere }],
    },
    expected: {
      rpo: null,
      rto: null,
      verdict: "fail",
      by: "stream",
      says: /a window of 6 d, and damage is noticed after 7 d/,
    },
  });
  check({
    title: "a standby replicates it",
    scenario: "data-corruption",
    declared: { protections: [{ ...standby, synchronous: true, automatic: true }] },
    expected: { rpo: null, rto: null, verdict: "fail", by: null, says: /standby: it replicates the corruption/ },
  });
});

describe("assessment: a lost place", () => {
  check({
    title: "a standby in another zone saves a server and its zone: lag 1; 10 + promote 1 + verify 1 + switch 1",
    scenario: "complete-outage",
    declared: { protections: [standby] },
    expected: { rpo: 1, rto: 13, verdict: "pass", by: "standby" },
  });
  check({
    title: "a standby in the same zone does not",
    scenario: "complete-outage",
    declared: { protections: [{ ...standby, placement: { ...standby.placement, zone: "eu-1a" } }] },
    expected: { rpo: null, rto: null, verdict: "fail", by: null, says: /in the failed zone eu-1a/ },
  });
  check({
    title: "a standby in an unnamed zone may be in the failed one",
    scenario: "complete-outage",
    declared: { protections: [{ ...standby, placement: { server: "db-2", region: "eu-1" } }] },
    expected: { rpo: 1, rto: 13, verdict: "inconclusive", by: "standby", says: /nobody said in which zone it is/ },
  });
  check({
    title: "a standby whose lag nothing bounds is unknown",
    scenario: "complete-outage",
    declared: { protections: [{ ...standby, lagSeconds: undefined }] },
    expected: { rpo: null, rto: 13, verdict: "inconclusive", by: "standby", says: /nothing bounds how far/ },
  });
  check({
    title: "a standby in the same region does not save a region",
    scenario: "regional-failure",
    declared: { protections: [standby], sites: [site] },
    expected: { rpo: null, rto: null, verdict: "fail", by: null, says: /in the failed region eu-1/ },
  });
  const abroad: StandbyProtection = { ...standby, placement: { server: "db-3", zone: "us-1a", ...elsewhere } };
  check({
    title: "a standby in another region does, where the application has compute: 13 + 5",
    scenario: "regional-failure",
    declared: { protections: [abroad], sites: [site] },
    expected: { rpo: 1, rto: 18, verdict: "pass", by: "standby" },
  });
  check({
    title: "a recovery site without compute does not count",
    scenario: "regional-failure",
    declared: { protections: [abroad], sites: [{ ...site, compute: false }] },
    expected: { rpo: null, rto: null, verdict: "fail", by: "standby", says: /recovery site us: it has no compute/ },
  });
  check({
    title: "a recovery site in the failed region does not count",
    scenario: "regional-failure",
    declared: { protections: [abroad], sites: [{ ...site, placement: home }] },
    expected: {
      rpo: null,
      rto: null,
      verdict: "fail",
      by: "standby",
      says: /recovery site us: it is in the failed region/,
    },
  });
  check({
    title: "no recovery site at all",
    scenario: "regional-failure",
    declared: { protections: [abroad] },
    expected: {
      rpo: null,
      rto: null,
      verdict: "fail",
      by: "standby",
      says: /no recovery site outside the failed region/,
    },
  });
  check({
    title: "the site that starts soonest is taken: 13 + 1",
    scenario: "regional-failure",
    declared: { protections: [abroad], sites: [site, { ...site, name: "warm", startMinutes: 1 }] },
    expected: { rpo: 1, rto: 14, verdict: "pass", by: "standby" },
  });
  check({
    title: "a database in a lost cluster needs a site as well",
    scenario: "complete-outage",
    declared: { placement: { ...home, cluster: "blue" } },
    objectives: { rpoMinutes: 800, rtoMinutes: 60 },
    expected: {
      rpo: null,
      rto: null,
      verdict: "fail",
      by: "dump",
      says: /no recovery site outside the failed cluster/,
    },
  });
  check({
    title: "a copy in the failed account does not count, where the account is what fails",
    scenario: "complete-outage",
    declared: {
      failedDomains: { "complete-outage": ["account"] },
      sites: [{ ...site, placement: { region: "eu-1", account: "2" } }],
    },
    expected: { rpo: null, rto: null, verdict: "fail", by: null, says: /in the failed account 1+/ },
  });
  check({
    title: "a copy under the failed key does not count, where the key is what fails",
    scenario: "complete-outage",
    declared: {
      encryptionKey: { name: "key", regions: ["eu-1"] },
      protections: [{ ...dump, encryptionKey: { name: "key", regions: ["eu-1"] } }],
      failedDomains: { "complete-outage": ["server", "key"] },
    },
    expected: { rpo: null, rto: null, verdict: "fail", by: null, says: /under the failed key key/ },
  });
  check({
    title: "what lives only in the failed region stops it",
    scenario: "regional-failure",
    declared: {
      protections: [abroad],
      sites: [site],
      dependencies: [
        { kind: "secret", name: "db-password", placements: [{ region: "eu-1" }] },
        { kind: "image", name: "runner", placements: [{ region: "eu-1" }, { region: "us-1" }] },
      ],
    },
    expected: {
      rpo: null,
      rto: null,
      verdict: "fail",
      by: "standby",
      says: /stopped by secret db-password: it is in the failed region eu-1/,
    },
  });
  check({
    title: "a dependency of which nobody said where it is",
    scenario: "regional-failure",
    declared: {
      protections: [abroad],
      sites: [site],
      dependencies: [{ kind: "contacts", name: "phone list", placements: [] }],
    },
    expected: { rpo: 1, rto: 18, verdict: "inconclusive", by: "standby", says: /contacts phone list: nobody said/ },
  });
});

describe("assessment: engines", () => {
  check({
    title: "a SQLite stream does nothing for PostgreSQL",
    scenario: "data-corruption",
    declared: { protections: [{ mechanism: "sqlite-stream", name: "stream", windowDays: 30, placement: elsewhere }] },
    expected: {
      rpo: null,
      rto: null,
      verdict: "fail",
      by: null,
      says: /stream: a sqlite-stream does nothing for engine postgres/,
    },
  });
});

describe("assessment: the application", () => {
  check({
    title: "no mechanism is never met",
    scenario: "database-connection-loss",
    declared: {},
    expected: {
      rpo: null,
      rto: null,
      verdict: "fail",
      by: null,
      says: /no declared mechanism recovers from database-connection-loss/,
    },
  });
  check({
    title: "two pods: 30 s until the dead one is out of service",
    scenario: "pod-crash",
    declared: { protections: [{ mechanism: "replicas", name: "app", count: 2 }] },
    expected: { rpo: 0, rto: 0.5, verdict: "pass", by: "app" },
  });
  check({
    title: "a rollback by hand: 3 + 5 + 2 + 1 = 11 min of an RTO of 5",
    scenario: "deployment-failure",
    declared: { protections: [{ mechanism: "rollback", name: "undo" }] },
    expected: { rpo: 0, rto: 11, verdict: "fail", by: "undo" },
  });
  check({
    title: "an automatic rollback: 240 s + 60 s",
    scenario: "deployment-failure",
    declared: { protections: [{ mechanism: "rollback", name: "undo", automatic: true, progressDeadlineSeconds: 240 }] },
    expected: { rpo: 0, rto: 5, verdict: "pass", by: "undo" },
  });
  check({
    title: "no version to go back to",
    scenario: "deployment-failure",
    declared: {
      protections: [
        { mechanism: "rollback", name: "undo", automatic: true, progressDeadlineSeconds: 60, revisionHistoryLimit: 0 },
      ],
    },
    expected: { rpo: null, rto: null, verdict: "fail", by: "undo", says: /there is no version to go back to/ },
  });
  check({
    title: "a pooler: 30 s + 60 s",
    scenario: "database-connection-loss",
    declared: { protections: [{ mechanism: "pooler", name: "pool" }] },
    expected: { rpo: 0, rto: 1.5, verdict: "pass", by: "pool" },
  });
});

describe("assessment: evidence", () => {
  const objectives = { rpoMinutes: 723, rtoMinutes: 15 };
  const scenario = "complete-outage";
  check({
    title: "none: the estimate of 16.2 counts",
    scenario,
    declared: {},
    objectives,
    expected: { rpo: 723, rto: 16.2, verdict: "fail", by: "dump" },
  });
  check({
    title: "the same thing measured at 180 s replaces it: 10 + 3 + 1",
    scenario,
    declared: {},
    objectives,
    evidence: [run()],
    expected: { rpo: 723, rto: 14, verdict: "pass", by: "dump" },
  });
  check({
    // 100 s / 3 GB * 1.5 = 50 ns a byte = 150 s: 10 + 2.5 + 1.
    title: "a throw-away server at 100 s scales it: 10 + 2.5 + 1",
    scenario,
    declared: {},
    objectives,
    evidence: [run({ targetClass: "throw-away", measuredRtoSeconds: 100 })],
    expected: { rpo: 723, rto: 13.5, verdict: "pass", by: "dump" },
  });
  check({
    title: "measured too long ago is unknown, though the estimate would do",
    scenario,
    declared: {},
    objectives: { ...objectives, rtoMinutes: 60 },
    evidence: [run({ finishedAt: daysAgo(36) })],
    expected: { rpo: 723, rto: null, verdict: "inconclusive", by: "dump", says: /measured too long ago: run-1/ },
  });
  check({
    title: "the newest restore proved no copy",
    scenario,
    declared: {},
    objectives,
    evidence: [run({ finishedAt: daysAgo(2) }), run({ id: "run-2", verdict: "fail", measuredRtoSeconds: undefined })],
    expected: { rpo: null, rto: null, verdict: "fail", by: "dump", says: /the newest run proved no copy: run-2/ },
  });
  check({
    title: "the newest restore could not be judged",
    scenario,
    declared: {},
    objectives,
    evidence: [
      run({ finishedAt: daysAgo(2) }),
      run({ id: "run-2", verdict: "inconclusive", measuredRtoSeconds: undefined }),
    ],
    expected: { rpo: 723, rto: 14, verdict: "inconclusive", by: "dump", says: /could not be judged: run-2/ },
  });
  check({
    title: "a restore that lost more than the derivation allows counts: 900 min",
    scenario,
    declared: {},
    objectives,
    evidence: [run({ achievedRpoSeconds: 900 * 60 })],
    expected: { rpo: 900, rto: 14, verdict: "fail", by: "dump", says: /loss 900 min is above/ },
  });
  check({
    title: "a restore that lost less does not shrink the worst case",
    scenario,
    declared: {},
    objectives: { ...objectives, rpoMinutes: 60 },
    evidence: [run({ achievedRpoSeconds: 1 })],
    expected: { rpo: 723, rto: 14, verdict: "fail", by: "dump" },
  });
  check({
    title: "an unstated size is the last that was measured",
    scenario,
    declared: { sizeBytes: undefined },
    objectives,
    evidence: [run()],
    expected: { rpo: 723, rto: 14, verdict: "pass", by: "dump" },
  });

  it("what was proven stands beside the outcome and changes nothing", () => {
    const options = { objectives: { rpoMinutes: 723, rtoMinutes: 16.2 } };
    const unproven = outcomeOf(scenario, architect(), options);
    const proven = outcomeOf(scenario, architect(), {
      ...options,
      evidence: [run({ environment: "staging", measuredRtoSeconds: 1 })],
    });
    assert.equal(unproven.proof, null);
    assert.deepEqual(proven.proof, { evidence: "run-1", at: daysAgo(1), level: "content" });
    assert.deepEqual([unproven.verdict, proven.verdict], ["pass", "pass"]);
    assert.deepEqual([unproven.measured, proven.measured], [false, false]);
    assert.equal(outcomeOf(scenario, architect(), { ...options, evidence: [run()] }).measured, true);
  });

  it("the largest database that meets the RTO comes from what was measured", () => {
    // 15 - 10 - 1 = 4 min; measured 3 min for 3 GB: 4 GB.
    assert.equal(outcomeOf(scenario, architect(), { objectives, evidence: [run()] }).largestSizeBytes, 4 * GB);
  });
});

describe("assessment: impossible input", () => {
  it("is refused with every problem at once", () => {
    const database = architect({
      sizeBytes: -1,
      protections: [
        { ...dump, failedRuns: 0.5, dumpMinutes: NaN },
        { ...dump, fetchBytesPerSecond: 0 },
      ],
      sites: [{ ...site, startMinutes: -5 }],
    });
    assert.throws(
      () => outcomeOf("complete-outage", database, { objectives: { rtoMinutes: -15 } }),
      (error: unknown) => {
        assert.ok(error instanceof RangeError);
        for (const says of [
          /rtoMinutes: expected a number above 0, got -15/,
          /architect.sizeBytes: expected a number of 0 or more, got -1/,
          /architect.dump.failedRuns: expected a whole number of 0 or more, got 0.5/,
          /architect.dump.dumpMinutes: .* got NaN/,
          /architect.dump.fetchBytesPerSecond: expected a number above 0, got 0/,
          /architect.us.startMinutes: .* got -5/,
          /architect.protections: dump is declared more than once/,
        ]) {
          assert.match(error.message, says);
        }
        return true;
      },
    );
  });
});

describe("assessment: the best of several ways", () => {
  it("is the one that passes, whatever else fails", () => {
    const outcome = outcomeOf("complete-outage", architect({ protections: [dump, log, standby] }));
    assert.equal(outcome.by, "standby");
    assert.equal(outcome.verdict, "pass");
  });

  it("is one way for both objectives: the standby's time and the log's history do not add up", () => {
    const outcome = outcomeOf("data-corruption", architect({ protections: [standby, { ...log, restoreMinutes: 60 }] }));
    assert.deepEqual([outcome.by, outcome.rpoMinutes, outcome.rtoMinutes, outcome.verdict], ["log", 1, 74.4, "fail"]);
  });

  it("prefers what works too slowly to what does not work", () => {
    const slow = { ...dump, name: "slow", restoreMinutes: 600 };
    const expired = { ...dump, name: "expired", retentionDays: 1 };
    assert.equal(outcomeOf("data-corruption", architect({ protections: [expired, slow] })).by, "slow");
  });
});

describe("assessment: the guide's own numbers", () => {
  const objectives: ObjectivesOverrides = {};
  const guide = architect();

  it("[guide 3, 19] row 1: RPO 60 min against dumps every 6 h", () => {
    const { derivation, rpoMinutes, verdict } = outcomeOf("complete-outage", guide, { objectives });
    assert.deepEqual(sums(derivation.loss), [
      "schedule gap 360",
      "failed run 360",
      "start delay 2",
      "dump 1",
      "upload 0",
    ]);
    assert.equal(rpoMinutes, 723);
    assert.equal(verdict, "fail");
    // Even with no run failing and everything else instantaneous, 6 h are not 1 h.
    const best = { ...dump, failedRuns: 0, startDelayMinutes: 0, dumpMinutes: 0 };
    assert.equal(outcomeOf("complete-outage", architect({ protections: [best] })).rpoMinutes, 360);
  });

  it("row 2: a daily script against every 6 hours: 24 h of loss a run, not 6", () => {
    const daily = architect({ protections: [{ ...dump, schedule: "@daily" }] });
    const gap = (database: DeclaredDatabase) => outcomeOf("complete-outage", database).derivation.loss[0]?.minutes;
    assert.deepEqual([gap(daily), gap(guide)], [24 * 60, 6 * 60]);
  });

  it("[guide 57] row 3: zero data loss is an RPO of 0, which only a synchronous standby meets", () => {
    const zero = { rpoMinutes: 0 };
    const verdictOf = (protection: Protection) =>
      outcomeOf("complete-outage", architect({ protections: [protection] }), { objectives: zero }).verdict;
    assert.equal(verdictOf(standby), "fail");
    assert.equal(verdictOf(log), "fail");
    assert.equal(verdictOf({ ...standby, synchronous: true }), "pass");
  });

  it("[guide 58, 59] row 4: a lost region has 30 min where the whole has 15", () => {
    const { scenarios, rtoMinutes } = objectivesFrom(objectives);
    assert.deepEqual([scenarios["regional-failure"].rtoMinutes, rtoMinutes], [30, 15]);
    assert.match(objectiveNotes(objectivesFrom())[0] ?? "", /RTO 30 min against 15/);
    const strict = { scenarios: { "regional-failure": { rtoMinutes: 15 } } };
    const abroad = architect({
      protections: [{ ...standby, placement: { server: "db-3", zone: "us-1a", ...elsewhere } }],
      sites: [site],
    });
    assert.equal(outcomeOf("regional-failure", abroad).verdict, "pass");
    assert.equal(outcomeOf("regional-failure", abroad, { objectives: strict }).verdict, "fail");
  });

  it("[guide 56] row 5: the drill's restore of 30 min, deployment of 20 and health check of 10 are 60 min of an RTO of 15", () => {
    const drill = {
      ...dump,
      provisionMinutes: 0,
      fetchBytesPerSecond: Infinity,
      restoreMinutes: 30,
      switchMinutes: 20,
      verifyMinutes: 10,
    };
    const noResponse = { response: { detectMinutes: 0, acknowledgeMinutes: 0, decideMinutes: 0 } };
    const outcome = outcomeOf("complete-outage", architect({ protections: [drill] }), { objectives: noResponse });
    assert.equal(outcome.rtoMinutes, 30 + 20 + 10);
    assert.match(outcome.why.join(), /recovery 60 min is above the RTO of 15 min/);
  });

  const minutes = (...values: number[]): Term[] =>
    values.map((value) => ({ name: TermName.Act, minutes: value, origin: TermOrigin.Config, detail: "the guide's" }));

  it("[guide 56] row 6: the drill's phases are 100 of its 120 minutes, 10 of them review", () => {
    assert.equal(totalMinutes(minutes(30, 20, 10, 30, 10)), 100);
    assert.equal(2 * 60 - 100, 20);
  });

  it("[guide 5] row 7: the sample incident took 8 min, the MTTR is 5", () => {
    const log = ["15:23", "15:24", "15:26", "15:28", "15:30", "15:31"].map((at) => Number(at.slice(3)));
    const steps = log.slice(1).map((at, index) => at - (log[index] ?? 0));
    assert.equal(totalMinutes(minutes(...steps)), 8);
    assert.ok(8 > objectivesFrom().mttrMinutes);
  });

  // P1: respond within 5, assess 1, logs 2, verify 5.
  const p1 = (detectMinutes: number): ObjectivesOverrides => ({
    response: { detectMinutes, acknowledgeMinutes: 5, decideMinutes: 1 + 2 },
  });
  const p1Dump = { ...dump, provisionMinutes: 0, verifyMinutes: 5, switchMinutes: 0 };

  it("[guide 42] row 8: P1's steps take 13 of 15 minutes, and leave 2 for the recovery", () => {
    // 2 min = 120 s at 44 ns a byte = 2.727 GB.
    const { derivation, largestSizeBytes, rtoMinutes } = outcomeOf(
      "complete-outage",
      architect({ protections: [p1Dump] }),
      { objectives: p1(0) },
    );
    assert.deepEqual(sums(derivation.recovery), [
      "detect 0",
      "acknowledge 5",
      "decide 3",
      "provision 0",
      "fetch 0.2",
      "restore 2",
      "verify 5",
      "switch 0",
    ]);
    assert.equal(rtoMinutes, 13 + 2.2);
    assert.equal(largestSizeBytes, Math.floor(120 / 44e-9));
  });

  it("[guide 2, 42] row 9: with 3 minutes of detection nothing can be recovered in time: 16 of 15", () => {
    const { largestSizeBytes, verdict } = outcomeOf(
      "complete-outage",
      architect({ protections: [p1Dump], sizeBytes: 0 }),
      { objectives: p1(3) },
    );
    assert.equal(largestSizeBytes, 0);
    assert.equal(verdict, "fail");
  });

  it("[guide 4, 5] row 10: MTBF 7 d and MTTR 5 min promise 99.95 %, which nothing declared can derive", () => {
    assert.match(
      objectiveNotes(objectivesFrom()).at(-1) ?? "",
      /imply 99.95 % availability; both are measured from the incident log/,
    );
  });

  it("[guide 58] all six scenarios come out, in the guide's order", () => {
    assert.equal(SIZE_BYTES, 3 * GB);
    const titles = [
      "pod-crash",
      "deployment-failure",
      "database-connection-loss",
      "data-corruption",
      "complete-outage",
      "regional-failure",
    ] as const;
    for (const scenario of titles) assert.equal(outcomeOf(scenario, guide).verdict, "fail");
  });
});
