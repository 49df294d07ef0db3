import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DatabaseConfig, Engine, parseStoreUrl } from "../../../recovery";
import { openSqliteHeart, prepareSqlite } from "../../../job-images/src/engines/sqlite/heartbeat";
import { sqliteStream } from "../../../job-images/src/engines/sqlite/stream-restore";
import { silentProgress } from "../../../job-images/src/progress";
import { litestreamProgram, type Replicating, replicate } from "../../support/litestream";
import { dr, drJson } from "../../support/runner";
import { skip } from "../../support/skip";
import {
  backUp,
  ledgerOf,
  LedgerWriter,
  notPassed,
  type ProtectedFile,
  protectedFile,
  sqlite,
} from "../../support/sqlite";
import { waitFor } from "../../support/wait-for";

interface Extracted {
  readonly verdict: string;
  readonly id: string;
  readonly lossSeconds: number | null;
  readonly checks: readonly { readonly name: string; readonly verdict: string; readonly detail: string }[];
  readonly tables: readonly { readonly into: string; readonly rows: number }[];
  readonly putBack: string;
}

/** Keeps every debit that was ever booked, and when. */
const history = `CREATE TABLE history (id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, note TEXT, at REAL NOT NULL);
CREATE TRIGGER keep AFTER INSERT ON debit BEGIN
  INSERT INTO history VALUES (NEW.id, NEW.id % 3, NEW.note, (julianday('now') - 2440587.5) * 86400.0);
END;`;

const ofTenant = "tenant = 1";

