import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gunzipSync, gzipSync } from "node:zlib";
import { Engine, type JobConfig } from "../../../recovery";
import { postgresDump } from "../../../job-images/src/engines/postgres/dump";
import { takeBackup } from "../../../job-images/src/engines/take-backup";
import { ReferenceWorld } from "../../../job-images/src/platform/local/reference-world";
import { silentProgress } from "../../../job-images/src/progress";
import { proveTheProof, type SpoiledCopy } from "../../../job-images/src/proof/sabotage";
import { sabotageTable } from "../../../job-images/src/commands/prove";
import { openStore } from "../../../job-images/src/store/open-store";
import { guideRestoreTest } from "../../support/guide-restore-test";
import { temporaryFolder, withClient } from "../../support/postgres";
import { skip } from "../../support/skip";
import { type StoreKind, storeKinds } from "../../support/store-kinds";

describe("sabotaged recovery points", () => {
  const environment = { ...process.env };
  afterEach(() => {
    process.env = { ...environment };
  });

  for (const kind of storeKinds) {
    it(`[guide 11, 21, 48, 57] are each caught by the check that is meant to, and the guide's own test beside it: ${kind.name}`, async function () {
      this.timeout(300_000);
      const reason = kind.whyNot(false);
      if (reason !== undefined) skip(this, reason);
      await catchesEach(kind);
    });
  }

  async function catchesEach(kind: StoreKind): Promise<void> {
    const signal = new AbortController().signal;
    const folder = temporaryFolder();
    const { url, env } = await kind.make(folder);
    Object.assign(process.env, env);
    const world = await ReferenceWorld.create(0.02);
    try {
      world.startWorking(1);
      await world.untilHeartbeats(1, signal);
      const database = {
        name: "architect",
        engine: Engine.Postgres,
        url: world.backupUrl,
        canary: { canarySeconds: 1 },
      };
      const config: JobConfig = { store: url, databases: [database] };
      const store = openStore(config.store);
      const manifest = await takeBackup({
        config,
        database,
        engine: postgresDump,
        store,
        progress: silentProgress,
        signal,
      });

      const guide = new Map<string, boolean>();
      const server = world.primary;
      execFileSync(server.tools.program("createuser"), [
        "-h",
        server.directory,
        "-U",
        "dr_superuser",
        "--superuser",
        "test",
      ]);
      await withClient(server, "postgres", (client) => client.query("ALTER ROLE test SET search_path = app, public"));
      const results = await proveTheProof({
        config,
        database,
        store,
        manifest,
        progress: silentProgress,
        signal,
        onCopy: async (copy) => void guide.set(copy.name, await guideCatches(copy)),
      });

      console.log(sabotageTable(results).replace(/^/gm, "      "));
      const sabotaged = results.filter(({ expected }) => expected !== "pass");
      const byGuide = sabotaged.filter(({ name }) => guide.get(name)).map(({ name }) => name);
      const caught = sabotaged.filter((result) => result.caught).length;
      console.log(
        `      dr restore-test caught ${caught} of ${sabotaged.length}; the guide's script caught ${byGuide.length} of ${sabotaged.length}`,
      );
      assert.deepEqual(
        results.filter((result) => !result.caught),
        [],
      );
      assert.equal(sabotaged.length, 13);
      assert.equal(
        guide.get("honest copy"),
        false,
        "the guide's script has to pass the honest copy to be compared with",
      );

      async function guideCatches(copy: SpoiledCopy): Promise<boolean> {
        const work = join(folder, "guide", copy.name);
        mkdirSync(work, { recursive: true });
        writeFileSync(join(work, "latest.sql.gz"), await plainDump(copy));
        const env = { ...process.env, PGHOST: server.directory, PGPORT: String(server.access().port), PGUSER: "test" };
        return (
          (await guideRestoreTest({
            folder: work,
            env: { ...env, PATH: `${join(server.tools.program("psql"), "..")}:${process.env.PATH}` },
          })) !== 0
        );
      }

      /** The same sabotage of the guide's kind of file: a gzipped plain dump. */
      async function plainDump(copy: SpoiledCopy): Promise<Buffer> {
        const read = (input: Buffer): Buffer => {
          const archive = spawnSync("zstd", ["-dcq"], { input, maxBuffer: 2 ** 28 });
          if (archive.status !== 0 || archive.stdout.length === 0) return Buffer.alloc(0);
          return execFileSync(server.tools.program("pg_restore"), ["-f", "-"], {
            input: archive.stdout,
            maxBuffer: 2 ** 28,
          });
        };
        const sql = read(readFileSync(copy.partPath("dump.pgc.zst")));
        if (sql.length > 0) return gzipSync(sql);
        const { key, versionId } = manifest.parts[0]!;
        const honest = gzipSync(read(await buffer(await store.get(key, { versionId }))));
        if (copy.name === "empty file") return gzipSync("");
        if (copy.name.startsWith("truncated")) return honest.subarray(0, honest.length / 2);
        const flipped = Buffer.from(honest);
        flipped[flipped.length >> 1]! ^= 0x10;
        assert.throws(() => gunzipSync(flipped));
        return flipped;
      }
    } finally {
      await world.destroy();
    }
  }
});
