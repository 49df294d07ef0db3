import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { isInstalled } from "../support/installed";
import { skip } from "../support/skip";
import { type ProviderCall, StandInProviders } from "../support/stand-in-providers";

const programs = ["pulumi", "pulumi-language-nodejs"];
const whyNoPulumi = programs.every(isInstalled) ? undefined : "the pulumi CLI is not on the PATH";

/** What the CLI said and did. */
interface CliRun {
  readonly exitCode: number;
  readonly output: string;
}

/** The pulumi CLI in a copy of the project, with a file for a backend and stand-ins for the providers. */
class Cli {
  private constructor(
    readonly folder: string,
    readonly providers: StandInProviders,
  ) {}

  static async create(): Promise<Cli> {
    const folder = await mkdtemp(join(tmpdir(), "dr-pulumi-"));
    const project = join(folder, "project");
    await mkdir(join(folder, "backend"));
    // A copy: the CLI writes a stack's salt into its configuration.
    for (const name of [
      "index.ts",
      "components",
      "recovery",
      "package.json",
      "tsconfig.json",
      "tsconfig.pulumi.json",
    ]) {
      await cp(name, join(project, name), { recursive: true });
    }
    for (const name of ["Pulumi.yaml", "Pulumi.staging.yaml", "Pulumi.prod.yaml", "Pulumi.prod-recovery.yaml"]) {
      await cp(name, join(project, name));
    }
    await symlink(resolve("node_modules"), join(project, "node_modules"));
    return new Cli(folder, await StandInProviders.start());
  }

  async run(...args: string[]): Promise<CliRun> {
    const env = {
      PATH: process.env.PATH,
      HOME: this.folder,
      PULUMI_HOME: join(this.folder, "home"),
      PULUMI_BACKEND_URL: `file://${join(this.folder, "backend")}`,
      PULUMI_CONFIG_PASSPHRASE: "of this test alone",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK: "true",
      PULUMI_DEBUG_PROVIDERS: this.providers.debugProviders,
    };
    return new Promise((done) => {
      execFile(
        "pulumi",
        ["--non-interactive", "--color=never", "--cwd", join(this.folder, "project"), ...args],
        { env, maxBuffer: 64 * 1024 ** 2 },
        (error, stdout, stderr) =>
          done({ exitCode: error ? Number(error.code ?? 1) : 0, output: `${stdout}\n${stderr}` }),
      );
    });
  }

  /** Runs what must succeed. */
  async must(...args: string[]): Promise<string> {
    const { exitCode, output } = await this.run(...args);
    assert.equal(exitCode, 0, `pulumi ${args.join(" ")}\n${output}`);
    return output;
  }

  async edit(file: string, change: (text: string) => string): Promise<void> {
    const path = join(this.folder, "project", file);
    const before = await readFile(path, "utf8");
    const after = change(before);
    assert.notEqual(after, before, `${file} was not changed`);
    await writeFile(path, after);
  }

  async remove(): Promise<void> {
    this.providers.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const policies = (stack: string): string[] => [
  "--policy-pack",
  resolve("policies"),
  "--policy-pack-config",
  resolve(`policies/config/${stack.split("-")[0]!}.json`),
];

const line = ({ verb, type, name }: ProviderCall): string => `${verb} ${type} ${name}`;

describe("the stacks by the pulumi CLI (its providers are stand-ins)", function () {
  this.timeout(300_000);
  let cli: Cli;

  before(async function () {
    if (whyNoPulumi !== undefined) skip(this, whyNoPulumi);
    cli = await Cli.create();
    for (const stack of ["staging", "prod", "prod-recovery"]) await cli.must("stack", "init", stack);
  });
  after(async () => cli?.remove());

  for (const stack of ["staging", "prod", "prod-recovery"]) {
    it(`[guide 62] ${stack}: preview with the policy pack passes`, async () => {
      const output = await cli.must("preview", "--stack", stack, ...policies(stack));
      assert.doesNotMatch(output, /mandatory/i);
      assert.match(output, /\+ \d+ to create/);
      assert.deepEqual(cli.providers.calls, []);
    });
  }

  it("a spoiled stack is refused, with the rule and the numbers", async () => {
    await cli.edit("Pulumi.prod.yaml", (text) => text.replace("backupRetentionDays: 14", "backupRetentionDays: 1"));
    const { exitCode, output } = await cli.run("preview", "--stack", "prod", ...policies("prod"));
    await cli.edit("Pulumi.prod.yaml", (text) => text.replace("backupRetentionDays: 1", "backupRetentionDays: 14"));
    assert.notEqual(exitCode, 0);
    assert.match(output, /\[mandatory\].*rds-backup-window/);
    assert.match(output, /backupRetentionPeriod/);
    assert.deepEqual(cli.providers.calls, []);
  });

  it("[guide 50, 51, 52] up before, between and after a failover never replaces, deletes or demotes a database", async () => {
    const { providers } = cli;
    for (const stack of ["prod", "prod-recovery"]) {
      await cli.must("up", "--yes", "--skip-preview", "--stack", stack, ...policies(stack));
    }
    const made = providers.calls.filter(({ verb }) => verb === "create").map(line);
    const database = "create aws:rds/instance:Instance architect-go-database";
    assert.deepEqual(
      made.filter((call) => call.includes("aws:rds/instance:")),
      [database, database],
    );
    assert.ok(made.length > 100, `only ${made.length} resources were made`);
    assert.equal(providers.calls.length, made.length);

    const standby = [...providers.world.values()].find(
      ({ type, state }) => type === "aws:rds/instance:Instance" && state.replicateSourceDb !== undefined,
    );
    assert.ok(standby, "the recovery site has no standby");
    const quietly = async (when: string, ...commands: string[][]): Promise<void> => {
      providers.forget();
      for (const command of commands) await cli.must(...command);
      assert.deepEqual(providers.calls.map(line), [], when);
    };
    const up = (stack: string): string[] => ["up", "--yes", "--skip-preview", "--stack", stack, ...policies(stack)];
    const refresh = (stack: string): string[] => ["refresh", "--yes", "--skip-preview", "--stack", stack];
    await quietly("before the failover", up("prod"), up("prod-recovery"));

    // What `aws rds promote-read-replica` leaves, which no Pulumi program did.
    delete standby.state.replicateSourceDb;
    await quietly("promoted, and Pulumi does not know it", up("prod-recovery"));
    // And who fails over wakes the jobs.
    for (const { type, state } of providers.world.values()) {
      if (type === "kubernetes:batch/v1:CronJob") (state.spec as { suspend: boolean }).suspend = false;
    }
    await quietly("promoted, and Pulumi has seen it", refresh("prod-recovery"), up("prod-recovery"), up("prod"));
    const [judged] = /failed over: re-protect it.*/.exec(await cli.must(...up("prod-recovery"))) ?? [];
    assert.match(judged ?? "", /architect-go-prod-eu-west-1, regional-failure/);

    for (const file of ["Pulumi.prod.yaml", "Pulumi.prod-recovery.yaml"]) {
      await cli.edit(file, (text) =>
        text.replace("architect-go:activeRegion: eu-central-1", "architect-go:activeRegion: eu-west-1"),
      );
    }
    await quietly("the failover is recorded", up("prod-recovery"), up("prod"));
  });
});