describe("dr extract from a SQLite stream", function () {
  this.timeout(120_000);
  const canary = { canarySeconds: 60 };
  let file: ProtectedFile;
  let database: DatabaseConfig;
  let litestream: Replicating;
  let writer: LedgerWriter;

  before(async function () {
    const program = litestreamProgram();
    if (program === undefined) skip(this, "litestream is not installed (in PATH, or named by DR_LITESTREAM)");
    file = protectedFile(`${ledgerOf("wal", 200)}\n${history}`, { canary });
    database = { name: "it", engine: Engine.Sqlite, path: file.path, canary };
    await prepareSqlite(database, false);
    await beat();
    await backUp(file, { canary });
    const { location } = parseStoreUrl(`file://${file.store}`);
    litestream = replicate({ path: file.path, database: "it", location: location! });
    writer = new LedgerWriter(file.path, 0.005);
  });

  after(async () => {
    await writer?.stop();
    await litestream?.kill();
  });

  const beat = async (): Promise<void> => {
    const heart = await openSqliteHeart(database);
    await heart.beat();
    await heart.close();
  };
  const reaches = (at: number): Promise<unknown> =>
    waitFor("the stream to reach the moment", 60, async () => {
      const config = { store: `file://${file.store}`, databases: [database] };
      const request = { config, database, progress: silentProgress, signal: new AbortController().signal };
      // Without a commit there is no piece, and without a piece nobody knows how far it reaches.
      await beat();
      const window = await sqliteStream.window(request).catch(() => undefined);
      return window && window.to.getTime() > at + 1000;
    });
  const extract = (...args: string[]) =>
    drJson<Extracted>(["extract", "--into", file.path, "--config", file.config, "--table", "history", ...args]);

  it("[guide 32, 39] brings one tenant's rows as of a moment, from under a writer that never stops", async () => {
    await beat();
    await writer.more(50);
    const known = Date.now();
    await reaches(known);
    await writer.more(50);
    const moment = new Date();
    // To the second: that is what Litestream knows of its segments.
    await waitFor("the seconds after the moment", 10, () => Date.now() > moment.getTime() + 1500);
    await writer.more(50);
    const truth = join(file.folder, "truth.db");
    sqlite(file.path, `VACUUM INTO '${truth}';`);
    sqlite(file.path, `DELETE FROM history WHERE ${ofTenant};`);
    await reaches(Date.now());

    const { json, exitCode, stdout, stderr } = await extract("--to", moment.toISOString(), "--where", ofTenant);
    assert.equal(exitCode, 0, stdout);
    assert.deepEqual([json.id, json.lossSeconds], ["stream", 0]);
    assert.match(stderr, new RegExp(`reading stream of it, as of ${moment.toISOString()}`));
    const [{ into, rows }] = json.tables as [Extracted["tables"][number]];
    const against = (sql: string): string => sqlite(file.path, `ATTACH '${truth}' AS truth; ${sql}`);
    const of = (table: string): string => `SELECT id, tenant, note, at FROM ${table}`;
    const upTo = `id <= (SELECT max(id) FROM ${into})`;
    const committed = `${of("truth.history")} WHERE ${ofTenant} AND ${upTo}`;
    assert.equal(
      against(
        `SELECT count(*) FROM (${of(into)} EXCEPT ${committed}); SELECT count(*) FROM (${committed} EXCEPT ${of(into)});`,
      ),
      "0\n0",
      "what had been committed, from its beginning, without a gap",
    );
    assert.equal(against(`SELECT count(*) FROM ${into};`), String(rows));
    const [newest, firstMissing] = against(
      `SELECT max(at) FROM ${into}; SELECT coalesce(min(at), 0) FROM truth.history WHERE ${ofTenant} AND NOT ${upTo};`,
    )
      .split("\n")
      .map((seconds) => Number(seconds) * 1000);
    assert.ok(newest! <= moment.getTime() + 1000, "nothing of after the moment");
    assert.ok(firstMissing! > known, "everything that the stream was known to hold, and not simply its newest state");
    assert.deepEqual(
      json.checks.map(({ name, verdict }) => `${name} ${verdict}`),
      [
        ...["stream pass", "file pass", "sidecars pass", "integrity pass", "consistency pass", "canary pass"],
        ...["rows pass", "content pass"],
      ],
    );
    await writer.stop();
    sqlite(file.path, json.putBack.replace(/ROLLBACK;$/, "COMMIT;"));
    assert.equal(against(`SELECT count(*) FROM (${committed} EXCEPT ${of("main.history")});`), "0");
  });

  it("from the stream whatever the plan would choose, and from a recovery point where no moment is named", async () => {
    const copy = await extract("--schema", "copied");
    assert.match(copy.json.id, /^it-.*-copy/, copy.stdout);
    const newest = await extract("--schema", "newest", "--from-stream", "--to", "latest");
    assert.equal(newest.exitCode, 0, newest.stdout);
    assert.equal(newest.json.id, "stream");
    assert.ok(newest.json.tables[0]!.rows > copy.json.tables[0]!.rows);
  });

  it("brings all that there is where the stream ends before the moment, and nothing of after it where it has gone on since", async () => {
    const quiet = { progress: silentProgress, signal: new AbortController().signal };
    const request = { ...quiet, config: { store: `file://${file.store}`, databases: [database] }, database };
    const rows = (path: string): number => Number(sqlite(path, "SELECT count(*) FROM history;"));
    const before = rows(file.path);
    const restore = async (name: string, at: Date): Promise<number> => {
      const copy = await sqliteStream.restoreInto({ ...request, at, into: join(file.folder, name), keep: false });
      assert.deepEqual(notPassed(copy), []);
      return rows(join(file.folder, name));
    };
    await reaches(Date.now());
    const later = await restore("ends-before.db", new Date(Date.now() + 3_600_000));
    assert.equal(later, before, "Litestream by itself refuses a moment after its newest piece");

    // Litestream, slow enough for the stream to go on between the look at its window and the restore.
    const [slow, isWaiting, go] = ["slow-litestream", "waiting", "go"].map((name) => join(file.folder, name));
    const wait = `touch ${isWaiting}; while [ ! -e ${go} ]; do sleep 0.1; done`;
    const script = `#!/bin/sh\ncase "$*" in *-timestamp*) ;; restore*) ${wait} ;; esac\nexec ${litestreamProgram()} "$@"\n`;
    writeFileSync(slow!, script, { mode: 0o755 });
    await reaches(Date.now());
    const quietSince = Date.now();
    await waitFor("the newest piece to be in the store", 10, () => Date.now() > quietSince + 2000);
    const moment = new Date();
    const known = process.env.DR_LITESTREAM;
    process.env.DR_LITESTREAM = slow;
    try {
      const restored = restore("gone-on.db", moment);
      await waitFor("the restore to begin", 30, () => existsSync(isWaiting!));
      sqlite(file.path, "INSERT INTO history VALUES (-1, 1, 'the mistake', 0);");
      await reaches(Date.now());
      writeFileSync(go!, "");
      assert.equal(await restored, before);
    } finally {
      if (known === undefined) delete process.env.DR_LITESTREAM;
      else process.env.DR_LITESTREAM = known;
      writeFileSync(go!, "");
    }
  });

  it("refuses what a stream does not know, and makes nothing", async () => {
    const before = sqlite(file.path, "SELECT group_concat(name) FROM sqlite_schema;");
    const cases = [
      [["--from-stream"], 2, /give --to WHEN and no ID/],
      [["--from-stream", "--to", "lsn:0/1"], 2, /no log positions/],
      [["--from-stream", "--to", "2020-01-01T00:00:00Z"], 1, /Nothing is as old as 2020/],
      [["--from-stream", "--to", "latest", "--where", "tenat = 1"], 2, /no such column: .*tenat/],
    ] as const;
    for (const [args, exitCode, expected] of cases) {
      const words = ["extract", "--into", file.path, "--config", file.config, "--table", "history", "--json", ...args];
      const result = await dr(words);
      assert.equal(result.exitCode, exitCode, `${args.join(" ")}\n${result.stdout}`);
      assert.match(result.stdout + result.stderr, expected);
    }
    assert.equal(sqlite(file.path, "SELECT group_concat(name) FROM sqlite_schema;"), before);
  });
});
