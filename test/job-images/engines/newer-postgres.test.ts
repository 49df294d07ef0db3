import assert from "node:assert/strict";
import { join } from "node:path";
import { connect } from "../../../job-images/src/engines/postgres/session";
import { findPostgresTools } from "../../../job-images/src/engines/postgres/tools";
import { contents, contentsOf, now, startWriter } from "../../support/ledger";
import { type OtherPostgres, otherPostgres, whyNoPostgres } from "../../support/newer-postgres";
import { withClient } from "../../support/postgres";
import { drJson } from "../../support/runner";
import { skip } from "../../support/skip";
import {
  manifestsOf,
  type StreamedDatabase,
  streamedDatabase,
  untilBaseBackup,
  untilCovered,
} from "../../support/streamed-database";

interface Answer {
  readonly verdict: string;
  readonly level?: string;
  readonly checks: readonly { readonly name: string; readonly verdict: string; readonly detail: string }[];
}

/** What an application has, and what newer versions tell of in other words. */
const application = `
  CREATE ROLE clerk NOLOGIN; CREATE ROLE "night shift" LOGIN IN ROLE clerk CONNECTION LIMIT 3;
  ALTER DATABASE ledger SET work_mem = '5MB'; ALTER ROLE "night shift" IN DATABASE ledger SET search_path = app, public;
  CREATE SCHEMA app AUTHORIZATION clerk;
  CREATE DOMAIN app.percent AS int NOT NULL CHECK (VALUE BETWEEN 0 AND 100);
  CREATE TYPE app.state AS ENUM ('open', 'paid');
  CREATE TABLE app.client (id int GENERATED ALWAYS AS IDENTITY (START 10) PRIMARY KEY, name text NOT NULL UNIQUE, about jsonb,
    discount app.percent DEFAULT 0, upper_name text GENERATED ALWAYS AS (upper(name)) STORED);
  CREATE TABLE app.bill (id bigint NOT NULL, client int NOT NULL REFERENCES app.client, day date NOT NULL, state app.state, PRIMARY KEY (id, day))
    PARTITION BY RANGE (day);
  CREATE TABLE app.bill_2025 PARTITION OF app.bill FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
  CREATE TABLE app.bill_2026 PARTITION OF app.bill FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
  CREATE INDEX ON app.client USING gin (about);
  CREATE SEQUENCE app.number START 1000;
  CREATE VIEW app.open_bill AS SELECT b.id, c.name FROM app.bill b JOIN app.client c ON c.id = b.client WHERE b.state = 'open';
  CREATE MATERIALIZED VIEW app.bills AS SELECT day, count(*) AS n FROM app.bill GROUP BY day;
  CREATE FUNCTION app.next() RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('app.number') $$;
  ALTER TABLE app.client ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON app.client TO clerk USING (name <> 'x');
  GRANT SELECT, INSERT ON app.client TO clerk; GRANT ALL ON app.bill TO "night shift";
  ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO clerk;
  CREATE STATISTICS app.both ON client, state FROM app.bill;
  CREATE PUBLICATION clients FOR TABLE app.client;
  COMMENT ON TABLE app.client IS 'people';
  INSERT INTO app.client (name, about) SELECT 'client ' || i, jsonb_build_object('n', i, 'tags', jsonb_build_array(i % 7)) FROM generate_series(1, 2000) i;
  INSERT INTO app.bill SELECT i, 10 + i % 2000, date '2025-06-01' + i % 500, CASE WHEN i % 3 = 0 THEN 'open' ELSE 'paid' END::app.state FROM generate_series(1, 5000) i;
  SELECT app.next(), app.next(); REFRESH MATERIALIZED VIEW app.bills;
  SELECT lo_from_bytea(0, decode(repeat('ab', 5000), 'hex'));`;

const names: Readonly<Record<number, string>> = {
  16: "ALTER TABLE app.client ADD COLUMN email text STORAGE EXTERNAL",
  18: `ALTER TABLE app.client ADD COLUMN email text, ADD COLUMN half int GENERATED ALWAYS AS (id / 2) VIRTUAL;
       ALTER TABLE app.client ADD CONSTRAINT "about is known" NOT NULL about NOT VALID;
       ALTER TABLE app.client ADD CONSTRAINT later CHECK (id > 0) NOT ENFORCED`,
};

