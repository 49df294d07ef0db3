import {
  jobConfigDefaults,
  type LogCoverage,
  ProofLevel,
  proofLevelFor,
  type RecoveryTarget,
} from "../../../../recovery";
import { runTool, Tool } from "../../process/child";
import { serverJobs } from "../../process/parallelism";
import { heartbeatsStopped } from "../../proof/canary";
import { failed, judged, passed, undecided } from "../../proof/check";
import { type ProofRun } from "../../proof/proof-run";
import { type RestoreRequest } from "../engine";
import { type ServerFacts } from "./base-parts";
import { checkConsistency } from "./consistency";
import { one, readNewestHeartbeat } from "./facts";
import { libpqEnvironment } from "./libpq";
import { readEverything } from "./read-everything";
import { type LocalServer } from "./server";
import { connect } from "./session";

/** A recovered server, still cut off from everything. */
export interface PhysicalProofRequest extends RestoreRequest {
  readonly server: LocalServer;
  readonly facts: ServerFacts;
  readonly coverage: LogCoverage;
}

/**
 * Proves a physical copy. There is no list of rows to compare it with: the source has moved on while it was copied, and
 * the log on top is of yet another moment. So every page and index must be sound, the application's invariants must hold,
 * and the newest heartbeat must be as old as the target says (level `structure`; every file has the checksum that it was
 * copied with before any of this). At level `content` every row is read as well, and looked for in every index: without
 * amcheck nobody can, and the level is `structure`.
 */
export async function provePhysicalCopy(request: PhysicalProofRequest, run: ProofRun): Promise<void> {
  const { server, facts, manifest, database, signal } = request;
  const isWhole = proofLevelFor(manifest.source.bytes, database.proof) === ProofLevel.Content;
  if (isWhole) {
    await run.optional("rows", async () => {
      for (const name of facts.databases) await readEverything(server.tools, server.access(name), signal);
      run.checks.push(passed("rows", `every row of ${facts.databases.length} databases can be read`));
    });
  }
  const hasAmcheck = await isAvailable("amcheck", server);
  if (hasAmcheck) await run.optional("pages", () => checkPages(request, run, isWhole));
  const client = await connect(server.access(manifest.source.databaseName), { applicationName: "dr proof" });
  try {
    await run.optional("identity", async () => {
      const { id } = await one<{ id: string }>(client, "SELECT system_identifier::text AS id FROM pg_control_system()");
      const expected = manifest.source.systemIdentifier;
      run.checks.push(
        id === expected
          ? passed("identity", `the server that the manifest names, ${id}`)
          : failed("identity", `the copy is of server ${id}, the manifest says ${expected}`),
      );
    });
    await run.optional("consistency", async () =>
      run.checks.push(await checkConsistency(client, database.checks?.orphans ?? [])),
    );
    await run.optional("canary", async () => {
      const prepared = await one<{ there: boolean }>(
        client,
        "SELECT to_regclass('dr_canary.heartbeat') IS NOT NULL AS there",
      );
      if (!prepared.there) return;
      run.newestHeartbeat = await readNewestHeartbeat(client);
      run.checks.push(checkHeartbeat(request, run.newestHeartbeat));
    });
  } finally {
    await client.end();
  }
  if (!hasAmcheck) await run.optional("pages", () => checkChecksums(request, run));
  run.level = isWhole && hasAmcheck ? ProofLevel.Content : ProofLevel.Structure;
}

/**
 * What can be said of pages where contrib is not installed: that each is as it was written. Whether an index agrees with
 * its table nobody has looked at, and the detail says so. The server is stopped for it.
 */
async function checkChecksums({ server, signal }: PhysicalProofRequest, run: ProofRun): Promise<void> {
  const without = "amcheck is not installed beside this server (Debian: postgresql, Red Hat: postgresql-contrib)";
  const client = await connect(server.access(), { applicationName: "dr proof" });
  const { on } = await one<{ on: string }>(client, "SELECT current_setting('data_checksums') AS on").finally(() =>
    client.end(),
  );
  if (on !== "on") {
    run.checks.push(undecided("pages", `${without}, and the data has no checksums: nobody has looked at its pages`));
    return;
  }
  await server.stop("fast");
  await runTool(server.tools.program("pg_checksums"), ["--check", `--pgdata=${server.dataDirectory}`], {
    runAs: server.runAs,
    signal,
    env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8" },
  });
  run.checks.push(passed("pages", `every page has its checksum; no index was compared with its table: ${without}`));
}

