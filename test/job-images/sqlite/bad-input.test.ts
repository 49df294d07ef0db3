import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type DatabaseConfig } from "../../../recovery";
import { OperationError } from "../../../job-images/src/errors";
import { watchWaitingWriters } from "../../../job-images/src/engines/sqlite/writer-watch";
import { dr, drJson, runnerBundle } from "../../support/runner";
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

interface Test {
  checks: { name: string; detail: string }[];
}

async function refusal(file: ProtectedFile, more: Partial<DatabaseConfig> = {}): Promise<string> {
  const reason = await backUp(file, more).then(
    () => assert.fail("it was backed up"),
    (error: unknown) => error,
  );
  assert.ok(reason instanceof OperationError, String(reason));
  const stored = existsSync(file.store)
    ? readdirSync(file.store, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    : [];
  assert.deepEqual(stored, [], "nothing visible, and nothing half-written");
  return reason.message;
}

describe("SQLite files that cannot be backed up", () => {
  const refused: readonly [string, (file: ProtectedFile) => unknown, RegExp][] = [
    ["missing", ({ path }) => unlinkSync(path), /no such file.*Is the volume mounted/],
    ["a folder", ({ path }) => (unlinkSync(path), mkdirSync(path)), /is not a file/],
    ["empty", ({ path }) => truncateSync(path), /is empty: 0 bytes/],
    ["no database", ({ path }) => writeFileSync(path, "id,name\n".repeat(1000)), /is not a SQLite database/],
    ["encrypted", ({ path }) => writeFileSync(path, randomBytes(8192)), /encrypted.*SQLCipher/],
    ["truncated", ({ path }) => truncateSync(path, 8192), /is corrupt.*dr list/],
    ["with a damaged page", ({ path }) => damage(path, 3), /corrupt/],
    [
      "with an index that has lost a row",
      ({ path }) => loseIndexEntry(path),
      /integrity_check says.*missing from index/,
    ],
    [
      "left in mid-transaction",
      (file) => leaveHotJournal(file),
      /died in the middle of a transaction.*Start the application/,
    ],
  ];
  for (const [what, spoil, expected] of refused) {
    it(`[guide 12, 35] says so and stores nothing: ${what}`, async () => {
      const file = protectedFile(ledgerOf("delete", 500));
      await spoil(file);
      assert.match(await refusal(file), expected);
    });
  }

  it("says which user may read it, and does not lock the application out of a file that nobody has open", function () {
    if (process.getuid?.() !== 0) skip(this, "only root can run the job as somebody else");
    const file = protectedFile(ledgerOf("wal", 10));
    const asNobody = (): string => {
      const command = ["--reuid=65534", "--regid=65534", "--clear-groups", "--", process.execPath, runnerBundle()];
      try {
        return execFileSync("setpriv", [...command, "backup", "--config", file.config], { encoding: "utf8" });
      } catch (error) {
        return (error as { stdout: string }).stdout;
      }
    };
    execFileSync("chmod", ["-R", "a+rX", file.folder]);
    chmodSync(runnerBundle(), 0o755);
    execFileSync("chmod", ["a+x", join(runnerBundle(), "..")]);
    assert.match(asNobody(), /nobody has it open.*Run the job as user id 0/);
    assert.ok(!existsSync(`${file.path}-shm`));
    chmodSync(file.path, 0o600);
    assert.match(asNobody(), /may not be read by user id 65534; it belongs to user id 0/);
    chownSync(file.path, 65534, 65534);
    assert.match(asNobody(), /may not|cannot/, "the store is still root's");
  });

  it("a writer that never lets go is waited for, and named", async () => {
    const file = protectedFile(ledgerOf("delete", 10));
    const writer = await connectSqlite(file.path, "BEGIN EXCLUSIVE;");
    try {
      assert.match(await refusal(file, { backup: { lockWaitSeconds: 1 } }), /locked.*A writer kept it locked for 1 s/);
    } finally {
      await writer.kill();
    }
  });

  it("a copy gives way to a writer that has waited too long for it", async function () {
    this.timeout(30_000);
    const { path } = protectedFile(ledgerOf("delete", 10));
    const reader = await connectSqlite(path, "BEGIN; SELECT * FROM counter;");
    const commit = ".timeout 20000\nBEGIN IMMEDIATE; UPDATE counter SET n = 0; COMMIT;";
    const writer = await connectSqlite(path, commit, false);
    try {
      const reason = await new Promise<Error>((resolve) => void watchWaitingWriters(path, 1, resolve));
      assert.match(reason.message, /gave way: a writer had waited 1 s/);
    } finally {
      await writer.kill();
      await reader.kill();
    }
  });
});

describe("SQLite files that need care", () => {
  for (const name of [
    "-dash.db",
    'it\'s "quoted".db',
    "spaces and ünïcode 漢字",
    "a=b?c&d%20#e;.db",
    "'); DROP TABLE x; --",
  ]) {
    it(`[guide 12, 32] round trip of a file called ${JSON.stringify(name)}`, async () => {
      const file = protectedFile(ledgerOf("wal", 50), {}, name);
      const before = readFileSync(file.path);
      const manifest = await backUp(file);
      assert.deepEqual(readFileSync(file.path), before, "the source is as it was");
      const into = join(file.folder, `copy of ${name}`);
      assert.deepEqual(notPassed(await restoreInto(file, manifest, into)), []);
      assert.equal(committedEntries(into), 50);
      assert.equal(sqlite(into, "PRAGMA journal_mode"), "wal");
    });
  }

  it("[guide 35] rows without a parent are backed up, and said; a restore is not proven by them", async () => {
    const file = protectedFile(`${ledgerOf("delete", 20)} DELETE FROM debit WHERE id = 7;`);
    const manifest = await backUp(file);
    assert.equal(manifest.verdict, "inconclusive");
    assert.match(manifest.reasons.join(), /foreign_key_check says: 1 rows of credit have no debit/);
    const into = join(file.folder, "restored.db");
    const restored = await restoreInto(file, manifest, into);
    assert.match(notPassed(restored).join(), /^consistency fail: 1 rows of credit have no debit \(1 when the backup/);
    assert.ok(!existsSync(into));
    const kept = await restoreInto(file, manifest, into, { keep: true });
    assert.equal(sqlite(kept.kept!, "SELECT count(*) FROM debit"), "19", "kept for whoever decides otherwise");
  });

  it("[guide 33, 34] configured rules find orphans and missing references, by NOT EXISTS", async () => {
    const rule = { table: "tasks", column: "project_id", references: "projects" };
    const orphans = [rule, { ...rule, references: "main.projects", referencedColumn: "nothing" }];
    const file = protectedFile(
      `CREATE TABLE projects (id); CREATE TABLE tasks (id INTEGER PRIMARY KEY, project_id);
       INSERT INTO projects VALUES (1), (NULL); INSERT INTO tasks (project_id) VALUES (1), (2), (3), (NULL);`,
      { checks: { orphans } },
    );
    assert.equal((await dr(["backup", "--config", file.config])).exitCode, 0);
    const test = await drJson<Test>(["restore-test", "--config", file.config]);
    assert.equal(test.exitCode, 1);
    const { detail } = test.json.checks.find(({ name }) => name === "consistency")!;
    assert.match(detail, /2 rows of tasks.project_id have no projects/);
    assert.match(detail, /1 rows of tasks.project_id name no projects at all/);
    assert.match(detail, /rule names the column main.projects.nothing, which is not in/);
  });

  it("[guide 12, 32] what files can hold survives: rowids, virtual tables, no rowids, generated columns, settings", async () => {
    const sql = `PRAGMA page_size = 8192; PRAGMA encoding = 'UTF-16le'; PRAGMA auto_vacuum = 2; PRAGMA user_version = 7; PRAGMA application_id = 99;
      CREATE TABLE "weird ""na'me; --" ("a b" TEXT, blob BLOB, real REAL);
      INSERT INTO "weird ""na'me; --" VALUES ('ünï' || char(0) || 'x', x'00ff', 1e308), (NULL, zeroblob(100000), -0.0), ('', x'', 9e999);
      CREATE TABLE gaps (v); INSERT INTO gaps SELECT value FROM generate_series(1, 100); DELETE FROM gaps WHERE v % 3 = 0;
      CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO keyed VALUES ('b', 1), ('a', 2);
      CREATE TABLE typed (id INTEGER PRIMARY KEY AUTOINCREMENT, v INT, w INT AS (v * 2) STORED) STRICT; INSERT INTO typed (v) VALUES (5);
      CREATE VIRTUAL TABLE search USING fts5(text); INSERT INTO search VALUES ('hello world');
      CREATE VIRTUAL TABLE boxes USING rtree(id, a, b); INSERT INTO boxes VALUES (1, 2, 3);
      CREATE VIEW names AS SELECT "a b" FROM "weird ""na'me; --"; CREATE INDEX partial ON gaps (v) WHERE v > 50;
      CREATE TRIGGER noted AFTER INSERT ON gaps BEGIN INSERT INTO keyed VALUES (new.v, 1); END; ANALYZE;`;
    const file = protectedFile(sql);
    const manifest = await backUp(file);
    assert.deepEqual(manifest.reasons, []);
    const into = join(file.folder, "restored.db");
    assert.deepEqual(notPassed(await restoreInto(file, manifest, into)), []);
    const look = `SELECT rowid, v FROM gaps; SELECT * FROM keyed; SELECT * FROM typed; SELECT text FROM search WHERE search MATCH 'world';
      SELECT * FROM boxes; SELECT quote("a b"), hex(blob), real FROM "weird ""na'me; --"; PRAGMA page_size; PRAGMA encoding;
      PRAGMA auto_vacuum; PRAGMA user_version; PRAGMA application_id; SELECT * FROM sqlite_stat1 ORDER BY 1, 2; SELECT sql FROM sqlite_schema ORDER BY name`;
    assert.equal(sqlite(into, look), sqlite(file.path, look));
  });
});

/** Overwrites a page. */
function damage(path: string, page: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, page * 4096, (page + 1) * 4096);
  writeFileSync(path, bytes);
}

function loseIndexEntry(path: string): void {
  sqlite(
    path,
    `CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 2), (3, 4); CREATE INDEX ta ON t (a);
     CREATE TABLE other (a); CREATE INDEX oa ON other (a); INSERT INTO other VALUES (1);
     PRAGMA writable_schema = ON;
     UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'oa') WHERE name = 'ta';
     DELETE FROM sqlite_schema WHERE name IN ('oa', 'other');`,
  );
}

/** As a crash of the application in the middle of a large transaction leaves it. */
async function leaveHotJournal({ path }: ProtectedFile): Promise<void> {
  const writer = await connectSqlite(path, "PRAGMA cache_size = 1; BEGIN; UPDATE debit SET note = note || 'x';");
  await writer.kill();
  assert.ok(existsSync(`${path}-journal`));
}
