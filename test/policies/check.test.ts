import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type JudgedStack } from "../../policies/check/judged-stacks";
import { reportMarkdown, reportText } from "../../policies/check/report";
import { temporaryFolder } from "../support/postgres";

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface CheckJson {
  readonly verdict: string;
  readonly problems?: readonly string[];
  readonly stacks: readonly {
    readonly stack: string;
    readonly verdict: string;
    readonly violations: readonly Record<"policy" | "severity" | "enforcementLevel" | "urn" | "message", string>[];
    readonly unjudged: readonly string[];
    readonly assessment: readonly Record<string, unknown>[];
  }[];
}

function recoveryCheck(...args: readonly string[]): Promise<Ended> {
  const cli = [require.resolve("tsx/cjs"), "policies/check/cli.ts"] as const;
  const child = spawn(process.execPath, ["-r", ...cli, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((done, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) => done({ exitCode, stdout, stderr }));
  });
}

/** A program of somebody who has never heard of the package's components. */
const PROGRAM = `
const pulumi = require("@pulumi/pulumi");
const aws = require("@pulumi/aws");
const config = new pulumi.Config();
const stack = pulumi.getStack();
if (stack === "refused") throw new pulumi.RunError("the size is not a number\\nthe colour is missing");
if (stack === "crashed") undefined.of;
if (stack === "looking") aws.getRegionOutput();
const bucket = new aws.s3.Bucket("backups", { bucket: config.get("bucket") + "-backups", objectLockEnabled: true });
const other = stack === "referring" ? new pulumi.StackReference("acme/network/prod").getOutput("key") : "arn:key";
new aws.s3.BucketServerSideEncryptionConfiguration("encryption", {
  bucket: bucket.id,
  rules: [{ bucketKeyEnabled: true, applyServerSideEncryptionByDefault: { sseAlgorithm: "aws:kms", kmsMasterKeyId: other } }],
});
new aws.s3.BucketPolicy("policy", {
  bucket: bucket.id,
  policy: pulumi.interpolate\`{"Statement":[],"Id":"\${config.requireSecret("password")}"}\`,
});
new aws.rds.Instance("main", {
  identifier: "main",
  instanceClass: "db.t4g.medium",
  password: config.requireSecret("password"),
  finalSnapshotIdentifier: pulumi.interpolate\`final-\${config.requireSecret("password")}\`,
  backupRetentionPeriod: config.getNumber("days"),
  publiclyAccessible: config.getObject("network").public,
  storageEncrypted: true,
});
`;

function makeProgram(): string {
  const folder = temporaryFolder();
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "index.js"), PROGRAM);
  writeFileSync(
    join(folder, "Pulumi.yaml"),
    `name: shop
runtime: { name: nodejs, options: { typescript: false } }
main: index.js
config:
  bucket: { type: string, default: shop }
  days: { type: integer, default: 3 }
  network: { default: { public: false } }
  password: { secret: true }
  aws:region: { value: eu-central-1 }
`,
  );
  const stack = (name: string, more = "") =>
    writeFileSync(
      join(folder, `Pulumi.${name}.yaml`),
      `${more}config:\n  shop:password:\n    secure: AAABAHdlYWs=\n${name === "raw" ? "  shop:network: { public: true }\n" : ""}`,
    );
  for (const name of ["raw", "refused", "crashed", "looking", "referring"]) stack(name);
  stack("importing", "environment:\n  - shop/base\n  - shop/keys\n");
  writeFileSync(join(folder, "Pulumi.empty.yaml"), "config: {}\n");
  mkdirSync(join(folder, "policies", "config"), { recursive: true });
  writeFileSync(
    join(folder, "policies", "config", "refused.json"),
    '{"kms-key": {"minDeletionWindowDays": 1}, "no-rule": "mandatory"}',
  );
  return folder;
}

