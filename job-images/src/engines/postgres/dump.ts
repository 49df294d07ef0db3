import { type Readable } from "node:stream";
import { type Client } from "pg";
import { BackupMethod, jobConfigDefaults, type ManifestPart, TargetClass } from "../../../../recovery";
import { OperationError } from "../../errors";
import { allEnded, checkedStream, runTool, Tool } from "../../process/child";
import { compressionThreads } from "../../process/parallelism";
import { putPart } from "../../store/parts";
import { zstdVersion } from "../compressed-part";
import { type BackupRequest, type RecoveryEngine, type TakenBackup } from "../engine";
import { counted, throttled } from "../paced-stream";
import { watchBlockedSessions } from "./blocking-watch";
import { dumpPart, factsPart, globalsPart } from "./dump-parts";
import { restoreDumpInto, restoreDumpIntoThrowAway } from "./dump-restore";
import { openDumpSabotage } from "./dump-sabotage";
import { countLargeObjects, one, type PostgresFacts, readDescription, readTables } from "./facts";
import { accessOf, databaseConnectionString, describeAccess, libpqEnvironment, type PostgresAccess } from "./libpq";
import { isTransactionPooled, refuseHiddenObjects } from "./preflight";
import { connect } from "./session";
import { type PostgresTools, toolsForServer } from "./tools";

/**
 * A logical dump: custom format, uncompressed by pg_dump and compressed by zstd, which is several times faster than
 * pg_dump's own gzip at the same size (bench/). The kernel connects the two; this process only reads the result, and
 * never holds more of it than a few chunks.
 */
export const postgresDump: RecoveryEngine = {
  method: BackupMethod.Dump,
  targetClass: { test: TargetClass.ThrowAway, restore: TargetClass.DurableServer },
  take,
  restoreTest: restoreDumpIntoThrowAway,
  restoreInto: restoreDumpInto,
  openSabotage: openDumpSabotage,
};

