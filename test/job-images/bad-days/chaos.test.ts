import assert from "node:assert/strict";
import { type ChildProcess, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, statSync, cpSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openStore } from "../../../job-images/src/store/open-store";
import { type ObjectStore } from "../../../job-images/src/store/object-store";
import { postgresDump } from "../../../job-images/src/engines/postgres/dump";
import { postgresBase } from "../../../job-images/src/engines/postgres/base-backup";
import { accessOfUrl } from "../../../job-images/src/engines/postgres/libpq";
import { connect } from "../../../job-images/src/engines/postgres/session";
import { silentProgress } from "../../../job-images/src/progress";
import { readEvidence } from "../../../job-images/src/report/evidence-record";
import { readCatalog, RecoveryPointState, verifyRecoveryPoint } from "../../../job-images/src/store/catalog";
import { mapConcurrently } from "../../../job-images/src/store/concurrently";
import { S3Store } from "../../../job-images/src/store/s3-store";
import { Engine, type Manifest, Verdict } from "../../../recovery";
import { ledgerProblem } from "../../support/acknowledged-rows";
import { ChaosWorld, coveredUntil } from "../../support/chaos-world";
import { canStrike, Fault as StoreFault, FaultProxy } from "../../support/fault-proxy";
import { descendantsOf } from "../../support/process-tree";
import { radosgw, type RadosGateway, whyNoRadosgw } from "../../support/radosgw";
import { SeededRandom } from "../../support/random";
import { finished, type RunnerResult } from "../../support/runner";
import { createBucket, locationOf, s3Client } from "../../support/s3-bucket";
import { skip } from "../../support/skip";
import { waitFor } from "../../support/wait-for";

/**
 * `npm run test:chaos` is the whole suite; `npm test` runs the first few. DR_CHAOS_SEED repeats a suite, DR_CHAOS_ONLY one
 * run of it by its number, DR_CHAOS_LANES says how many are under way at once,
 * DR_CHAOS_MINUTES when to begin no further one.
 */
const shortRuns = 4;
const runs = Number(process.env.DR_CHAOS_RUNS ?? shortRuns);
const seed = Number(process.env.DR_CHAOS_SEED ?? 20261125);
const lanes = Number(process.env.DR_CHAOS_LANES ?? 1);
/** Begin no further run after so many minutes. */
const minutes = Number(process.env.DR_CHAOS_MINUTES ?? Infinity);
const only = process.env.DR_CHAOS_ONLY === undefined ? undefined : Number(process.env.DR_CHAOS_ONLY);
/** After so many runs a lane gets a new server: rows and recovery points must not pile up. */
const runsPerWorld = 20;

/** What the runner is at. */
const Stage = { Backup: "backup", Stream: "WAL stream", RestoreTest: "restore test", Recover: "recover" } as const;
type Stage = (typeof Stage)[keyof typeof Stage];

const Fault = {
  RunnerKilled: "runner killed",
  ToolKilled: "tool killed",
  RunnerTerminated: "runner terminated",
  StoreError: "store error",
  Reset: "connection reset",
  SlowStore: "slow store",
  DiskFull: "disk full",
  ClockStep: "clock step",
  Restart: "restart of PostgreSQL",
  Failover: "failover of PostgreSQL",
} as const;
type Fault = (typeof Fault)[keyof typeof Fault];

/** Which faults of the store's each is. */
const storeFaults: Partial<Record<Fault, readonly StoreFault[]>> = {
  [Fault.StoreError]: [StoreFault.InternalError, StoreFault.SlowDown],
  [Fault.Reset]: [StoreFault.ResetBefore, StoreFault.ResetDuring, StoreFault.ResetAfter, StoreFault.TruncatedAnswer],
  [Fault.SlowStore]: [StoreFault.Throttled],
};

