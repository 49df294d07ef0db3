import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { beat } from "../job-images/src/engines/postgres/prepare";
import { connect } from "../job-images/src/engines/postgres/session";
import { ReferenceWorld } from "../job-images/src/platform/local/reference-world";
import { bytesText, table } from "../job-images/src/report/terminal";
import { policyContests } from "./policy-contests";
import { sqliteContests } from "./sqlite-contests";
import { type BenchRow, type Contest, run } from "./rounds";

const referenceBytes = 100_000_000;
const memoryBarBytes = 150_000_000;
/** One heartbeat has to do for all rounds: a writer would be a load of its own. */
const secondsOfABench = 86_400;
const runner = resolve("job-images/dist/dr.cjs");

const usage = "usage: npm run bench -- [--quick] [--size BYTES] [--json]\n";

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: "boolean" },
        size: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean" },
      },
    });
    const sizeBytes =
      values.size !== undefined ? Number(values.size) : values.quick ? 2 * referenceBytes : 15 * referenceBytes;
    if (!(sizeBytes > 0)) throw new Error(`--size: expected a number of bytes, got ${values.size}`);
    return { ...values, sizeBytes };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}`);
    return process.exit(2);
  }
}

const values = readOptions();

/** Seconds that a command took, and the most memory that its first process ever held. */
async function timed(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ seconds: number; peakBytes: number }> {
  const start = performance.now();
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  // What a tool says belongs to a failure's message alone; gigabytes of it would be the measurement.
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (text: Buffer) => (said = (said + text.toString()).slice(-20_000)));
  }
  let peakBytes = 0;
  const watch = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peakBytes = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024 || peakBytes;
    } catch {
      // It has ended.
    }
  }, 50);
  const code = await new Promise((done) => child.on("close", done));
  clearInterval(watch);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${String(code)}: ${said}`);
  return { seconds: (performance.now() - start) / 1000, peakBytes };
}

