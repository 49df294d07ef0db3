import assert from "node:assert/strict";
import { type AnalyzedResource, Analyzer, type Diagnostic } from "../../policies/check/analyzer";
import { Level } from "../../policies/check/rule-info";
import { rules } from "../../policies/rules";
import { type Fixture, spoiled, unknownValue, urnOf } from "../support/judged-stack";
import { CONFIG, SPOILED } from "../support/spoiled-values";
import { rawRecoveryStack } from "../support/raw-recovery-stack";
import { SPOILED_STREAMED_FILES, streamedFileStack } from "../support/streamed-file-stack";

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
    assert.deepEqual(found.map(({ policy }) => policy).sort(), [
      "bucket-versioning",
      "rds-backup-window",
      "rds-cross-region-copy",
    ]);
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

  // The first spoiled value of each rule; in which ways, rules.test.ts tries.
  const rows = [
    ...SPOILED.map((row) => ({ row, honest: rawRecoveryStack })),
    ...SPOILED_STREAMED_FILES.map((row) => ({ row, honest: () => streamedFileStack })),
  ];
  const first = new Map(rows.map((each) => [each.row[0], each] as const).reverse());
  for (const [name, { row, honest }] of first) {
    const [, resource, path, values, message] = row;
    /** What the rule says of the stack with this value, told what the honest stack has to be told and no default. */
    const said = async (value: unknown): Promise<Diagnostic[]> => {
      await analyzer.configure({ [name]: { level: Level.Mandatory, settings: CONFIG[name] ?? {} } });
      const resources = analyzed(spoiled(honest(), resource, path, value));
      const isResourceRule = "validateResource" in rules.find((rule) => rule.name === name)!;
      const found = isResourceRule
        ? await analyzer.analyze(resources.filter((one) => one.name === resource))
        : await analyzer.analyzeStack(resources);
      return found.filter(({ policy }) => policy === name);
    };

    it(`${name} refuses a spoiled value, a secret one too, and passes no unknown`, async () => {
      const value = values.find((one) => one !== undefined);
      const found = await said(values[0]);
      assert.ok(found.length > 0 && found.every(({ level }) => level === Level.Mandatory));
      assert.ok(
        found.some((one) => message.test(one.message)),
        found.map((one) => one.message).join("\n"),
      );
      // Options are the program's own: they are neither secret nor unknown.
      if (path.startsWith("opts.")) return;
      if (value !== undefined) assert.ok((await said(secretOf(value))).length > 0, "a secret passed");
      assert.ok((await said(unknownValue)).length > 0, "an unknown passed");
    });
  }

  it("every rule about resources is among them", () => {
    const others = ["alarm-reaches-somebody", "plan-reviewed", "evidence-gate", "evidence-standing"];
    assert.deepEqual(
      rules.map(({ name }) => name).filter((name) => !first.has(name) && !others.includes(name)),
      [],
    );
  });

  it("remediates only where it is told to, what replaces and loses nothing, and touches nothing beside it", async () => {
    const cases = [
      ["kms-key", "key", "enableKeyRotation", false, { enableKeyRotation: true }],
      ["kms-key", "key", "deletionWindowInDays", 7, { deletionWindowInDays: 30 }],
      ["rds-kept", "database", "deletionProtection", false, { deletionProtection: true }],
      ["rds-backup-window", "database", "backupRetentionPeriod", 3, { backupRetentionPeriod: 7 }],
    ] as const;
    for (const [name, resource, path, value, remedied] of cases) {
      const stack = spoiled(rawRecoveryStack(), resource, path, value);
      const fixture = stack.find((one) => one.name === resource)!;
      fixture.props = { ...fixture.props, arn: unknownValue, note: secretOf("hidden") };
      const [one] = analyzed([{ ...fixture, dependsOn: {} }]);
      await analyzer.configure({ [name]: { level: Level.Mandatory, settings: {} } });
      assert.deepEqual(await analyzer.remediate(one!), []);
      await analyzer.configure({ [name]: { level: Level.Remediate, settings: {} } });
      assert.deepEqual(await analyzer.remediate(one!), [
        { policy: name, properties: { ...fixture.props, ...remedied } },
      ]);
    }
    const [backup] = analyzed(
      spoiled(rawRecoveryStack(), "backup", "spec.concurrencyPolicy", undefined).filter(
        ({ name }) => name === "backup",
      ),
    );
    await analyzer.configure({ "cron-job-deadlines": { level: Level.Remediate, settings: {} } });
    const [remedy] = await analyzer.remediate(backup!);
    const { spec } = remedy!.properties as { spec: Record<string, unknown> };
    assert.deepEqual(spec, { ...(backup!.inputs.spec as object), concurrencyPolicy: "Forbid" });
  });
});

/** A value in the envelope of a secret. */
const secretOf = (value: unknown): Record<string, unknown> => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  value,
});