/** Every pair that means something: a restore test has nothing to do with the primary. The first few are the short set. */
const pairs: readonly (readonly [Stage, Fault])[] = (() => {
  const first: (readonly [Stage, Fault])[] = [
    [Stage.Backup, Fault.ToolKilled],
    [Stage.Stream, Fault.Restart],
    [Stage.RestoreTest, Fault.RunnerKilled],
    [Stage.Recover, Fault.DiskFull],
    [Stage.Backup, Fault.Failover],
  ];
  const all = Object.values(Stage).flatMap((stage) =>
    Object.values(Fault)
      .filter((fault) => stage !== Stage.RestoreTest || (fault !== Fault.Restart && fault !== Fault.Failover))
      .map((fault) => [stage, fault] as const),
  );
  const rest = all.filter(([stage, fault]) => !first.some((each) => each[0] === stage && each[1] === fault));
  // Kinds that need another world (a gateway, a failover) are spread evenly.
  const random = new SeededRandom(7);
  return [
    ...first,
    ...rest
      .map((pair) => ({ pair, order: random.next() }))
      .sort((a, b) => a.order - b.order)
      .map(({ pair }) => pair),
  ];
})();

interface Run {
  readonly name: string;
  readonly stage: Stage;
  readonly fault: Fault;
  readonly fired: boolean;
  readonly exitCode: number | null;
  readonly violations: readonly string[];
}

/** How long each stage usually takes here, in milliseconds, for a dump and a base backup: a fault has to come before it ends. */
const usualMs: Record<Stage, { a: number; b: number }> = {
  [Stage.Backup]: { a: 700, b: 1000 },
  [Stage.Stream]: { a: 3000, b: 3000 },
  [Stage.RestoreTest]: { a: 900, b: 1300 },
  [Stage.Recover]: { a: 1000, b: 1500 },
};

describe("chaos", () => {
  let gateway: RadosGateway | undefined;
  let bucket: string;
  const needed = runs > shortRuns || only !== undefined;

  before(async function () {
    this.timeout(180_000);
    if (process.getuid?.() !== 0) skip(this, "disks of their own size and private /tmp need root");
    if (!needed) return;
    const reason = whyNoRadosgw();
    if (reason !== undefined) skip(this, reason);
    gateway = await radosgw();
    const client = s3Client({ endpoint: gateway.endpoint, ...gateway.admin });
    bucket = await createBucket(client);
    client.destroy();
  });

  it(`[guide 10, 49] makes nobody report what cannot be restored, and harms no earlier recovery point: ${runs} seeded runs`, async function () {
    this.timeout(120_000 + runs * 60_000);
    const numbers = only === undefined ? Array.from({ length: runs }, (_, index) => index) : [only];
    const results: Run[] = [];
    const startedAt = Date.now();
    await mapConcurrently(
      Array.from({ length: Math.min(lanes, numbers.length) }, (_, lane) => lane),
      lanes,
      async () => {
        let world: ChaosWorld | undefined;
        let used = 0;
        try {
          for (
            let index = numbers.shift();
            index !== undefined && Date.now() - startedAt < minutes * 60_000;
            index = numbers.shift()
          ) {
            if (world && used >= runsPerWorld) {
              await world.destroy();
              world = undefined;
            }
            used = world ? used + 1 : 0;
            world ??= await ChaosWorld.start();
            let run = await oneRun(world, index);
            // One run has to do for a stage: a fault that came too late has learned when to come, and comes again.
            for (let left = 3; !needed && !run.fired && run.violations.length === 0 && left > 0; left--)
              run = await oneRun(world, index);
            results.push(run);
            for (const each of run.violations) console.log(`      ${run.name}: ${each}`);
            if (needed)
              console.log(
                `      ${results.length} ${run.name}: fired ${run.fired}, exit code ${run.exitCode}, ${Math.round((Date.now() - startedAt) / 1000)} s`,
              );
            if (run.fault === Fault.Failover) used = runsPerWorld;
          }
        } finally {
          await world?.destroy();
        }
      },
    );
    console.log(
      `      ${results.length} of ${runs} runs in ${Math.round((Date.now() - startedAt) / 60_000)} minutes, seed ${seed}`,
    );
    report(results);
    assert.deepEqual(
      results.flatMap(({ name, violations }) => violations.map((each) => `${name}: ${each}`)),
      [],
    );
  });

  /** Prints what fired where, and fails for a stage, and in a whole suite for a fault, that nothing ever happened to. */
  function report(results: readonly Run[]): void {
    const line = (what: string, those: readonly Run[]): number => {
      const fired = those.filter((run) => run.fired);
      const succeeded = fired.filter(({ exitCode }) => exitCode === 0).length;
      console.log(
        `      ${what}: fired in ${fired.length} of ${those.length} runs, ${succeeded} of them reported success`,
      );
      return fired.length;
    };
    for (const stage of Object.values(Stage)) {
      const those = results.filter((run) => run.stage === stage);
      if (those.length > 0 || only === undefined)
        assert.ok(line(stage, those) > 0, `nothing ever happened to: ${stage}`);
    }
    if (results.length < pairs.length) return;
    for (const fault of Object.values(Fault)) {
      assert.ok(
        line(
          fault,
          results.filter((run) => run.fault === fault),
        ) > 0,
        `never happened: ${fault}`,
      );
    }
  }

  async function oneRun(world: ChaosWorld, index: number): Promise<Run> {
    const [stage, fault] = pairs[index % pairs.length]!;
    const random = new SeededRandom(seed + index * 7919);
    const run = new ChaosRun(world, index, stage, fault, random, gateway, bucket);
    try {
      await run.prepare();
      await run.go();
    } catch (error) {
      run.violations.push(`the run itself broke: ${(error as Error).stack}`);
    } finally {
      await run.cleanUp();
    }
    return { name: run.name, stage, fault, fired: run.fired, exitCode: run.exitCode, violations: run.violations };
  }
});

