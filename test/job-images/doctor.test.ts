import assert from "node:assert/strict";
import { makeDatabase, temporaryFolder, withClient } from "../support/postgres";
import { drJson, writeConfig } from "../support/runner";

interface Doctor {
  checks: { name: string; verdict: string; fix: string }[];
}

describe("dr doctor", () => {
  it("[guide 25] names what is in the way and the fix, and is satisfied once it is fixed", async function () {
    this.timeout(60_000);
    const server = await makeDatabase(
      "patient",
      `CREATE TABLE public.t (a int);
       DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'doctor_backup') THEN CREATE ROLE doctor_backup LOGIN; END IF; END $$;`,
    );
    const folder = temporaryFolder();
    const config = writeConfig(folder, {
      store: `file://${folder}/store`,
      databases: [
        {
          name: "it",
          engine: "postgres",
          url: server.url("patient", "doctor_backup"),
          adminUrl: server.url("patient"),
        },
      ],
    });
    const before = await drJson<Doctor>(["doctor", "--config", config]);
    assert.equal(before.exitCode, 1);
    const verdicts = (report: Doctor): Record<string, string> =>
      Object.fromEntries(report.checks.map(({ name, verdict }) => [name, verdict]));
    assert.equal(verdicts(before.json)["it rights"], "fail");
    assert.equal(verdicts(before.json)["it heartbeat"], "inconclusive");
    assert.equal(verdicts(before.json)["it replication"], "inconclusive");
    assert.equal(verdicts(before.json)["job store"], "pass");
    for (const check of before.json.checks) {
      assert.equal(check.fix !== "", check.verdict !== "pass", `${check.name}: whatever is not in order has a fix`);
    }

    assert.equal((await drJson(["prepare", "it", "--config", config])).exitCode, 0);
    await withClient(server, "patient", (client) =>
      client.query("ALTER ROLE doctor_backup REPLICATION; SELECT dr_canary.beat()"),
    );
    const after = await drJson<Doctor>(["doctor", "--config", config]);
    assert.equal(after.exitCode, 0, JSON.stringify(after.json, undefined, 1));
  });
});
