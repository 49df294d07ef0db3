import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { deployedStack, type DeployedStack } from "../../policies/evidence/deployed-protection";
import { type EvidenceConfig } from "../../policies/evidence/evidence-gate";
import { evidenceGate, evidenceStanding } from "../../policies/rules";
import { type Evidence, EvidenceKind, TargetClass, Verdict } from "../../recovery";
import { type Fixture, judgeBy, spoiled, stackOfFixtures } from "../support/judged-stack";
import { temporaryFolder } from "../support/postgres";
import { rawRecoveryStack } from "../support/raw-recovery-stack";

const folder = temporaryFolder();
const HOUR = 3_600_000;
const ago = (hours: number): string => new Date(Date.now() - hours * HOUR).toISOString();
const inDays = (days: number): string => ago(-24 * days).slice(0, 10);

function restoreTest(hours: number, change: Partial<Evidence> = {}): Evidence {
  return {
    formatVersion: 1,
    id: `restore-test-${hours}`,
    kind: EvidenceKind.RestoreTest,
    database: "architect",
    engine: "postgres",
    mechanism: "dump",
    environment: "prod",
    targetClass: TargetClass.ThrowAway,
    startedAt: ago(hours + 0.1),
    finishedAt: ago(hours),
    verdict: Verdict.Pass,
    sizeBytes: 1_000_000,
    phases: [],
    measuredRtoSeconds: 300,
    achievedRpoSeconds: 60,
    checks: [],
    runnerVersion: "0.1.0",
    digest: "a".repeat(64),
    ...change,
  };
}

function written(name: string, value: unknown): string {
  const path = join(folder, `${name}.json`);
  writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));
  return path;
}

const evidenceFile = (name: string, records: readonly Evidence[], problems: readonly string[] = []): string =>
  written(name, {
    environment: "prod",
    problems,
    records: records.map((evidence) => ({ key: "k", signed: true, evidence })),
  });

/** Evidence that is no reason to rely on the backups more, and what is said of it. */
const BAD: Readonly<Record<string, readonly [path: string, why: RegExp]>> = {
  failed: [
    evidenceFile("failed", [restoreTest(30), restoreTest(2, { verdict: Verdict.Fail })]),
    /restore-test-2.*failed/,
  ],
  inconclusive: [evidenceFile("open", [restoreTest(2, { verdict: Verdict.Inconclusive })]), /was inconclusive/],
  stale: [evidenceFile("stale", [restoreTest(49)]), /49 hours old, and 48 are allowed/],
  slow: [
    evidenceFile("slow", [restoreTest(2), restoreTest(26, { measuredRtoSeconds: 901 })]),
    /15 min at the 95th percentile of 2 runs; the RTO is 15 min/,
  ],
  absent: [join(folder, "never-pulled.json"), /has no restore test/],
  empty: [evidenceFile("empty", []), /has no restore test/],
  forged: [evidenceFile("forged", [restoreTest(2)], ["signature of k is not of its record"]), /signature of k/],
  unreadable: [written("unreadable", "no json"), /is no JSON/],
};

const honest = rawRecoveryStack();
const weakened = spoiled(honest, "database", "backupRetentionPeriod", 7);
const smaller = spoiled(honest, "restore-test", "spec.suspend", true);
const exposed = spoiled(honest, "database", "publiclyAccessible", true);
const grown = spoiled(honest, "database", "allocatedStorage", 500);
const another: Fixture[] = [
  ...honest,
  { ...structuredClone(honest.find(({ name }) => name === "database")!), name: "second" },
].map((one) => (one.name === "second" ? { ...one, props: { ...one.props, identifier: "second" } } : one));
const stronger = spoiled(honest, "backups-lock", "rule.defaultRetention.days", 30);
const newImage = spoiled(honest, "backup", "spec.jobTemplate.spec.template.spec.containers.0.image", "dr@sha256:1");
/** After a promotion the replica follows nobody, and the database that failed is gone. */
const failedOver = spoiled(honest, "replica", "replicateSourceDb", undefined)
  .filter(({ name }) => name !== "database")
  .map((one) => (one.name === "replica" ? { ...one, dependsOn: {} } : one));
const asleep = spoiled(honest, "backup", "spec.suspend", true);
const woken = spoiled(spoiled(asleep, "backup", "spec.suspend", false), "database", "backupRetentionPeriod", 7);

const deployed = (stack: readonly Fixture[], before?: DeployedStack): DeployedStack =>
  deployedStack(stackOfFixtures(stack), before, new Date());
const deployedFile = (name: string, stack?: DeployedStack): string =>
  written(name, { formatVersion: 1, stacks: stack === undefined ? {} : { test: stack } });

const NOTHING = deployedFile("nothing");
const HONEST = deployedFile("honest", deployed(honest));
const AFTER_WEAKENED = deployedFile("after-weakened", deployed(honest, deployed(weakened)));
const ASLEEP = deployedFile("asleep", deployed(asleep));

