import assert from "node:assert/strict";
import { type AnalyzedResource, Analyzer, type Diagnostic } from "../../policies/check/analyzer";
import { Level } from "../../policies/check/rule-info";
import { rules } from "../../policies/rules";
import { type Fixture, spoiled, unknownValue, urnOf } from "../support/judged-stack";
import { rawRecoveryStack } from "../support/raw-recovery-stack";

function analyzed(stack: readonly Fixture[]): AnalyzedResource[] {
  return stack.map((fixture) => {
    const { type, name, props, opts = {}, dependsOn = {} } = fixture;
    return {
      type,
      name,
      urn: urnOf(fixture),
      parent: "",
      protect: opts.protect ?? false,
      ignoreChanges: opts.ignoreChanges ?? [],
      inputs: props,
      propertyDependencies: Object.fromEntries(
        Object.entries(dependsOn).map(([property, names]) => [
          property,
          names.map((other) => urnOf(stack.find((one) => one.name === other)!)),
        ]),
      ),
    };
  });
}

describe("the policy pack over the analyzer's own interface", function () {
  this.timeout(60_000);
  let analyzer: Analyzer;

  /** What `pulumi preview` asks of a pack: each resource, and then the stack. */
  async function analyze(stack: readonly Fixture[]): Promise<Diagnostic[]> {
    const resources = analyzed(stack);
    return [...(await analyzer.analyze(resources)), ...(await analyzer.analyzeStack(resources))];
  }

  before(async () => {
    analyzer = await Analyzer.start();
  });

  after(() => analyzer?.close());

  it("serves every rule", async () => {
    assert.deepEqual((await analyzer.rules()).map(({ name }) => name).sort(), rules.map(({ name }) => name).sort());
  });

  it("with no defaults applied, finds nothing on an honest stack but what nobody has said", async () => {
    const found = await analyze(rawRecoveryStack());
    assert.deepEqual(
      found.map(({ policy, level }) => [policy, level]),
      [
        ["objectives-met", Level.Mandatory],
        ["plan-reviewed", Level.Mandatory],
      ],
    );
    // How the application is deployed, and that the guide's 15 minutes are too few for RDS.
    assert.match(found[0]!.message, /pod-crash[\s\S]*data-corruption/);
  });

  it("refuses a spoiled resource and a spoiled stack", async () => {
    const stack = spoiled(
      spoiled(rawRecoveryStack(), "database", "backupRetentionPeriod", undefined),
      "backups-versioning",
      "versioningConfiguration.status",
      "Suspended",
    );
    const found = (await analyze(stack)).filter(({ policy }) => !["plan-reviewed", "objectives-met"].includes(policy));
    assert.deepEqual(found.map(({ policy }) => policy).sort(), ["bucket-versioning", "rds-backup-window", "rds-cross-region-copy"]);
    assert.ok(found.every(({ level }) => level === Level.Mandatory));
    assert.ok(found.some(({ message }) => message.includes("backupRetentionPeriod is 0 days; expected 7 or more")));
  });

  it("says of an unknown that it could not judge, and still refuses what it can", async () => {
    const stack = spoiled(
      spoiled(rawRecoveryStack(), "database", "storageEncrypted", unknownValue),
      "database",
      "publiclyAccessible",
      true,
    );
    const found = (await analyze(stack)).filter(({ policy }) => policy === "rds-private");
    assert.deepEqual(found.map(({ level }) => level).sort(), [Level.Advisory, Level.Mandatory]);
    assert.ok(found.some(({ message }) => /storageEncrypted can't be known during preview/.test(message)));
  });
});
