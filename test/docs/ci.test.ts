import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { temporaryFolder } from "../support/postgres";

interface Step {
  readonly run?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface GitHub {
  readonly jobs: Readonly<Record<string, { readonly "runs-on": string; readonly steps: readonly Step[] }>>;
}

type GitLab = { readonly stages: readonly string[] } & Readonly<
  Record<string, { readonly stage: string; readonly script: readonly string[] }>
>;

const read = <Document>(name: string): Document => parse(readFileSync(`docs/ci/${name}`, "utf8")) as Document;
const gitHub = read<GitHub>("github-actions.yml");
const { stages, ...gitLabJobs } = read<GitLab>("gitlab-ci.yml");

const scripts: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.entries(gitHub.jobs).map(([name, { steps }]) => [
      `GitHub ${name}`,
      steps.flatMap(({ run = [] }) => run).join("\n"),
    ]),
  ),
  ...Object.fromEntries(Object.entries(gitLabJobs).map(([name, { script }]) => [`GitLab ${name}`, script.join("\n")])),
};

describe("the examples for CI", () => {
  it("are what the two hosts read: jobs with steps, stages that exist", () => {
    for (const { "runs-on": runner, steps } of Object.values(gitHub.jobs)) {
      assert.equal(runner, "ubuntu-latest");
      for (const step of steps) assert.ok((step.run === undefined) !== (step.uses === undefined), JSON.stringify(step));
    }
    for (const { stage, script } of Object.values(gitLabJobs)) {
      assert.ok(stages.includes(stage), stage);
      assert.ok(script.every((line) => typeof line === "string"));
    }
  });

  it("use the Node that the package asks for", () => {
    const { engines } = JSON.parse(readFileSync("package.json", "utf8")) as { engines: { node: string } };
    const [least] = /\d+/.exec(engines.node)!;
    const texts = ["github-actions.yml", "gitlab-ci.yml"].map((name) => readFileSync(`docs/ci/${name}`, "utf8"));
    assert.match(texts[0]!, new RegExp(`node-version: ${least}\\n`));
    assert.match(texts[1]!, new RegExp(`image: node:${least}\\n`));
  });

  it("call recovery-check with stacks and options that there are", () => {
    const help = execFileSync(process.execPath, ["-r", require.resolve("tsx/cjs"), "policies/check/cli.ts", "--help"], {
      encoding: "utf8",
    });
    const calls = Object.values(scripts).flatMap((script) => script.match(/npx recovery-check [^>\n]*/g) ?? []);
    assert.equal(calls.length, 3);
    for (const call of calls) {
      const words = call.trim().split(/\s+/).slice(2);
      const flags = words.filter((word) => word.startsWith("--"));
      for (const flag of flags) assert.match(help, new RegExp(`\\n {2}${flag} `), flag);
      const files = words.filter((word) => /\.(json|sarif)$/.test(word));
      const stacks = words.filter((word) => !flags.includes(word) && !files.includes(word));
      assert.ok(stacks.length > 0);
      for (const stack of stacks) assert.ok(existsSync(`Pulumi.${stack}.yaml`), stack);
    }
  });

  it("are scripts that a shell runs, end as the check ends, and hand over the files that are there", () => {
    const folder = temporaryFolder();
    // In place of npm and npx, which would install; what they are asked for is what is tested.
    const stub = (name: string, body: string) =>
      writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    stub("npm", "exit 0");
    stub("npx", 'echo "$RECOVERY_EVIDENCE_FILE|$RECOVERY_DEPLOYED_FILE" >> seen; exit ${CHECK_EXIT:-0}');
    const run = (script: string, exit: number) =>
      spawnSync("bash", ["-eo", "pipefail", "-c", script], {
        cwd: folder,
        encoding: "utf8",
        env: {
          PATH: `${folder}:${process.env.PATH}`,
          GITHUB_STEP_SUMMARY: join(folder, "summary"),
          CHECK_EXIT: String(exit),
        },
      });
    for (const [name, script] of Object.entries(scripts)) {
      for (const exit of [0, 1, 3])
        assert.equal(run(script, exit).status, exit, `${name}: ${run(script, exit).stderr}`);
    }
    writeFileSync(join(folder, "recovery", "evidence.json"), "{}");
    writeFileSync(join(folder, "seen"), "");
    for (const [name, script] of Object.entries(scripts).filter(([name]) => name.endsWith("check"))) {
      assert.equal(run(script, 0).status, 0, name);
    }
    const seen = readFileSync(join(folder, "seen"), "utf8").trim().split("\n");
    assert.deepEqual(new Set(seen), new Set([`${join(folder, "recovery", "evidence.json")}|`]));
  });
});
