import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type DatabaseConfig, Engine, litestreamConfig, parseStoreUrl } from "../../../recovery";
import { openSqliteHeart, prepareSqlite } from "../../../job-images/src/engines/sqlite/heartbeat";
import { sqliteStream } from "../../../job-images/src/engines/sqlite/stream-restore";
import { checkRecoveredCanary } from "../../../job-images/src/proof/canary";
import { silentProgress } from "../../../job-images/src/progress";
import { litestreamProgram, replicate } from "../../support/litestream";
import { radosgw, whyNoRadosgw } from "../../support/radosgw";
import { drJson, writeConfig } from "../../support/runner";
import { createBucket, s3Client } from "../../support/s3-bucket";
import { skip } from "../../support/skip";
import { committedEntries, ledgerOf, notPassed, protectedFile, sqlite } from "../../support/sqlite";
import { waitFor } from "../../support/wait-for";

interface Report {
  verdict: string;
  checks: readonly { name: string; verdict: string; detail: string }[];
  evidence: string;
  /** Of a recovery. */
  chosen?: string;
}

const verdictsOf = ({ checks }: Pick<Report, "checks">): Record<string, string> =>
  Object.fromEntries(checks.map(({ name, verdict }) => [name, verdict]));

describe("a SQLite stream", () => {
  const environment = { ...process.env };
  after(() => void (process.env = environment));

  it("is configured in one place: under the prefix of the logs, and nothing is deleted by whoever writes", () => {
    const { location } = parseStoreUrl("s3://bucket/a/prefix?endpoint=http://127.0.0.1:9&region=eu-west-1");
    const [replica] = litestreamConfig({ path: "/data/app.db", database: "app", location: location! }).dbs[0]!.replicas;
    assert.equal(replica!.path, "a/prefix/wal/app");
    assert.equal(replica!["force-path-style"], true);
    assert.equal(replica!["sync-interval"], "10s");
    assert.ok(Number.parseInt(replica!.retention as string) > 24 * 365 * 50);
  });

  it("is judged by the heartbeat that made the round trip", () => {
    const at = (seconds: number): Date => new Date(Date.UTC(2026, 10, 23, 12, 0, seconds));
    const window = { from: at(0), to: at(200) };
    const verdict = (...words: Parameters<typeof checkRecoveredCanary>) => checkRecoveredCanary(...words).verdict;
    assert.equal(verdict(at(190), window, undefined, 30), "pass");
    assert.equal(verdict(at(100), window, undefined, 30), "inconclusive", "older than the stream says it is");
    assert.equal(verdict(at(95), window, at(100), 30), "pass");
    assert.equal(verdict(at(101), window, at(100), 30), "fail", "newer than what was asked for");
    assert.equal(verdict(undefined, window, undefined, 30), "inconclusive");
  });

  it("[guide 12, 32, 35] brings a heartbeat to a real S3 and back, now and as of a moment before", async function () {
    this.timeout(120_000);
    const program = litestreamProgram();
    if (program === undefined) skip(this, "litestream is not installed (in PATH, or named by DR_LITESTREAM)");
    const why = whyNoRadosgw();
    if (why !== undefined) skip(this, why);
    const gateway = await radosgw();
    const { credentials } = gateway.admin;
    const bucket = await createBucket(s3Client({ endpoint: gateway.endpoint, credentials }));
    const store = `s3://${bucket}/some/prefix?endpoint=${gateway.endpoint}&region=us-east-1`;
    const { folder, path } = protectedFile(ledgerOf("wal", 500));
    const database: DatabaseConfig = { name: "it", engine: Engine.Sqlite, path, canary: { canarySeconds: 5 } };
    const configure = (more: object): string => writeConfig(folder, { store, databases: [database], ...more });
    const config = configure({});
    const env = {
      DR_LITESTREAM: program,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_REGION: "us-east-1",
    };
    const cli = (...words: string[]) => drJson<Report>([...words, "--config", config], env);
    Object.assign(process.env, env);
    const quiet = { progress: silentProgress, signal: new AbortController().signal };
    const request = { config: { store, databases: [database] }, database, ...quiet };
    const heart = await openSqliteHeart(database);
    await prepareSqlite(database, false);

    await assert.rejects(sqliteStream.restoreTest(request), /holds no stream of it. Is Litestream running/);
    const { location } = parseStoreUrl(store);
    const litestream = replicate({ path, database: "it", location: location! }, env);
    let second: Date;
    try {
      const unprepared = await waitFor("a first snapshot", 30, () => sqliteStream.restoreTest(request));
      assert.deepEqual(verdictsOf(unprepared), {
        stream: "pass",
        file: "pass",
        sidecars: "pass",
        integrity: "pass",
        consistency: "pass",
        canary: "inconclusive",
      });
      assert.equal((await cli("backup")).exitCode, 0);
      const first = await heart.beat();
      const tripped = await waitFor("the round trip of the first heartbeat", 30, async () => {
        const proof = await sqliteStream.restoreTest(request);
        return proof.newestHeartbeat?.getTime() === first.getTime() && proof;
      });
      assert.equal(verdictsOf(tripped).canary, "pass");

      // To the second: that is what Litestream knows of its segments.
      await waitFor("the next seconds", 5, () => Date.now() > first.getTime() + 2500);
      const moment = new Date().toISOString();
      await waitFor("the next second", 5, () => Date.now() > Date.parse(moment) + 1500);
      sqlite(
        path,
        "BEGIN; INSERT INTO debit (amount) VALUES (1); INSERT INTO credit VALUES (501, 1, NULL); UPDATE counter SET n = 501; COMMIT;",
      );
      second = await heart.beat();
      const into = join(folder, "restored.db");
      await waitFor("the round trip of the second heartbeat", 30, async () => {
        const restored = await sqliteStream.restoreInto({ ...request, into, keep: false });
        assert.deepEqual(notPassed(restored), []);
        return restored.proof.newestHeartbeat?.getTime() === second.getTime();
      });
      assert.equal(committedEntries(into), 501);
      assert.equal(sqlite(into, "PRAGMA journal_mode"), "wal");

      const before = join(folder, "before.db");
      const then = await cli("recover", "--yes", "--to", moment, "--into", before);
      assert.equal(then.exitCode, 0, then.stdout);
      assert.equal(then.json.chosen, "stream", then.stderr + then.stdout);
      assert.equal(sqlite(before, "SELECT at FROM dr_canary"), first.toISOString());
      assert.equal(committedEntries(before), 500);
      const tooEarly = sqliteStream.restoreInto({
        ...request,
        at: new Date(0),
        into: join(folder, "x.db"),
        keep: true,
      });
      await assert.rejects(tooEarly, /Nothing is as old as 1970/);
      assert.ok(!existsSync(join(folder, "x.db")));
    } finally {
      await litestream.kill();
    }
    // It has stalled, and its last state restores as well as ever.
    configure({ objectives: { rpoMinutes: 0.01 } });
    await waitFor("the heartbeat grows old", 30, () => Date.now() > second.getTime() + 1000);
    const stalled = await cli("restore-test", "--from-stream");
    assert.equal(stalled.exitCode, 1, stalled.stdout);
    assert.equal(verdictsOf(stalled.json).freshness, "fail");
    assert.equal(verdictsOf(stalled.json).canary, "pass");
    assert.match(stalled.json.evidence, /^evidence\/it\//);
    const plan = await cli("plan", "--to", "latest");
    assert.equal(plan.json.chosen, "stream", "it is old, and nothing is newer");
  });
});
