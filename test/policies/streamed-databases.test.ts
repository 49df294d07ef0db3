import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { rules } from "../../policies/rules";
import { type Fixture, judgeBy } from "../support/judged-stack";
import { registeredStack } from "../support/registered-stack";

const config = JSON.parse(readFileSync("policies/config/prod.json", "utf8")) as Record<string, Record<string, unknown>>;

/** Beside the database of production: a server of one's own with its log, and a file that its application streams. */
const more = {
  "architect-go:cluster": JSON.stringify({
    clusterName: "prod",
    kubeContext: "prod",
    namespace: "disaster-recovery",
    createNamespace: true,
    oidcProvider: {
      arn: "arn:aws:iam::444455556666:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC",
      issuerUrl: "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC",
    },
  }),
  "architect-go:databases": JSON.stringify([
    {
      name: "ledger",
      engine: "postgres",
      url: "postgresql://backup@ledger.internal:5432/ledger?sslmode=verify-full",
      sizeGib: 10,
      cidrs: ["10.30.7.0/24"],
      wal: {},
    },
    {
      name: "notes",
      engine: "sqlite",
      sizeGib: 1,
      file: { namespace: "notes", claimName: "data-notes-0", pathOnVolume: "notes.db", userId: 1000 },
      stream: { serviceAccountName: "notes" },
    },
  ]),
};

describe("the policy pack on production with a server's log and a streamed file", function () {
  this.timeout(120_000);
  let stack: Fixture[];

  before(async () => {
    stack = await registeredStack("prod", { more });
  });

  it("[guide 12, 30] finds nothing wrong with the components that are made for them", async () => {
    const found: string[] = [];
    for (const rule of rules) {
      const { violations } = await judgeBy(rule, stack, config[rule.name]);
      found.push(...violations.map(({ message, urn }) => `${rule.name}: ${urn}: ${message}`));
    }
    const advisories = ["copy-out-of-reach", "drill-monthly", "objectives-judged"];
    assert.deepEqual(
      found.filter((one) => !advisories.includes(one.split(": ")[0]!)),
      [],
    );
  });

  it("[guide 22, 30] misses the alarm on the test of each log, whichever job tests it", async () => {
    const rule = rules.find(({ name }) => name === "point-in-time-test-alarm")!;
    for (const [database, job] of [
      ["ledger", "architect-go-restore-test"],
      ["notes", "architect-go-stream-test-notes"],
      ["architect", "architect-go-pitr-test-architect"],
    ] as const) {
      const without = stack.filter(({ name }) => !name.endsWith(`-${database}-point-in-time-test-not-passed`));
      assert.equal(without.length, stack.length - 1, database);
      const { violations } = await judgeBy(rule, without);
      assert.equal(violations.length, 1, database);
      assert.match(violations[0]!.message, new RegExp(`no alarm watches its outcome for ${database} `));
      assert.ok(violations[0]!.urn!.endsWith(` ${job}`), violations[0]!.urn);
    }
  });

  it("[guide 30] misses the alarm of the log when it is taken away, the restore test of a file, and the volume of a spool", async () => {
    const rule = (name: string) => rules.find((one) => one.name === name)!;
    const alarm = stack.filter(({ name }) => !name.endsWith(" architect-go-alerts-ledger-log-age"));
    assert.equal(alarm.length, stack.length - 1);
    assert.match((await judgeBy(rule("log-age-alarm"), alarm)).violations[0]!.message, /no alarm watches/);
    const untested = stack.filter(({ name }) => !/CronJob architect-go-(restore-test|stream-test-notes)$/.test(name));
    assert.equal(untested.length, stack.length - 2);
    const missed = (await judgeBy(rule("restore-test-present"), untested)).violations.map(({ message }) => message);
    assert.match(missed.join("\n"), /namespace notes restores/);
    const spool = structuredClone(stack);
    const archive = spool.find(({ type }) => type === "kubernetes:apps/v1:StatefulSet")!;
    (archive.props.spec as { volumeClaimTemplates: object[] }).volumeClaimTemplates = [];
    assert.match((await judgeBy(rule("log-stream-kept"), spool)).violations[0]!.message, /no volume claim/);
  });
});
