import assert from "node:assert/strict";
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Client } from "pg";
import { LocalServer } from "../../../job-images/src/engines/postgres/server";
import { freePort } from "../../support/free-port";
import { inCopy } from "../../support/ledger";
import { withClient } from "../../support/postgres";
import { binWithScript } from "../../support/replaced-program";
import { moveSlotBack } from "../../support/slot-moved-back";
import { drJson } from "../../support/runner";
import {
  keysUnder,
  movedTo,
  type StreamedDatabase,
  streamedDatabase,
  type Streaming,
  untilBaseBackup,
  untilCovered,
} from "../../support/streamed-database";
import { waitFor } from "../../support/wait-for";

describe("holes in the log", function () {
  this.timeout(120_000);
  let database: StreamedDatabase;
  let streaming: Streaming;

  /** What `dr doctor` says of the log. */
  async function logDiagnosis({ config }: StreamedDatabase): Promise<string> {
    const { json } = await drJson<{ checks: { name: string; found: string }[] }>(["doctor", "--config", config]);
    return json.checks.find(({ name }) => /\blog$/.test(name))?.found ?? JSON.stringify(json);
  }

  beforeEach(async () => {
    database = await streamedDatabase({
      settings: { max_slot_wal_keep_size: "32MB", max_wal_size: "48MB", min_wal_size: "32MB" },
    });
    streaming = database.stream();
    await untilBaseBackup(database);
    await untilCovered(database);
  });
  afterEach(() => database.destroy());

  it("a spool that is lost with log that the store never had is told, and a base backup opens a new window", async () => {
    await write(database.server, 1);
    const log = join(database.store, "wal");
    await untilCovered(database);
    renameSync(log, `${log}-away`);
    writeFileSync(log, "no folder");
    await write(database.server, 3);
    // What the server has been told is on disk elsewhere, it will not send again.
    const written = await withClient(database.server, "postgres", async (client) => {
      const { rows } = await client.query<{ lsn: string }>("SELECT pg_current_wal_flush_lsn()::text AS lsn");
      return rows[0]!.lsn;
    });
    await waitFor("the slot to be ahead of the store", 30, () =>
      withClient(database.server, "postgres", async (client) => {
        const { rows } = await client.query<{ ahead: boolean }>(
          "SELECT restart_lsn >= $1::pg_lsn AS ahead FROM pg_replication_slots",
          [written],
        );
        return rows[0]!.ahead;
      }),
    );
    streaming.process.kill("SIGKILL");
    await waitFor("the receiver to die with the runner, and the spool to go", 10, () => {
      rmSync(database.spool, { recursive: true, force: true });
      return !existsSync(database.spool);
    });
    rmSync(log);
    renameSync(`${log}-away`, log);
    await assertHoleIsClosed(database, /has a hole at [0-9A-F]{24}: it is not in the store, and later ones are/);
  });

  it("a slot that the server invalidated is made anew, told, and a base backup opens a new window", async () => {
    await streaming.stop();
    await write(database.server, 8);
    await waitFor("the slot to be invalidated", 20, () =>
      withClient(database.server, "postgres", async (client) => {
        await client.query("CHECKPOINT");
        const { rows } = await client.query<{ status: string }>(
          "SELECT wal_status AS status FROM pg_replication_slots",
        );
        return rows[0]!.status === "lost";
      }),
    );
    assert.match(await logDiagnosis(database), /was invalidated: the log has a hole/);
    await assertHoleIsClosed(database, /the log is interrupted: slot \S+ was invalidated/);
  });

  it("a slot that promises log which is gone is made anew, told, and a base backup opens a new window", async () => {
    await streaming.stop();
    const { server } = database;
    const slot = "dr_ledger";
    await withClient(server, "postgres", async (client) => {
      const position = async (): Promise<bigint> => {
        const { rows: found } = await client.query<{ at: string }>(
          "SELECT (restart_lsn - '0/0'::pg_lsn)::text AS at FROM pg_replication_slots WHERE slot_name = $1",
          [slot],
        );
        return BigInt(found[0]!.at);
      };
      const gone = (await position()) - ((await position()) % BigInt(16 * 1024 * 1024));
      // Somebody made it anew later, and the receiver still asks for what it has the beginning of.
      await client.query("SELECT pg_drop_replication_slot($1)", [slot]);
      await waitFor("the server to let go of the log", 30, async () => {
        await write(server, 2);
        await client.query("CHECKPOINT");
        const { rows: kept } = await client.query<{ gone: boolean }>(
          "SELECT min(name) > pg_walfile_name('0/0'::pg_lsn + $1::numeric) AS gone FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'",
          [gone.toString()],
        );
        return kept[0]!.gone;
      });
      await client.query("SELECT pg_create_physical_replication_slot($1, true)", [slot]);
      await moveSlotBack(server, Number(server.url("x").split("port=")[1]), slot, gone);
      assert.equal(await position(), gone, "the slot was not moved back");
    });
    await assertHoleIsClosed(database, /dropped slot dr_ledger, whose position the server has no log of/);
  });

  it("log that is missing before a promotion is told, even when the promotion's history comes long before any log", async () => {
    const standby = await LocalServer.createStandby(database.server, {
      tools: database.server.tools,
      settings: { hot_standby: "on", fsync: "off" },
      port: await freePort(),
    });
    try {
      await streaming.stop();
      rmSync(database.spool, { recursive: true });
      await write(database.server, 2);
      await waitFor("the standby to catch up", 30, async () => (await rows(standby)) === (await rows(database.server)));
      await database.server.stop("fast");
      await withClient(standby, "postgres", (client) => client.query("SELECT pg_promote(true, 30)"));
      const go = join(database.folder, "go");
      const moved = movedTo(database, standby, { env: { DR_POSTGRES_BIN: receiverThatWaits(standby, go) } });
      const following = moved.stream();
      await waitFor("the history", 30, () => keysUnder(moved, "wal").some((key) => key.includes("00000002.history")));
      // It asks the server before every flush, and looks for holes after the first: there is none as yet.
      const asked: number[] = [];
      await waitFor("some more flushes", 30, () =>
        withClient(standby, "postgres", async (client) => {
          const { rows: found } = await client.query<{ at: Date }>(
            "SELECT query_start AS at FROM pg_stat_activity WHERE application_name = 'dr stream watch'",
          );
          asked.push(...found.map(({ at }) => at.getTime()));
          return Math.max(...asked) - Math.min(...asked) > 6000;
        }),
      );
      writeFileSync(go, "");
      await assertHoleIsClosed(
        moved,
        /has a hole at [0-9A-F]{24}: it is not in the store, and later ones are/,
        following,
      );
    } finally {
      await standby.destroy();
    }
  });

  it("a promoted standby without a slot is followed onto its timeline, and a recovery crosses the switch", async () => {
    const standby = await LocalServer.createStandby(database.server, {
      tools: database.server.tools,
      settings: { hot_standby: "on", wal_keep_size: "64MB", fsync: "off" },
      port: await freePort(),
    });
    try {
      await write(database.server, 1);
      await waitFor("the standby to catch up", 30, async () => (await rows(standby)) === (await rows(database.server)));
      await streaming.stop();
      await database.server.stop("fast");
      await withClient(standby, "postgres", (client) => client.query("SELECT pg_promote(true, 30)"));
      const moved = movedTo(database, standby);
      const following = moved.stream();
      await withClient(standby, "ledger", (client) =>
        client.query("INSERT INTO public.entry (amount) SELECT i FROM generate_series(1, 500) i"),
      );
      const committed = await rows(standby);
      await untilCovered(moved);
      const into = join(standby.directory, "recovered");
      const restored = await drJson(["restore", "--to", "latest", "--into", into, "--config", moved.config]);
      assert.equal(restored.exitCode, 0, `${restored.stdout}\n${following.said()}`);
      assert.equal(await rowsIn(standby, into), committed);
      await following.stop();
    } finally {
      await standby.destroy();
    }
  });
});

