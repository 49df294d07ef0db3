import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LocalServer } from "../../job-images/src/engines/postgres/server";
import { findPostgresTools } from "../../job-images/src/engines/postgres/tools";
import { freePort } from "../support/free-port";
import { moto, whyNoMoto } from "../support/moto";
import { makeDatabase, temporaryFolder, withClient } from "../support/postgres";
import { drJson, writeConfig } from "../support/runner";
import { skip } from "../support/skip";
import { backUp, protectedFile } from "../support/sqlite";

interface Status {
  verdict: string;
  databases: {
    newestRecoveryPoint: { id: string } | null;
    checks: { name: string; verdict: string; detail: string }[];
  }[];
}

describe("dr status", () => {
  it("[guide 22] says what is there, and publishes it where alarms look", async function () {
    this.timeout(60_000);
    const why = whyNoMoto();
    if (why !== undefined) skip(this, why);
    const endpoint = await moto();
    const server = await makeDatabase("watched", "CREATE TABLE public.t AS SELECT 1 AS a");
    const folder = temporaryFolder();
    const config = writeConfig(folder, {
      store: `file://${folder}/store`,
      environment: "test",
      databases: [{ name: "watched", engine: "postgres", url: server.url("watched") }],
    });
    const aws = {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: "eu-west-1",
      AWS_ACCESS_KEY_ID: "a",
      AWS_SECRET_ACCESS_KEY: "b",
    };

    const before = await drJson<Status>(["status", "--publish", "--config", config], aws);
    assert.equal(before.exitCode, 1, "no recovery point is a failure");
    assert.equal(before.json.databases[0]!.newestRecoveryPoint, null);
    assert.deepEqual(
      published(endpoint),
      ["BackupNotPassed", "RestoreTestNotPassed"],
      "an age that is not there is missing data",
    );

    await drJson(["backup", "--config", config]);
    await drJson(["restore-test", "--config", config]);
    const after = await drJson<Status>(["status", "--publish", "--config", config], aws);
    assert.equal(after.exitCode, 3, "there was never a drill");
    assert.deepEqual(
      after.json.databases[0]!.checks.map(({ name, verdict }) => `${name}: ${verdict}`),
      ["recovery point: pass", "restore test: pass", "drill: inconclusive"],
    );
    assert.deepEqual(published(endpoint), [
      "BackupNotPassed",
      "RecoveryPointAgeSeconds",
      "RestoreTestAgeSeconds",
      "RestoreTestNotPassed",
    ]);
  });

  it("[guide 21, 22] a dump that restores says nothing of the log: its test is asked for, judged and published by itself", async function () {
    this.timeout(60_000);
    const why = whyNoMoto();
    if (why !== undefined) skip(this, why);
    const endpoint = await moto();
    // One of its own: a base backup holds every database of its server, whatever other tests have left there.
    const server = await LocalServer.create({
      tools: (await findPostgresTools()).at(-1)!,
      settings: { fsync: "off", wal_level: "replica" },
      port: await freePort(),
    });
    try {
      await withClient(server, "postgres", (client) => client.query("CREATE DATABASE logged"));
      await withClient(server, "logged", (client) => client.query("CREATE TABLE public.t AS SELECT 1 AS a"));
      const folder = temporaryFolder();
      const config = writeConfig(folder, {
        store: `file://${folder}/store`,
        environment: "test",
        databases: [
          { name: "logged", engine: "postgres", url: server.url("logged"), wal: { spool: `${folder}/spool` } },
        ],
      });
      const aws = {
        AWS_ENDPOINT_URL: endpoint,
        AWS_REGION: "eu-west-1",
        AWS_ACCESS_KEY_ID: "a",
        AWS_SECRET_ACCESS_KEY: "b",
      };
      const tests = async (): Promise<string[]> => {
        const { json } = await drJson<Status>(["status", "--publish", "--config", config], aws);
        return json.databases[0]!.checks.filter(({ name }) => name.endsWith("test")).map(
          ({ name, verdict }) => `${name}: ${verdict}`,
        );
      };
      const ofLog = (): string[] => published(endpoint, "logged").filter((name) => name.startsWith("PointInTime"));
      await drJson(["backup", "--method", "dump", "--config", config]);
      await drJson(["restore-test", "--config", config]);
      assert.deepEqual(await tests(), ["restore test: pass", "point-in-time test: inconclusive"]);
      assert.deepEqual(ofLog(), ["PointInTimeTestNotPassed"]);

      const { json } = await drJson<{ backups: { id: string }[] }>(["backup", "--method", "base", "--config", config]);
      const key = join(folder, "store", "catalog", "logged", `${json.backups[0]!.id}.json`);
      const manifest = readFileSync(key);
      chmodSync(key, 0o600);
      writeFileSync(key, "not a manifest");
      await drJson(["restore-test", "--config", config]);
      assert.deepEqual(
        await tests(),
        ["restore test: pass", "point-in-time test: fail"],
        "and the dump is as good as ever",
      );
      assert.deepEqual(ofLog(), ["PointInTimeTestAgeSeconds", "PointInTimeTestNotPassed"]);

      writeFileSync(key, manifest);
      const honest = await drJson(["restore-test", "--config", config]);
      assert.equal(honest.exitCode, 0, honest.stdout);
      assert.deepEqual(await tests(), ["restore test: pass", "point-in-time test: pass"]);
    } finally {
      await server.destroy();
    }
  });
});

describe("dr status of a streamed SQLite file", () => {
  it("[guide 3, 12] says when Litestream stands still, and nothing where nothing is streamed", async function () {
    this.timeout(60_000);
    const file = protectedFile("CREATE TABLE t (a)");
    await backUp(file);
    const log = async (): Promise<string | undefined> => {
      const { json } = await drJson<Status>(["status", "--config", file.config]);
      const check = json.databases[0]!.checks.find(({ name }) => name === "log");
      return check && `${check.verdict}: ${check.detail}`;
    };
    assert.equal(await log(), undefined);
    const folder = join(file.store, "wal/it/generations/0123456789abcdef/wal");
    mkdirSync(folder, { recursive: true });
    for (const [name, hoursAgo] of [
      ["00000000_00000000.wal.lz4", 9],
      ["00000000_00001038.wal.lz4", 2],
    ] as const) {
      writeFileSync(join(folder, name), "x");
      const at = new Date(Date.now() - hoursAgo * 3_600_000);
      utimesSync(join(folder, name), at, at);
    }
    assert.match((await log())!, /^fail: the store has it up to 2 h.* ago, 1 h allowed: is Litestream running\?$/);
    writeFileSync(join(folder, "00000000_00002070.wal.lz4"), "x");
    assert.match((await log())!, /^pass: /);
  });
});

/** The names of the metrics of this database, as the AWS CLI lists them. */
function published(endpoint: string, database = "watched"): string[] {
  const output = execFileSync(
    "aws",
    [
      "cloudwatch",
      "list-metrics",
      "--namespace",
      "DisasterRecovery",
      "--endpoint-url",
      endpoint,
      "--region",
      "eu-west-1",
      "--output",
      "json",
    ],
    { encoding: "utf8", env: { ...process.env, AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" } },
  );
  const { Metrics } = JSON.parse(output) as { Metrics: { MetricName: string; Dimensions: { Value: string }[] }[] };
  return [
    ...new Set(
      Metrics.filter((metric) => metric.Dimensions.some(({ Value }) => Value === database)).map(
        (metric) => metric.MetricName,
      ),
    ),
  ].sort();
}
