import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  copyFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { dr, drJson, finished, startRunner, writeConfig } from "../../support/runner";
import { freePort } from "../../support/free-port";
import { skip } from "../../support/skip";
import { waitFor } from "../../support/wait-for";
import { makeDatabase, temporaryFolder, withClient } from "../../support/postgres";

interface Protected {
  readonly folder: string;
  readonly store: string;
  readonly path: string;
}

const rows = 60_000;

async function protectedDatabase(name: string, backup: Record<string, unknown> = {}): Promise<Protected> {
  const server = await makeDatabase(
    name,
    `CREATE TABLE public.t AS SELECT i AS id, md5(i::text) AS a, md5((i + 1)::text) AS b FROM generate_series(1, ${rows}) i; ALTER TABLE public.t ADD PRIMARY KEY (id)`,
  );
  const folder = temporaryFolder();
  const store = join(folder, "store");
  const path = writeConfig(folder, {
    store: `file://${store}`,
    databases: [{ name: "it", engine: "postgres", url: server.url(name), backup }],
  });
  return { folder, store, path };
}

async function recoveryPoints(path: string): Promise<{ id: string; state: string; problems: string[] }[]> {
  const { json } = await drJson<{ recoveryPoints: { id: string; state: string; problems: string[] }[] }>([
    "list",
    "--config",
    path,
  ]);
  return json.recoveryPoints;
}

/** Folders of the throw-away servers of one run: other tests of this machine have servers of their own. */
function serverFoldersOf(runner: number, temporary: string): string[] {
  return ["/tmp", temporary]
    .flatMap((root) => readdirSync(root).map((entry) => join(root, entry)))
    .filter((path) => basename(path).startsWith("dr-server-"))
    .filter((folder) => {
      try {
        return Number(readFileSync(join(folder, "owner.pid"), "utf8")) === runner;
      } catch {
        return false;
      }
    });
}

