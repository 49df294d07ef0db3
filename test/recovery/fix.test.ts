import assert from "node:assert/strict";
import { type DeclaredDatabase } from "../../recovery/declared-database";
import { applyFix } from "../../recovery/fix";
import { type MeasuredRun } from "../../recovery/measured-runs";
import { type ObjectivesOverrides } from "../../recovery/objectives";
import { type Scenario } from "../../recovery/scenario";
import { architect, daysAgo, dump, home, log, outcomeOf, run } from "../support/declared-architect";

const elsewhere = { region: "us-1", account: home.account };
const site = { name: "us", compute: true, placement: elsewhere };
const rds = { ...log, managed: true, walRetentionDays: undefined, baseBackupSchedule: undefined };
const standby = {
  mechanism: "standby" as const,
  name: "standby",
  lagSeconds: 60,
  placement: { server: "db-3", zone: "us-1a", ...elsewhere },
};

describe("fix: the smallest change", () => {
  const cases: [
    title: string,
    scenario: Scenario,
    declared: Partial<DeclaredDatabase>,
    objectives: ObjectivesOverrides,
    text: string[],
  ][] = [
    [
      // (60 - 2 start - 1 dump) / 2 gaps = 28.5 min.
      "a denser schedule",
      "complete-outage",
      {},
      { rtoMinutes: 30 },
      ["dump: `schedule: */20 * * * *`"],
    ],
    [
      "every 30 minutes where a failed run is not counted on and the rest takes no time",
      "complete-outage",
      { protections: [{ ...dump, failedRuns: 0, startDelayMinutes: 0, dumpMinutes: 0 }] },
      { rpoMinutes: 30, rtoMinutes: 30 },
      ["dump: `schedule: */30 * * * *`"],
    ],
    [
      "a schedule where there was none",
      "complete-outage",
      { protections: [{ ...dump, schedule: undefined }] },
      { rpoMinutes: 1440, rtoMinutes: 30 },
      ["dump: `schedule: 0 */8 * * *`"],
    ],
    [
      "a longer RDS window",
      "data-corruption",
      { engine: "rds", protections: [{ ...rds, windowDays: 1 }] },
      { rtoMinutes: 60 },
      ["log: `backupRetentionPeriod: 7`"],
    ],
    [
      "RDS backups that are on",
      "complete-outage",
      { engine: "rds", protections: [{ ...rds, windowDays: 0 }] },
      { rtoMinutes: 60 },
      ["log: `backupRetentionPeriod: 1`"],
    ],
    // 7 d + 2 d between base backups (one failed) + 1 min.
    [
      "a log that is kept longer",
      "data-corruption",
      { protections: [{ ...log, walRetentionDays: 3 }] },
      {},
      ["log: `walRetentionDays: 10`"],
    ],
    [
      "a log that is flushed sooner",
      "complete-outage",
      { protections: [{ ...log, flushSeconds: 7200 }] },
      {},
      ["log: `flushSeconds: 60`"],
    ],
    // 7 d + 60 min of loss allowed, in whole days.
    [
      "copies that are kept longer",
      "data-corruption",
      { protections: [{ ...dump, schedule: "*/20 * * * *", retentionDays: 2 }] },
      { rtoMinutes: 30 },
      ["dump: `retentionDays: 8`"],
    ],
    [
      "copies that are archived later",
      "data-corruption",
      { protections: [{ ...dump, schedule: "*/20 * * * *", transitions: [{ days: 3, storageClass: "GLACIER" }] }] },
      { rtoMinutes: 30 },
      ['dump: `transitions: [{"days":8,"storageClass":"GLACIER"}]`'],
    ],
    [
      "a bound on a standby's lag",
      "complete-outage",
      { protections: [{ ...standby, lagSeconds: undefined }] },
      {},
      ["standby: `lagSeconds: 60`"],
    ],
    [
      "compute for a recovery site",
      "regional-failure",
      { protections: [standby], sites: [{ ...site, compute: false }] },
      {},
      ["recovery site us: `compute: true`"],
    ],
    [
      "a secret that is in the other region too",
      "regional-failure",
      {
        protections: [standby],
        sites: [site],
        dependencies: [{ kind: "secret", name: "db-password", placements: [{ region: "eu-1" }] }],
      },
      {},
      ["keep a copy of db-password in us-1"],
    ],
    [
      "an automatic rollback within the RTO of 5 min: 240 s + 60 s",
      "deployment-failure",
      { protections: [{ mechanism: "rollback", name: "undo" }] },
      {},
      ["undo: `automatic: true`, `progressDeadlineSeconds: 240`"],
    ],
    [
      "a version to go back to",
      "deployment-failure",
      { protections: [{ mechanism: "rollback", name: "undo", revisionHistoryLimit: 0 }] },
      { scenarios: { "deployment-failure": { rtoMinutes: 15 } } },
      ["undo: `revisionHistoryLimit: 10`"],
    ],
    ["a pooler", "database-connection-loss", {}, {}, ["add pooler `pooler`"]],
    [
      "a second pod",
      "pod-crash",
      { protections: [{ mechanism: "replicas", name: "app", count: 1 }] },
      { scenarios: { "pod-crash": { rtoMinutes: 1 } } },
      ["app: `count: 2`"],
    ],
    [
      "a log, where dumps are too slow to restore",
      "data-corruption",
      {},
      {},
      [
        'add point-in-time-log `log` with `placement: {"region":"eu-1","account":"111111111111"}`, `walRetentionDays: 10`, `baseBackupSchedule: @daily`',
      ],
    ],
    [
      "a stream for SQLite",
      "data-corruption",
      { engine: "sqlite", protections: [{ ...dump, method: "copy" }] },
      { scenarios: { "data-corruption": { rpoMinutes: 1 } } },
      ['add sqlite-stream `stream` with `placement: {"region":"eu-1","account":"111111111111"}`, `windowDays: 7`'],
    ],
    [
      "a copy of the store in the recovery site's region, and dumps that leave room for its replication: (60 - 3 - 15) / 2 = 21 min",
      "regional-failure",
      { sites: [site], protections: [{ ...dump, schedule: "*/20 * * * *" }] },
      {},
      ['add store-copy `store-copy` with `placement: {"region":"us-1","account":"111111111111"}`'],
    ],
  ];
  for (const [title, scenario, declared, objectives, text] of cases) {
    it(title, () => {
      const database = architect(declared);
      const { fix, verdict } = outcomeOf(scenario, database, { objectives });
      assert.notEqual(verdict, "pass");
      assert.deepEqual(fix?.text, text, fix?.noFixBecause);
      assert.equal(outcomeOf(scenario, applyFix(database, fix.changes ?? []), { objectives }).verdict, "pass");
    });
  }

  it("changes nothing of what it was given", () => {
    const database = Object.freeze(architect());
    const before = JSON.stringify(database);
    const { fix } = outcomeOf("complete-outage", database, { objectives: { rtoMinutes: 30 } });
    applyFix(database, fix?.changes ?? []);
    assert.equal(JSON.stringify(database), before);
  });
});

