import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dr, drJson, writeConfig } from "../../support/runner";
import { makeDatabase, postgresServer, temporaryFolder, withClient } from "../../support/postgres";

function configFor(url: string, more: Record<string, unknown> = {}): { path: string; store: string } {
  const folder = temporaryFolder();
  const store = join(folder, "store");
  const path = writeConfig(folder, {
    store: `file://${store}`,
    databases: [{ name: "it", engine: "postgres", url, ...more }],
  });
  return { path, store };
}

/** Nothing that a reader could take for a recovery point, and nothing half-written. */
function assertEmptyStore(store: string): void {
  for (const prefix of ["catalog", "parts"]) {
    const folder = join(store, prefix);
    const files = existsSync(folder)
      ? readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      : [];
    assert.deepEqual(files, [], `${prefix} must be empty`);
  }
}

describe("bad input", () => {
  it("names every mistake of a configuration at once and does nothing", async () => {
    const folder = temporaryFolder();
    const config = writeConfig(folder, {
      store: "s3://x",
      databases: [
        { name: "Not A Slug", engine: "postgres", url: "postgresql://me:secret@host/db" },
        { name: "two", engine: "oracle" },
        { name: "lite", engine: "sqlite", path: "relative.db" },
      ],
      objectives: { rtoMinutes: -1 },
      extra: true,
    });
    const { exitCode, json } = await drJson<{ problems: string[] }>(["backup", "--config", config]);
    assert.equal(exitCode, 2);
    for (const expected of [
      "store",
      "databases.0.name",
      "databases.0.url",
      "databases.1.engine",
      "databases.2.path",
      "objectives",
      "extra",
    ]) {
      assert.ok(
        json.problems.some((problem) => problem.includes(expected)),
        `${expected} in\n${json.problems.join("\n")}`,
      );
    }
    assert.ok(!JSON.stringify(json).includes("secret"), "a password must never be repeated");
  });

  const refused: readonly [string, string, RegExp][] = [
    ["an unreachable server", "postgresql://me@127.0.0.1:1/db", /cannot be reached.*ECONNREFUSED/],
    ["a host that does not exist", "postgresql://me@no-such-host.invalid/db", /cannot be reached/],
  ];
  for (const [what, url, expected] of refused) {
    it(`says so and ends 1: ${what}`, async () => {
      const { path, store } = configFor(url);
      const { exitCode, json } = await drJson<{ verdict: string; backups: { reasons: string[] }[] }>([
        "backup",
        "--config",
        path,
      ]);
      assert.equal(exitCode, 1);
      assert.equal(json.verdict, "fail");
      assert.match(json.backups[0]!.reasons.join(), expected);
      assertEmptyStore(store);
    });
  }

  it("refuses a wrong password without repeating it", async () => {
    const server = await postgresServer();
    await withClient(server, "postgres", (client) =>
      client.query("DROP ROLE IF EXISTS needs_password; CREATE ROLE needs_password LOGIN PASSWORD 'right'"),
    );
    const hba = join(server.dataDirectory, "pg_hba.conf");
    writeFileSync(
      hba,
      "local all needs_password scram-sha-256\nlocal all all trust\nhost all needs_password 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nlocal replication all trust\n",
    );
    await withClient(server, "postgres", (client) => client.query("SELECT pg_reload_conf()"));
    const folder = temporaryFolder();
    const password = join(folder, "password");
    writeFileSync(password, "wrong-and-secret\n");
    const { path, store } = configFor(server.url("postgres", "needs_password"), { passwordFile: password });
    const wrong = await dr(["backup", "--config", path]);
    assert.equal(wrong.exitCode, 1);
    assert.match(wrong.stdout, /refuses needs_password.*passwordFile/s);
    assert.ok(!`${wrong.stdout}${wrong.stderr}`.includes("wrong-and-secret"));
    assertEmptyStore(store);
    const none = configFor(server.url("postgres", "needs_password"));
    assert.match((await dr(["backup", "--config", none.path])).stdout, /password/);
  });

  for (const name of ["no such database", "-dash", "quo\"te's", "spaces and ünïcode 漢字", "a=b?c&d%20"]) {
    it(`[guide 7] backs up and restores a database called ${JSON.stringify(name)}, and says when it is not there`, async function () {
      this.timeout(60_000);
      const server = await postgresServer();
      const { path, store } = configFor(server.url(name));
      const missing = await dr(["backup", "--config", path]);
      assert.equal(missing.exitCode, 1);
      assert.match(missing.stdout, /does not exist/);
      assertEmptyStore(store);
      if (name === "no such database") return;
      await makeDatabase(name, "CREATE TABLE public.t AS SELECT generate_series(1, 5) AS a");
      assert.equal((await dr(["backup", "--config", path])).exitCode, 0);
      const restored = await dr(["restore", "latest", "--into", server.url(`${name} copy`), "--config", path]);
      assert.equal(restored.exitCode, 0, restored.stdout + restored.stderr);
    });
  }

  it("never restores over a database that exists", async () => {
    const server = await makeDatabase("precious", "CREATE TABLE public.t AS SELECT 1 AS a");
    const { path } = configFor(server.url("precious"));
    assert.equal((await dr(["backup", "--config", path])).exitCode, 0);
    const over = await dr(["restore", "latest", "--into", server.url("precious"), "--config", path]);
    assert.equal(over.exitCode, 1);
    assert.match(over.stderr, /never writes over/);
  });

  it("refuses, naming the objects, what the backup role would silently miss", async () => {
    const server = await makeDatabase(
      "hidden",
      `CREATE TABLE public.open (a int); CREATE TABLE public.secret (a int); CREATE TABLE public.filtered (a int);
       ALTER TABLE public.filtered ENABLE ROW LEVEL SECURITY; SELECT lo_create(777);
       DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'weak') THEN CREATE ROLE weak LOGIN; END IF; END $$;
       GRANT SELECT ON public.open, public.filtered TO weak;`,
    );
    const { path, store } = configFor(server.url("hidden", "weak"), { adminUrl: server.url("hidden") });
    const refusedRun = await dr(["backup", "--config", path]);
    assert.equal(refusedRun.exitCode, 1);
    for (const named of [
      "table public.secret: no SELECT",
      "table public.filtered: row-level security",
      "large object 777",
    ]) {
      assert.ok(refusedRun.stdout.includes(named), `${named} in ${refusedRun.stdout}`);
    }
    assertEmptyStore(store);
    const printed = await drJson<{ statements: string[]; applied: boolean }>([
      "prepare",
      "it",
      "--print",
      "--config",
      path,
    ]);
    assert.equal(printed.json.applied, false);
    assert.equal((await dr(["backup", "--config", path])).exitCode, 1, "--print must change nothing");
    assert.equal((await dr(["prepare", "it", "--config", path])).exitCode, 0);
    assert.equal((await dr(["prepare", "it", "--config", path])).exitCode, 0, "prepare may be run again");
    assert.equal((await dr(["backup", "--config", path])).exitCode, 3, "no rows: suspicious, and no longer refused");
  });

  it("ends inconclusive for an empty database, and says why", async () => {
    const server = await makeDatabase("hollow", "SELECT 1");
    const { path } = configFor(server.url("hollow"));
    const { exitCode, json } = await drJson<{ backups: { verdict: string; reasons: string[] }[] }>([
      "backup",
      "--config",
      path,
    ]);
    assert.equal(exitCode, 3);
    assert.match(json.backups[0]!.reasons.join(), /holds no table/);
  });

  it("ends inconclusive when the database shrank, and says by how much", async () => {
    const server = await makeDatabase("shrinking", "CREATE TABLE public.t AS SELECT generate_series(1, 5000) AS a");
    const { path } = configFor(server.url("shrinking"));
    assert.equal((await dr(["backup", "--config", path])).exitCode, 0);
    await withClient(server, "shrinking", (client) => client.query("DELETE FROM public.t WHERE a > 1000"));
    const { exitCode, json } = await drJson<{ backups: { reasons: string[] }[] }>(["backup", "--config", path]);
    assert.equal(exitCode, 3);
    assert.match(json.backups[0]!.reasons.join(), /1000 rows, 80 % fewer/);
  });

  it("knows what its words mean", async () => {
    for (const [words, exitCode] of [
      [[], 2],
      [["nonsense"], 2],
      [["backup", "--nonsense"], 2],
      [["verify", "../../etc/passwd"], 2],
      [["restore"], 2],
      [["restore", "latest", "--into", "mysql://x/y"], 2],
      [["drill"], 2],
      [["drill", "--platform", "local", "--objective", "rto=1m"], 2],
      [["list", "--config", "/no/such/file"], 2],
    ] as const) {
      assert.equal((await dr(words)).exitCode, exitCode, words.join(" "));
    }
  });

  it("explains every command with --help, and prints one JSON document even for an error", async () => {
    const overview = await dr(["--help"]);
    assert.equal(overview.exitCode, 0);
    const names = [...overview.stdout.matchAll(/^ {2}([a-z-]+) {2}/gm)].map((match) => match[1]!);
    assert.ok(names.length >= 12, names.join());
    for (const name of names) {
      const help = await dr([name, "--help"]);
      assert.equal(help.exitCode, 0, name);
      assert.match(help.stdout, new RegExp(`^usage: dr ${name}`));
      const wrong = await drJson([name, "--no-such-option"]);
      assert.equal(wrong.exitCode, 2, name);
    }
  });
});