describe("bad days", () => {
  it("[guide 10] a backup killed at any moment leaves no recovery point, and the next one works", async function () {
    this.timeout(120_000);
    // Slow enough that no machine is done before it is killed.
    const { folder, path } = await protectedDatabase("killed", { maxBytesPerSecond: 100_000 });
    for (const [signal, exitCode] of [
      ["SIGKILL", 137],
      ["SIGTERM", 143],
      ["SIGINT", 130],
    ] as const) {
      for (const delay of [250, 700, 1100]) {
        const child = startRunner(["backup", "--config", path]);
        const end = finished(child);
        await new Promise((resolve) => setTimeout(resolve, delay));
        child.kill(signal);
        assert.equal((await end).exitCode, exitCode, `${signal} after ${delay} ms`);
        const complete = (await recoveryPoints(path)).filter(({ state }) => state !== "orphaned");
        assert.deepEqual(complete, [], `${signal} after ${delay} ms left something that looks like a recovery point`);
      }
    }
    const config = JSON.parse(readFileSync(path, "utf8")) as { databases: { backup: object }[] };
    writeConfig(folder, { ...config, databases: config.databases.map((one) => ({ ...one, backup: {} })) });
    const next = await dr(["backup", "--config", path]);
    assert.equal(next.exitCode, 0, next.stdout + next.stderr);
    assert.equal((await dr(["restore-test", "--config", path])).exitCode, 0);
  });

  it("[guide 49] a restore test killed at any moment takes its server with it, and the next one works", async function () {
    this.timeout(120_000);
    const { path } = await protectedDatabase("test-killed");
    assert.equal((await dr(["backup", "--config", path])).exitCode, 0);
    const temporary = temporaryFolder();
    const left = new Set<string>();
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      for (const delay of [500, 1200, "its server"]) {
        const child = startRunner(["restore-test", "--config", path], { TMPDIR: temporary });
        const end = finished(child);
        const folders = () => serverFoldersOf(child.pid!, temporary);
        if (typeof delay === "number") await new Promise((resolve) => setTimeout(resolve, delay));
        else await waitFor("the restore test's server", 30, () => folders().some(isServing));
        const before = folders();
        child.kill(signal);
        await end;
        for (const folder of new Set([...before, ...folders()])) {
          left.add(folder);
          await waitFor(`the server of a run killed by ${signal} ends`, 30, () => !isServing(folder));
        }
      }
    }
    assert.ok(left.size >= 2);
    const next = await dr(["restore-test", "--config", path], { TMPDIR: temporary });
    assert.equal(next.exitCode, 0, next.stdout + next.stderr);
    assert.deepEqual([...left].filter(existsSync), []);
    assert.deepEqual(
      readdirSync(temporary).filter((entry) => entry.startsWith("dr-")),
      [],
    );
  });

  it("two backups at once: the second gives up at once and harms nothing", async function () {
    this.timeout(60_000);
    const { path } = await protectedDatabase("twice", { maxBytesPerSecond: 400_000 });
    const first = startRunner(["backup", "--config", path]);
    const firstEnd = finished(first);
    let said = "";
    first.stderr!.on("data", (text: string) => (said += text));
    await waitFor("the first backup dumps", 30, () => said.includes("dumping"));
    const second = await dr(["backup", "--config", path]);
    assert.equal(second.exitCode, 1);
    assert.match(second.stdout, /Another backup.*is running/);
    assert.equal((await firstEnd).exitCode, 0);
    assert.deepEqual(
      (await recoveryPoints(path)).map(({ state }) => state),
      ["complete"],
    );
  });

  it("a store that cannot be written, and a disk that fills up in mid-dump", async function () {
    this.timeout(60_000);
    const { folder, path } = await protectedDatabase("full");
    const file = join(folder, "a-file");
    writeFileSync(file, "");
    const config = JSON.parse(readFileSync(path, "utf8")) as { store: string };
    writeFileSync(join(folder, "bad.json"), JSON.stringify({ ...config, store: `file://${file}/store` }));
    const unwritable = await dr(["backup", "--config", join(folder, "bad.json")]);
    assert.equal(unwritable.exitCode, 1, unwritable.stdout);

    if (process.getuid?.() !== 0) {
      this.test!.title += " (a small file system needs root: only the first half)";
      return;
    }
    const small = join(folder, "small");
    mkdirSync(small);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]);
    try {
      writeFileSync(join(folder, "small.json"), JSON.stringify({ ...config, store: `file://${small}/store` }));
      const full = await dr(["backup", "--config", join(folder, "small.json")]);
      assert.equal(full.exitCode, 1, full.stdout);
      assert.match(full.stdout, /ENOSPC|no space/i);
      assert.deepEqual(await recoveryPoints(join(folder, "small.json")), []);
      const left = readdirSync(small, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      assert.deepEqual(left, [], "nothing half-written stays");
    } finally {
      execFileSync("umount", [small]);
    }
  });

  it("finds every damage to a stored recovery point, and falls back to the one before", async function () {
    this.timeout(120_000);
    const { folder, store, path } = await protectedDatabase("damaged");
    assert.equal((await dr(["backup", "--config", path])).exitCode, 0);
    assert.equal((await dr(["backup", "--config", path])).exitCode, 0);
    const [newest, older] = (await recoveryPoints(path)).map(({ id }) => id) as [string, string];
    const part = (id: string): string => join(store, "parts/it", id, "dump.pgc.zst");
    const manifest = join(store, "catalog/it", `${newest}.json`);
    const keep = join(folder, "kept");
    const damages: [string, () => void, RegExp][] = [
      ["truncated", () => truncateSync(part(newest), 1000), /1000/],
      ["flipped", () => flip(part(newest)), /SHA-256/],
      ["swapped", () => copyFileSync(join(store, "parts/it", newest, "facts.json"), part(newest)), /./],
      ["deleted", () => rmSync(part(newest)), /missing/],
      ["not JSON", () => writeFileSync(manifest, "{ not json"), /not JSON/],
      ["from a newer version", () => rewrite(manifest, (it) => ({ ...it, formatVersion: 99 })), /newer/],
      [
        "hostile",
        () =>
          rewrite(manifest, (it) => ({ ...it, parts: [{ ...(it.parts as object[])[0], key: "../../etc/passwd" }] })),
        /etc\/passwd/,
      ],
      ["edited", () => rewrite(manifest, (it) => ({ ...it, verdict: "inconclusive" })), /changed after it was written/],
    ];
    for (const [what, damage, expected] of damages) {
      copyFileSync(part(newest), keep);
      copyFileSync(manifest, `${keep}.json`);
      damage();
      const verified = await drJson<{ problems: string[] }>(["verify", newest, "--config", path]);
      assert.equal(verified.exitCode, 1, what);
      assert.match(verified.json.problems.join(), expected, what);
      copyFileSync(keep, part(newest));
      copyFileSync(`${keep}.json`, manifest);
    }
    assert.equal((await dr(["verify", newest, "--config", path])).exitCode, 0);
    flip(part(newest));
    const tested = await drJson<{ verdict: string; lastGood: { recoveryPoint: string } }>([
      "restore-test",
      "--config",
      path,
    ]);
    assert.equal(tested.exitCode, 1);
    assert.equal(tested.json.lastGood.recoveryPoint, older);
    rmSync(join(store, "catalog"), { recursive: true });
    assert.equal((await dr(["restore-test", "--config", path])).exitCode, 1, "no recovery point at all is a no");
  });

  it("gives way to a migration, and does not wait for one for ever", async function () {
    this.timeout(60_000);
    const { path } = await protectedDatabase("migrating", {
      maxBytesPerSecond: 200_000,
      maxBlockingSeconds: 1,
      // Longer than what the migration is made to wait: it may have come between two of the dump's locks.
      lockWaitSeconds: 5,
    });
    const server = await makeDatabase("migrating bystander", "SELECT 1");
    const running = startRunner(["backup", "--config", path]);
    const end = finished(running);
    let said = "";
    running.stderr!.on("data", (text: string) => (said += text));
    await waitFor("the dump runs", 30, () => said.includes("dumping"));
    await waitFor("the dump holds its locks", 30, () =>
      withClient(server, "migrating", async (client) => {
        const { rowCount } = await client.query(
          "SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.application_name LIKE 'dr it-%' AND l.relation = 'public.t'::regclass",
        );
        return rowCount! > 0;
      }),
    );
    await withClient(server, "migrating", (client) => client.query("ALTER TABLE public.t ADD COLUMN migrated int"));
    const gaveWay = await end;
    assert.equal(gaveWay.exitCode, 1);
    assert.match(gaveWay.stdout, /gave way/);

    await withClient(server, "migrating", async (client) => {
      await client.query("BEGIN; LOCK TABLE public.t");
      const locked = await dr(["backup", "--config", path]);
      assert.equal(locked.exitCode, 1);
      assert.match(locked.stdout, /lock timeout|lock/);
    });
    assert.deepEqual(
      (await recoveryPoints(path)).filter(({ state }) => state === "complete"),
      [],
    );
  });

  it("refuses a transaction pooler, and takes a session pooler", async function () {
    this.timeout(60_000);
    if (!existsSync("/usr/sbin/pgbouncer")) {
      skip(this, "pgbouncer is not installed (npm run setup)");
    }
    const server = await makeDatabase("pooled", "CREATE TABLE public.t AS SELECT 1 AS a");
    for (const mode of ["transaction", "session"] as const) {
      const folder = temporaryFolder();
      const port = await freePort();
      writeFileSync(
        join(folder, "pgbouncer.ini"),
        `[databases]\npooled = host=${server.directory} port=${server.access().port} user=dr_superuser\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=${port}\nunix_socket_dir=\nauth_type=any\npool_mode=${mode}\ndefault_pool_size=5\nignore_startup_parameters=options,extra_float_digits,search_path\nlogfile=/dev/null\n`,
      );
      execFileSync("chmod", ["-R", "a+rX", folder]);
      const pooler = spawn(
        "/usr/sbin/pgbouncer",
        [...(process.getuid?.() === 0 ? ["-u", "postgres"] : []), join(folder, "pgbouncer.ini")],
        { stdio: "ignore" },
      );
      try {
        const path = writeConfig(folder, {
          store: `file://${folder}/store`,
          databases: [{ name: "it", engine: "postgres", url: `postgresql://dr_superuser@127.0.0.1:${port}/pooled` }],
        });
        let result = await dr(["backup", "--config", path]);
        await waitFor("pgbouncer listens", 30, async () => {
          result = await dr(["backup", "--config", path]);
          return !result.stdout.includes("ECONNREFUSED");
        });
        if (mode === "session") assert.equal(result.exitCode, 0, result.stdout);
        else {
          assert.equal(result.exitCode, 1);
          assert.match(result.stdout, /transaction pooler/);
        }
      } finally {
        pooler.kill("SIGINT");
        await new Promise((resolve) => pooler.once("exit", resolve));
      }
    }
  });
});

function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(path, bytes);
}

function rewrite(path: string, change: (manifest: Record<string, unknown>) => unknown): void {
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>)));
}

function isServing(folder: string): boolean {
  const processes = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
  return processes.split("\n").some((line) => line.includes(`bin/postgres -D ${folder}/`));
}
