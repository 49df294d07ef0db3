import assert from "node:assert/strict";
import { makeDatabase, temporaryFolder } from "../support/postgres";
import { dr, drJson, writeConfig } from "../support/runner";

interface Assessed {
  verdict: string;
  assessment: {
    database: string;
    scenario: string;
    rpoMinutes: number | null;
    derivation: { loss: { name: string; minutes: number | null }[] };
    fix: unknown;
  }[];
}

describe("dr assess", () => {
  it("[guide 58] derives what a configuration declares, and knows the size once there is a backup", async function () {
    this.timeout(60_000);
    const server = await makeDatabase("assessed", "CREATE TABLE public.t AS SELECT generate_series(1, 1000) AS a");
    const folder = temporaryFolder();
    const config = writeConfig(folder, {
      store: `file://${folder}/store`,
      databases: [
        { name: "architect", engine: "postgres", url: server.url("assessed"), backup: { schedule: "0 */6 * * *" } },
      ],
    });
    const before = await drJson<Assessed>(["assess", "--config", config]);
    assert.equal(before.exitCode, 1);
    assert.equal(before.json.assessment.length, 6, "one outcome for each scenario");
    const loss = (document: Assessed): Record<string, number | null> =>
      Object.fromEntries(
        document.assessment
          .find(({ scenario }) => scenario === "data-corruption")!
          .derivation.loss.map(({ name, minutes }) => [name, minutes]),
      );
    assert.equal(loss(before.json)["schedule gap"], 360);
    assert.equal(loss(before.json)["dump"], null, "the size is unknown, and so is what follows from it");

    assert.equal((await dr(["backup", "--config", config])).exitCode, 0);
    const after = await drJson<Assessed>(["assess", "--config", config]);
    assert.equal(typeof loss(after.json)["dump"], "number");
    const markdown = await dr(["assess", "--markdown", "--config", config]);
    assert.match(markdown.stdout, /\| *database *\|/);
    const text = await dr(["assess", "--all", "--config", config]);
    assert.match(text.stdout, /schedule gap +360 min +schedule: largest gap of "0 \*\/6 \* \* \*"/);
  });
});