async function isAvailable(extension: string, server: LocalServer): Promise<boolean> {
  const client = await connect(server.access(), { applicationName: "dr proof" });
  const { rows } = await client
    .query("SELECT FROM pg_available_extensions WHERE name = $1", [extension])
    .finally(() => client.end());
  return rows.length > 0;
}

/**
 * Every heap page and index, by the checks that PostgreSQL itself has for them; the copy keeps no trace of them.
 *
 * @param everyRow look for every row in every index, which takes several times as long
 */
async function checkPages(
  { server, facts, signal }: PhysicalProofRequest,
  run: ProofRun,
  everyRow: boolean,
): Promise<void> {
  const installed = await databasesWithout("amcheck", server, facts.databases);
  const amcheck = new Tool(
    server.tools.program("pg_amcheck"),
    [
      ...facts.databases.map((name) => `--database=${name}`),
      "--install-missing=pg_catalog",
      ...(everyRow ? ["--heapallindexed"] : []),
      `--jobs=${serverJobs()}`,
      "--no-password",
    ],
    // It ends with 2 when it found damage, and tells of it on standard output.
    { env: libpqEnvironment(server.access(), "dr proof"), signal, allowedExitCodes: [0, 2] },
  );
  let text = "";
  amcheck.output.setEncoding("utf8").on("data", (chunk: string) => (text = (text + chunk).slice(0, 64 * 1024)));
  await amcheck.ended;
  const problems = text.split("\n").filter((line) => line.trim() !== "");
  if (amcheck.process.exitCode === 0) {
    run.checks.push(
      passed("pages", `pg_amcheck found every page and index sound${everyRow ? ", and every row in its indexes" : ""}`),
    );
  } else run.checks.push(judged("pages", problems.length > 0 ? problems : [amcheck.errors], ""));
  for (const name of installed) {
    const client = await connect(server.access(name));
    await client.query("DROP EXTENSION IF EXISTS amcheck").finally(() => client.end());
  }
}

async function databasesWithout(extension: string, server: LocalServer, names: readonly string[]): Promise<string[]> {
  const without: string[] = [];
  for (const name of names) {
    const client = await connect(server.access(name));
    const { rows } = await client
      .query("SELECT FROM pg_extension WHERE extname = $1", [extension])
      .finally(() => client.end());
    if (rows.length === 0) without.push(name);
  }
  return without;
}

function checkHeartbeat({ to, coverage, manifest, database }: PhysicalProofRequest, newest: Date | undefined) {
  if (newest === undefined) return failed("canary", "the heartbeat's table is empty");
  const seconds = database.canary?.canarySeconds ?? jobConfigDefaults.canarySeconds;
  const expected = expectedMoment(to, coverage, manifest.consistentAt);
  if (expected === undefined) return passed("canary", `the newest heartbeat is of ${newest.toISOString()}`);
  const lag = (expected.getTime() - newest.getTime()) / 1000;
  if (to?.kind === "time" && newest > to.at) {
    return failed("canary", `the copy has a heartbeat of ${newest.toISOString()}, after ${to.at.toISOString()}`);
  }
  if (heartbeatsStopped(lag, seconds)) {
    return undecided(
      "canary",
      `the newest heartbeat is ${Math.round(lag)} s older than the recovered moment, and one is due every ${seconds} s: was \`dr heartbeat\` running?`,
    );
  }
  return passed(
    "canary",
    `the newest heartbeat, ${newest.toISOString()}, is ${lag.toFixed(1)} s before the recovered moment`,
  );
}

/** The moment that the copy should be of; `undefined` where nobody knows. */
function expectedMoment(
  to: RecoveryTarget | undefined,
  { coversUntil }: LogCoverage,
  consistentAt: string,
): Date | undefined {
  if (to === undefined) return new Date(consistentAt);
  if (to.kind === "time") return to.orBefore && coversUntil && coversUntil < to.at ? coversUntil : to.at;
  return to.kind === "latest" ? (coversUntil ?? new Date(consistentAt)) : undefined;
}
