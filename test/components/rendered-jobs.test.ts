import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as kubernetes from "@pulumi/kubernetes";
import { BackupJob, type JobArgs, RestoreTestJob } from "../../components";
import { drJson } from "../support/runner";
import { validJobArgs } from "../support/job-arguments";
import { makeDatabase, temporaryFolder, withClient } from "../support/postgres";
import { register } from "../support/registered-resources";

type CronJob = kubernetes.types.output.batch.v1.CronJob;

/** A container as the kubelet would start it, with its mounts in a folder of this machine. */
interface LocalContainer {
  readonly command: readonly string[];
  readonly env: Record<string, string>;
}

/** Renders a job and lays out what its pod mounts: the configuration, the passwords, an empty scratch volume. */
async function renderedJob(
  name: string,
  program: () => void,
  secrets: Readonly<Record<string, Readonly<Record<string, string>>>>,
): Promise<LocalContainer> {
  const made = await register(program);
  const { spec } = (made.inputs("kubernetes:batch/v1:CronJob", name) as unknown as CronJob).spec.jobTemplate.spec
    .template;
  const [container] = spec.containers;
  const root = temporaryFolder();
  const here = (path: string) => join(root, path);
  for (const { name: volumeName, mountPath } of container!.volumeMounts) {
    const volume = spec.volumes.find((candidate) => candidate.name === volumeName);
    assert.ok(volume, `the pod mounts ${volumeName} and has no such volume`);
    mkdirSync(here(mountPath), { recursive: true });
    // Pods run as another user than this test may.
    chmodSync(here(mountPath), 0o1777);
    if (volumeName === "config") {
      const { data } = made.inputs("kubernetes:core/v1:ConfigMap", name) as { data: Record<string, string> };
      for (const [file, text] of Object.entries(data)) {
        // Paths in the configuration are those of the pod.
        writeFileSync(join(here(mountPath), file), text.replaceAll('"/var/run/', `"${here("/var/run/")}`));
      }
    }
    if (volume.secret !== undefined) {
      const secret = secrets[volume.secret.secretName]!;
      for (const { key, path } of volume.secret.items) writeFileSync(join(here(mountPath), path), `${secret[key]!}\n`);
    }
  }
  const env = Object.fromEntries(container!.env.map(({ name: key, value }) => [key, value]));
  return { command: container!.command, env: { ...env, DR_CONFIG: here(env.DR_CONFIG!), TMPDIR: here(env.TMPDIR!) } };
}

describe("what the components write is what the runner reads", function () {
  this.timeout(120_000);

  it("[guide 7, 11, 21] the rendered backup and restore test run as they stand, against a real PostgreSQL", async () => {
    const server = await makeDatabase(
      "rendered",
      "CREATE TABLE public.users (id bigint PRIMARY KEY, name text); INSERT INTO public.users SELECT i, 'u' || i FROM generate_series(1, 500) i",
    );
    await withClient(server, "rendered", (client) =>
      client.query(`
        DROP ROLE IF EXISTS rendered_backup;
        CREATE ROLE rendered_backup LOGIN PASSWORD 'it is''nt "simple"' IN ROLE pg_read_all_data`),
    );
    const store = join(temporaryFolder(), "store");
    mkdirSync(store);
    const args: JobArgs = {
      ...validJobArgs,
      storeUrl: `file://${store}`,
      databases: [{ ...validJobArgs.databases[0]!, name: "rendered", url: server.url("rendered", "rendered_backup") }],
    };
    const backup = await renderedJob("architect-backup", () => void new BackupJob("architect-backup", args), {
      "architect-backup": { password: `it is'nt "simple"` },
    });
    assert.deepEqual(backup.command, ["dr", "backup", "--json"]);
    const taken = await drJson<{ verdict: string; backups: { manifest: string }[] }>(
      withoutJson(backup.command),
      backup.env,
    );
    assert.equal(taken.exitCode, 0, taken.stderr);
    assert.equal(taken.json.verdict, "pass");
    const manifest = join(store, taken.json.backups[0]!.manifest);
    assert.ok(existsSync(manifest));
    assert.match((JSON.parse(readFileSync(manifest, "utf8")) as { schedule: string }).schedule, /^\d+ \*\/6 \* \* \*$/);

    const test = await renderedJob("architect-proof", () => void new RestoreTestJob("architect-proof", args), {});
    assert.deepEqual(test.command, ["dr", "restore-test", "--json"]);
    const proven = await drJson<{ verdict: string; evidence: string }>(withoutJson(test.command), test.env);
    assert.notEqual(proven.exitCode, 2, proven.stderr);
    assert.ok(existsSync(join(store, proven.json.evidence)), proven.stderr);
    // Without a heartbeat the achieved RPO is unknown, which is never a pass; nothing else may be missing.
    assert.ok(["pass", "inconclusive"].includes(proven.json.verdict), proven.stdout);
  });
});

/** The words after `dr`; the support for JSON adds `--json` itself. */
const withoutJson = (command: readonly string[]) => command.slice(1).filter((word) => word !== "--json");
