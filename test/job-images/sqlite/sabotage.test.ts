import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Engine } from "../../../recovery";
import { sabotageTable } from "../../../job-images/src/commands/prove";
import { openSqliteHeart, prepareSqlite } from "../../../job-images/src/engines/sqlite/heartbeat";
import { silentProgress } from "../../../job-images/src/progress";
import { proveTheProof } from "../../../job-images/src/proof/sabotage";
import { openStore } from "../../../job-images/src/store/open-store";
import { backUp, ledgerOf, protectedFile } from "../../support/sqlite";

describe("sabotaged recovery points of a SQLite file", () => {
  it("[guide 11, 21, 32, 35, 57] are each caught by the check that is meant to, and the guide's integrity_check beside it", async function () {
    this.timeout(120_000);
    const trigger = "CREATE TRIGGER counted AFTER DELETE ON debit BEGIN UPDATE counter SET n = n - 1; END;";
    const file = protectedFile(ledgerOf("wal", 2000) + trigger);
    const database = { name: "it", engine: Engine.Sqlite, path: file.path };
    await prepareSqlite(database, false);
    await (await openSqliteHeart(database)).beat();
    const manifest = await backUp(file);
    const guide = new Map<string, boolean>();
    const results = await proveTheProof({
      config: { store: `file://${file.store}`, databases: [database] },
      database,
      store: openStore(`file://${file.store}`),
      manifest,
      progress: silentProgress,
      signal: new AbortController().signal,
      onCopy: ({ name, partPath }) => Promise.resolve(void guide.set(name, guideCatches(partPath("copy.db.zst")))),
    });

    console.log(sabotageTable(results).replace(/^/gm, "      "));
    const sabotaged = results.filter(({ expected }) => expected !== "pass");
    const caught = sabotaged.filter((each) => each.caught).length;
    const byGuide = sabotaged.filter(({ name }) => guide.get(name)).length;
    console.log(
      `      dr restore-test caught ${caught} of ${sabotaged.length}; the guide's integrity_check caught ${byGuide} of ${sabotaged.length}`,
    );
    assert.deepEqual(
      results.filter((each) => !each.caught),
      [],
    );
    assert.equal(sabotaged.length, 20);
    assert.equal(guide.get("honest copy"), false, "the guide's check has to pass the honest copy to be compared with");

    /** Its recovery of a SQLite file up to the check, of the same sabotage; what lies beside a file it does not see. */
    function guideCatches(part: string): boolean {
      const restored = join(file.folder, "guide.db");
      writeFileSync(restored, spawnSync("zstd", ["-dcq", part], { maxBuffer: 2 ** 28 }).stdout);
      try {
        return (
          execFileSync("sqlite3", [restored, "PRAGMA integrity_check;"], { encoding: "utf8", stdio: "pipe" }) !== "ok\n"
        );
      } catch {
        return true;
      }
    }
  });
});
