import assert from "node:assert/strict";
import { parseJobConfig } from "../../recovery";
import {
  failedOverPreview,
  type ProgramRun,
  type Registration,
  runProgram,
  shippedStack,
  stackConfig,
} from "../support/pulumi-program";
import { matchesSnapshot } from "../support/snapshot";

const stacks = ["staging", "prod", "prod-recovery"] as const;
type Stack = (typeof stacks)[number];

/** One line a resource: what it is, what it belongs to, where it is, and what keeps it. */
function summary({ resources }: ProgramRun): string {
  const nameOf = new Map(resources.map(({ urn, name }) => [urn, name]));
  const line = (resource: Registration): string => {
    const { type, name, parent, inputs, protect, retainOnDelete, ignoreChanges } = resource;
    const region = typeof inputs.region === "string" ? ` in ${inputs.region}` : "";
    const kept = [...(protect ? ["protected"] : []), ...(retainOnDelete ? ["retained"] : [])];
    const ignored = ignoreChanges.length > 0 ? [`ignores ${ignoreChanges.join(", ")}`] : [];
    const options = [...kept, ...ignored].join("; ");
    return `${type} ${name} of ${nameOf.get(parent) ?? "the stack"}${region}${options && ` (${options})`}`;
  };
  return `${resources.map(line).sort().join("\n")}\n`;
}

const byUrn = (run: ProgramRun) => new Map(run.resources.map((resource) => [resource.urn, resource]));
const ofType = (run: ProgramRun, type: string) => run.resources.filter((resource) => resource.type === type);

/** A planned value with what was unknown filled in from the value that it became. */
function filledIn(planned: unknown, known: unknown): unknown {
  if (planned === "<unknown>") return known;
  if (typeof planned !== "object" || planned === null || typeof known !== "object" || known === null) return planned;
  const keys = new Set([...Object.keys(planned), ...Object.keys(known)]);
  const field = (value: object, key: string): unknown => (value as Record<string, unknown>)[key];
  const filled = [...keys].map((key) => [key, filledIn(field(planned, key), field(known, key))] as const);
  return Array.isArray(known) ? filled.map(([, value]) => value) : Object.fromEntries(filled);
}