/** One run: an honest store, a fault, and what became of both. */
class ChaosRun {
  readonly name: string;
  readonly violations: string[] = [];
  fired = false;
  exitCode: number | null = null;
  private readonly folder: string;
  private readonly disks: string[] = [];
  private proxy: FaultProxy | undefined;
  /** The store as it really is. */
  private direct!: ObjectStore;
  /** Its URL, and the one that the fault lies in wait behind. */
  private url!: string;
  private faultyUrl!: string;
  private env: NodeJS.ProcessEnv = {};
  /** Of the run's moment within the stage's usual time. */
  private readonly fraction: number;
  private readonly detail: "a" | "b";

  constructor(
    private readonly world: ChaosWorld,
    private readonly index: number,
    private readonly stage: Stage,
    private readonly fault: Fault,
    private readonly random: SeededRandom,
    private readonly gateway: RadosGateway | undefined,
    private readonly bucket: string,
  ) {
    this.folder = join(world.folder, `run-${index}`);
    mkdirSync(this.folder);
    this.fraction = 0.1 + random.next() * 0.7;
    this.detail = random.pick(["a", "b"] as const);
    this.name = `seed ${seed} run ${index} (${stage}, ${fault}, at ${this.fraction.toFixed(2)}, ${this.detail})`;
  }

  private get usualMs(): number {
    return usualMs[this.stage][this.detail];
  }

  async prepare(): Promise<void> {
    const kinds = storeFaults[this.fault];
    if (kinds) await this.prepareBucket(this.random.pick(kinds));
    else {
      const folder = join(this.folder, "store");
      mkdirSync(folder);
      const bytes = this.world.seedFiles().reduce((sum, { path }) => sum + statSize(path), 0);
      // What the seed needs, and then not enough.
      const fills =
        this.fault === Fault.DiskFull &&
        (this.stage === Stage.Backup || (this.stage === Stage.Stream && this.detail === "a"));
      if (fills) this.mount(folder, bytes + 400_000 + this.random.below(600_000));
      cpSync(this.world.seedFolder, folder, { recursive: true });
      this.url = this.faultyUrl = `file://${folder}`;
      this.direct = openStore(this.url);
    }
    if (this.fault === Fault.Failover) await this.world.prepareFailover();
  }

  async go(): Promise<void> {
    switch (this.stage) {
      case Stage.Backup:
        await this.backup();
        break;
      case Stage.Stream:
        await this.stream();
        break;
      case Stage.RestoreTest:
        await this.restoreTest();
        break;
      case Stage.Recover:
        await this.recover();
    }
    await this.judgeEarlier();
  }