describe("fix: why there is none", () => {
  const cases: [
    title: string,
    scenario: Scenario,
    declared: Partial<DeclaredDatabase>,
    objectives: ObjectivesOverrides,
    evidence: MeasuredRun[],
    says: RegExp,
  ][] = [
    [
      "the response alone takes the RTO",
      "data-corruption",
      {},
      { rtoMinutes: 10 },
      [],
      /^detect 3 \+ acknowledge 5 \+ decide 2 = 10 min are gone before anything is recovered, of an RTO of 10 min/,
    ],
    [
      "the database is too large",
      "data-corruption",
      { sizeBytes: 1e12 },
      {},
      [],
      /log brings back 3.33 GB in time, and the database has 1 TB/,
    ],
    [
      "its evidence is stale",
      "complete-outage",
      {},
      { rpoMinutes: 800 },
      [run({ finishedAt: daysAgo(40) })],
      /^run-1 is too old to count: run `dr restore-test` for architect/,
    ],
    [
      "its newest restore failed",
      "complete-outage",
      {},
      {},
      [run({ verdict: "fail", measuredRtoSeconds: undefined })],
      /^the newest run run-1 proved no copy: repair what it names/,
    ],
    [
      "nobody said where it lives",
      "regional-failure",
      { placement: undefined },
      {},
      [],
      /^nobody said where the database lives/,
    ],
    [
      "its size is unknown",
      "data-corruption",
      { sizeBytes: undefined },
      { rpoMinutes: 1440, rtoMinutes: 60 },
      [],
      /size is unknown/,
    ],
    [
      "only the place of its copies is unknown",
      "complete-outage",
      { protections: [{ ...dump, placement: undefined }] },
      { rpoMinutes: 1440, rtoMinutes: 60 },
      [],
      /^state what is unknown: nobody said where it lives/,
    ],
  ];
  for (const [title, scenario, declared, objectives, evidence, says] of cases) {
    it(title, () => {
      const { fix } = outcomeOf(scenario, architect(declared), { objectives, evidence });
      assert.equal(fix?.changes, undefined, fix?.text?.join());
      assert.match(fix?.noFixBecause ?? "", says);
    });
  }
});