async function take(request: BackupRequest): Promise<TakenBackup> {
  const access = accessOf(request.database, request.database.standbyUrl === undefined ? "url" : "standbyUrl");
  if (await isTransactionPooled(access)) {
    throw new OperationError(
      `${describeAccess(access)} is behind a transaction pooler: a dump's snapshot would not hold. Point the URL at the PostgreSQL server itself.`,
    );
  }
  const settings = { ...jobConfigDefaults, ...request.database.backup };
  const applicationName = `dr ${request.id}`.slice(0, 63);
  const client = await connect(access, {
    applicationName,
    settings: {
      lock_timeout: String(settings.lockWaitSeconds * 1000),
      // The counts are done long before the dump with one process, and more of them would take the dump's place.
      max_parallel_workers_per_gather: "0",
    },
  });
  try {
    await lockAgainstSecondRun(client, access);
    const { major } = await one<{ major: number }>(
      client,
      "SELECT current_setting('server_version_num')::int / 10000 AS major",
    );
    const tools = await toolsForServer(major);
    await refuseHiddenObjects(client, access);

    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    const snapshot = await one<{ id: string; at: string; standby: boolean; lsn: string | null }>(
      client,
      `SELECT pg_export_snapshot() AS id, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
         pg_is_in_recovery() AS standby,
         (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text AS lsn`,
    );
    request.progress.step("reading the schema");
    const description = await readDescription(client);

    const { dump, beside } = await dumpUnderWatch(
      request,
      access,
      tools,
      snapshot.id,
      applicationName,
      async (signal) => {
        // First of all: this session must hold its tables too, before a migration that pg_dump made wait gets them.
        const tables = await readTables(client, request.database.proof?.sampleRows ?? jobConfigDefaults.sampleRows);
        const facts: PostgresFacts = { ...description, tables, largeObjects: await countLargeObjects(client) };
        const globals = await dumpGlobals(client, access, tools, signal);
        return { globals, facts, zstd: await zstdVersion() };
      },
    );
    await client.query("COMMIT");

    request.progress.step("storing roles and facts");
    const { globals, facts, zstd } = beside;
    const parts = [
      dump,
      await put(request, globalsPart, Buffer.from(globals)),
      await put(request, factsPart, Buffer.from(JSON.stringify(facts))),
    ];
    const { database } = description;
    return {
      consistentAt: new Date(snapshot.at),
      source: {
        databaseName: database.name,
        serverVersion: description.serverVersion,
        serverMajor: description.serverMajor,
        encoding: database.encoding,
        collation: database.icuLocale ?? database.collate,
        extensions: description.extensions,
        systemIdentifier: description.systemIdentifier ?? undefined,
        walPosition: snapshot.lsn ?? undefined,
        standby: snapshot.standby,
        bytes: database.bytes,
      },
      tools: { pg_dump: tools.version, zstd },
      tables: facts.tables.map(({ schema, name, rows, bytes }) => ({ schema, name, rows, bytes })),
      parts,
    };
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Two dumps at once are twice the load on the database; the second one gives up at once. */
async function lockAgainstSecondRun(client: Client, access: PostgresAccess): Promise<void> {
  const { locked } = await one<{ locked: boolean }>(
    client,
    "SELECT pg_try_advisory_lock(hashtext('disaster-recovery backup'), 1) AS locked",
  );
  if (!locked) {
    throw new OperationError(`Another backup of ${describeAccess(access)} is running. Wait for it, or end it first.`);
  }
}

/** Dumps, reads at the same time what goes beside the dump, and gives way to whoever is blocked by it. */
async function dumpUnderWatch<Beside>(
  request: BackupRequest,
  access: PostgresAccess,
  tools: PostgresTools,
  snapshotId: string,
  applicationName: string,
  readBeside: (signal: AbortSignal) => Promise<Beside>,
): Promise<{ dump: ManifestPart; beside: Beside }> {
  const settings = { ...jobConfigDefaults, ...request.database.backup };
  const giveWay = new AbortController();
  const signal = AbortSignal.any([request.signal, giveWay.signal]);
  const watcher = await connect(access, { applicationName: "dr watch" });
  const stopWatching = watchBlockedSessions(watcher, applicationName, settings.maxBlockingSeconds, (reason) =>
    giveWay.abort(reason),
  );
  try {
    request.progress.step("dumping");
    const pgDump = new Tool(
      tools.program("pg_dump"),
      [
        "--format=custom",
        "--compress=0",
        `--snapshot=${snapshotId}`,
        `--lock-wait-timeout=${settings.lockWaitSeconds * 1000}`,
        "--no-password",
      ],
      // As much as a pipe holds.
      { env: libpqEnvironment(access, applicationName), signal, outputBufferBytes: 64 * 1024 },
    );
    const zstd = new Tool("zstd", [`-${settings.compressionLevel}`, `-T${compressionThreads()}`, "-q", "-c"], {
      stdin: pgDump.output,
      signal,
    });
    const body = checkedStream([pgDump, zstd], (output) =>
      throttled(counted(output, request.progress), settings.maxBytesPerSecond),
    );
    const putting = put(request, dumpPart, body, signal);
    const reading = readBeside(signal);
    const [dump, beside] = await Promise.allSettled([
      putting,
      reading.catch((error: unknown) => {
        giveWay.abort(error);
        throw error;
      }),
    ]);
    await allEnded([pgDump, zstd]).catch(() => undefined);
    if (signal.aborted) throw signal.reason as Error;
    if (dump.status === "rejected") throw dump.reason as Error;
    if (beside.status === "rejected") throw beside.reason as Error;
    return { dump: dump.value, beside: beside.value };
  } finally {
    await stopWatching();
    await watcher.end().catch(() => undefined);
  }
}

function put(
  { store, database, id, signal: ofRequest }: BackupRequest,
  name: string,
  body: Readable | Buffer,
  signal = ofRequest,
): Promise<ManifestPart> {
  return putPart(store, { database: database.name, id }, name, body, { signal });
}

/** Roles, memberships and role settings, as SQL that a person can run by hand. */
async function dumpGlobals(
  client: Client,
  access: PostgresAccess,
  tools: PostgresTools,
  signal: AbortSignal,
): Promise<string> {
  const { readable } = await one<{ readable: boolean }>(
    client,
    "SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS readable",
  );
  return runTool(
    tools.program("pg_dumpall"),
    [
      "--globals-only",
      "--no-tablespaces",
      "--no-password",
      `--database=${databaseConnectionString(access.databaseName)}`,
      // Managed servers hide password hashes from everybody; a restore then sets passwords from the secret.
      ...(readable ? [] : ["--no-role-passwords"]),
    ],
    { env: libpqEnvironment(access, "dr globals"), signal },
  );
}