  async cleanUp(): Promise<void> {
    this.direct?.close();
    await this.proxy?.stop();
    for (const disk of this.disks) {
      try {
        execFileSync("umount", ["--lazy", disk]);
      } catch {
        // It was never mounted.
      }
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private async backup(): Promise<void> {
    const method = this.detail === "a" ? "dump" : "base";
    const args = (store: string): string[] => [
      "backup",
      "--method",
      method,
      "--config",
      this.world.configure(this.folder, store),
    ];
    const startedAt = Date.now();
    const child = this.startFaulty(args(this.faultyUrl));
    const result = await this.underFault(child);
    const reported = idsOf(result);
    const left = await this.judgePoints(result.exitCode === 0 ? reported : [], startedAt);
    const cleanAt = Date.now();
    const clean = await this.clean(args(this.url));
    // A restore costs more than all the rest of a run: one a run is enough.
    if (left === 0) await this.judgePoints(idsOf(clean), cleanAt, idsOf(clean));
  }

  private async stream(): Promise<void> {
    const slot = `dr_chaos_${this.index}`;
    const spool = join(this.folder, "spool");
    mkdirSync(spool);
    if (this.fault === Fault.DiskFull && this.detail === "b")
      this.mount(spool, 4_000_000 + this.random.below(20_000_000));
    const wal = { spool, slot, flushSeconds: 1 };
    const args = (store: string): string[] => [
      "stream",
      "ledger",
      "--config",
      this.world.configure(this.folder, store, { wal }),
    ];
    const child = this.startFaulty(args(this.faultyUrl));
    // It goes on until it is stopped: what struck it early must have had time to matter.
    const enough = delay(this.usualMs + 500).then(() => child.kill("SIGTERM"));
    await this.underFault(child);
    await enough;
    this.enlarge();
    const again = this.world.start(args(this.url), { env: this.env });
    const ended = finished(again);
    const since = Date.now();
    let until: number | undefined;
    try {
      until = await waitFor("the log to be in the store again", 60, async () => {
        const covered = await coveredUntil(this.direct);
        return covered !== undefined && covered >= since ? covered : undefined;
      });
    } catch (error) {
      const state = await this.world.in("postgres", async (client) => {
        const { rows } = await client.query(
          "SELECT slot_name, active, restart_lsn, wal_status, pg_current_wal_lsn() AS now, r.flush_lsn, r.state FROM pg_replication_slots s LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid",
        );
        return JSON.stringify(rows);
      });
      const files = execFileSync("find", [this.folder, "-path", "*spool*", "-o", "-path", "*wal*"], {
        encoding: "utf8",
      });
      this.violations.push(`slots ${state}, files ${files}`);
      again.kill("SIGTERM");
      const { stderr } = await ended;
      this.violations.push(
        `a later stream does not bring the log: ${(error as Error).message}\n${stderr.slice(-1500)}`,
      );
    }
    again.kill("SIGTERM");
    await ended;
    await this.world.in("postgres", async (client) => {
      await waitFor("the slot to be let go", 20, async () => {
        const { rows } = await client.query<{ active: boolean }>(
          "SELECT active FROM pg_replication_slots WHERE slot_name = $1",
          [slot],
        );
        return rows.every(({ active }) => !active);
      });
      await client.query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1", [
        slot,
      ]);
    });
    if (until === undefined) return;
    const place = join(this.folder, "replayed");
    const config = this.world.configure(this.folder, this.url, { wal });
    const restored = await this.world.run(["restore", "--to", "latest", "--into", place, "--config", config], {
      env: this.env,
    });
    if (restored.exitCode !== 0) {
      this.violations.push(`the log that the store says it has cannot be replayed: ${said(restored)}`);
      return;
    }
    await this.judgeCopy(place, until, "the log");
  }

