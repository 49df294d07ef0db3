import assert from "node:assert/strict";
import { join } from "node:path";
import { type LocalServer } from "../../../job-images/src/engines/postgres/server";
import { makeDatabase, temporaryFolder, withClient } from "../../support/postgres";
import { dr, drJson, writeConfig } from "../../support/runner";

interface Extracted {
  readonly verdict: string;
  readonly problems?: readonly string[];
  readonly error?: string;
  readonly checks: readonly { readonly name: string; readonly verdict: string; readonly detail: string }[];
  readonly tables: readonly { readonly table: string; readonly into: string; readonly rows: number }[];
  readonly notes: readonly string[];
  readonly putBack: string;
}

const name = `extract "me"`;

const schema = `
  CREATE SCHEMA app; CREATE SCHEMA "Odd.Schema"; CREATE SCHEMA audit;
  CREATE TYPE app.state AS ENUM ('open', 'closed');
  CREATE DOMAIN app.short AS text CHECK (length(VALUE) < 40);
  CREATE TABLE app.projects (id int PRIMARY KEY, tenant_id int NOT NULL);
  CREATE TABLE app.tasks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id int NOT NULL, project_id int REFERENCES app.projects,
    title app.short NOT NULL DEFAULT 'x', state app.state NOT NULL DEFAULT 'open', tags text[], data jsonb, raw bytea,
    doubled int GENERATED ALWAYS AS (tenant_id * 2) STORED);
  CREATE TABLE app.side_effects (what text);
  CREATE FUNCTION app.act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO app.side_effects VALUES (TG_OP); RETURN NEW; END $$;
  CREATE TRIGGER act AFTER INSERT ON app.tasks FOR EACH ROW EXECUTE FUNCTION app.act();
  INSERT INTO app.projects SELECT i, i % 3 FROM generate_series(1, 9) i;
  INSERT INTO app.tasks (tenant_id, project_id, title, tags, data, raw)
    SELECT i % 3, 1 + i % 9, CASE i % 4 WHEN 0 THEN E'tab\\tnew\\nline \\\\. ' || i WHEN 1 THEN '\\.' ELSE 'ünï ' || i END,
      ARRAY['a', NULL, 'b"c'], jsonb_build_object('i', i), decode(md5(i::text), 'hex') FROM generate_series(1, 3000) i;
  DELETE FROM app.side_effects;
  CREATE TABLE app.events (id int, at date NOT NULL) PARTITION BY RANGE (at);
  CREATE TABLE app.events_2025 PARTITION OF app.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
  CREATE TABLE app.events_2026 PARTITION OF app.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  INSERT INTO app.events SELECT i, '2025-07-01'::date + i FROM generate_series(1, 400) i;
  CREATE TABLE "Odd.Schema"."a ""b"" c; --" ("Column :x" int, """" text);
  INSERT INTO "Odd.Schema"."a ""b"" c; --" VALUES (1, ':x'), (2, NULL), (3, '\\N');
  CREATE TABLE audit.users AS SELECT 1 AS id; CREATE TABLE app.users AS SELECT 2 AS id;
  CREATE TABLE app.snow AS SELECT '☃' AS flake;
  CREATE FUNCTION app.peek() RETURNS int LANGUAGE sql AS 'SELECT max(id) FROM app.projects';`;

/** A text that is the same exactly when every row is. */
const rowsOf = (table: string, where = "true"): string =>
  `SELECT count(*)::int AS count, md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS rows FROM (SELECT * FROM ${table} WHERE ${where}) t`;