describe("recovery-check", function () {
  this.timeout(120_000);
  const folder = makeProgram();
  const sarifFile = join(folder, "check.sarif");
  let shipped: Ended;
  let raw: Ended;

  before(async () => {
    shipped = await recoveryCheck("staging", "prod", "prod-recovery", "--json");
    const stacks = ["raw", "crashed", "looking", "referring", "importing"];
    raw = await recoveryCheck(...stacks, "--program", folder, "--json", "--sarif", sarifFile);
  });

  it("[guide 58, 62] passes the shipped stacks, prod judged with its recovery site", () => {
    const { verdict, stacks } = JSON.parse(shipped.stdout) as CheckJson;
    assert.equal(shipped.exitCode, 0, shipped.stdout + shipped.stderr);
    assert.equal(verdict, "pass");
    for (const { violations, unjudged } of stacks) {
      assert.deepEqual(unjudged, []);
      assert.deepEqual(
        violations.filter(({ enforcementLevel }) => enforcementLevel !== "advisory"),
        [],
      );
      // Both stacks of production were looked at.
      assert.ok(violations.every(({ policy }) => policy !== "objectives-judged"));
    }
    const [staging, prod, site] = stacks;
    assert.deepEqual(
      prod!.assessment.map(({ scenario, verdict }) => [scenario, verdict]),
      [
        ["pod-crash", "pass"],
        ["deployment-failure", "pass"],
        ["database-connection-loss", "pass"],
        ["data-corruption", "pass"],
        ["complete-outage", "pass"],
        ["regional-failure", "pass"],
      ],
    );
    // The standby that is in the other stack, by its name there.
    assert.match(prod!.assessment.at(-1)!.by as string, /architect-go-prod-eu-west-1/);
    assert.match(staging!.assessment.at(-1)!.accepted as string, /one region/);
    assert.deepEqual(site!.assessment, []);
    for (const row of prod!.assessment) {
      for (const key of ["database", "rpoMinutes", "rtoMinutes", "derivation", "fix"]) assert.ok(key in row, key);
    }
  });

  it("refuses a stack of raw resources, with numbers and without the package's components", () => {
    const { verdict, stacks } = JSON.parse(raw.stdout) as CheckJson;
    assert.equal(raw.exitCode, 1, raw.stdout + raw.stderr);
    assert.equal(verdict, "fail");
    const { violations, verdict: own } = stacks.find(({ stack }) => stack === "raw")!;
    assert.equal(own, "fail");
    const by = (policy: string) => violations.filter((violation) => violation.policy === policy);
    assert.match(by("bucket-versioning")[0]!.urn, /^urn:pulumi:raw::shop::aws:s3\/bucket:Bucket::backups$/);
    assert.match(by("rds-backup-window")[0]!.message, /^backupRetentionPeriod is 3 days; expected 7 or more$/);
    assert.equal(by("rds-backup-window")[0]!.severity, "critical");
    assert.match(by("rds-private")[0]!.message, /publiclyAccessible is true/);
    assert.ok(violations.every(({ message }) => !message.includes("finalSnapshotIdentifier is not set")));
    // The region is the default provider's.
    assert.ok(by("objectives-met").some(({ message }) => message.includes("main, data-corruption")));
  });

  it("says what it could not know, by name, and passes none of it", () => {
    const { stacks } = JSON.parse(raw.stdout) as CheckJson;
    const unjudged = (name: string) => stacks.find(({ stack }) => stack === name)!.unjudged.join("\n");
    assert.match(unjudged("referring"), /stack acme\/network\/prod/);
    assert.match(unjudged("looking"), /aws:index\/getRegion:getRegion/);
    assert.match(unjudged("importing"), /shop\/base[\s\S]*shop\/keys/);
    assert.match(unjudged("crashed"), /Cannot read properties of undefined/);
    for (const name of ["importing", "crashed"]) {
      assert.equal(stacks.find(({ stack }) => stack === name)!.verdict, "inconclusive");
    }
  });

  it("takes what was put together with an encrypted value as unknown, and judges nothing by a part of it", () => {
    const { stacks } = JSON.parse(raw.stdout) as CheckJson;
    const { unjudged, violations } = stacks.find(({ stack }) => stack === "raw")!;
    assert.match(unjudged.join("\n"), /^bucket-tls-only: .*\.policy can't be known/m);
    assert.ok(violations.every(({ policy }) => policy !== "bucket-tls-only"));
  });

  it("ends 3 when nothing is wrong but something is not known", async () => {
    const { exitCode, stdout } = await recoveryCheck("importing", "--program", folder);
    assert.equal(exitCode, 3, stdout);
    assert.match(stdout, /shop\/base[\s\S]*verdict: inconclusive/);
  });

  it("writes SARIF that names the rule, the resource and the stack's file", () => {
    const { version, runs } = JSON.parse(readFileSync(sarifFile, "utf8")) as {
      version: string;
      runs: {
        tool: { driver: { rules: { id: string; helpUri?: string }[] } };
        results: {
          ruleId: string;
          level: string;
          message: { text: string };
          locations: {
            physicalLocation: { artifactLocation: { uri: string } };
            logicalLocations?: { fullyQualifiedName: string }[];
          }[];
        }[];
      }[];
    };
    assert.equal(version, "2.1.0");
    const { tool, results } = runs[0]!;
    const ids = new Set(tool.driver.rules.map(({ id }) => id));
    assert.ok(results.length > 10);
    for (const { ruleId, level, locations } of results) {
      assert.ok(ids.has(ruleId), ruleId);
      assert.match(level, /^(error|warning)$/);
      assert.match(locations[0]!.physicalLocation.artifactLocation.uri, /Pulumi\.[a-z]+\.yaml$/);
    }
    const one = results.find(({ ruleId }) => ruleId === "bucket-versioning")!;
    assert.match(one.locations[0]!.logicalLocations![0]!.fullyQualifiedName, /backups$/);
  });

  it("names every problem of usage and of configuration at once, with exit code 2", async () => {
    const [nothing, unknown, refused] = await Promise.all([
      recoveryCheck(),
      recoveryCheck("empty", "missing", "--program", folder, "--json"),
      recoveryCheck("refused", "--program", folder),
    ]);
    for (const { exitCode, stderr } of [nothing, unknown, refused]) assert.equal(exitCode, 2, stderr);
    assert.match(nothing.stderr, /name at least one stack[\s\S]*usage:/);
    assert.deepEqual((JSON.parse(unknown.stdout) as CheckJson).problems, [
      `${join(folder, "Pulumi.empty.yaml")}: shop:password is missing, and Pulumi.yaml has no default for it`,
      `${join(folder, "Pulumi.missing.yaml")}: there is no such stack`,
    ]);
    assert.match(refused.stderr, /minDeletionWindowDays is 1; expected 7 or more\n.*no-rule: no such rule/);
    assert.match(refused.stderr, /the size is not a number\nthe colour is missing/);
  });

  it("has Markdown for a pull request, text grouped by resource, and help", async () => {
    const report = { rules: [], stacks: (JSON.parse(raw.stdout) as { stacks: readonly JudgedStack[] }).stacks };
    assert.match(reportMarkdown(report), /^# Recovery check: fail\n\n## raw: fail/);
    assert.match(
      reportMarkdown(report),
      /\| mandatory \| critical \| bucket-versioning \| aws:s3\/bucket:Bucket backups \|/,
    );
    const text = reportText(report);
    assert.match(text, /\naws:rds\/instance:Instance main\n {2}mandatory rds-backup-window \(critical\)\n/);
    assert.equal(text.match(/^aws:rds\/instance:Instance main$/gm)!.length, 3, "once for each stack that was judged");
    const help = await recoveryCheck("--help");
    assert.equal(help.exitCode, 0);
    assert.match(help.stdout, /usage: recovery-check STACK/);
  });
});
