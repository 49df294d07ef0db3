import assert from "node:assert/strict";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseRecoveryPointId } from "../../../recovery";
import { connect } from "../../../job-images/src/engines/postgres/session";
import { contents, contentsOf, now, startWriter, type Writer } from "../../support/ledger";
import { type OtherPostgres, otherPostgres, whyNoPostgres } from "../../support/newer-postgres";
import { temporaryFolder, withClient } from "../../support/postgres";
import { drJson, writeConfig } from "../../support/runner";
import { skip } from "../../support/skip";
import { storeKinds } from "../../support/store-kinds";
import {
  keysUnder,
  type StreamedDatabase,
  streamedDatabase,
  untilBaseBackup,
  untilCovered,
} from "../../support/streamed-database";
import { waitFor } from "../../support/wait-for";

interface Taken {
  readonly id: string;
  readonly verdict: string;
  readonly bytes: number;
  readonly buildsOn: readonly string[];
  readonly notes: readonly string[];
  readonly reasons: readonly string[];
}

interface Point {
  readonly id: string;
  readonly state: string;
  readonly bytes: number;
  readonly buildsOn: readonly string[];
  readonly problems: readonly string[];
}

interface Restored {
  readonly verdict: string;
  readonly checks: readonly { readonly name: string; readonly verdict: string; readonly detail: string }[];
}

const incremental = { backup: { incrementalsPerFull: 2 } };

async function takeBase(config: string, env: NodeJS.ProcessEnv = {}): Promise<Taken> {
  const { json, exitCode, stdout, stderr } = await drJson<{ backups: Taken[] }>(
    ["backup", "--method", "base", "--config", config],
    env,
  );
  assert.equal(exitCode, 0, stdout + stderr);
  const [taken] = json.backups;
  // Of two that were begun within a second nobody says which is the newer.
  const { startedAt } = parseRecoveryPointId(taken!.id)!;
  await waitFor("the next second", 5, () => Date.now() >= startedAt.getTime() + 1000);
  return taken!;
}

async function listed(config: string): Promise<Point[]> {
  return (await drJson<{ recoveryPoints: Point[] }>(["list", "--config", config])).json.recoveryPoints;
}

