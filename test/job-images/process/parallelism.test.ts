import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compressionThreads, serverJobs } from "../../../job-images/src/process/parallelism";
import { makeDatabase, temporaryFolder } from "../../support/postgres";
import { binWithScript } from "../../support/replaced-program";
import { dr, writeConfig } from "../../support/runner";

describe("parallelism", () => {
  it("does not grow with the node that a pod happens to run on", () => {
    assert.deepEqual(
      [1, 2, 4, 64].map((cpus) => [compressionThreads(cpus), serverJobs(undefined, cpus)]),
      [
        [1, 1],
        [2, 2],
        [4, 4],
        [4, 8],
      ],
    );
    assert.equal(serverJobs(32, 2), 32, "what was asked for is done");
  });

  it("[guide 30] of a restore is what --jobs says", async function () {
    this.timeout(60_000);
    const server = await makeDatabase("jobs", "CREATE TABLE public.a AS SELECT generate_series(1, 100) AS id");
    const folder = temporaryFolder();
    const said = join(folder, "said");
    const bin = binWithScript(server.tools, "pg_restore", `echo "$@" >>${said}`);
    const config = writeConfig(folder, {
      store: `file://${folder}/store`,
      databases: [{ name: "jobs", engine: "postgres", url: server.url("jobs") }],
    });
    const run = (...words: string[]) => dr([...words, "--config", config], { DR_POSTGRES_BIN: bin });
    assert.equal((await run("backup")).exitCode, 0);
    const into = server.url("jobs copy");
    for (const wrong of ["0", "-1", "two", "1.5"]) {
      const { exitCode, stderr } = await run("restore", "latest", `--jobs=${wrong}`, "--into", into);
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, /--jobs: expected a whole number from 1, got/);
    }
    const { exitCode, stderr } = await run("restore", "latest", "--jobs", "3", "--into", into);
    assert.equal(exitCode, 0, stderr);
    assert.match(readFileSync(said, "utf8"), /--jobs=3 /);
  });
});