/** What is deployed, what it becomes, and whether the gate lets it through. */
const CHANGES: readonly (readonly [name: string, before: string, after: readonly Fixture[], refusedFor?: RegExp])[] = [
  ["a first deployment", NOTHING, honest],
  ["no change at all", HONEST, honest],
  ["a change that adds protection", HONEST, stronger],
  ["a new version", HONEST, newImage],
  ["a rollback to what was deployed before", AFTER_WEAKENED, weakened],
  ["a failover to the replica", HONEST, failedOver],
  ["a site that is woken", ASLEEP, woken],
  ["a shorter point-in-time window", HONEST, weakened, /days of point-in-time recovery: 7, was 14/],
  ["a restore test that is suspended", HONEST, smaller, /restore tests that run: 0, was 1/],
  ["a database that is opened to the internet", HONEST, exposed, /databases reachable from the internet: 1, was 0/],
  ["more data to lose", HONEST, grown, /GiB to lose: 500, was 20/],
  ["another database", HONEST, another, /databases: 2, was 1/],
];

const gate = (stack: readonly Fixture[], config: Partial<EvidenceConfig>) => judgeBy(evidenceGate, stack, config);
const standing = async (stack: readonly Fixture[], config: Partial<EvidenceConfig>): Promise<string> =>
  (await judgeBy(evidenceStanding, stack, config)).violations.map(({ message }) => message).join("\n");

describe("the evidence gate", () => {
  for (const [state, [path, why]] of Object.entries(BAD)) {
    for (const [change, before, after, refusedFor] of CHANGES) {
      it(`with evidence that is ${state} ${refusedFor ? "refuses" : "lets through"} ${change}`, async () => {
        const { violations, inconclusive } = await gate(after, { evidenceFile: path, deployedFile: before });
        assert.equal(inconclusive, undefined);
        if (refusedFor === undefined) assert.deepEqual(violations, []);
        else {
          assert.equal(violations.length, 1);
          assert.match(violations[0]!.message, why);
          assert.match(violations[0]!.message, refusedFor);
        }
      });
    }

    it(`says on every run that evidence is ${state}`, async () => {
      assert.match(await standing(honest, { evidenceFile: path, deployedFile: HONEST }), why);
      assert.match(
        await standing(honest, { evidenceFile: path, deployedFile: NOTHING }),
        /let through as a first deployment/,
      );
    });

    it(`with evidence that is ${state} cannot tell where nobody said what is deployed`, async () => {
      const { violations, inconclusive } = await gate(weakened, { evidenceFile: path });
      assert.deepEqual(violations, []);
      assert.match(inconclusive!, /set deployedFile/);
    });
  }

  it("lets everything through after a restore test that passed in time", async () => {
    const good = evidenceFile("good", [restoreTest(2), restoreTest(26, { verdict: Verdict.Fail })]);
    for (const [, before, after] of CHANGES) {
      const config = { evidenceFile: good, deployedFile: before };
      assert.deepEqual(await gate(after, config), { violations: [], inconclusive: undefined });
      assert.equal(await standing(after, config), "");
    }
  });

  it("judges the worst of several databases", async () => {
    const mixed = evidenceFile("mixed", [restoreTest(2), restoreTest(3, { database: "notes", verdict: Verdict.Fail })]);
    const { violations } = await gate(weakened, { evidenceFile: mixed, deployedFile: HONEST });
    assert.match(violations[0]!.message, /^notes: /);
  });

  it("waits for the first evidence until its deadline, and no longer", async () => {
    const config = { evidenceFile: BAD.empty![0], deployedFile: HONEST };
    const today = { ...config, pendingUntil: inDays(0) };
    assert.deepEqual((await gate(weakened, today)).violations, []);
    assert.match(await standing(weakened, today), /^pending: .*the first is due by/);
    const late = await gate(weakened, { ...config, pendingUntil: inDays(-1) });
    assert.match(late.violations[0]!.message, /due by/);
  });

  it("opens for a break-glass with a reason and an expiry, and says so on every run", async () => {
    const config = { evidenceFile: BAD.failed![0], deployedFile: HONEST };
    const open = { ...config, breakGlass: { reason: "the disk is full", expires: inDays(3) } };
    assert.deepEqual((await gate(weakened, open)).violations, []);
    assert.match(await standing(weakened, open), /a break-glass is open until .*: the disk is full; failed: /);
    // Also when it opens nothing.
    assert.match(await standing(honest, { breakGlass: open.breakGlass }), /a break-glass is open/);
    const wrong = [
      [{ expires: inDays(3) }, /no reason/],
      [{ reason: "soon" }, /no date/],
      [{ reason: "soon", expires: "tomorrow" }, /no date/],
      [{ reason: "soon", expires: inDays(-1) }, /expired/],
      [{ reason: "soon", expires: inDays(15) }, /at most/],
    ] as const;
    for (const [breakGlass, why] of wrong) {
      assert.equal((await gate(weakened, { ...config, breakGlass })).violations.length, 1, JSON.stringify(breakGlass));
      assert.match(await standing(weakened, { ...config, breakGlass }), why);
    }
  });

  it("gates nothing where no evidence is configured", async () => {
    assert.deepEqual(await gate(weakened, {}), { violations: [], inconclusive: undefined });
    assert.equal(await standing(weakened, {}), "");
  });

  it("takes the files from the environment, as a CI sets them for pulumi preview", async () => {
    process.env.RECOVERY_EVIDENCE_FILE = BAD.failed![0];
    process.env.RECOVERY_DEPLOYED_FILE = HONEST;
    try {
      assert.equal((await gate(weakened, {})).violations.length, 1);
    } finally {
      delete process.env.RECOVERY_EVIDENCE_FILE;
      delete process.env.RECOVERY_DEPLOYED_FILE;
    }
  });
});