async function bench(): Promise<{ rows: BenchRow[]; peakBytes: number; sizeBytes: number }> {
  const rounds = values.quick ? 1 : 3;
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const folder = mkdtempSync(join(tmpdir(), "dr-bench-"));
  say(`making a database of about ${bytesText(values.sizeBytes)}`);
  const world = await ReferenceWorld.create(values.sizeBytes / referenceBytes);
  try {
    const { primary } = world;
    const bin = join(primary.tools.program("pg_dump"), "..");
    const access = primary.access("architect");
    const env = {
      ...process.env,
      PATH: `${bin}:${process.env.PATH}`,
      PGHOST: access.host,
      PGPORT: String(access.port),
      PGUSER: access.user,
      OUT: folder,
    };
    const shell = async (script: string): Promise<number> =>
      (await timed("bash", ["-euo", "pipefail", "-c", script], env)).seconds;
    const sql = async (statement: string, databaseName = "postgres"): Promise<void> => {
      const client = await connect(primary.access(databaseName));
      await client.query(statement).finally(() => client.end());
    };
    const heart = await connect(access);
    await beat(heart).finally(() => heart.end());
    const config = join(folder, "dr.json");
    writeFileSync(
      config,
      JSON.stringify({
        store: `file://${folder}/store`,
        databases: [
          {
            name: "architect",
            engine: "postgres",
            url: primary.url("architect"),
            proof: { level: "structure" },
            canary: { canarySeconds: secondsOfABench },
          },
        ],
      }),
    );
    mkdirSync(join(folder, "store"));
    let peakBytes = 0;
    const drWith = async (path: string, ...args: string[]): Promise<number> => {
      const { seconds, peakBytes: peak } = await timed(process.execPath, [runner, ...args, "--config", path], env);
      peakBytes = Math.max(peakBytes, peak);
      return seconds;
    };
    const dr = (...args: string[]): Promise<number> => drWith(config, ...args);
    const guideBackup =
      'pg_dump architect | gzip > "$OUT/guide.sql.gz"; cp "$OUT/guide.sql.gz" "$OUT/uploaded.sql.gz"; sync "$OUT/uploaded.sql.gz"';
    // A base backup holds every database of the server: the copies of another contest would be measured as well.
    const withoutCopies = async (): Promise<void> => {
      for (const name of ["guide copy", "our copy"]) await sql(`DROP DATABASE IF EXISTS "${name}"`);
    };
    const guideRestore = async (): Promise<number> => {
      await withoutCopies();
      await sql('CREATE DATABASE "guide copy"');
      return shell('gunzip -c "$OUT/guide.sql.gz" | psql -q -o /dev/null "guide copy"');
    };
    const contests: Contest[] = [
      {
        name: "dump backup: the guide's gzip against dr backup",
        bar: 6,
        baseline: () => shell(guideBackup),
        ours: () => dr("backup"),
      },
      {
        name: "the same tools in a shell against dr backup",
        bar: 1 / 1.1,
        baseline: () =>
          shell(
            'pg_dump -Fc -Z0 architect | zstd -3 -T0 -q | tee >(sha256sum > "$OUT/sum") > "$OUT/shell.zst"; sync "$OUT/shell.zst"',
          ),
        ours: () => dr("backup"),
      },
      {
        name: "logical restore: the guide's psql against dr restore",
        bar: 1.6,
        baseline: guideRestore,
        ours: async () => {
          await withoutCopies();
          return dr("restore", "latest", "--into", primary.url("our copy"));
        },
      },
      {
        name: "physical backup: the guide's gzip against dr backup --method base",
        bar: 10,
        baseline: async () => {
          await withoutCopies();
          return shell(guideBackup);
        },
        ours: () => dr("backup", "--method", "base"),
      },
      {
        name: "physical restore, proven: the guide's psql against dr restore",
        bar: 5.5,
        baseline: guideRestore,
        ours: async () => {
          const copy = join(primary.directory, `our-copy-${randomUUID()}`);
          const seconds = await dr("restore", "latest", "--into", copy);
          rmSync(copy, { recursive: true });
          return seconds;
        },
      },
      ...(await sqliteContests(folder, values.sizeBytes, { shell, dr: drWith })),
    ];
    const rows: BenchRow[] = [];
    for (const contest of [...policyContests, ...contests]) rows.push(await run(contest, rounds, say));
    const client = await connect(access);
    const size = await client
      .query<{ bytes: string }>("SELECT pg_database_size('architect')::text AS bytes")
      .finally(() => client.end());
    say(
      `stored: ${bytesText(statSync(join(folder, "shell.zst")).size)} by zstd, ${bytesText(statSync(join(folder, "guide.sql.gz")).size)} by gzip`,
    );
    return { rows, peakBytes, sizeBytes: Number(size.rows[0]!.bytes) };
  } finally {
    await world.destroy();
    rmSync(folder, { recursive: true, force: true });
  }
}

function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(
      `${usage}\nSide by side with the guide's own commands, A B A B; a ratio over its bar is good.\n`,
    );
    process.exitCode = 0;
    return Promise.resolve();
  }
  return bench().then(({ rows, peakBytes, sizeBytes }) => {
    const memory = { peakBytes, barBytes: memoryBarBytes, met: peakBytes <= memoryBarBytes };
    if (values.json) {
      process.stdout.write(
        `${JSON.stringify({ rows, memory, sizeBytes, cpus: availableParallelism() }, undefined, 2)}\n`,
      );
    } else {
      const cells = rows.map((row) => [
        row.met ? "met" : "MISSED",
        row.ratio.toFixed(2),
        row.bar.toFixed(2),
        `${row.baselineSeconds.toFixed(1)} s`,
        `${row.seconds.toFixed(1)} s`,
        row.name,
      ]);
      process.stdout.write(`${table(["BAR", "RATIO", "AT LEAST", "BASELINE", "OURS", "WHAT"], cells)}\n`);
      process.stdout.write(
        `runner's peak memory ${bytesText(peakBytes)}, at most ${bytesText(memoryBarBytes)}; database of ${bytesText(sizeBytes)}, ${availableParallelism()} CPUs\n`,
      );
    }
    process.exitCode = rows.every(({ met }) => met) && memory.met ? 0 : 1;
  });
}

process.exitCode = 1;
void main();