describe("dr extract from PostgreSQL", function () {
  this.timeout(120_000);
  let server: LocalServer;
  let config: string;
  let id: string;

  const extract = (args: readonly string[]) =>
    drJson<Extracted>(["extract", "--into", server.url(name), "--config", config, ...args]);
  const query = <Row extends object>(sql: string): Promise<Row> =>
    withClient(server, name, async (client) => {
      const results = (await client.query<Row>(sql)) as unknown as { rows: Row[] } | { rows: Row[] }[];
      return (Array.isArray(results) ? results.at(-1)! : results).rows[0]!;
    });
  const schemas = async (): Promise<string[]> =>
    (await query<{ names: string[] }>("SELECT array_agg(nspname::text ORDER BY 1) AS names FROM pg_namespace")).names;

  before(async () => {
    server = await makeDatabase(name, schema);
    config = writeConfig(temporaryFolder(), {
      store: `file://${join(temporaryFolder(), "store")}`,
      databases: [{ name: "it", engine: "postgres", url: server.url(name) }],
    });
    const backup = await drJson<{ backups: { id: string }[] }>(["backup", "--config", config]);
    assert.equal(backup.exitCode, 0, backup.stdout);
    id = backup.json.backups[0]!.id;
  });

  it("[guide 39] brings one tenant's rows back beside the live ones, and the SQL that it prints puts them right", async () => {
    const before = await query(rowsOf("app.tasks"));
    const wanted = await query(rowsOf("app.tasks", "tenant_id = 1"));
    await query("DELETE FROM app.tasks WHERE tenant_id = 1 AND id % 2 = 0");
    await query("UPDATE app.tasks SET state = 'closed', title = 'wrong' WHERE tenant_id = 1");
    const { json, exitCode, stdout } = await extract([
      id,
      ...["--table", "app.tasks", "--where", "tenant_id = 1", "--schema", "Back :then"],
    ]);
    assert.equal(exitCode, 0, stdout);
    const side = `"Back :then"."tasks"`;
    assert.deepEqual(
      json.tables.map(({ table, into, rows }) => ({ table, into, rows })),
      [{ table: "app.tasks", into: side, rows: 1000 }],
    );
    assert.deepEqual(await query(rowsOf(side)), wanted);
    assert.deepEqual(
      await query(
        `SELECT (SELECT count(*)::int FROM pg_trigger WHERE tgrelid = '${side}'::regclass) AS triggers,
           (SELECT count(*)::int FROM pg_constraint WHERE conrelid = '${side}'::regclass) AS constraints,
           (SELECT count(*)::int FROM pg_attrdef WHERE adrelid = '${side}'::regclass) AS defaults,
           (SELECT count(*)::int FROM pg_attribute WHERE attrelid = '${side}'::regclass AND (attidentity <> '' OR attgenerated <> '')) AS generated,
           (SELECT count(*)::int FROM app.side_effects) AS "sideEffects"`,
      ),
      { triggers: 0, constraints: 0, defaults: 0, generated: 0, sideEffects: 0 },
    );
    assert.deepEqual(
      json.checks.map(({ name: check, verdict }) => `${check} ${verdict}`),
      ["parts pass", "counts pass", "rows pass", "content pass"],
    );
    await query(json.putBack.replace(/ROLLBACK;$/, "COMMIT;"));
    assert.deepEqual(await query(rowsOf("app.tasks")), before);
    const next = await query<{ id: string }>("INSERT INTO app.tasks (tenant_id) VALUES (9) RETURNING id");
    assert.ok(Number(next.id) > 3000, "the identity column goes on after what was put back");
    await query("DELETE FROM app.tasks WHERE tenant_id = 9");
  });

  it("brings a schema of awkward names, and rows by a condition that looks into another table", async () => {
    const odd = await extract(["--from-schema", "Odd.Schema"]);
    assert.equal(odd.exitCode, 0, odd.stdout);
    const side = odd.json.tables[0]!.into;
    assert.match(side, /^"recovered_\d{8}t\d{6}z"\."a ""b"" c; --"$/);
    assert.deepEqual(await query(rowsOf(side)), await query(rowsOf(`"Odd.Schema"."a ""b"" c; --"`)));
    const where = "project_id IN (SELECT id FROM app.projects WHERE tenant_id = 2)";
    const sub = await extract(["--table", "app.tasks", "--where", where, "--schema", "sub"]);
    assert.equal(sub.exitCode, 0, sub.stdout);
    assert.deepEqual(await query(rowsOf("sub.tasks")), await query(rowsOf("app.tasks", where)));
  });

  it("stands in nobody's way: no type of the application's, and nothing that a publication would send", async () => {
    await query("CREATE PUBLICATION everything FOR ALL TABLES");
    const { json, exitCode, stdout } = await extract([
      id,
      ...["--table", "tasks", "--table", "events", "--schema", "independent"],
    ]);
    await query("DROP PUBLICATION everything");
    assert.equal(exitCode, 0, stdout);
    assert.match(json.notes.join(), /UNLOGGED/);
    assert.deepEqual(await query(rowsOf("independent.events")), await query(rowsOf("app.events")), "every partition's");
    assert.deepEqual(
      await query(
        `SELECT relpersistence AS kept, (SELECT count(*)::int FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND t.typnamespace <> 'pg_catalog'::regnamespace) AS types
         FROM pg_class c WHERE oid = 'independent.tasks'::regclass`,
      ),
      { kept: "u", types: 0 },
    );
  });

  it("refuses what is hostile, ambiguous, missing or there already, and makes nothing", async () => {
    const before = await schemas();
    const condition = (where: string): string[] => ["--table", "app.tasks", "--where", where];
    const cases: [args: string[], exitCode: number, ...expected: RegExp[]][] = [
      [
        ["users", "app.users", "audit.users", "app.taks", 'app.tasks"; DROP SCHEMA app CASCADE; --'].flatMap((word) => [
          "--table",
          word,
        ]),
        2,
        ...[/app\.users or audit\.users/, /there is app\.tasks/, /is no table name/, /would both become users/],
      ],
      [[...condition("tenant = 1"), "--table", "projects"], 2, /tasks: column .*tenant/, /projects: column .*tenant/],
      [condition("id < app.peek()"), 2, /app\.peek/],
      [condition("tenant_id = 77"), 1, /no row of app\.tasks/],
      [[...condition("true; DROP TABLE app.tasks"), "--schema", "pg_mine"], 2, /semicolon/, /belongs to the database/],
      [condition("true) TO PROGRAM 'touch /tmp/owned' --"), 2, /closes nothing/],
      [["--table", "app.tasks", "--schema", "app"], 2, /exists/],
      [["--table", "app.tasks", "--from-schema", "app"], 2, /--from-schema/],
      [[], 2, /--table/],
    ];
    for (const [args, exitCode, ...expected] of cases) {
      const result = await dr(["extract", "--into", server.url(name), "--config", config, "--json", ...args]);
      assert.equal(result.exitCode, exitCode, `${args.join(" ")}\n${result.stdout}`);
      for (const each of expected) assert.match(result.stdout, each);
    }
    assert.deepEqual(await schemas(), before);
  });

  it("leaves nothing when the live database cannot take the rows", async () => {
    await query(`CREATE DATABASE "extract latin" TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'`);
    const { exitCode, json, stdout } = await drJson<Extracted>([
      ...["extract", id, "--into", server.url("extract latin"), "--config", config],
      ...["--table", "app.users", "--table", "app.snow", "--schema", "back"],
    ]);
    assert.equal(exitCode, 1, stdout);
    assert.deepEqual(json.tables, []);
    assert.match(json.checks.find(({ name: check }) => check === "copy")!.detail, /no equivalent in encoding "LATIN1"/);
    await withClient(server, "extract latin", async (client) => {
      const { rowCount } = await client.query("SELECT FROM pg_namespace WHERE nspname = 'back'");
      assert.equal(rowCount, 0);
    });
  });
});
