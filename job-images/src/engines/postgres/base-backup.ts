import { type Client } from "pg";
import {
  BackupMethod,
  jobConfigDefaults,
  type ManifestFileList,
  type ManifestPart,
  type ManifestWal,
  TargetClass,
} from "../../../../recovery";
import { messageOf, OperationError } from "../../errors";
import { checkedStream, Tool } from "../../process/child";
import { compressionThreads } from "../../process/parallelism";
import { inScratchFolder } from "../../process/scratch-folder";
import { putPart } from "../../store/parts";
import { zstdVersion } from "../compressed-part";
import { type BackupRequest, type RecoveryEngine, type TakenBackup } from "../engine";
import { counted } from "../paced-stream";
import { baseArchivePart, type ServerFacts, serverFactsPart } from "./base-parts";
import { openBaseSabotage } from "./base-sabotage";
import { one } from "./facts";
import {
  type BaseBackupChoice,
  chooseBaseBackup,
  fetchFileList,
  makeTap,
  storeFileList,
  tapFileList,
} from "./incremental";
import { accessOf, describeAccess, libpqEnvironment, type PostgresAccess } from "./libpq";
import { restoreBaseInto, restoreBaseIntoThrowAway } from "./physical-restore";
import { identifyServer, withLogKept } from "./replication";
import { connect } from "./session";
import { type PostgresTools, toolsForServer } from "./tools";

/**
 * A physical copy by `pg_basebackup`, over the replication protocol. It brings the log that was written while it was
 * taken, so that it can be restored by itself; with the log that `dr stream` keeps it is where any later moment is
 * recovered from.
 */
export const postgresBase: RecoveryEngine = {
  method: BackupMethod.Base,
  targetClass: { test: TargetClass.ThrowAway, restore: TargetClass.DurableServer },
  take,
  restoreTest: restoreBaseIntoThrowAway,
  restoreInto: restoreBaseInto,
  openSabotage: openBaseSabotage,
};