describe("the stack program", function () {
  this.timeout(240_000);
  const updates = new Map<Stack, ProgramRun>();
  const previews = new Map<Stack, ProgramRun>();

  before(async () => {
    // Two at a time: each is a process of its own that loads all of Pulumi.
    for (const stack of stacks) {
      const [update, preview] = await Promise.all([shippedStack(stack), failedOverPreview(stack)]);
      updates.set(stack, update);
      previews.set(stack, preview);
    }
  });

  for (const stack of stacks) {
    it(`[guide 62] ${stack} registers what was reviewed`, () => {
      const run = updates.get(stack)!;
      assert.equal(run.exitCode, 0, run.log);
      assert.ok(run.resources.length > 50, `only ${run.resources.length} resources`);
      matchesSnapshot(`test/program/snapshots/${stack}.txt`, summary(run));
    });

    it(`${stack} previews with nothing known, and plans the same set`, () => {
      const run = previews.get(stack)!;
      assert.equal(run.exitCode, 0, run.log);
      assert.equal(summary(run), summary(updates.get(stack)!));
    });

    it(`${stack} asks no provider but its own, and threads its region to everything that has one`, () => {
      const run = updates.get(stack)!;
      const [aws] = ofType(run, "pulumi:providers:aws");
      const [kubernetes] = ofType(run, "pulumi:providers:kubernetes");
      const { region, accountId } = Object.fromEntries(
        Object.entries(stackConfig(stack)).map(([key, value]) => [key.split(":")[1]!, value]),
      ) as Record<string, string>;
      assert.equal(aws!.inputs.region, region);
      assert.equal(aws!.inputs.allowedAccountIds, JSON.stringify([accountId]));
      for (const resource of run.resources.filter(({ custom, type }) => custom && !type.startsWith("pulumi:"))) {
        const expected = { aws: aws!.urn, kubernetes: kubernetes!.urn, random: "" }[resource.type.split(":")[0]!];
        assert.equal(resource.provider, expected, resource.urn);
        const isGlobal = /^(aws:iam|kubernetes|random)/.test(resource.type);
        if (!isGlobal) assert.equal(typeof resource.inputs.region, "string", `${resource.urn} has no region`);
      }
    });

    it(`${stack} tags and labels everything alike`, () => {
      for (const { urn, type, inputs } of updates.get(stack)!.resources) {
        const { metadata } = inputs as { metadata?: { labels?: Record<string, string> } };
        const marks = (inputs.tags as Record<string, string> | undefined) ?? metadata?.labels;
        if (marks === undefined) continue;
        assert.equal(marks["recovery.application"], "architect-go", urn);
        assert.equal(marks["recovery.environment"], stack.split("-")[0], urn);
        if (type.startsWith("kubernetes:")) assert.equal(marks["app.kubernetes.io/part-of"], "architect-go", urn);
      }
    });

    it(`${stack} hands on passwords as secrets, and to nothing but the database and its secret`, () => {
      const password = "0123456789abcdefghijklmnopqrstuv";
      for (const { type, urn, inputs } of updates.get(stack)!.resources) {
        const fields = Object.entries(inputs).filter(([, value]) => JSON.stringify(value).includes(password));
        for (const [field, value] of fields) {
          const expected = { "aws:rds/instance:Instance": "passwordWo" }[type] ?? "secretStringWo";
          assert.equal(field, expected, urn);
          assert.deepEqual(Object.keys(value as object), ["secret"], urn);
        }
      }
    });
  }

  it("[guide 51, 53] protects the databases, and names them by their region", () => {
    const identifiers = stacks.map((stack) => {
      const run = updates.get(stack)!;
      return ofType(run, "aws:rds/instance:Instance").map(({ inputs, protect, ignoreChanges }) => {
        assert.ok(protect);
        assert.deepEqual(ignoreChanges, ["replicateSourceDb"]);
        assert.equal(inputs.deletionProtection, true);
        assert.equal(inputs.skipFinalSnapshot, false);
        assert.equal(inputs.storageEncrypted, true);
        assert.equal(inputs.publiclyAccessible, false);
        assert.ok((inputs.backupRetentionPeriod as number) > 0);
        return inputs.identifier;
      });
    });
    assert.deepEqual(identifiers, [
      ["architect-go-staging-eu-central-1"],
      ["architect-go-prod-eu-central-1"],
      ["architect-go-prod-eu-west-1"],
    ]);
  });

  it("states nothing on the standby that it has from its source", () => {
    const [standby] = ofType(updates.get("prod-recovery")!, "aws:rds/instance:Instance");
    for (const field of ["engine", "engineVersion", "username", "passwordWo", "dbName", "allocatedStorage"]) {
      assert.equal(standby!.inputs[field], undefined, field);
    }
    assert.match(standby!.inputs.replicateSourceDb as string, /^arn:aws:rds:eu-central-1:/);
    const [backups] = ofType(
      updates.get("prod-recovery")!,
      "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",
    );
    assert.equal(backups!.inputs.region, "eu-west-1");
  });

  it("the recovery site names no resource of the failed region but the database that it follows", () => {
    for (const { urn, inputs, type } of updates.get("prod-recovery")!.resources) {
      if (!type.includes(":rds/") && type.startsWith("aws:")) {
        assert.ok(!JSON.stringify(inputs).includes("eu-central-1"), `${urn} names eu-central-1`);
      }
    }
  });

  it("installs the recovery site's jobs asleep, and lets whoever woke them keep them awake", () => {
    const suspended = ofType(updates.get("prod-recovery")!, "kubernetes:batch/v1:CronJob").map(
      ({ name, inputs, ignoreChanges }) => [name, (inputs.spec as { suspend: boolean }).suspend, ignoreChanges],
    );
    assert.deepEqual(suspended.sort(), [
      ["architect-go-backup", true, ["spec.suspend"]],
      ["architect-go-pitr-test-architect", true, ["spec.suspend"]],
      ["architect-go-prove-architect", true, ["spec.suspend"]],
      // Whoever tests by hand on a quiet day has it cleaned up all the same.
      ["architect-go-reaper", false, []],
      ["architect-go-restore-test", true, ["spec.suspend"]],
      ["architect-go-status", false, []],
    ]);
  });

  it("gives every identity's role to the bucket's policy under the name that it has, and the reaper's not", () => {
    for (const [stack, owner] of [
      ["staging", "staging"],
      ["prod", "prod"],
      ["prod-recovery", "prod"],
    ] as const) {
      const policies = ofType(updates.get(owner)!, "aws:s3/bucketPolicy:BucketPolicy").map(({ inputs }) =>
        JSON.stringify(inputs.policy),
      );
      const { roleArns } = updates.get(stack)!.outputs as { roleArns: Record<string, string> };
      const { reaper, ...ofTheStore } = roleArns;
      assert.match(reaper!, /-reaper$/);
      assert.ok(!policies.some((policy) => policy.includes("-reaper")));
      assert.equal(Object.keys(ofTheStore).length, 4);
      for (const arn of Object.values(ofTheStore)) {
        const role = arn.split("/").at(-1)!;
        assert.ok(
          policies.some((policy) => policy.includes(`:role/${role}`)),
          `no bucket policy knows ${role}`,
        );
      }
    }
  });

  it("writes configurations that the runner takes", () => {
    for (const stack of stacks) {
      const maps = ofType(updates.get(stack)!, "kubernetes:core/v1:ConfigMap");
      assert.equal(maps.length, 6);
      for (const { inputs } of maps) {
        assert.equal(parseJobConfig((inputs.data as Record<string, string>)["dr.json"]!).problems, undefined);
      }
    }
  });

  it("[guide 50, 53] changes nothing by activeRegion: up before, between and after a failover is the same up", () => {
    for (const stack of ["prod", "prod-recovery"] as const) {
      const [before, after] = [updates.get(stack)!, previews.get(stack)!];
      assert.equal(before.outputs.activeRegion, "eu-central-1");
      assert.equal(after.outputs.activeRegion, "eu-west-1");
      const planned = byUrn(after);
      for (const resource of before.resources) {
        const { inputs } = planned.get(resource.urn)!;
        assert.deepEqual(filledIn(inputs, resource.inputs), resource.inputs, resource.urn);
      }
    }
  });

  it("[guide 58] puts the recovery assessment among the outputs", () => {
    for (const stack of ["staging", "prod"] as const) {
      matchesSnapshot(
        `test/program/snapshots/${stack}-assessment.txt`,
        updates.get(stack)!.outputs.assessment as string,
      );
    }
  });

  it("names every problem of a configuration at once, and registers nothing", async () => {
    const run = await runProgram("staging", {
      ...stackConfig("staging"),
      "architect-go:region": "",
      "architect-go:store": JSON.stringify({ retentoin: {} }),
      "architect-go:cluster": "not a map",
      "architect-go:objectives": JSON.stringify({ rtoMinutes: -1 }),
    });
    assert.notEqual(run.exitCode, 0);
    assert.deepEqual(run.resources, []);
    for (const text of [
      "The configuration of stack staging is not valid:",
      "region: Invalid input",
      'store: Unrecognized key: "retentoin"',
      "cluster: expected a map or a list, got text that is not JSON",
    ]) {
      assert.ok(run.log.includes(text), `${text}\nis not in\n${run.log}`);
    }
  });
});