describe("incremental base backups", function () {
  this.timeout(300_000);
  /** What runs leave behind is their own: other tests work at the same time. */
  const scratch = temporaryFolder();
  let postgres: OtherPostgres;
  let database: StreamedDatabase;
  let writer: Writer;
  let full: Taken;
  let first: Taken;
  let second: Taken;
  before(async function () {
    const reason = await whyNoPostgres(18);
    if (reason !== undefined) skip(this, reason);
    const other = (await otherPostgres(18))!;
    postgres = { ...other, env: { ...other.env, TMPDIR: scratch } };
    database = await streamedDatabase({
      ...postgres,
      settings: { summarize_wal: "on" },
      database: incremental,
      config: { retention: { hotDays: 30 } },
    });
    await withClient(database.server, "ledger", (client) =>
      client.query("CREATE TABLE public.still AS SELECT i, md5(i::text) FROM generate_series(1, 50000) i"),
    );
  });
  after(() => database?.destroy());

  /** As `dr heartbeat` does. */
  const beat = () => withClient(database.server, "ledger", (client) => client.query("SELECT dr_canary.beat()"));

  async function restore(into: string, ...words: string[]): Promise<Restored> {
    const { json, exitCode, stdout, stderr } = await drJson<Restored>(
      ["restore", ...words, "--into", into, "--config", database.config],
      postgres.env,
    );
    assert.equal(exitCode, 0, stdout + stderr);
    return json;
  }

  it("[guide 30] are taken under a writer, and give back what had committed, at the newest one's moment and any later one", async () => {
    const streaming = database.stream();
    await untilBaseBackup(database);
    writer = startWriter(await connect(database.server.access("ledger")));
    await waitFor("the writer to be busy", 30, () => writer.committed.length > 20);
    full = (await listed(database.config)).find(({ id }) => id.includes("-base-")) as unknown as Taken;
    first = await takeBase(database.config, postgres.env);
    await waitFor("more entries", 30, () => writer.committed.length > 40);
    await beat();
    second = await takeBase(database.config, postgres.env);
    await waitFor("entries after it", 30, () => writer.committed.length > 60);
    await beat();
    const at = await now(database.server);
    await writer.stop();
    await untilCovered(database);
    await streaming.stop();

    assert.deepEqual([first.buildsOn, second.buildsOn], [[full.id], [full.id, first.id]]);
    assert.deepEqual([first.verdict, second.verdict], ["pass", "pass"]);
    assert.ok(first.bytes < full.bytes / 2, `${first.bytes} bytes are no increment of ${full.bytes}`);
    const points = await listed(database.config);
    assert.deepEqual(
      points.map(({ state }) => state),
      ["complete", "complete", "complete"],
    );
    assert.equal(points.find(({ id }) => id === second.id)!.bytes, full.bytes + first.bytes + second.bytes);
    assert.deepEqual(
      readdirSync(scratch).filter((name) => name.startsWith("dr-scratch-")),
      [],
    );

    const expiries = [full, first, second].map(({ id }) => {
      const text = readFileSync(join(database.store, "catalog/ledger", `${id}.json`), "utf8");
      return (JSON.parse(text) as { expiresAt: string }).expiresAt;
    });
    assert.equal(new Set(expiries).size, 1, `each goes with the full one: ${expiries.join()}`);
    const verified = await drJson<{ verdict: string }>(["verify", second.id, "--config", database.config]);
    assert.equal(verified.json.verdict, "pass");
    const newest = join(database.server.directory, "increment");
    const { checks } = await restore(newest, second.id);
    assert.match(checks.find(({ name }) => name === "chain")!.detail, /made one of 3/);
    // A transaction in part would be seen by its sum.
    await contentsOf(database.server, newest);
    const later = join(database.server.directory, "later");
    await restore(later, "--to", at.toISOString());
    assert.deepEqual(
      await contentsOf(database.server, later),
      await withClient(database.server, "ledger", (client) =>
        contents(client, `WHERE pg_xact_commit_timestamp(xmin) <= '${at.toISOString()}'`),
      ),
    );
    const left = readdirSync(database.server.directory).filter((name) => /chain|restoring/.test(name));
    assert.deepEqual(left, []);
  });

  it("are planned with all of their bytes, and the stream's newest counts for the log", async () => {
    const planned = await drJson<{ chosen: string; sources: { id: string; recoverySeconds: number }[] }>(
      ["plan", "--to", "latest", "--config", database.config],
      postgres.env,
    );
    assert.equal(planned.json.chosen, second.id);
    const seconds = (id: string) => planned.json.sources.find((source) => source.id === id)!.recoverySeconds;
    assert.ok(seconds(second.id) > 0);
    const status = await drJson<{ databases: { checks: Restored["checks"] }[] }>([
      "status",
      "--config",
      database.config,
    ]);
    const log = status.json.databases[0]!.checks.find(({ name }) => name === "log")!;
    assert.match(log.detail, /the store has it up to/);
  });

  it("[guide 57] are proven by a proof that catches what is done to them and to what they build on", async () => {
    const { json, exitCode, stdout } = await drJson<{
      caught: number;
      total: number;
      cases: { name: string; caught: boolean; got: string }[];
    }>(["prove", second.id, "--config", database.config], postgres.env);
    console.log(`      caught: ${json.caught} of ${json.total}`);
    assert.equal(exitCode, 0, stdout);
    for (const name of ["parent missing", "parent that is no parent of it", "link of the chain left out"]) {
      assert.ok(
        json.cases.some((each) => each.name === name),
        `${name} was not tried`,
      );
    }
  });

  /** A copy of the store, to spoil. */
  function copied(): { readonly config: string; readonly store: string } {
    const folder = temporaryFolder();
    const store = join(folder, "store");
    cpSync(database.store, store, { recursive: true });
    const config = JSON.parse(readFileSync(database.config, "utf8")) as Record<string, unknown>;
    return { config: writeConfig(folder, { ...config, store: `file://${store}` }), store };
  }
  const stateOf = async (config: string, id: string): Promise<Point> =>
    (await listed(config)).find((point) => point.id === id)!;

  it("say which link of a broken chain is missing, are not restored, and the next one is a full one", async () => {
    const { config, store } = copied();
    rmSync(join(store, "catalog/ledger", `${first.id}.json`));
    const point = await stateOf(config, second.id);
    assert.equal(point.state, "broken");
    assert.ok(
      point.problems.some((problem) => problem.includes(`builds on ${first.id}, which is missing`)),
      point.problems.join(),
    );
    const into = join(database.server.directory, "never");
    const refused = await drJson<Restored>(["restore", second.id, "--into", into, "--config", config], postgres.env);
    assert.equal(refused.exitCode, 1, refused.stdout);
    assert.match(refused.stdout, new RegExp(first.id));
    assert.ok(!existsSync(into));
    const next = await takeBase(config, postgres.env);
    assert.deepEqual(next.buildsOn, []);
    assert.match(next.notes[0]!, new RegExp(`not to be built on: it builds on ${first.id}`));
  });

  it("say which part of a broken chain is missing, and nothing is built on them", async () => {
    const { config, store } = copied();
    rmSync(join(store, "parts/ledger", full.id, "base.tar.zst"));
    for (const { id } of [first, second]) {
      const point = await stateOf(config, id);
      assert.equal(point.state, "broken");
      assert.match(
        point.problems.join(),
        new RegExp(`it builds on ${full.id}: parts/ledger/${full.id}/base.tar.zst: is missing`),
      );
    }
    // One more would be allowed.
    rmSync(join(store, "catalog/ledger", `${second.id}.json`));
    const next = await takeBase(config, postgres.env);
    assert.deepEqual(next.buildsOn, []);
    assert.match(next.notes[0]!, new RegExp(`${full.id}/base.tar.zst is missing`));
  });

  it("are found out by verify when something of their chain was changed", async () => {
    const { config, store } = copied();
    const path = join(store, "parts/ledger", full.id, "base.tar.zst");
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path, bytes);
    const { exitCode, stdout } = await drJson(["verify", second.id, "--config", config]);
    assert.equal(exitCode, 1);
    assert.match(stdout, new RegExp(`it builds on ${full.id}: .*was changed`));
  });

  it("give way to a full one: after as many as are allowed, and whatever the server cannot do", async () => {
    const third = await takeBase(database.config, postgres.env);
    assert.deepEqual(third.buildsOn, []);
    assert.match(third.notes[0]!, /2 incremental ones have been taken since the last full one, 2 may be/);

    // The server notes nothing for a while: what has changed since then is not known to it.
    const set = (setting: string) =>
      withClient(database.server, "postgres", async (client) => {
        await client.query(`ALTER SYSTEM SET ${setting}`);
        await client.query("SELECT pg_reload_conf()");
      });
    const shown = (value: string) =>
      waitFor(`summarize_wal = ${value}`, 10, () =>
        withClient(database.server, "postgres", async (client) => {
          const { rows } = await client.query<{ now: string }>("SELECT current_setting('summarize_wal') AS now");
          return rows[0]!.now === value;
        }),
      );
    await set("summarize_wal = off");
    await shown("off");
    const off = await takeBase(database.config, postgres.env);
    assert.deepEqual(off.buildsOn, []);
    assert.match(off.notes[0]!, /summarize_wal is off on the server/);
    const doctor = await drJson<{ checks: { name: string; verdict: string; found: string; fix: string }[] }>(
      ["doctor", "--config", database.config],
      postgres.env,
    );
    const found = doctor.json.checks.find(({ name }) => name.endsWith("incremental backups"))!;
    assert.match(found.found, /summarize_wal is off/);
    assert.match(found.fix, /summarize_wal = on/);
    await set("summarize_wal = on");
    await shown("on");
    // Refused by the server in mid-backup: the list of files is of another server's making.
    const lists = keysUnder(database, "catalog/ledger").filter(
      (name) => name.startsWith(off.id) && name.endsWith(".zst"),
    );
    assert.equal(lists.length, 1);
    writeFileSync(join(database.store, "catalog/ledger", lists[0]!), "spoiled");
    const refused = await takeBase(database.config, postgres.env);
    assert.deepEqual(refused.buildsOn, []);
    assert.match(refused.notes[0]!, /since an incremental one failed: .*\.files\.zst holds 7 bytes/);
    const resumed = await takeBase(database.config, postgres.env);
    assert.deepEqual(resumed.buildsOn, [refused.id]);
  });

  it("[guide 7] leave nothing behind when a program of theirs fails, neither a part nor a process that waits", async function () {
    this.timeout(60_000);
    const programs = join(temporaryFolder(), "bin");
    mkdirSync(programs);
    writeFileSync(join(programs, "tar"), "#!/bin/sh\necho 'tar is not well' >&2; exit 4\n");
    chmodSync(join(programs, "tar"), 0o755);
    const files = () => keysUnder(database, "").filter((name) => /\.(zst|json)$/.test(name));
    const before = files();
    const { exitCode, stdout } = await drJson<{ backups: Taken[] }>(
      ["backup", "--method", "base", "--config", database.config],
      { ...postgres.env, PATH: `${programs}:${process.env.PATH}` },
    );
    assert.equal(exitCode, 1, stdout);
    assert.match(stdout, /tar is not well/);
    assert.deepEqual(files(), before);
  });

  it("are not taken of an older server, which is said", async () => {
    const older = await streamedDatabase({ database: incremental });
    try {
      await takeBase(older.config);
      const again = await takeBase(older.config);
      assert.deepEqual(again.buildsOn, []);
      assert.match(again.notes[0]!, /PostgreSQL \d+ takes no incremental base backups: 17 and newer do/);
      assert.equal(again.verdict, "pass");
    } finally {
      await older.destroy();
    }
  });
});