for (const major of [16, 18]) {
  describe(`PostgreSQL ${major}`, function () {
    this.timeout(120_000);
    let postgres: OtherPostgres;
    let database: StreamedDatabase;
    before(async function () {
      const reason = await whyNoPostgres(major);
      if (reason !== undefined) skip(this, reason);
      postgres = (await otherPostgres(major))!;
      database = await streamedDatabase(postgres);
      await withClient(database.server, "ledger", async (client) => {
        await client.query(application);
        await client.query(names[major]!);
      });
      await beat();
    });
    after(() => database?.destroy());

    /** As `dr heartbeat` does. */
    const beat = () => withClient(database.server, "ledger", (client) => client.query("SELECT dr_canary.beat()"));

    async function run<Document = Answer>(...words: string[]): Promise<Document> {
      const { json, exitCode, stdout, stderr } = await drJson<Document>(
        [...words, "--config", database.config],
        postgres.env,
      );
      assert.equal(exitCode, 0, stdout + stderr);
      return json;
    }

    it("[guide 27] is dumped, restored and proven, and what is done to a dump is caught", async () => {
      const { backups } = await run<{ backups: { id: string; verdict: string }[] }>("backup");
      const { id } = backups[0]!;
      const tested = await run("restore-test", id);
      assert.equal(tested.verdict, "pass");
      assert.equal(tested.checks.find(({ name }) => name === "structure")?.verdict, "pass");
      const { caught, total } = await run<{ caught: number; total: number }>("prove", id);
      console.log(`      caught: ${caught} of ${total}`);
      assert.equal(caught, total);
      // What is compared is really there to be compared.
      const url = database.server.url("again");
      await run("restore", id, "--into", url);
      const count = (name: string) =>
        withClient(database.server, name, async (client) => {
          const { rows } = await client.query<{ text: string }>(
            `SELECT concat_ws(' ', (SELECT count(*) FROM app.client), (SELECT count(*) FROM app.bill), (SELECT last_value FROM app.number),
               (SELECT count(*) FROM pg_largeobject), (SELECT setting FROM pg_settings WHERE name = 'work_mem')) AS text`,
          );
          return rows[0]!.text;
        });
      assert.equal(await count("again"), await count("ledger"));
      await withClient(database.server, "postgres", (client) => client.query("DROP DATABASE again"));
    });

    it("is streamed, and recovered to a moment and to its newest state", async () => {
      const streaming = database.stream();
      await untilBaseBackup(database, manifestsOf(database).length + 1);
      const writer = startWriter(await connect(database.server.access("ledger")));
      await untilCovered(database);
      const at = await now(database.server);
      const base = await run<{ backups: { id: string; verdict: string }[] }>("backup", "--method", "base");
      assert.equal(base.backups[0]!.verdict, "pass");
      await writer.stop();
      await untilCovered(database);
      const doctor = await drJson<{ checks: { name: string; verdict: string; found: string }[] }>(
        ["doctor", "--config", database.config],
        postgres.env,
      );
      const inTheWay = doctor.json.checks.filter(({ verdict }) => verdict !== "pass").map(({ name }) => name);
      // Nothing limits the slot in this test, and these programs bring no amcheck.
      assert.deepEqual(inTheWay, ["ledger page checks", "ledger log"], doctor.stdout);

      const into = join(database.server.directory, "recovered");
      const restored = await run("restore", "--to", at.toISOString(), "--into", into);
      const pages = restored.checks.find(({ name }) => name === "pages")!;
      assert.match(pages.detail, /every page has its checksum; no index was compared/);
      assert.equal(restored.level, "structure");
      const expected = await withClient(database.server, "ledger", (client) =>
        contents(client, `WHERE pg_xact_commit_timestamp(xmin) <= '${at.toISOString()}'`),
      );
      assert.deepEqual(await contentsOf(database.server, into), expected);

      const newest = join(database.server.directory, "newest");
      const recovered = await run<{ chosen: string; place: string }>(
        ...["recover", "--to", "latest", "--into", newest, "--yes"],
      );
      assert.equal(recovered.place, newest);
      assert.deepEqual(
        await contentsOf(database.server, newest),
        await withClient(database.server, "ledger", (client) => contents(client)),
      );
      await streaming.stop();
      const tested = await run("restore-test");
      assert.equal(tested.verdict, "pass");
    });
  });
}

describe("a base backup where contrib is not installed", function () {
  this.timeout(120_000);

  it("is not said to have sound pages when it has no checksums either", async function () {
    const reason = await whyNoPostgres(16);
    if (reason !== undefined) skip(this, reason);
    const postgres = (await otherPostgres(16))!;
    const database = await streamedDatabase({ ...postgres, dataChecksums: false });
    try {
      const words = ["--config", database.config];
      await withClient(database.server, "ledger", (client) => client.query("SELECT dr_canary.beat()"));
      await drJson(["backup", "--method", "base", ...words], postgres.env);
      const { json, exitCode, stdout } = await drJson<Answer>(["restore-test", ...words], postgres.env);
      assert.equal(exitCode, 3, stdout);
      const pages = json.checks.find(({ name }) => name === "pages")!;
      assert.equal(pages.verdict, "inconclusive");
      assert.match(pages.detail, /amcheck is not installed.*nobody has looked at its pages/);
    } finally {
      await database.destroy();
    }
  });
});

describe("a dump of an older PostgreSQL", function () {
  this.timeout(120_000);

  it("[guide 27] is restored into a newer server, and proven there", async function () {
    const reason = await whyNoPostgres(18);
    if (reason !== undefined) skip(this, reason);
    const own = (await findPostgresTools()).at(-1)!;
    if (own.major >= 18) skip(this, `the machine's own PostgreSQL is ${own.major}`);
    const older = await streamedDatabase();
    const newer = await streamedDatabase(await otherPostgres(18));
    try {
      await withClient(older.server, "ledger", (client) => client.query(`${application} SELECT dr_canary.beat()`));
      await drJson(["prepare", "ledger", "--config", older.config]);
      const { env } = (await otherPostgres(18))!;
      const words = ["--config", older.config];
      const taken = await drJson<{ backups: { id: string }[] }>(["backup", ...words]);
      assert.equal(taken.exitCode, 0, taken.stdout);
      const { id } = taken.json.backups[0]!;
      const restored = await drJson<Answer>(["restore", id, "--into", newer.server.url("upgraded"), ...words], env);
      assert.equal(restored.exitCode, 0, restored.stdout);
    } finally {
      await older.destroy();
      await newer.destroy();
    }
  });
});