/** Tools of PostgreSQL whose receiver brings the history of timeline 2, and no log before a file is there. */
function receiverThatWaits({ tools, dataDirectory }: LocalServer, go: string): string {
  return binWithScript(
    tools,
    "pg_receivewal",
    `for word; do case $word in --directory=*) folder=\${word#*=} ;; esac; done
cp ${dataDirectory}/pg_wal/00000002.history "$folder"
until [ -e ${go} ]; do sleep 0.1; done`,
  );
}

/** Fills segments of the log. */
async function write(server: LocalServer, segments: number): Promise<void> {
  await withClient(server, "ledger", async (client) => {
    for (let segment = 0; segment < segments; segment++) {
      await client.query(
        "INSERT INTO public.entry (amount, note) SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 20000) i",
      );
      await client.query("SELECT pg_switch_wal()");
    }
  });
}

function rows(server: LocalServer): Promise<number> {
  return withClient(server, "ledger", countRows);
}

/** What a recovered data directory holds. */
function rowsIn(like: LocalServer, dataDirectory: string): Promise<number> {
  return inCopy(like, dataDirectory, countRows);
}

async function countRows(client: Client): Promise<number> {
  const { rows: counted } = await client.query<{ count: number }>("SELECT count(*)::int AS count FROM public.entry");
  return counted[0]!.count;
}

/** Until the hole was told, and the log of a new base backup reaches the present; what it recovers is everything. */
async function assertHoleIsClosed(database: StreamedDatabase, told: RegExp, again = database.stream()): Promise<void> {
  await waitFor("the hole to be told", 30, () => told.test(again.said())).catch((error: unknown) => {
    const stored = keysUnder(database, "wal").concat(
      keysUnder(database, "wal-partial"),
      keysUnder(database, "catalog"),
    );
    throw new Error(`${again.said()}${stored.join("\n")}`, { cause: error });
  });
  await untilBaseBackup(database, 2);
  await untilCovered(database);
  const committed = await rows(database.server);
  const into = join(database.server.directory, "recovered");
  const restored = await drJson(["restore", "--to", "latest", "--into", into, "--config", database.config]);
  assert.equal(restored.exitCode, 0, restored.stdout);
  assert.equal(await rowsIn(database.server, into), committed);
  await again.stop();
}
