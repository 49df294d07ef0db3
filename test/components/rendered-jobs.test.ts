import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type * as kubernetes from "@pulumi/kubernetes";
import {
  BackupJob,
  Engine,
  type JobArgs,
  PointInTimeTestJob,
  ProofJob,
  type ProtectedDatabaseArgs,
  ReaperJob,
  RestoreTestJob,
  SqliteBackupJob,
  WalArchive,
} from "../../components";
import { beat } from "../../job-images/src/engines/postgres/prepare";
import { LocalServer } from "../../job-images/src/engines/postgres/server";
import { findPostgresTools } from "../../job-images/src/engines/postgres/tools";
import { freePort } from "../support/free-port";
import { drJson, finished, startRunner } from "../support/runner";
import { restoredByRds, validJobArgs } from "../support/job-arguments";
import { moto, whyNoMoto } from "../support/moto";
import { MotoDatabases, motoCredentials } from "../support/moto-rds";
import { makeDatabase, temporaryFolder, withClient } from "../support/postgres";
import { RdsStandIn } from "../support/rds-stand-in";
import { register } from "../support/registered-resources";
import {
  type LocalContainer,
  localPod,
  type LocalPod,
  type MountedByOthers,
  withoutJson,
} from "../support/rendered-pod";
import { skip } from "../support/skip";
import { sqlite } from "../support/sqlite";
import { keysUnder } from "../support/streamed-database";
import { waitFor } from "../support/wait-for";

type CronJob = kubernetes.types.output.batch.v1.CronJob;
type StatefulSet = kubernetes.types.output.apps.v1.StatefulSet;

/** Renders a job, and lays out what its pod mounts. */
async function renderedJob(name: string, program: () => void, mounted: MountedByOthers = {}): Promise<LocalContainer> {
  const made = await register(program);
  const { spec } = (made.inputs("kubernetes:batch/v1:CronJob", name) as unknown as CronJob).spec.jobTemplate.spec
    .template;
  return localPod(made, spec, mounted).containers[0]!;
}