  private async restoreTest(): Promise<void> {
    const point = this.world.points.find(({ method }) => method === (this.detail === "a" ? "dump" : "base"))!;
    const args = (store: string): string[] => [
      "restore-test",
      point.id,
      "--config",
      this.world.configure(this.folder, store),
    ];
    const temporaryBytes = this.fault === Fault.DiskFull ? 4_000_000 + this.random.below(40_000_000) : undefined;
    const child = this.startFaulty(args(this.faultyUrl), temporaryBytes);
    const result = await this.underFault(child);
    if (result.exitCode === 0) {
      const { records } = await readEvidence(this.direct, { database: "ledger" });
      const passed = records.some(
        ({ evidence }) => evidence.recoveryPoint === point.id && evidence.verdict === Verdict.Pass,
      );
      if (!passed) this.violations.push("reported a pass, and there is no evidence of it");
    }
    await this.judgeLeftServers(child);
    await this.clean(args(this.url));
  }

  private async recover(): Promise<void> {
    // The primary matters only where the copy becomes a database of it.
    const intoServer =
      this.fault === Fault.Restart ||
      this.fault === Fault.Failover ||
      (this.fault !== Fault.DiskFull && this.detail === "a");
    const disk = join(this.folder, "disk");
    mkdirSync(disk);
    if (this.fault === Fault.DiskFull) this.mount(disk, 5_000_000 + this.random.below(50_000_000));
    const place = (what: string): string => (intoServer ? this.world.url(`${what}-${this.index}`) : join(disk, what));
    const args = (store: string, what: string): string[] => [
      ...["recover", "--to", "latest", "--yes", "--into", place(what)],
      ...["--config", this.world.configure(this.folder, store)],
    ];
    const child = this.startFaulty(args(this.faultyUrl, "faulty"));
    const result = await this.underFault(child);
    if (result.exitCode === 0) await this.judgeRecovered(place("faulty"), "the recovery under the fault");
    else if (result.exitCode !== 137 && (await this.exists(place("faulty")))) {
      // What has its name is proven; the runner may have been ended after that.
      await this.judgeRecovered(place("faulty"), "the recovery that did not succeed");
    }
    await this.judgeLeftServers(child);
    this.enlarge();
    const clean = await this.clean(args(this.url, "clean"));
    if (clean.exitCode === 0 && result.exitCode !== 0) await this.judgeRecovered(place("clean"), "the later recovery");
    if (!intoServer) return;
    await this.world.in("postgres", async (client) => {
      const { rows } = await client.query<{ name: string }>(
        "SELECT quote_ident(datname) AS name FROM pg_database WHERE datname ~ '^(faulty|clean)-'",
      );
      for (const { name } of rows) await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
    });
  }

  /** Starts the runner with the fault in waiting. */
  private startFaulty(args: readonly string[], temporaryBytes?: number): ChildProcess {
    const env = { ...this.env };
    if (this.fault === Fault.ClockStep) {
      const stepMs = this.random.pick([-7200_000, -45_000, 45_000, 7200_000]);
      env.NODE_OPTIONS = `--require ${resolve("test/support/clock-step.cjs")}`;
      env.DR_CLOCK_STEP = [Math.round(this.fraction * this.usualMs), stepMs, join(this.folder, "stepped")].join();
    }
    return this.world.start(args, { env, temporaryBytes });
  }

  /** Lets the fault strike, and waits for the end. */
  private async underFault(child: ChildProcess): Promise<RunnerResult> {
    const startedAt = performance.now();
    const end = finished(child);
    const moment = delay(this.fraction * this.usualMs);
    // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check -- the others lie in wait already
    switch (this.fault) {
      case Fault.RunnerKilled:
      case Fault.RunnerTerminated:
        await Promise.race([moment, end]);
        this.fired =
          child.exitCode === null &&
          child.signalCode === null &&
          child.kill(this.fault === Fault.RunnerKilled ? "SIGKILL" : "SIGTERM");
        break;
      case Fault.ToolKilled:
        await Promise.race([moment, end]);
        this.fired = await this.killTool(child);
        break;
      case Fault.Restart:
        await moment;
        this.fired = child.exitCode === null;
        await this.world.restart(this.detail === "a" ? "fast" : "immediate");
        break;
      case Fault.Failover:
        await moment;
        this.fired = child.exitCode === null;
        await this.world.failOver();
    }
    const result = await Promise.race([end, delay(120_000, undefined, { ref: false })]);
    if (this.proxy) this.fired = this.proxy.fired.length > 0;
    if (!result) {
      child.kill("SIGKILL");
      const last = this.proxy?.fired
        .slice(-5)
        .map(({ operation, key }) => `${operation} ${key}`)
        .join(", ");
      this.violations.push(`had not ended after two minutes; struck last: ${last ?? "nothing of the store's"}`);
      const killed = await end;
      this.violations.push(said(killed));
      return killed;
    }
    if (this.fault === Fault.ClockStep) this.fired = existsSync(join(this.folder, "stepped"));
    if (this.fault === Fault.DiskFull) {
      this.fired =
        /ENOSPC|no space|space left|disk full|is full/i.test(result.stdout + result.stderr) ||
        this.disks.some((disk) => statfsSync(disk).bavail === 0);
    }
    this.exitCode = result.exitCode;
    if (!this.fired && result.exitCode === 0 && this.stage !== Stage.Stream)
      usualMs[this.stage][this.detail] = Math.round(performance.now() - startedAt);
    return result;
  }

