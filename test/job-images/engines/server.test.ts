import assert from "node:assert/strict";
import { existsSync, readlinkSync } from "node:fs";
import { LocalServer, throwAwaySettings } from "../../../job-images/src/engines/postgres/server";
import { findPostgresTools } from "../../../job-images/src/engines/postgres/tools";
import { withClient } from "../../support/postgres";
import { skip } from "../../support/skip";

describe("throw-away servers", () => {
  it("[guide 49] have no network, archive nothing, replicate nothing, and leave nothing behind", async function () {
    this.timeout(60_000);
    const tools = (await findPostgresTools()).at(-1)!;
    const server = await LocalServer.create({ tools, settings: throwAwaySettings, isolated: true });
    try {
      if (!server.isolated) skip(this, "this machine lets nobody start a process without a network");
      assert.notEqual(readlinkSync(`/proc/${server.pid}/ns/net`), readlinkSync("/proc/self/ns/net"));
      await withClient(server, "postgres", async (client) => {
        const { rows } = await client.query<{ name: string; setting: string }>(
          `SELECT name, setting FROM pg_settings WHERE name IN
             ('listen_addresses', 'archive_mode', 'max_wal_senders', 'max_logical_replication_workers', 'shared_preload_libraries') ORDER BY name`,
        );
        assert.deepEqual(
          rows.map(({ name, setting }) => `${name}=${setting}`),
          [
            "archive_mode=off",
            "listen_addresses=",
            "max_logical_replication_workers=0",
            "max_wal_senders=0",
            "shared_preload_libraries=",
          ],
        );
      });
    } finally {
      await server.destroy();
    }
    assert.ok(!existsSync(server.directory));
  });
});