function emptyStore(): string {
  const store = join(temporaryFolder(), "store");
  mkdirSync(store);
  return store;
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
    const store = emptyStore();
    const args: JobArgs = {
      ...validJobArgs,
      storeUrl: `file://${store}`,
      databases: [{ ...validJobArgs.databases[0]!, name: "rendered", url: server.url("rendered", "rendered_backup") }],
    };
    const backup = await renderedJob("architect-backup", () => void new BackupJob("architect-backup", args), {
      secrets: { "architect-backup": { password: `it is'nt "simple"` } },
    });
    assert.deepEqual(backup.command, ["dr", "backup", "--json"]);
    const taken = await drJson<{ verdict: string; backups: { manifest: string }[] }>(withoutJson(backup), backup.env);
    assert.equal(taken.exitCode, 0, taken.stderr);
    assert.equal(taken.json.verdict, "pass");
    const manifest = join(store, taken.json.backups[0]!.manifest);
    assert.ok(existsSync(manifest));
    assert.match((JSON.parse(readFileSync(manifest, "utf8")) as { schedule: string }).schedule, /^\d+ \*\/6 \* \* \*$/);

    const test = await renderedJob("architect-proof", () => void new RestoreTestJob("architect-proof", args));
    assert.deepEqual(test.command, ["dr", "restore-test", "--json"]);
    const proven = await drJson<{ verdict: string; evidence: string }>(withoutJson(test), test.env);
    assert.notEqual(proven.exitCode, 2, proven.stderr);
    assert.ok(existsSync(join(store, proven.json.evidence)), proven.stderr);
    // Without a heartbeat the achieved RPO is unknown, which is never a pass; nothing else may be missing.
    assert.ok(["pass", "inconclusive"].includes(proven.json.verdict), proven.stdout);
  });

  it("[guide 12, 57] the rendered SQLite backup copies the application's file, and the rendered proof sabotages the copy", async () => {
    const store = emptyStore();
    const notes: ProtectedDatabaseArgs = {
      name: "notes",
      engine: Engine.Sqlite,
      sizeGib: 1,
      file: { claimName: "data-notes-0", pathOnVolume: "app/notes.db", mountPath: "/var/lib/notes", userId: 1000 },
    };
    const args: JobArgs = { ...validJobArgs, storeUrl: `file://${store}`, databases: [notes] };
    const claims = {
      data: (folder: string) => {
        mkdirSync(join(folder, "app"));
        sqlite(
          join(folder, "app", "notes.db"),
          "PRAGMA journal_mode = WAL; CREATE TABLE note (id INTEGER PRIMARY KEY); INSERT INTO note VALUES (1)",
        );
      },
    };
    const backup = await renderedJob("notes-backup", () => void new SqliteBackupJob("notes-backup", args), { claims });
    const taken = await drJson<{ backups: { engine: string; verdict: string; reasons: string[] }[] }>(
      withoutJson(backup),
      backup.env,
    );
    assert.equal(taken.exitCode, 0, taken.stdout);
    assert.deepEqual(
      taken.json.backups.map(({ engine, verdict }) => [engine, verdict]),
      [["sqlite", "pass"]],
    );

    // It finds the copy by what it is told of the store alone: no volume of the application is mounted.
    const proof = await renderedJob("notes-prove", () => void new ProofJob("notes-prove", args));
    assert.deepEqual(proof.command, ["dr", "prove", "--json"]);
    const proven = await drJson<{ verdict: string; caught: number; total: number }>(withoutJson(proof), proof.env);
    assert.equal(proven.exitCode, 0, proven.stdout);
    assert.ok(proven.json.total > 5);
    assert.equal(proven.json.caught, proven.json.total);
  });

  it("[guide 48] the rendered point-in-time test has RDS restore its log, proves and deletes the copy, and the rendered reaper runs", async function () {
    const why = whyNoMoto();
    if (why !== undefined) skip(this, why);
    const upstream = await moto();
    const server = await makeDatabase("rendered_rds", "CREATE TABLE public.it (id int PRIMARY KEY)");
    const { port } = server.access();
    const databases = await MotoDatabases.connect(upstream);
    await databases.instance("rendered-prod", port, true);
    const standIn = await RdsStandIn.start({ upstream, host: "127.0.0.1", sources: ["rendered-prod"] });
    standIn.looksUntilAvailable = 0;
    try {
      const [database] = validJobArgs.databases;
      const args = restoredByRds({
        ...validJobArgs,
        storeUrl: `file://${emptyStore()}`,
        databases: [{ ...database!, name: "rendered", url: server.url("rendered_rds") }],
      });
      const secrets = { "architect-backup": { password: "which this server does not ask for" } };
      const test = await renderedJob("rds-test", () => void new PointInTimeTestJob("rds-test", args), { secrets });
      // Where AWS is, which no job's configuration says.
      const cloud = { ...motoCredentials, AWS_ENDPOINT_URL_RDS: standIn.endpoint };
      const prepared = await drJson(["prepare", "rendered"], test.env);
      assert.equal(prepared.exitCode, 0, prepared.stdout);
      await withClient(server, "rendered_rds", beat);
      const proven = await drJson<{ verdict: string; evidence: string }>(withoutJson(test), { ...test.env, ...cloud });
      assert.equal(proven.exitCode, 0, proven.stdout + proven.stderr);
      assert.equal(proven.json.verdict, "pass");
      const [restored] = standIn.callsOf("RestoreDBInstanceToPointInTime");
      assert.equal(restored!.get("SourceDBInstanceIdentifier"), "rendered-prod");
      const [deleted] = standIn.callsOf("DeleteDBInstance");
      assert.equal(deleted!.get("DBInstanceIdentifier"), restored!.get("TargetDBInstanceIdentifier"));

      const reaper = await renderedJob("rds-reaper", () => void new ReaperJob("rds-reaper", args));
      const reaped = await drJson<{ verdict: string }>(withoutJson(reaper), { ...reaper.env, ...cloud });
      assert.equal(reaped.exitCode, 0, reaped.stdout + reaped.stderr);
      assert.equal(reaped.json.verdict, "pass");
      assert.equal(standIn.callsOf("DeleteDBInstance").length, 1, "and finds nothing left to delete");
    } finally {
      await standIn.stop();
      databases.client.destroy();
    }
  });

  it("[guide 30] the rendered WAL archive brings a segment and a base backup of a real PostgreSQL into the store", async () => {
    const server = await LocalServer.create({
      tools: (await findPostgresTools()).at(-1)!,
      settings: { fsync: "off", wal_level: "replica", shared_buffers: "32MB" },
      port: await freePort(),
      dataChecksums: true,
    });
    const store = emptyStore();
    try {
      const database: ProtectedDatabaseArgs = {
        ...validJobArgs.databases[0]!,
        name: "ledger",
        url: server.url("postgres"),
        passwordSecret: undefined,
        wal: { flushSeconds: 1, spoolGib: 1 },
      };
      const made = await register(
        () =>
          void new WalArchive("ledger-wal", { ...validJobArgs, storeUrl: `file://${store}`, databases: [database] }),
      );
      const rendered = made.inputs("kubernetes:apps/v1:StatefulSet", "ledger-wal") as unknown as StatefulSet;
      const pod: LocalPod = localPod(made, rendered.spec.template.spec, { claims: { spool: () => undefined } });
      const [container] = pod.containers;
      assert.deepEqual(container!.command, ["dr", "stream", "ledger"]);
      const prepared = await drJson(["prepare", "ledger"], container!.env);
      assert.equal(prepared.exitCode, 0, prepared.stdout);
      const stream = startRunner(container!.command.slice(1), container!.env);
      const ended = finished(stream);
      try {
        await waitFor("a base backup", 60, () =>
          keysUnder({ store }, "catalog/ledger").some((key) => /base/.test(key)),
        );
        await withClient(server, "postgres", (client) => client.query("SELECT pg_switch_wal()"));
        await waitFor("a segment", 30, () => keysUnder({ store }, "wal/ledger").length > 0);
        assert.ok(existsSync(pod.here("/var/spool/dr/ledger")), "the spool is on its volume");
      } finally {
        stream.kill("SIGTERM");
      }
      const { exitCode, stderr } = await ended;
      assert.equal(exitCode, 143, stderr);
    } finally {
      await server.destroy();
    }
  });
});
