import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../../../job-images/src/engines/postgres/session";
import { withClient } from "../../support/postgres";
import { dr, drJson, finished, startRunner } from "../../support/runner";
import { type StreamedDatabase, streamedDatabase } from "../../support/streamed-database";

interface ReProtected {
  readonly verdict: string;
  readonly missing: readonly string[];
  readonly reProtectedSeconds: number | null;
  readonly evidence: string;
}

describe("dr re-protect", function () {
  this.timeout(120_000);
  let database: StreamedDatabase;
  before(async () => {
    database = await streamedDatabase({ settings: { max_slot_wal_keep_size: "1GB" } });
  });
  after(() => database.destroy());

  it("[guide 23] finishes a recovery only once backup and log are there again, and measures the time", async () => {
    const since = new Date().toISOString();
    const { server } = database;
    await withClient(server, "ledger", async (client) => {
      await client.query(`CREATE ROLE "the app" LOGIN; INSERT INTO public.entry (amount) VALUES (1)`);
    });
    const hba = join(server.dataDirectory, "pg_hba.conf");
    writeFileSync(hba, `host all "the app" 127.0.0.1/32 scram-sha-256\n${readFileSync(hba, "utf8")}`);
    await withClient(server, "ledger", (client) => client.query("SELECT pg_reload_conf()"));
    const passwords = join(database.folder, "passwords.json");
    writeFileSync(passwords, JSON.stringify({ "the app": "pässwörd 'quoted'" }));
    const args = (...more: string[]): string[] => [
      "re-protect",
      "--since",
      since,
      "--config",
      database.config,
      ...more,
    ];

    const early = await drJson<ReProtected>(args("--wait", "0", "--role-passwords", passwords));
    assert.equal(early.exitCode, 1, early.stdout);
    assert.ok(early.json.missing.includes("log") && !early.json.missing.includes("backup"), early.stdout);
    assert.equal(early.json.reProtectedSeconds, null);
    const login = (password: string) =>
      connect({ ...server.access("ledger"), host: "127.0.0.1", user: "the app", password });
    await (await login("pässwörd 'quoted'")).end();
    await assert.rejects(login("another"), /password authentication failed/);
    const next = await withClient(server, "ledger", async (client) => {
      const { rows } = await client.query<{ id: string }>("INSERT INTO public.entry (amount) VALUES (1) RETURNING id");
      return Number(rows[0]!.id);
    });
    assert.ok(next > 1000, `id ${next} may have been given out before`);

    const heart = startRunner(["heartbeat", "ledger", "--config", database.config]);
    const heartEnd = finished(heart);
    const streaming = database.stream();
    const late = await drJson<ReProtected>(args("--wait", "60"));
    await streaming.stop();
    heart.kill("SIGTERM");
    await heartEnd;
    assert.equal(late.exitCode, 0, late.stdout + late.stderr);
    const seconds = (Date.now() - new Date(since).getTime()) / 1000;
    assert.ok(late.json.reProtectedSeconds! > 0 && late.json.reProtectedSeconds! <= seconds, late.stdout);
    const record = JSON.parse(readFileSync(join(database.store, late.json.evidence), "utf8")) as ReProtected;
    assert.equal(record.reProtectedSeconds, late.json.reProtectedSeconds);
  });

  it("refuses what it cannot use, and changes nothing", async () => {
    const broken = join(database.folder, "broken.json");
    writeFileSync(broken, '{"postgres": "secret"');
    const empty = join(database.folder, "empty.json");
    writeFileSync(empty, '{"a": ""}');
    const unknown = join(database.folder, "unknown.json");
    writeFileSync(unknown, '{"nobody": "x"}');
    const since = ["--since", new Date().toISOString()];
    for (const [args, exitCode, expected] of [
      [[], 2, /say when the recovery began/],
      [["--since", "2099-01-01T00:00:00Z"], 2, /a moment that has been/],
      [[...since, "--wait", "soon"], 2, /whole number/],
      [[...since, "--role-passwords", broken], 2, /it is not JSON/],
      [[...since, "--role-passwords", empty], 2, /no password is given for a/],
      [[...since, "--role-passwords", unknown], 1, /no role nobody/],
    ] as const) {
      const result = await dr(["re-protect", "--config", database.config, "--json", ...args]);
      assert.equal(result.exitCode, exitCode, result.stdout);
      assert.match(result.stdout, expected);
      assert.doesNotMatch(result.stdout + result.stderr, /secret/);
    }
  });
});
