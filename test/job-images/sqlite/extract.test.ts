import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { dr, drJson } from "../../support/runner";
import { backUp, connectSqlite, type ProtectedFile, protectedFile, sqlite } from "../../support/sqlite";

interface Extracted {
  readonly verdict: string;
  readonly checks: readonly { readonly name: string; readonly verdict: string }[];
  readonly tables: readonly { readonly table: string; readonly into: string; readonly rows: number }[];
  readonly putBack: string;
}

const schema = `PRAGMA journal_mode = wal;
CREATE TABLE projects (id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL);
CREATE TABLE tasks (id INTEGER PRIMARY KEY AUTOINCREMENT, project INTEGER REFERENCES projects, title TEXT NOT NULL DEFAULT 'x' UNIQUE,
  any, "odd ] name" DOUBLE PRECISION, twice INTEGER GENERATED ALWAYS AS (project * 2) STORED);
CREATE TABLE effects (what TEXT);
CREATE TRIGGER act AFTER INSERT ON tasks BEGIN INSERT INTO effects VALUES (NEW.title); END;
CREATE TABLE "a ""b""; --" (x);
INSERT INTO "a ""b""; --" VALUES (1), ('1'), (1.0), (x'00ff'), (NULL), ('it''s' || char(0, 10) || 'ü');
INSERT INTO projects SELECT value, value % 3 FROM generate_series(1, 9);
INSERT INTO tasks (project, title, any, "odd ] name") SELECT 1 + value % 9, 'task ' || value,
  CASE value % 4 WHEN 0 THEN value WHEN 1 THEN 'text' WHEN 2 THEN randomblob(9) END, value / 7.0 FROM generate_series(1, 900);
DELETE FROM effects;`;

const tasks = (table: string, where = "true"): string =>
  `SELECT id, project, title, quote(any), "odd ] name", twice FROM ${table} WHERE ${where} ORDER BY id;`;

describe("dr extract from SQLite", function () {
  this.timeout(60_000);
  let file: ProtectedFile;
  const extract = (args: readonly string[], into = file.path) =>
    drJson<Extracted>(["extract", "--into", into, "--config", file.config, ...args]);
  before(async () => {
    file = protectedFile(schema);
    await backUp(file);
  });

  it("[guide 39] brings rows back into tables of their own, with a writer's connection open, and says how to put them right", async () => {
    const where = "project IN (SELECT id FROM projects WHERE tenant = 1)";
    const [all, wanted] = [sqlite(file.path, tasks("tasks")), sqlite(file.path, tasks("tasks", where))];
    sqlite(file.path, `DELETE FROM tasks WHERE ${where};`);
    const open = await connectSqlite(file.path, "SELECT count(*) FROM tasks;");
    const { json, exitCode, stdout } = await extract(["--table", "Tasks", "--where", where, "--schema", "back then"]);
    await open.kill();
    assert.equal(exitCode, 0, stdout);
    assert.deepEqual(
      json.tables.map(({ table, into, rows }) => ({ table, into, rows })),
      [{ table: "tasks", into: `"back then_tasks"`, rows: 300 }],
    );
    assert.equal(sqlite(file.path, tasks(`"back then_tasks"`)), wanted);
    assert.equal(
      sqlite(
        file.path,
        `SELECT sql FROM sqlite_schema WHERE tbl_name = 'back then_tasks'; SELECT count(*) FROM effects;`,
      ),
      `CREATE TABLE "back then_tasks" ("id" INTEGER, "project" INTEGER, "title" TEXT, "any", "odd ] name" REAL, "twice" INTEGER)\n0`,
    );
    sqlite(file.path, json.putBack.replace(/ROLLBACK;$/, "COMMIT;"));
    assert.equal(sqlite(file.path, tasks("tasks")), all);
    const again = await dr([
      "extract",
      "--into",
      file.path,
      "--config",
      file.config,
      "--table",
      "tasks",
      "--schema",
      "BACK then",
    ]);
    assert.equal(again.exitCode, 2, "what is there is never written over");
  });

  it("brings a table of an awkward name into a new file, to the last byte", async () => {
    const into = join(file.folder, "it's new.db");
    const { exitCode, stdout } = await extract(["--table", `"a ""b""; --"`, "--schema", "r"], into);
    assert.equal(exitCode, 0, stdout);
    const values = (table: string): string => `SELECT typeof(x), hex(x) FROM ${table} ORDER BY rowid;`;
    assert.equal(sqlite(into, values(`"r_a ""b""; --"`)), sqlite(file.path, values(`"a ""b""; --"`)));
  });

  it("refuses what is hostile, missing or locked, and makes nothing", async () => {
    const into = join(file.folder, "none.db");
    const before = sqlite(file.path, "SELECT group_concat(name) FROM sqlite_schema;");
    const table = ["--table", "tasks"];
    const cases = [
      [["--table", "taks", "--table", 'tasks"; DROP TABLE tasks; --'], 2, /there is tasks[\s\S]*is no table name/],
      [[...table, "--where", "1); DROP TABLE tasks; --"], 2, /closes nothing/],
      [[...table, "--where", `"tenat" = 1`], 2, /no such column: .*tenat/],
      [[...table, "--where", "tenant = :tenant"], 2, /parameter/],
      [[...table, "--where", "project = 1 AND 1 = writefile('/tmp/owned', 'x')"], 2, /writefile|safe/],
      [[...table, "--where", "id = -1"], 1, /no row meets/],
      [["--from-schema", "main"], 2, /no schemas/],
    ] as const;
    for (const [index, [args, exitCode, expected]] of cases.entries()) {
      const place = index % 2 === 0 ? file.path : into;
      const result = await dr(["extract", "--into", place, "--config", file.config, "--json", ...args]);
      assert.equal(result.exitCode, exitCode, `${args.join(" ")}\n${result.stdout}`);
      assert.match(result.stdout, expected);
      assert.ok(!existsSync(into));
    }
    const lock = await connectSqlite(file.path, "BEGIN IMMEDIATE;");
    const locked = await drJson<Extracted>(["extract", "--into", file.path, "--config", file.config, ...table]);
    await lock.kill();
    assert.equal(locked.exitCode, 1, locked.stdout);
    assert.match(locked.stdout, /database is locked/);
    assert.equal(sqlite(file.path, "SELECT group_concat(name) FROM sqlite_schema;"), before);
  });
});
