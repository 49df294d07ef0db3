import assert from "node:assert/strict";
import { once } from "node:events";
import {
  AddTagsToResourceCommand,
  DescribeDBInstancesCommand,
  type DBInstance,
  RemoveTagsFromResourceCommand,
} from "@aws-sdk/client-rds";
import { type LocalServer } from "../../../job-images/src/engines/postgres/server";
import { beat } from "../../../job-images/src/engines/postgres/prepare";
import { ThrowAwayTag } from "../../../recovery";
import { makeDatabase, temporaryFolder, withClient } from "../../support/postgres";
import { moto, whyNoMoto } from "../../support/moto";
import { MotoDatabases, motoCredentials } from "../../support/moto-rds";
import { RdsStandIn } from "../../support/rds-stand-in";
import { dr, drJson, startRunner, writeConfig } from "../../support/runner";
import { skip } from "../../support/skip";
import { waitFor } from "../../support/wait-for";

interface Reaped {
  readonly found: readonly { readonly identifier: string; readonly outcome: string; readonly why: string }[];
}

describe("restore tests of RDS, and the reaper (moto, with a real PostgreSQL behind every new endpoint)", function () {
  this.timeout(120_000);
  const environment = motoCredentials;
  let databases: MotoDatabases;
  let standIn: RdsStandIn;
  let config: string;
  let server: LocalServer;

  before(async function () {
    const why = whyNoMoto();
    if (why !== undefined) skip(this, why);
    const endpoint = await moto();
    server = await makeDatabase(
      "rds_tested",
      "CREATE TABLE public.it (id int PRIMARY KEY); INSERT INTO public.it SELECT generate_series(1, 200)",
    );
    const { port, user } = server.access();
    databases = await MotoDatabases.connect(endpoint);
    await databases.instance("tested-prod", port, true);
    standIn = await RdsStandIn.start({ upstream: endpoint, host: "127.0.0.1", sources: ["tested-prod"] });
    const folder = temporaryFolder();
    config = writeConfig(folder, {
      store: `file://${folder}/store`,
      environment: "staging",
      databases: [
        {
          name: "tested",
          engine: "rds",
          url: `postgresql://${user}@127.0.0.1:${port}/rds_tested`,
          rds: {
            ...{ region: "eu-central-1", endpoint: standIn.endpoint, instanceIdentifier: "tested-prod" },
            test: { subnetGroup: "restore-tests", securityGroupIds: databases.securityGroupIds.slice(0, 1) },
          },
        },
      ],
    });
    const prepared = await dr(["prepare", "tested", "--config", config], environment);
    assert.equal(prepared.exitCode, 0, prepared.stderr);
    await withClient(server, "rds_tested", beat);
  });

  after(async () => {
    await standIn?.stop();
    databases?.client.destroy();
  });

  const ask = <Answer>(args: readonly string[]) => drJson<Answer>([...args, "--config", config], environment);
  const throwAways = async (): Promise<DBInstance[]> => {
    const { DBInstances = [] } = await databases.client.send(new DescribeDBInstancesCommand({}));
    return DBInstances.filter(({ DBInstanceIdentifier }) => DBInstanceIdentifier!.startsWith("dr-test-"));
  };
  const retag = (instance: DBInstance, Key: string, Value: string) =>
    databases.client.send(
      new AddTagsToResourceCommand({ ResourceName: instance.DBInstanceArn, Tags: [{ Key, Value }] }),
    );

  it("[guide 21, 48, 49] restores the log into a throw-away with an expiry, proves it, deletes it, and records it", async () => {
    const { exitCode, json } = await ask<{
      verdict: string;
      level: string;
      checks: { name: string; verdict: string; detail: string }[];
      evidence: string;
    }>(["restore-test", "--from-stream"]);
    assert.equal(exitCode, 0, JSON.stringify(json, undefined, 2));
    assert.deepEqual([json.verdict, json.level], ["pass", "counts"]);
    for (const name of ["settings", "rows", "counts", "canary", "freshness", "cleanup"]) {
      assert.equal(json.checks.find((check) => check.name === name)?.verdict, "pass", name);
    }
    const [call] = standIn.callsOf("RestoreDBInstanceToPointInTime");
    assert.deepEqual(
      [call!.get("DBSubnetGroupName"), call!.get("DeletionProtection"), call!.get("MultiAZ")],
      ["restore-tests", "false", "false"],
    );
    const keys = [1, 2, 3, 4].map((number) => call!.get(`Tags.Tag.${number}.Key`));
    assert.deepEqual(keys.sort(), Object.values(ThrowAwayTag).sort());
    assert.equal(call!.get("Tags.Tag.5.Key"), null);
    assert.deepEqual(await throwAways(), []);
    assert.equal(
      standIn.callsOf("DeleteDBInstance")[0]!.get("DBInstanceIdentifier"),
      call!.get("TargetDBInstanceIdentifier"),
    );

    const { json: plan } = await ask<{ sources: { id: string; provenAt: string | null; timeBasis: string }[] }>([
      ...["plan", "--to", "latest"],
    ]);
    const log = plan.sources.find(({ id }) => id === "rds-log")!;
    assert.notEqual(log.provenAt, null);
    assert.equal(log.timeBasis, "measured", "the test's time is the recovery's: the same kind of server");
  });

  it("[guide 39] brings rows as of a moment out of the log, through a throw-away that is gone before anything is made", async () => {
    const made = standIn.callsOf("RestoreDBInstanceToPointInTime").length;
    const moment = new Date(Date.now() - 1000);
    const extract = (...more: string[]) =>
      ask<{ id: string; checks: { name: string; verdict: string }[]; tables: { into: string; rows: number }[] }>([
        ...["extract", "--table", "public.it", "--where", "id % 2 = 0", "--into", server.url("rds_tested"), ...more],
      ]);
    const { exitCode, json, stdout, stderr } = await extract("--to", moment.toISOString(), "--schema", "back");
    assert.equal(exitCode, 0, stdout);
    assert.equal(json.id, "rds-log");
    assert.match(stderr, new RegExp(`reading rds-log of tested, as of ${moment.toISOString()}`));
    assert.deepEqual(
      json.tables.map(({ into, rows }) => [into, rows]),
      [['"back"."it"', 100]],
    );
    const [call] = standIn.callsOf("RestoreDBInstanceToPointInTime").slice(made);
    assert.equal(new Date(call!.get("RestoreTime")!).getTime(), moment.getTime());
    assert.match(call!.get("TargetDBInstanceIdentifier")!, /^dr-test-tested-/);
    assert.deepEqual(await throwAways(), []);
    const rows = await withClient(server, "rds_tested", (client) =>
      client.query<{ rows: number }>("SELECT count(*)::int AS rows FROM back.it JOIN public.it USING (id)"),
    );
    assert.equal(rows.rows[0]!.rows, 100);

    const misspelt = await extract("--from-stream", "--to", "latest", "--schema", "none", "--table", "public.ti");
    assert.equal(misspelt.exitCode, 2, misspelt.stdout);
    assert.match(misspelt.stdout, /there is no table public\.ti/);
    assert.deepEqual(await throwAways(), [], "a wrong name leaves no instance behind");
  });

  it("[guide 49] what a killed restore test left is deleted once it has expired, and nothing else is", async () => {
    standIn.looksUntilAvailable = 1000;
    const killed = startRunner(["restore-test", "--from-stream", "--config", config], environment);
    const left = await waitFor("the throw-away", 30, async () => (await throwAways())[0]);
    killed.kill("SIGKILL");
    await once(killed, "close");
    standIn.looksUntilAvailable = 0;
    const reap = async (...more: string[]) => (await ask<Reaped>(["reap", ...more])).json.found;

    const young = await reap();
    assert.deepEqual(
      young.map(({ outcome }) => outcome),
      ["kept"],
    );
    assert.match(young[0]!.why, /expires at/);

    await retag(left, ThrowAwayTag.ExpiresAt, "2026-01-01T00:00:00.000Z");
    await retag(left, "owner", "ann");
    assert.match((await reap())[0]!.why, /also carries owner/);
    await databases.client.send(
      new RemoveTagsFromResourceCommand({ ResourceName: left.DBInstanceArn, TagKeys: ["owner"] }),
    );

    assert.deepEqual(
      (await reap("--dry-run")).map(({ outcome }) => outcome),
      ["would be deleted"],
    );
    assert.equal((await throwAways()).length, 1, "a dry run deletes nothing");

    assert.deepEqual(
      (await reap()).map(({ outcome }) => outcome),
      ["deleted"],
    );
    assert.deepEqual(await throwAways(), []);
    const deleted = standIn.callsOf("DeleteDBInstance").map((call) => call.get("DBInstanceIdentifier")!);
    assert.ok(
      deleted.every((identifier) => identifier.startsWith("dr-test-tested-")),
      deleted.join(),
    );
    assert.deepEqual(await reap(), [], "production is not even looked at twice");
  });

  it("the reaper needs to know a region", async () => {
    const folder = temporaryFolder();
    const other = writeConfig(folder, {
      store: `file://${folder}/store`,
      databases: [{ name: "a", engine: "sqlite", path: "/data/a.db" }],
    });
    const { exitCode, stderr } = await dr(["reap", "--config", other], environment);
    assert.equal(exitCode, 2);
    assert.match(stderr, /No database has `rds`/);
  });
});
