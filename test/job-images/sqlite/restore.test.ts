import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { drJson } from "../../support/runner";
import { skip } from "../../support/skip";
import {
  backUp,
  committedEntries,
  connectSqlite,
  ledgerOf,
  notPassed,
  protectedFile,
  type ProtectedFile,
  restoreInto,
  sqlite,
} from "../../support/sqlite";

/** The entries of a folder that begin with the database's name. */
function filesOf({ path }: ProtectedFile): string[] {
  return readdirSync(dirname(path)).filter((name) => name.includes(basename(path)));
}

/** A ledger of 20 entries that was backed up, and has 30 now. */
async function grownSinceBackup(mode: "wal" | "delete") {
  const file = protectedFile(ledgerOf(mode, 20));
  const manifest = await backUp(file);
  const more = `BEGIN; INSERT INTO debit (amount) SELECT value FROM generate_series(1, 10);
    INSERT INTO credit SELECT id, amount, note FROM debit WHERE id > 20; UPDATE counter SET n = 30; COMMIT;`;
  return { file, manifest, more };
}

describe("restoring a SQLite file", () => {
  it("[guide 32] keeps the old file with its write-ahead log, so that nothing of it is lost and nothing of it is replayed", async () => {
    const { file, manifest, more } = await grownSinceBackup("wal");
    const writer = await connectSqlite(file.path, `PRAGMA wal_autocheckpoint = 0; ${more}`);
    await writer.kill();
    assert.ok(statSync(`${file.path}-wal`).size > 0, "what was committed last is in the log alone");
    mkdirSync(join(file.folder, ".architect.db-litestream"));
    writeFileSync(join(file.folder, ".architect.db-litestream", "generation"), "0123456789abcdef");

    const { kept, where, proof } = await restoreInto(file, manifest, file.path);
    assert.deepEqual(notPassed({ kept, where, proof }), []);
    assert.equal(kept, file.path);
    assert.equal(committedEntries(file.path), 20);
    const old = /the file that was there is (.*)$/m.exec(where)![1]!;
    assert.equal(committedEntries(old), 30);
    assert.ok(
      !existsSync(join(file.folder, ".architect.db-litestream")),
      "Litestream must not continue the old history",
    );
    assert.ok(existsSync(join(file.folder, `.${basename(old)}-litestream`, "generation")));
    for (const suffix of ["-wal", "-shm", "-journal"]) assert.ok(!existsSync(file.path + suffix), suffix);
    assert.equal(sqlite(file.path, "PRAGMA journal_mode"), "wal");
  });

  it("[guide 32] a hot journal that stays would ruin the new file and pass integrity_check; it is gone, and the old file rolled back", async () => {
    const { file, manifest, more } = await grownSinceBackup("delete");
    sqlite(file.path, more);
    const large = "INSERT INTO debit (amount, note) SELECT 1, hex(randomblob(500)) FROM generate_series(1, 3000);";
    const writer = await connectSqlite(
      file.path,
      `PRAGMA cache_size = 1; BEGIN; ${large} DELETE FROM debit WHERE id < 25;`,
    );
    await writer.kill();
    const journal = readFileSync(`${file.path}-journal`);

    // The guide's way: the new file goes over the old one, and the journal stays.
    const { kept } = await restoreInto(file, manifest, join(file.folder, "guide.db"));
    writeFileSync(`${kept}-journal`, journal);
    const guide = committedEntries(kept!);
    assert.notEqual(guide, 20, `the journal changed nothing (${guide}): this test shows nothing`);

    const restored = await restoreInto(file, manifest, file.path);
    assert.deepEqual(notPassed(restored), []);
    assert.equal(committedEntries(file.path), 20);
    assert.equal(committedEntries(/the file that was there is (.*)$/m.exec(restored.where)![1]!), 30);
  });

  it("[guide 32] logs without their file are moved out of the way", async () => {
    const { file, manifest, more } = await grownSinceBackup("wal");
    const writer = await connectSqlite(file.path, `PRAGMA wal_autocheckpoint = 0; ${more}`);
    await writer.kill();
    unlinkSync(file.path);
    assert.deepEqual(notPassed(await restoreInto(file, manifest, file.path)), []);
    assert.equal(committedEntries(file.path), 20);
    assert.equal(filesOf(file).filter((name) => /replaced-.*-wal$/.test(name)).length, 1);
  });

  for (const [what, mode, sql] of [
    ["an idle connection, write-ahead log", "wal", "SELECT * FROM counter;"],
    ["a reader in a transaction", "delete", "BEGIN; SELECT * FROM counter;"],
    ["an idle connection, rollback journal", "delete", "SELECT * FROM counter;"],
  ] as const) {
    it(`[guide 32, 36] refuses while the file is in use, says by whom, and changes nothing: ${what}`, async () => {
      const { file, manifest } = await grownSinceBackup(mode);
      const user = await connectSqlite(file.path, sql);
      const before = readFileSync(file.path);
      try {
        await assert.rejects(restoreInto(file, manifest, file.path), (error: Error) => {
          assert.match(error.message, /is in use/);
          assert.match(error.message, new RegExp(`process ${user.pid} \\(sqlite3\\)`));
          assert.match(error.message, /scale the workload to 0/);
          return true;
        });
      } finally {
        await user.kill();
      }
      assert.deepEqual(readFileSync(file.path), before);
      assert.deepEqual(
        filesOf(file).filter((name) => /restoring|replaced/.test(name)),
        [],
      );
    });
  }

  it("[guide 32] sees a user in another process namespace by its lock", async function () {
    const { file, manifest } = await grownSinceBackup("wal");
    // The same lock, held by a process whose open files cannot be looked into.
    const user = await connectSqlite(file.path, "SELECT * FROM counter;");
    const script = `require("tsx/cjs"); const { takeFromUsers } = require("./job-images/src/engines/sqlite/file-holders");
      takeFromUsers(${JSON.stringify(file.path)}, new AbortController().signal).then(String, (e) => e.message).then(console.log)`;
    try {
      const isolated = ["--fork", "--pid", "--mount-proc", "--", process.execPath, "-e", script];
      let said: string;
      try {
        said = execFileSync("unshare", isolated, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
      } catch (error) {
        return skip(this, `no process namespace can be made here: ${(error as Error).message.split("\n")[0]}`);
      }
      assert.match(said, /is in use: another connection holds its lock/);
    } finally {
      await user.kill();
    }
    assert.deepEqual(notPassed(await restoreInto(file, manifest, file.path)), []);
  });

  it("keeps a file that cannot be opened as it is, byte by byte", async () => {
    const { file, manifest } = await grownSinceBackup("delete");
    truncateSync(file.path, 5000);
    const before = readFileSync(file.path);
    const { where, proof, kept } = await restoreInto(file, manifest, file.path);
    assert.deepEqual(notPassed({ where, proof, kept }), []);
    assert.equal(committedEntries(file.path), 20);
    assert.deepEqual(readFileSync(/the file that was there is (.*)$/m.exec(where)![1]!), before);
  });

  it("keeps owner and rights of the file that was there, and else those of the source", async function () {
    const { file, manifest } = await grownSinceBackup("delete");
    if (process.getuid?.() !== 0) skip(this, "only root can give files away");
    chownSync(file.path, 1234, 2345);
    chmodSync(file.path, 0o660);
    await restoreInto(file, manifest, file.path);
    const { uid, gid, mode } = statSync(file.path);
    assert.deepEqual([uid, gid, mode & 0o777], [1234, 2345, 0o660]);
    const later = await backUp(file);
    unlinkSync(file.path);
    await restoreInto(file, later, file.path);
    assert.deepEqual([statSync(file.path).uid, statSync(file.path).mode & 0o777], [1234, 0o660]);
  });

  it("replaces the file that a link means, not the link", async () => {
    const { file, manifest } = await grownSinceBackup("wal");
    const link = join(file.folder, "link.db");
    symlinkSync(file.path, link);
    const { kept } = await restoreInto(file, manifest, link);
    assert.equal(kept, realpathSync(file.path));
    assert.equal(committedEntries(link), 20);
  });

  it("[guide 32] replaces nothing when the copy is not proven, and says where a kept one is", async () => {
    const { file, manifest, more } = await grownSinceBackup("wal");
    sqlite(file.path, more);
    const wrong = { ...manifest, tables: manifest.tables.map((table) => ({ ...table, rows: table.rows + 1 })) };
    const { kept, proof, where } = await restoreInto(file, wrong, file.path);
    assert.match(notPassed({ kept, proof, where }).join(), /^counts fail/);
    assert.equal(kept, null);
    assert.equal(committedEntries(file.path), 30);
    assert.deepEqual(filesOf(file), ["architect.db"]);
    const second = await restoreInto(file, wrong, file.path, { keep: true });
    assert.match(second.kept!, /architect.db.restoring-/);
    assert.equal(committedEntries(second.kept!), 20);
    assert.equal(committedEntries(file.path), 30);
  });

  it("refuses places that a file cannot be restored into", async () => {
    const { file, manifest } = await grownSinceBackup("delete");
    for (const [into, expected] of [
      ["postgresql://me@host/db", /is restored into a file/],
      [join(file.folder, "no", "folder.db"), /its folder cannot be entered.*volume mounted/],
      [file.folder, /is not a file/],
    ] as const) {
      await assert.rejects(restoreInto(file, manifest, into), expected);
    }
  });

  it("[guide 12, 31, 32] from the command line: canary, list, verify, a time, evidence", async function () {
    this.timeout(60_000);
    const file = protectedFile(ledgerOf("wal", 20), { canary: { canarySeconds: 30 } });
    const cli = <Document>(...words: string[]) => drJson<Document>([...words, "--config", file.config]);
    const prepared = await cli<{ statements: string[]; applied: boolean }>("prepare", "it", "--print");
    assert.equal(prepared.json.applied, false);
    assert.equal(sqlite(file.path, "SELECT count(*) FROM sqlite_schema WHERE name = 'dr_canary'"), "0");
    assert.equal((await cli("prepare", "it")).exitCode, 0);
    const identity = sqlite(file.path, "SELECT identity FROM dr_canary");
    sqlite(file.path, "UPDATE dr_canary SET at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')");
    const backup = await cli<{ backups: { id: string }[] }>("backup");
    const { id } = backup.json.backups[0]!;
    assert.match(id, /-copy-/);
    assert.equal((await cli("prepare", "it")).exitCode, 0, "prepare may be run again");
    assert.equal(sqlite(file.path, "SELECT identity FROM dr_canary"), identity, "and leaves the identity alone");

    interface Report {
      verdict: string;
      level: string;
      achievedRpoSeconds: number;
      database: string;
    }
    const into = join(file.folder, "restored.db");
    const restored = await cli<Report>("restore", "--to", new Date().toISOString(), "--into", into);
    assert.equal(restored.exitCode, 0, restored.stdout);
    assert.equal(restored.json.level, "content");
    assert.equal(restored.json.database, into);
    const lost = restored.json.achievedRpoSeconds;
    assert.ok(lost > 0 && lost < 60, `${lost} s lost`);
    const test = await cli<Report & { evidence: string }>("restore-test");
    assert.equal(test.exitCode, 0, test.stdout);
    const evidence = JSON.parse(readFileSync(join(file.store, test.json.evidence), "utf8")) as Record<string, unknown>;
    assert.equal(evidence.targetClass, "file");
    assert.equal(evidence.mechanism, "copy");
    assert.ok((evidence.measuredRtoSeconds as number) > 0);
    assert.equal((await cli("verify", id)).exitCode, 0);
    const { recoveryPoints } = (await cli<{ recoveryPoints: Record<string, unknown>[] }>("list")).json;
    assert.equal(recoveryPoints[0]!.engine, "sqlite");
    const doctor = await cli<{ checks: { name: string; verdict: string }[] }>("doctor");
    assert.deepEqual(
      doctor.json.checks.filter(({ verdict }) => verdict !== "pass"),
      [],
    );
    assert.deepEqual(
      readdirSync(file.folder).filter((name) => name.includes("restoring")),
      [],
    );
  });
});