  /** Kills one of the programs that the runner started. */
  private async killTool(child: ChildProcess): Promise<boolean> {
    const deadline = Date.now() + 3000;
    while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
      const tools = descendantsOf(child.pid!);
      if (tools.length > 0) {
        try {
          process.kill(this.random.pick(tools).pid, "SIGKILL");
          return true;
        } catch {
          // It has just ended by itself: the next one.
        }
      }
      await delay(5);
    }
    return false;
  }

  /** The same once more, with nothing in its way. */
  private async clean(args: readonly string[]): Promise<RunnerResult> {
    this.enlarge();
    const startedAt = performance.now();
    const result = await this.world.run(args, { env: this.env });
    if (result.exitCode === 0) usualMs[this.stage][this.detail] = Math.round(performance.now() - startedAt);
    else this.violations.push(`a later run does not work: exit code ${result.exitCode}: ${said(result)}`);
    return result;
  }

  /** Whatever looks like a recovery point can be restored, and what was reported is among it. */
  private async judgePoints(
    reported: readonly string[],
    startedAt: number,
    among?: readonly string[],
  ): Promise<number> {
    const seeds = this.world.points.map(({ id }) => id);
    const entries = (await readCatalog(this.direct)).filter(
      ({ id, state }) =>
        state !== RecoveryPointState.Orphaned && !seeds.includes(id) && (among === undefined || among.includes(id)),
    );
    for (const id of reported)
      if (!entries.some((entry) => entry.id === id)) this.violations.push(`${id} was reported and is not there`);
    for (const { id, state, manifest, problems } of entries) {
      if (state !== RecoveryPointState.Complete)
        this.violations.push(`left ${id}, which is ${state}: ${problems.join("; ")}`);
      else await this.judgePoint(manifest!, startedAt);
    }
    return entries.length;
  }

  private async judgePoint(manifest: Manifest, startedAt: number): Promise<void> {
    const required = this.world.written.by(startedAt);
    let problem: string | undefined = "nobody looked into it";
    const engine = manifest.method === "dump" ? postgresDump : postgresBase;
    const { checks } = await engine.restoreTest({
      store: this.direct,
      manifest,
      database: { name: "ledger", engine: Engine.Postgres, canary: { canarySeconds: 5 } },
      progress: silentProgress,
      signal: new AbortController().signal,
      onRestored: async (url) => {
        const client = await connect(accessOfUrl(url));
        problem = await ledgerProblem(client, required).finally(() => client.end());
      },
    });
    const bad = checks.filter(({ verdict }) => verdict !== Verdict.Pass);
    if (bad.length > 0)
      this.violations.push(
        `${manifest.id} cannot be restored: ${bad.map(({ name, detail }) => `${name}: ${detail}`).join("; ")}`,
      );
    if (problem !== undefined) this.violations.push(`${manifest.id}: ${problem}`);
  }

  private async judgeEarlier(): Promise<void> {
    for (const manifest of this.world.points) {
      const problems = await verifyRecoveryPoint(this.direct, manifest, { readParts: true });
      if (problems.length > 0) this.violations.push(`harmed ${manifest.id}: ${problems.join("; ")}`);
    }
    for (const { key, path } of this.world.seedFiles().filter((file) => file.key.startsWith("wal/"))) {
      const object = await this.direct.head(key);
      if (object?.bytes !== statSize(path)) this.violations.push(`harmed ${key}`);
    }
  }

  private async judgeRecovered(place: string, what: string): Promise<void> {
    if (place.startsWith("/")) return this.judgeCopy(place, this.world.coversUntil, what);
    const dump = this.world.points.find(({ method }) => method === "dump")!;
    const required = this.world.written.by(new Date(dump.startedAt).getTime());
    const name = decodeURIComponent(new URL(place).pathname.slice(1));
    const problem = await this.world.in(name, (client) => ledgerProblem(client, required));
    if (problem !== undefined) this.violations.push(`${what}: ${problem}`);
  }

  private async judgeCopy(place: string, until: number, what: string): Promise<void> {
    const required = this.world.written.by(until);
    const problem = await this.world
      .inCopy(place, (client) => ledgerProblem(client, required))
      .catch((error: unknown) => `it does not start: ${(error as Error).message}`);
    if (problem !== undefined) this.violations.push(`${what}: ${problem}`);
  }

  private async exists(place: string): Promise<boolean> {
    if (place.startsWith("/")) return existsSync(place);
    const name = decodeURIComponent(new URL(place).pathname.slice(1));
    return this.world.in(
      "postgres",
      async (client) => (await client.query("SELECT FROM pg_database WHERE datname = $1", [name])).rowCount === 1,
    );
  }

  /** Servers of a runner end with it, however it ends. */
  private async judgeLeftServers(child: ChildProcess): Promise<void> {
    const folders = readdirSync("/tmp")
      .filter((name) => name.startsWith("dr-server-"))
      .map((name) => join("/tmp", name))
      .filter((folder) => ownerOf(folder) === child.pid);
    if (folders.length === 0) return;
    await waitFor("the servers of the runner to end", 20, () => {
      const running = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
      return !folders.some((folder) => running.includes(`-D ${folder}`));
    }).catch((error: Error) => this.violations.push(error.message));
  }

  private async prepareBucket(kind: StoreFault): Promise<void> {
    const gateway = this.gateway!;
    const { accessKeyId, secretAccessKey } = gateway.admin.credentials;
    const prefix = `${this.world.folder.split("-").at(-1)}-${this.index}`;
    this.env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
    const direct = new S3Store(locationOf(this.bucket, gateway.endpoint, prefix), { ...gateway.admin });
    this.direct = direct;
    for (const { key, path } of this.world.seedFiles()) await direct.put(key, readFileSync(path));
    const lasting = this.random.next() < 0.25;
    this.proxy = await FaultProxy.start(gateway.endpoint, {
      fault: kind,
      fits: ({ operation }) => canStrike(kind, operation),
      after: this.random.below(6),
      times: lasting ? 40 : 1 + this.random.below(3),
      random: this.random,
    });
    const url = (endpoint: string): string =>
      `s3://${this.bucket}/${prefix}?endpoint=${encodeURIComponent(endpoint)}&region=us-east-1`;
    this.url = url(gateway.endpoint);
    this.faultyUrl = url(this.proxy.endpoint);
  }

  private mount(folder: string, bytes: number): void {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=0777`, "tmpfs", folder]);
    this.disks.push(folder);
  }

  private enlarge(): void {
    for (const disk of this.disks) execFileSync("mount", ["-o", "remount,size=600m", disk]);
  }
}

function statSize(path: string): number {
  return statSync(path).size;
}

function ownerOf(folder: string): number | undefined {
  try {
    return Number(readFileSync(join(folder, "owner.pid"), "utf8"));
  } catch {
    return undefined;
  }
}

function idsOf({ stdout }: RunnerResult): string[] {
  try {
    const { backups } = JSON.parse(stdout) as { backups?: { id?: string }[] };
    return (backups ?? []).flatMap(({ id }) => (id === undefined ? [] : [id]));
  } catch {
    return [];
  }
}

function said({ stdout, stderr }: RunnerResult): string {
  return `${stdout.slice(-1500)}\n${stderr.slice(-1500)}`;
}