describe("incremental base backups in a real S3", function () {
  this.timeout(180_000);

  it("[guide 30] are made one again, each part in the version that its manifest names", async function () {
    const kind = storeKinds.find(({ name }) => name === "radosgw")!;
    const reason = (await whyNoPostgres(18)) ?? kind.whyNot(false);
    if (reason !== undefined) skip(this, reason);
    const postgres = (await otherPostgres(18))!;
    const store = await kind.make(temporaryFolder());
    const env = { ...postgres.env, ...store.env };
    const database = await streamedDatabase({
      ...postgres,
      env,
      settings: { summarize_wal: "on" },
      database: incremental,
      config: { store: store.url },
    });
    try {
      const fill = (rows: number) =>
        withClient(database.server, "ledger", (client) =>
          client.query(
            `BEGIN; INSERT INTO public.entry (amount, note) SELECT i, md5(i::text) FROM generate_series(1, ${rows}) i;
             UPDATE public.total SET amount = amount + ${rows}; SELECT dr_canary.beat(); COMMIT`,
          ),
        );
      await fill(20_000);
      const full = await takeBase(database.config, env);
      await fill(10);
      const increment = await takeBase(database.config, env);
      assert.deepEqual(increment.buildsOn, [full.id]);
      const dr = (...words: string[]) => drJson<Restored>([...words, "--config", database.config], env);
      const verified = await dr("verify", increment.id);
      assert.equal(verified.exitCode, 0, verified.stdout);
      const into = join(database.server.directory, "from-s3");
      const restored = await dr("restore", increment.id, "--into", into);
      assert.equal(restored.exitCode, 0, restored.stdout + restored.stderr);
      assert.match(restored.json.checks.find(({ name }) => name === "chain")!.detail, /made one of 2/);
      assert.deepEqual(
        await contentsOf(database.server, into),
        await withClient(database.server, "ledger", (client) => contents(client)),
      );
    } finally {
      await database.destroy();
    }
  });
});
