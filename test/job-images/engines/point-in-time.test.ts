import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beat } from "../../../job-images/src/engines/postgres/prepare";
import { connect } from "../../../job-images/src/engines/postgres/session";
import { type LocalServer } from "../../../job-images/src/engines/postgres/server";
import { isInstalled } from "../../support/installed";
import { contents, contentsOf, inCopy, newestEntry, now, startWriter } from "../../support/ledger";
import { withClient } from "../../support/postgres";
import { SeededRandom } from "../../support/random";
import { drJson } from "../../support/runner";
import { skip } from "../../support/skip";
import {
  keysUnder,
  type StreamedDatabase,
  streamedDatabase,
  untilBaseBackup,
  untilCovered,
} from "../../support/streamed-database";
import { TerminalSession } from "../../support/terminal-session";
import { waitFor } from "../../support/wait-for";

const targets = Number(process.env.DR_PITR_TARGETS ?? 2);
const kills = Number(process.env.DR_PITR_KILLS ?? 1);
const flushSeconds = 1;

interface Restored {
  readonly verdict: string;
  readonly checks: readonly { readonly name: string; readonly verdict: string; readonly detail: string }[];
}

describe("recovery to a point in time", function () {
  this.timeout(60_000 + targets * 30_000);
  let database: StreamedDatabase;
  before(async () => {
    database = await streamedDatabase();
  });
  after(() => database.destroy());

  it(`[guide 30, 39] holds exactly what had committed at the moment, ${targets} moments under a write load`, async () => {
    const streaming = database.stream();
    await untilBaseBackup(database);
    const writer = startWriter(await connect(database.server.access("ledger")));
    const moments: Date[] = [];
    const random = new SeededRandom(20261123);
    for (let index = 0; index < targets; index++) {
      await new Promise((resolve) => setTimeout(resolve, 200 + random.next() * 800));
      moments.push(await now(database.server));
    }
    const commits = await writer.stop();
    await untilCovered(database);
    assert.ok(commits > targets * 10, `${commits} commits are no load`);
    for (const [index, at] of moments.entries()) {
      const into = join(database.server.directory, `recovered-${index}`);
      const { json, exitCode, stdout } = await drJson<Restored>([
        "restore",
        "--to",
        at.toISOString(),
        "--into",
        into,
        "--config",
        database.config,
      ]);
      assert.equal(exitCode, 0, stdout);
      assert.equal(json.verdict, "pass");
      const expected = await withClient(database.server, "ledger", (client) =>
        contents(client, `WHERE pg_xact_commit_timestamp(xmin) <= '${at.toISOString()}'`),
      );
      assert.deepEqual(await contentsOf(database.server, into), expected);
    }
    const at = moments[0]!.toISOString();
    const extracted = await drJson([
      ...["extract", "--to", at, "--table", "entry", "--where", "amount % 2 = 1", "--schema", "recovered"],
      ...["--into", database.server.url("ledger"), "--config", database.config],
    ]);
    assert.equal(extracted.exitCode, 0, extracted.stdout);
    await withClient(database.server, "ledger", async (client) => {
      const committed = await contents(client, `WHERE amount % 2 = 1 AND pg_xact_commit_timestamp(xmin) <= '${at}'`);
      assert.deepEqual(
        await contents(client, "", "recovered.entry"),
        committed,
        "rows beside the live ones, as of the moment",
      );
      await client.query("DROP SCHEMA recovered CASCADE");
    });
    const { exitCode } = await streaming.stop();
    assert.equal(exitCode, 128 + 15, streaming.said());
  });

  it("[guide 30, 39] stops short of what came after the moment, though the log goes on while somebody reads the plan", async function () {
    if (!isInstalled("script")) skip(this, "there is no `script` (bsdutils) to make a terminal with");
    const streaming = database.stream();
    await untilBaseBackup(database);
    await untilCovered(database);
    await streaming.stop();
    const book = (note: string): Promise<unknown> =>
      withClient(database.server, "ledger", (client) =>
        client.query(
          `WITH booked AS (INSERT INTO public.entry (amount, note) VALUES (1, $1)) UPDATE public.total SET amount = amount + 1`,
          [note],
        ),
      );
    await book("before the mistake");
    await withClient(database.server, "ledger", beat);
    const moment = await now(database.server);
    await book("the mistake");
    const into = join(database.server.directory, "short-of-the-mistake");
    const session = new TerminalSession([
      ...["recover", "--to", moment.toISOString(), "--into", into, "--config", database.config],
    ]);
    await waitFor("the plan", 60, () => session.screen.includes("Type ledger to begin:"));
    // The answer takes its time, and the stream does not wait.
    const goingOn = database.stream();
    await untilCovered(database);
    await session.answer("Type ledger to begin:", "ledger");
    assert.equal(await session.end(), 0, session.screen);
    const { exitCode } = await goingOn.stop();
    assert.equal(exitCode, 128 + 15);
    assert.deepEqual(await notesOf(database.server, into), ["before the mistake"]);
  });

  it("[guide 30] recovers all that there is of a log that ends before the moment", async () => {
    const moment = new Date(Date.now() + 60_000).toISOString();
    const into = join(database.server.directory, "before-the-moment");
    const recovered = await drJson<Restored>([
      ...["recover", "--yes", "--to", moment, "--into", into, "--config", database.config],
    ]);
    assert.equal(recovered.exitCode, 0, recovered.stdout);
    assert.deepEqual(await notesOf(database.server, into), ["before the mistake", "the mistake"]);
  });

  it(`[guide 3] loses at most flushSeconds and two seconds when the server and the spool are destroyed, ${kills} times`, async function () {
    this.timeout(60_000 + kills * 60_000);
    const losses: number[] = [];
    const random = new SeededRandom(97);
    for (let kill = 0; kill < kills; kill++) {
      const streaming = database.stream();
      await untilBaseBackup(database);
      await untilCovered(database).catch((error: unknown) => {
        throw new Error(streaming.said(), { cause: error });
      });
      const writer = startWriter(await connect(database.server.access("ledger")));
      await waitFor("the writer to be busy", 30, () => writer.committed.length > 50);
      await new Promise((resolve) => setTimeout(resolve, 1000 + random.next() * 2000));
      streaming.process.kill("SIGKILL");
      process.kill(database.server.pid!, "SIGKILL");
      const killedAt = Date.now();
      await writer.broken();
      await waitFor("the spool to go", 10, () => {
        rmSync(database.spool, { recursive: true, force: true });
        return !existsSync(database.spool);
      });
      const into = join(database.server.directory, `after-kill-${kill}`);
      const { exitCode, stdout } = await drJson([
        "restore",
        "--to",
        "latest",
        "--into",
        into,
        "--config",
        database.config,
      ]);
      assert.equal(exitCode, 0, stdout);
      const kept = await newestEntry(database.server, into);
      const firstLost = writer.committed.find(({ id }) => id > kept);
      losses.push(firstLost ? (killedAt - firstLost.at) / 1000 : 0);
      await database.server.start();
    }
    console.log(`      worst loss of ${kills}: ${Math.max(...losses).toFixed(2)} s, flushed every ${flushSeconds} s`);
    assert.ok(Math.max(...losses) <= flushSeconds + 2, losses.join(", "));
  });

  it("[guide 48] is tested by the restore test, with the log behind the base backup", async () => {
    const { json, exitCode, stdout } = await drJson<Restored & { achievedRpoSeconds: number }>([
      "restore-test",
      "--config",
      database.config,
    ]);
    assert.equal(exitCode, 0, stdout);
    assert.ok(
      json.checks.some(({ name }) => name === "canary"),
      stdout,
    );
    const status = await drJson<{ databases: { checks: Restored["checks"] }[] }>([
      "status",
      "--config",
      database.config,
    ]);
    const log = status.json.databases[0]!.checks.find(({ name }) => name === "log");
    assert.equal(log?.verdict, "pass", status.stdout);
  });

  it("[guide 48] reads every row at level content, and says of a proof that does not that it is of structure alone", async () => {
    const asked = JSON.parse(readFileSync(database.config, "utf8")) as { databases: object[] };
    const seen: unknown[] = [];
    for (const level of ["content", "structure"]) {
      const path = join(database.server.directory, `${level}.json`);
      writeFileSync(
        path,
        JSON.stringify({ ...asked, databases: asked.databases.map((one) => ({ ...one, proof: { level } })) }),
      );
      const { json, stdout } = await drJson<Restored & { level: string }>(["restore-test", "--config", path]);
      assert.equal(json.verdict, "pass", stdout);
      const pages = json.checks.find(({ name }) => name === "pages")!;
      seen.push([
        json.level,
        json.checks.some(({ name }) => name === "rows"),
        pages.verdict,
        pages.detail.includes("every row in its indexes"),
      ]);
    }
    assert.deepEqual(seen, [
      ["content", true, "pass", true],
      ["structure", false, "pass", false],
    ]);
  });

  it("[guide 57] is proven by a proof that catches what is done to base backup and log", async () => {
    const streaming = database.stream();
    for (let segment = 0; segment < 4; segment++) {
      await withClient(database.server, "ledger", (client) =>
        client.query(
          "INSERT INTO public.entry (amount) SELECT i FROM generate_series(1, 100) i; SELECT pg_switch_wal()",
        ),
      );
    }
    await untilCovered(database);
    await streaming.stop();
    const listed = await drJson<{ recoveryPoints: { id: string; lastProof: unknown }[] }>([
      "list",
      "--config",
      database.config,
    ]);
    const { id } = listed.json.recoveryPoints.find((point) => point.id.includes("-base-"))!;
    const { json, exitCode, stdout } = await drJson<{
      caught: number;
      total: number;
      cases: { name: string; caught: boolean; got: string }[];
      evidence: string | null;
    }>(["prove", id, "--config", database.config]);
    console.log(`      caught: ${json.caught} of ${json.total}`);
    assert.equal(exitCode, 0, stdout);
    assert.equal(json.caught, json.total);
    assert.ok(
      json.cases.some(({ name }) => name === "missing log segment"),
      stdout,
    );
    // Its score is evidence, and evidence of nothing else: it vouches for no recovery point.
    assert.match(json.evidence ?? "", /^evidence\/ledger\/.*-proof-/);
    const status = await drJson<{
      databases: Record<"lastSabotage" | "lastRestoreTest", { verdict: string } | null>[];
    }>(["status", "--config", database.config]);
    const [judged] = status.json.databases;
    assert.equal(judged!.lastSabotage?.verdict, "pass");
    const after = await drJson<{ recoveryPoints: { id: string; lastProof: unknown }[] }>([
      "list",
      "--config",
      database.config,
    ]);
    const lastProofOf = (points: { id: string; lastProof?: unknown }[]) =>
      points.find((point) => point.id === id)!.lastProof;
    assert.deepEqual(lastProofOf(after.json.recoveryPoints), lastProofOf(listed.json.recoveryPoints));
  });

  it("[guide 30, 31] is planned, asked for, and carried out; a source whose proof fails gives way to the next", async () => {
    const streaming = database.stream();
    await untilCovered(database);
    const backup = await drJson(["backup", "--config", database.config]);
    assert.equal(backup.exitCode, 0, backup.stdout);
    await untilCovered(database);
    await streaming.stop();
    const words = ["--config", database.config];
    const planned = await drJson<{ sources: { id: string; usable: boolean; engine: string }[]; chosen: string }>([
      "plan",
      "--to",
      "latest",
      ...words,
    ]);
    assert.equal(planned.exitCode, 0, planned.stdout);
    assert.equal(planned.json.sources[0]?.id, planned.json.chosen);
    const asked = await drJson(["recover", "--to", "latest", "--into", "/nowhere", ...words]);
    assert.equal(asked.exitCode, 2);
    assert.match(asked.stdout, /no terminal to ask on/);

    const into = join(database.server.directory, "planned");
    const best = await drJson<{ chosen: string; place: string }>([
      "recover",
      "--to",
      "latest",
      "--into",
      into,
      "--yes",
      ...words,
    ]);
    assert.equal(best.exitCode, 0, best.stdout);
    assert.equal(best.json.place, into);

    // Every segment of the log is spoiled: only the dump is left, in the place that is for dumps.
    for (const file of keysUnder(database, "wal")) {
      if (file.endsWith(".zst")) writeFileSync(join(database.store, "wal", file), "spoiled");
    }
    const fallen = await drJson<{ chosen: string; attempts: { id: string; verdict: string }[] }>([
      ...["recover", "--to", "latest", "--yes", "--into", join(database.server.directory, "spoiled")],
      ...["--into", database.server.url("recovered"), ...words],
    ]);
    assert.equal(fallen.exitCode, 0, fallen.stdout);
    assert.match(fallen.json.chosen, /-dump-/);
    assert.ok(
      fallen.json.attempts.some(({ id, verdict }) => id.includes("-base-") && verdict === "fail"),
      fallen.stdout,
    );
  });

  it("refuses what the log does not reach, and overwrites nothing", async () => {
    const into = join(database.server.directory, "never");
    const restore = (...words: string[]) => drJson<Restored>(["restore", ...words, "--config", database.config]);
    const future = await restore("--to", new Date(Date.now() + 3600_000).toISOString(), "--into", into);
    assert.equal(future.exitCode, 1);
    assert.match(future.stdout, /is not reached: the log of \S+ reaches/);
    const past = await restore("--to", "2020-01-01T00:00:00Z", "--into", into);
    assert.equal(past.exitCode, 1);
    assert.match(past.stdout, /Nothing is as old as that/);
    const there = await restore("--to", "latest", "--into", database.folder);
    assert.equal(there.exitCode, 2);
    assert.match(there.stdout, /exists: name a directory that does not/);
    const relative = await restore("--to", "latest", "--into", "here");
    assert.equal(relative.exitCode, 2);
  });
});

function notesOf(like: LocalServer, dataDirectory: string): Promise<string[]> {
  return inCopy(like, dataDirectory, async (client) => {
    const { rows } = await client.query<{ note: string }>(
      "SELECT note FROM public.entry WHERE note LIKE '%mistake' ORDER BY id",
    );
    return rows.map(({ note }) => note);
  });
}
