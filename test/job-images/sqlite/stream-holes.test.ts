import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type DatabaseConfig, Engine, parseStoreUrl } from "../../../recovery";
import { openSqliteHeart, prepareSqlite } from "../../../job-images/src/engines/sqlite/heartbeat";
import { sqliteStream } from "../../../job-images/src/engines/sqlite/stream-restore";
import { silentProgress } from "../../../job-images/src/progress";
import { litestreamProgram, type Replicating, replicate } from "../../support/litestream";
import { temporaryFolder } from "../../support/postgres";
import { drJson } from "../../support/runner";
import { skip } from "../../support/skip";
import { committedEntries, ledgerOf, protectedFile, sqlite } from "../../support/sqlite";
import { waitFor } from "../../support/wait-for";

interface Report {
  readonly verdict: string;
  readonly chosen: string;
  readonly checks: readonly { readonly name: string; readonly verdict: string; readonly detail: string }[];
  readonly sources: readonly { readonly id: string; readonly lossSeconds: number; readonly why: string }[];
}

const book = (entry: number): string =>
  `BEGIN; INSERT INTO debit (amount) VALUES (1); INSERT INTO credit VALUES (${entry}, 1, NULL); UPDATE counter SET n = ${entry}; COMMIT;`;

describe("a SQLite stream of two weeks, as a stand-in for litestream lists it", () => {
  const { DR_LITESTREAM } = process.env;
  afterEach(() => {
    if (DR_LITESTREAM === undefined) delete process.env.DR_LITESTREAM;
    else process.env.DR_LITESTREAM = DR_LITESTREAM;
  });

  it("has its window and its hole in a moment, whatever the order of its 250,000 pieces", async () => {
    const folder = temporaryFolder();
    const program = join(folder, "litestream");
    writeFileSync(
      program,
      `#!${process.execPath}
const at = (second) => new Date(Date.UTC(2026, 0, 1) + second * 1000).toISOString().replace(".000", "");
const print = { version: () => "v0.3.13", snapshots, wal }[process.argv[2]];
function snapshots() {
  return ["replica generation index size created", "s3 bbb 0 1 " + at(700000), "s3 aaa 9 1 " + at(500), "s3 aaa 0 1 " + at(0)].join("\\n");
}
function wal() {
  const lines = [];
  for (let piece = 0; piece < 125000; piece++) lines.push("s3 bbb 1 0 1 " + at(700000 + 4 * piece), "s3 aaa 1 0 1 " + at(4 * piece));
  return ["replica generation index offset size created", ...lines].join("\\n");
}
console.log(print());
`,
      { mode: 0o755 },
    );
    process.env.DR_LITESTREAM = program;
    const database: DatabaseConfig = { name: "it", engine: Engine.Sqlite, path: join(folder, "app.db") };
    const config = { store: `file://${folder}/store`, databases: [database] };
    const request = { config, database, progress: silentProgress, signal: new AbortController().signal };
    const window = await sqliteStream.window(request);
    const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1) + second * 1000);
    assert.deepEqual([window.from, window.to], [at(0), at(700_000 + 4 * 124_999)]);
    assert.deepEqual(window.holes, [{ from: at(4 * 124_999), to: at(700_001) }]);
  }).timeout(60_000);
});

describe("a SQLite stream with a hole", () => {
  let litestream: Replicating | undefined;
  afterEach(() => litestream?.kill());

  it("[guide 32] restores what it held before the hole, and plan and proof say so", async function () {
    this.timeout(120_000);
    const program = litestreamProgram();
    if (program === undefined) skip(this, "litestream is not installed (in PATH, or named by DR_LITESTREAM)");
    const canary = { canarySeconds: 60 };
    const file = protectedFile(ledgerOf("wal", 500), { canary });
    const database: DatabaseConfig = { name: "it", engine: Engine.Sqlite, path: file.path, canary };
    const config = { store: `file://${file.store}`, databases: [database] };
    const request = { config, database, progress: silentProgress, signal: new AbortController().signal };
    const { location } = parseStoreUrl(config.store);
    const stream = (): void => void (litestream = replicate({ path: file.path, database: "it", location: location! }));
    const next = (seconds: number): Promise<unknown> => {
      const end = Date.now() + seconds * 1000;
      return waitFor("the next seconds", 10, () => Date.now() > end);
    };

    await prepareSqlite(database, false);
    const heart = await openSqliteHeart(database);
    const heartbeat = await heart.beat();
    stream();
    await waitFor("the heartbeat's round trip", 30, async () => {
      const { newestHeartbeat } = await sqliteStream.restoreTest(request);
      return newestHeartbeat?.getTime() === heartbeat.getTime();
    });
    await litestream!.kill();
    // A pod without its old volume: Litestream cannot go on where it ended, and begins anew.
    rmSync(join(dirname(file.path), `.${basename(file.path)}-litestream`), { recursive: true });
    await next(2.5);
    sqlite(file.path, book(501));
    const moment = new Date();
    await next(2.5);
    stream();
    const window = await waitFor("a new generation", 30, async () => {
      await heart.beat();
      const found = await sqliteStream.window(request);
      return found.holes?.length === 1 && found;
    });
    await heart.close();
    const [hole] = window.holes!;
    assert.ok(hole!.from < moment && moment < hole!.to, JSON.stringify(hole));
    const lostSeconds = (moment.getTime() - hole!.from.getTime()) / 1000;

    const to = ["--to", moment.toISOString(), "--config", file.config];
    const plan = await drJson<Report>(["plan", ...to]);
    const planned = plan.json.sources.find(({ id }) => id === "stream")!;
    assert.equal(planned.lossSeconds, lostSeconds, plan.stdout);
    assert.match(planned.why, /but for a hole: the target lies in one/);
    const into = join(file.folder, "recovered.db");
    const recovered = await drJson<Report>(["recover", "--yes", "--into", into, ...to]);
    assert.equal(recovered.exitCode, 0, recovered.stdout);
    assert.equal(recovered.json.chosen, "stream");
    assert.equal(committedEntries(into), 500);
    const later = join(file.folder, "later.db");
    const newest = await drJson(["recover", "--yes", "--to", "latest", "--into", later, "--config", file.config]);
    assert.equal(newest.exitCode, 0, newest.stdout);
    assert.equal(committedEntries(later), 501);
  });
});
