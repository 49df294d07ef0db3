import { Readable } from "node:stream";
import { type Client } from "pg";
import { BackupMethod, jobConfigDefaults, type ManifestPart, partKey } from "../../../../recovery";
import { OperationError } from "../../errors";
import { allEnded, checkedOutput, runTool, Tool } from "../../process/child";
import { type Progress } from "../../progress";
import { type BackupEngine, type BackupRequest, type TakenBackup } from "../engine";
import { watchBlockedSessions } from "./blocking-watch";
import { countLargeObjects, one, type PostgresFacts, readDescription, readTables } from "./facts";
import { accessOf, databaseConnectionString, describeAccess, libpqEnvironment, type PostgresAccess } from "./libpq";
import { isTransactionPooled, refuseHiddenObjects } from "./preflight";
import { connect } from "./session";
import { type PostgresTools, toolsForServer } from "./tools";

/** The parts of a dump. */
export const dumpPart = "dump.pgc.zst";
export const globalsPart = "globals.sql";
export const factsPart = "facts.json";

/**
 * A logical dump: custom format, uncompressed by pg_dump and compressed by zstd, which is several times faster than
 * pg_dump's own gzip at the same size (bench/). The kernel connects the two; this process only reads the result, and
 * never holds more of it than a few chunks.
 */
export const postgresDump: BackupEngine = { method: BackupMethod.Dump, take };

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
    settings: { lock_timeout: String(settings.lockWaitSeconds * 1000) },
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

    const { dump, facts } = await dumpUnderWatch(request, access, tools, snapshot.id, applicationName, async () => ({
      ...description,
      tables: await readTables(client, request.database.proof?.sampleRows ?? jobConfigDefaults.sampleRows),
      largeObjects: await countLargeObjects(client),
    }));
    await client.query("COMMIT");

    request.progress.step("roles and facts");
    const parts = [
      dump,
      await putPart(request, globalsPart, Buffer.from(await dumpGlobals(client, access, tools, request.signal))),
      await putPart(request, factsPart, Buffer.from(JSON.stringify(facts))),
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
      tools: { pg_dump: tools.version, zstd: await zstdVersion() },
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

/** Dumps and reads the facts at the same time, in one snapshot, and gives way to whoever is blocked by it. */
async function dumpUnderWatch(
  request: BackupRequest,
  access: PostgresAccess,
  tools: PostgresTools,
  snapshotId: string,
  applicationName: string,
  readFacts: () => Promise<PostgresFacts>,
): Promise<{ dump: ManifestPart; facts: PostgresFacts }> {
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
      { env: libpqEnvironment(access, applicationName), signal },
    );
    const zstd = new Tool("zstd", [`-${settings.compressionLevel}`, "-T0", "-q", "-c"], {
      stdin: pgDump.output,
      signal,
    });
    const body = Readable.from(
      throttled(counted(checkedOutput([pgDump, zstd]), request.progress), settings.maxBytesPerSecond),
      { objectMode: false },
    );
    const putting = putPart(request, dumpPart, body, signal);
    const reading = readFacts();
    const [dump, facts] = await Promise.allSettled([
      putting,
      reading.catch((error: unknown) => {
        giveWay.abort(error);
        throw error;
      }),
    ]);
    await allEnded([pgDump, zstd]).catch(() => undefined);
    if (signal.aborted) throw signal.reason as Error;
    if (dump.status === "rejected") throw dump.reason as Error;
    if (facts.status === "rejected") throw facts.reason as Error;
    return { dump: dump.value, facts: facts.value };
  } finally {
    await stopWatching();
    await watcher.end().catch(() => undefined);
  }
}

async function* counted(source: AsyncIterable<Buffer>, progress: Progress): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    progress.bytes(bytes);
    yield chunk;
  }
}

/** Slows a stream down; the back-pressure reaches pg_dump and through it the database. */
async function* throttled(source: AsyncIterable<Buffer>, bytesPerSecond: number | undefined): AsyncGenerator<Buffer> {
  const start = Date.now();
  let bytes = 0;
  for await (const chunk of source) {
    yield chunk;
    if (bytesPerSecond === undefined) continue;
    bytes += chunk.length;
    const ahead = (bytes / bytesPerSecond) * 1000 - (Date.now() - start);
    if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
  }
}

async function putPart(
  request: BackupRequest,
  name: string,
  body: Readable | Buffer,
  signal: AbortSignal = request.signal,
): Promise<ManifestPart> {
  const key = partKey(request.database.name, request.id, name);
  const { bytes, sha256, versionId } = await request.store.put(key, body, { signal });
  return { name, key, bytes, sha256, versionId };
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

async function zstdVersion(): Promise<string> {
  return /v([\d.]+)/.exec(await runTool("zstd", ["--version"]))?.[1] ?? "unknown";
}
