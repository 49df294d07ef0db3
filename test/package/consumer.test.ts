import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { temporaryFolder } from "../support/postgres";
import { skip } from "../support/skip";

const program = `
import { BackupBucket, BackupJob, Engine, RecoveryAlerts } from "@architect-go/disaster-recovery";
import { assess, objectivesFrom } from "@architect-go/disaster-recovery/recovery";
import * as pulumi from "@pulumi/pulumi";

const registered: string[] = [];
async function main(): Promise<void> {
  await pulumi.runtime.setMocks({
    newResource: (args) => {
      registered.push(args.type);
      return { id: args.name, state: { arn: "arn:aws:s3:::" + args.name, metadata: { name: args.name }, ...(args.inputs as object) } };
    },
    call: (args) => args.inputs as Record<string, unknown>,
  });
  const scope = { application: "shop", environment: "prod", region: "eu-central-1" };
  const bucket = new BackupBucket("bucket", { ...scope, accountId: "111122223333" });
  new BackupJob("backup", {
    ...scope,
    namespace: "shop",
    image: "registry.example.com/dr@sha256:${"ab".repeat(32)}",
    storeUrl: bucket.storeUrl,
    databases: [
      { name: "shop", engine: Engine.Postgres, url: "postgresql://backup@db/shop", sizeGib: 5, cidrs: ["10.0.0.0/24"] },
    ],
  });
  new RecoveryAlerts("alerts", { ...scope, accountId: "111122223333", databases: ["shop"], backupSchedule: "0 */6 * * *" });
  await pulumi.runtime.disconnect();
  const outcomes = assess({ objectives: objectivesFrom(), databases: [], now: new Date() });
  console.log(JSON.stringify({ registered: registered.length, cronJobs: registered.filter((type) => type.endsWith(":CronJob")).length, outcomes }));
}
void main();
`;

/** The packed library, unpacked where \`npm install\` would put it, beside this checkout's peers. */
function install(consumer: string, tarball: string): void {
  const modules = join(consumer, "node_modules");
  const home = join(modules, "@architect-go", "disaster-recovery");
  mkdirSync(home, { recursive: true });
  execFileSync("tar", ["-xzf", tarball, "-C", home, "--strip-components=1"]);
  const others = readdirSync("node_modules").filter((name) => name !== "@architect-go" && !name.startsWith("."));
  for (const name of others) symlinkSync(resolve("node_modules", name), join(modules, name));
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ name: "consumer", private: true }));
  writeFileSync(
    join(consumer, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "es2022",
        module: "nodenext",
        strict: true,
        skipLibCheck: true,
        types: ["node"],
        outDir: "out",
        // What is linked into the folder counts as lying in it, as what is installed does.
        preserveSymlinks: true,
      },
      include: ["index.cts", "index.mts"],
    }),
  );
  // One program in both module systems, so that the types of AWS are checked once.
  for (const file of ["index.cts", "index.mts"]) writeFileSync(join(consumer, file), program);
}

describe("the package, as somebody else uses it", function () {
  this.timeout(240_000);
  let tarball: string;
  const root = temporaryFolder();

  before(() => {
    execFileSync("npm", ["run", "--silent", "build"], { stdio: ["ignore", "ignore", "pipe"] });
    const listing = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", root], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [packed] = JSON.parse(listing) as { filename: string; files: { path: string }[] }[];
    tarball = join(root, packed!.filename);
    for (const { path } of packed!.files) assert.match(path, /^(dist\/|package\.json|README|LICENSE|CHANGELOG)/);
    assert.ok(packed!.files.some(({ path }) => path === "dist/components/index.d.ts"));
  });

  it("type-checks under strict, and runs, in CommonJS and in ESM", () => {
    const consumer = join(root, "consumer");
    install(consumer, tarball);
    const tsc = resolve("node_modules/typescript/bin/tsc");
    const compiled = spawnSync(process.execPath, [tsc, "-p", consumer], { encoding: "utf8" });
    assert.equal(compiled.status, 0, compiled.stdout);
    for (const file of ["index.cjs", "index.mjs"]) {
      const options = ["--preserve-symlinks", join(consumer, "out", file)];
      const run = spawnSync(process.execPath, options, { cwd: consumer, encoding: "utf8" });
      assert.equal(run.status, 0, run.stderr);
      const { registered, cronJobs } = JSON.parse(run.stdout) as Record<string, number>;
      assert.ok(registered! > 20, run.stdout);
      assert.equal(cronJobs, 1);
    }
  });

  it("checks a program of somebody else's by its own compiled pack", () => {
    const consumer = join(root, "checked");
    install(consumer, tarball);
    writeFileSync(join(consumer, "Pulumi.yaml"), "name: shop\nruntime: nodejs\nmain: index.js\n");
    writeFileSync(join(consumer, "Pulumi.prod.yaml"), "config:\n  aws:region: eu-central-1\n");
    writeFileSync(
      join(consumer, "index.js"),
      'const aws = require("@pulumi/aws");\nnew aws.s3.Bucket("backups", { bucket: "shop-backups" });\n',
    );
    const cli = join(consumer, "node_modules/@architect-go/disaster-recovery/dist/policies/check/cli.js");
    assert.match(readFileSync(cli, "utf8"), /^#!\/usr\/bin\/env node\n/);
    const run = spawnSync(process.execPath, [cli, "prod", "--json"], { cwd: consumer, encoding: "utf8" });
    assert.equal(run.status, 1, run.stdout + run.stderr);
    const { stacks } = JSON.parse(run.stdout) as { stacks: { violations: { policy: string }[] }[] };
    assert.ok(stacks[0]!.violations.some(({ policy }) => policy === "bucket-versioning"));
  });

  it("is clean by publint and by are-the-types-wrong", function () {
    if (!existsSync("dist/policies/rules/index.js")) skip(this, "package.json exports policies that are not built");
    const bin = (name: string) => resolve("node_modules/.bin", name);
    const publint = spawnSync(bin("publint"), ["run", tarball, "--strict"], { encoding: "utf8" });
    assert.equal(publint.status, 0, publint.stdout + publint.stderr);
    const attw = spawnSync(bin("attw"), [tarball, "--profile", "node16"], { encoding: "utf8" });
    assert.equal(attw.status, 0, attw.stdout + attw.stderr);
  });

  it("asks for each @pulumi package as a peer, so that there is one copy of it", () => {
    const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
      dependencies: Record<string, string>;
      peerDependencies: Record<string, string>;
    };
    assert.deepEqual(Object.keys(manifest.dependencies), ["zod"]);
    const peers = Object.keys(manifest.peerDependencies).sort();
    assert.deepEqual(peers, [
      "@pulumi/aws",
      "@pulumi/kubernetes",
      "@pulumi/policy",
      "@pulumi/pulumi",
      "@pulumi/random",
    ]);
  });
});