async function take(request: BackupRequest): Promise<TakenBackup> {
  const access = accessOf(request.database, request.database.standbyUrl === undefined ? "url" : "standbyUrl");
  const server = await identifyServer(access);
  const tools = await toolsForServer(server.major);
  const client = await connect(access, { applicationName: `dr ${request.id}`.slice(0, 63) });
  try {
    await refuseTablespaces(client, access);
    const facts = await readServerFacts(client);
    const choice = await chooseBaseBackup(request, access, server);
    if (choice.note !== undefined) request.progress.note(choice.note);
    const copy = await copyAsChosen(request, access, tools, choice);
    const { at } = await one<{ at: Date }>(client, "SELECT clock_timestamp() AS at");
    const point = { database: request.database.name, id: request.id };
    const factsPart = await putPart(request.store, point, serverFactsPart, Buffer.from(JSON.stringify(facts)), {
      signal: request.signal,
    });
    return {
      consistentAt: at,
      source: {
        databaseName: access.databaseName,
        serverVersion: facts.serverVersion,
        serverMajor: server.major,
        systemIdentifier: server.systemIdentifier,
        standby: facts.standby,
        bytes: facts.bytes,
      },
      tools: { pg_basebackup: tools.version, zstd: await zstdVersion() },
      tables: [],
      wal: { ...copy.place, segmentBytes: server.segmentBytes },
      buildsOn: copy.onto,
      fileList: copy.fileList,
      notes: copy.note === undefined ? [] : [copy.note],
      parts: [copy.archive, factsPart],
    };
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A copy in the store, and what it turned out to be. */
interface StoredCopy extends BaseBackupChoice {
  readonly archive: ManifestPart;
  readonly place: Omit<ManifestWal, "segmentBytes">;
  readonly fileList?: ManifestFileList;
}

/** The server refused an increment, or could not make one. */
class IncrementFailedError extends OperationError {}

/** An increment that cannot be had must not cost the backup. */
async function copyAsChosen(
  request: BackupRequest,
  access: PostgresAccess,
  tools: PostgresTools,
  choice: BaseBackupChoice,
): Promise<StoredCopy> {
  const { incrementalsPerFull } = { ...jobConfigDefaults, ...request.database.backup };
  if (incrementalsPerFull === 0) return copyInto(request, access, tools, choice, undefined);
  try {
    return await inScratchFolder((folder) => copyInto(request, access, tools, choice, folder));
  } catch (error) {
    if (!(error instanceof IncrementFailedError)) throw error;
    const note = `a full base backup, since an incremental one failed: ${error.message}`;
    request.progress.note(note);
    return inScratchFolder((folder) => copyInto(request, access, tools, { note }, folder));
  }
}

async function copyInto(
  request: BackupRequest,
  access: PostgresAccess,
  tools: PostgresTools,
  choice: BaseBackupChoice,
  scratch: string | undefined,
): Promise<StoredCopy> {
  const { signal } = request;
  const settings = { ...jobConfigDefaults, ...request.database.backup };
  const parent = choice.onto?.at(-1);
  const incremental = parent && (await fetchFileList(request, parent, scratch!).catch(asIncrementFailed(signal)));
  // Only the next increment needs the list of files.
  const pipe = scratch === undefined ? undefined : await makeTap(scratch);
  request.progress.step(parent ? `copying what has changed since ${parent.id}` : "copying the data directory");
  const baseBackup = new Tool(
    tools.program("pg_basebackup"),
    [
      "--pgdata=-",
      "--format=tar",
      "--wal-method=fetch",
      "--checkpoint=fast",
      `--label=${request.id}`,
      "--verbose",
      "--no-password",
      ...(settings.maxBytesPerSecond === undefined
        ? []
        : [`--max-rate=${rateInKilobytes(settings.maxBytesPerSecond)}`]),
      ...(incremental === undefined ? [] : [`--incremental=${incremental}`]),
    ],
    { env: libpqEnvironment({ ...access, databaseName: "" }, "dr base backup"), signal },
  );
  const tap = pipe === undefined ? undefined : tapFileList(baseBackup, pipe, signal);
  const zstd = new Tool("zstd", [`-${settings.compressionLevel}`, `-T${compressionThreads()}`, "-q", "-c"], {
    stdin: tap?.output ?? baseBackup.output,
    signal,
  });
  const archive = await withLogKept(access, () =>
    putPart(
      request.store,
      { database: request.database.name, id: request.id },
      baseArchivePart,
      checkedStream([baseBackup, ...(tap?.tools ?? []), zstd], (output) => counted(output, request.progress)),
      { signal },
    ),
  ).catch((error: unknown) => {
    // By its own doing, and not because the others stopped it.
    const refused = (baseBackup.process.exitCode ?? 0) !== 0;
    throw incremental !== undefined && refused && !signal.aborted ? new IncrementFailedError(messageOf(error)) : error;
  });
  return {
    ...choice,
    archive,
    place: placeInLog(baseBackup.errors),
    ...(tap ? { fileList: await storeFileList(request, await tap.list) } : {}),
  };
}

/** `catch` of what only an increment needs. */
function asIncrementFailed(signal: AbortSignal): (error: unknown) => never {
  return (error) => {
    throw signal.aborted ? error : new IncrementFailedError(messageOf(error));
  };
}

/** `pg_basebackup` can stream one archive only, and a scratch copy of everything is what streaming avoids. */
async function refuseTablespaces(client: Client, access: PostgresAccess): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    "SELECT spcname AS name FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY 1",
  );
  if (rows.length === 0) return;
  throw new OperationError(
    `${describeAccess(access)} has tablespaces of its own (${rows.map(({ name }) => name).join(", ")}), which a streamed base backup cannot hold: back it up with --method dump.`,
  );
}

async function readServerFacts(client: Client): Promise<ServerFacts> {
  const facts = await one<Omit<ServerFacts, "formatVersion" | "settings" | "bytes"> & { bytes: string }>(
    client,
    `SELECT current_setting('server_version') AS "serverVersion", pg_is_in_recovery() AS standby,
       (SELECT rolname FROM pg_roles WHERE oid = 10)::text AS superuser,
       (SELECT sum(pg_database_size(oid)) FROM pg_database)::text AS bytes,
       ARRAY(SELECT datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1) AS databases`,
  );
  const { rows } = await client.query<{ name: string; setting: string }>(
    `SELECT name, current_setting(name) AS setting FROM pg_settings
     WHERE source IN ('configuration file', 'command line') AND context <> 'internal' AND name !~ '(_file|_directory|_directories)$' ORDER BY name`,
  );
  const settings = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  return { ...facts, formatVersion: 1, bytes: Number(facts.bytes), settings };
}

/** `pg_basebackup` takes kilobytes, from 32 to 1,048,576. */
function rateInKilobytes(bytesPerSecond: number): number {
  return Math.min(1_048_576, Math.max(32, Math.floor(bytesPerSecond / 1024)));
}

/** What `pg_basebackup --verbose` says of the log, in the untranslated words that LC_ALL=C.UTF-8 gives. */
function placeInLog(words: string): Omit<ManifestWal, "segmentBytes"> {
  const [, start, timeline] = /write-ahead log start point: ([0-9A-F/]+) on timeline (\d+)/.exec(words) ?? [];
  const [, end] = /write-ahead log end point: ([0-9A-F/]+)/.exec(words) ?? [];
  if (start === undefined || end === undefined) {
    throw new OperationError(`pg_basebackup did not say where in the log its copy is:\n${words}`);
  }
  return { timeline: Number(timeline), start, end };
}
