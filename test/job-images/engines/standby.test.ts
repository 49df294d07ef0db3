import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseManifest } from "../../../recovery";
import { LocalServer } from "../../../job-images/src/engines/postgres/server";
import { freePort } from "../../support/free-port";
import { makeDatabase, temporaryFolder, withClient } from "../../support/postgres";
import { drJson, writeConfig } from "../../support/runner";
import { waitFor } from "../../support/wait-for";

describe("a dump from a standby", () => {
  it("spares the primary, says so in the manifest, and restores like any other", async function () {
    this.timeout(90_000);
    const primary = await makeDatabase("followed", "CREATE TABLE public.t AS SELECT generate_series(1, 1000) AS a");
    const standby = await LocalServer.createStandby(primary, {
      tools: primary.tools,
      settings: { hot_standby: "on", max_connections: "60" },
      port: await freePort(),
    });
    try {
      await withClient(primary, "followed", (client) =>
        client.query("INSERT INTO public.t SELECT generate_series(1001, 2000)"),
      );
      await waitFor("the standby to catch up", 30, () =>
        withClient(standby, "followed", async (client) => {
          const { rows } = await client.query<{ count: string }>("SELECT count(*) FROM public.t");
          return rows[0]!.count === "2000";
        }),
      );
      const folder = temporaryFolder();
      const config = writeConfig(folder, {
        store: `file://${folder}/store`,
        databases: [
          { name: "it", engine: "postgres", url: primary.url("followed"), standbyUrl: standby.url("followed") },
        ],
      });
      // Whatever a dump left behind on the primary would show in its statistics of this database's sessions.
      const sessionsBefore = await sessions(primary);
      const backup = await drJson<{ backups: { manifest: string }[] }>(["backup", "--config", config]);
      assert.equal(backup.exitCode, 0, backup.stdout);
      assert.equal(await sessions(primary), sessionsBefore, "the primary was not asked at all");
      const manifest = parseManifest(readFileSync(join(folder, "store", backup.json.backups[0]!.manifest), "utf8"));
      assert.equal(manifest.manifest?.source.standby, true);
      const tested = await drJson<{ verdict: string }>(["restore-test", "--config", config]);
      assert.equal(tested.json.verdict, "pass", tested.stdout);
    } finally {
      await standby.destroy();
    }
  });
});

/** Sessions that the database has ever had, our own reading from another one aside. */
function sessions(server: LocalServer): Promise<string> {
  return withClient(server, "postgres", async (client) => {
    const { rows } = await client.query<{ sessions: string }>(
      "SELECT sessions::text FROM pg_stat_database WHERE datname = 'followed'",
    );
    return rows[0]!.sessions;
  });
}
