import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { temporaryFolder, withClient } from "../../support/postgres";
import { streamedDatabase, untilCovered } from "../../support/streamed-database";
import { waitFor } from "../../support/wait-for";

describe("a log that is streamed while the clock is set back", () => {
  it("[guide 3, 30] reaches the store as often as before", async function () {
    this.timeout(120_000);
    const stepped = join(temporaryFolder(), "stepped");
    const env = {
      NODE_OPTIONS: `--require ${resolve("test/support/clock-step.cjs")}`,
      DR_CLOCK_STEP: ["3000", String(-2 * 3600 * 1000), stepped].join(),
    };
    const database = await streamedDatabase({ env });
    try {
      rmSync(stepped, { force: true });
      const streaming = database.stream();
      await untilCovered(database);
      await waitFor("the clock to be set back", 30, () => existsSync(stepped));
      for (let commit = 0; commit < 3; commit++) {
        await withClient(database.server, "ledger", (client) =>
          client.query("INSERT INTO public.entry (amount) VALUES (1)"),
        );
        await untilCovered(database);
      }
      assert.equal((await streaming.stop()).exitCode, 143);
    } finally {
      await database.destroy();
    }
  });
});
