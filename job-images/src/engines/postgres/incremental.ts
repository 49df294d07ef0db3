import { join } from "node:path";
import { type Readable } from "node:stream";
import {
  BackupMethod,
  fileListKey,
  jobConfigDefaults,
  type Manifest,
  type ManifestFileList,
  usableUntil,
  whyFull,
} from "../../../../recovery";
import { runTool, Tool } from "../../process/child";
import { inspectFoundation } from "../../store/backup-chain";
import { newestManifest } from "../../store/manifest-reader";
import { fetchDecompressed } from "../compressed-part";
import { type BackupRequest } from "../engine";
import { one } from "./facts";
import { type WalServer } from "./replication";
import { connect } from "./session";
import { type PostgresAccess } from "./libpq";

/** What a base backup is taken as. */
export interface BaseBackupChoice {
  /** What it becomes an increment of, the full one first; absent for a full one. */
  readonly onto?: readonly Manifest[];
  /** Why it is a full one though increments are configured. */
  readonly note?: string;
}

/** Looks whether an increment is enough. Nothing in here can cost the backup: what fails makes it a full one. */
export async function chooseBaseBackup(
  request: BackupRequest,
  access: PostgresAccess,
  server: WalServer,
): Promise<BaseBackupChoice> {
  const { config, database, store } = request;
  const { incrementalsPerFull } = { ...jobConfigDefaults, ...database.backup };
  if (incrementalsPerFull === 0) return {};
  const previous = await newestManifest(
    store,
    database.name,
    ({ method, source }) => method === BackupMethod.Base && source.systemIdentifier === server.systemIdentifier,
  );
  const foundation = previous && (await inspectFoundation(store, previous));
  const chain = previous ? [...foundation!.ancestors, previous] : [];
  const why = whyFull({
    incrementalsPerFull,
    serverMajor: server.major,
    summarizesWal: await summarizesWal(access),
    previous,
    previousProblems: foundation?.problems ?? [],
    previousUntil: usableUntil(chain, config.retention?.hotDays),
    keptDays: config.retention?.hotDays,
    now: request.startedAt,
  });
  return why === undefined ? { onto: chain } : { note: `a full base backup: ${why}` };
}

/** Whether the server notes which blocks its log changes; older ones know no such setting. */
export async function summarizesWal(access: PostgresAccess): Promise<boolean> {
  const client = await connect(access, { applicationName: "dr base backup" });
  try {
    const { on } = await one<{ on: string | null }>(client, `SELECT current_setting('summarize_wal', true) AS "on"`);
    return on === "on";
  } finally {
    await client.end();
  }
}

/** Fetches what `pg_basebackup --incremental` compares with. @returns its path */
export async function fetchFileList(request: BackupRequest, of: Manifest, folder: string): Promise<string> {
  const path = join(folder, "previous-backup_manifest");
  const { database, id, fileList } = of;
  const part = { name: "files", key: fileListKey(database, id), ...fileList! };
  await fetchDecompressed(request.store, part, path, { signal: request.signal });
  return path;
}

/** A tap on a base backup's stream. */
export interface FileListTap {
  /** The stream as it was. */
  readonly output: Readable;
  /** Programs that have to end well besides. */
  readonly tools: readonly Tool[];
  /** The list, compressed. Whole only once all of them have ended well. */
  readonly list: Promise<Buffer>;
}

/** Makes what `tapFileList` reads through. @returns its path */
export async function makeTap(folder: string): Promise<string> {
  const pipe = join(folder, "tap");
  await runTool("mkfifo", ["--mode=600", pipe]);
  return pipe;
}

/**
 * Takes `backup_manifest`, which comes last, out of a base backup on its way. The bytes are doubled by `tee` and read by
 * `tar`: none of them passes through this process.
 */
export function tapFileList(source: Tool, pipe: string, signal: AbortSignal): FileListTap {
  const tee = new Tool("tee", [pipe], { stdin: source.output, signal });
  const tar = new Tool("tar", ["-x", "-O", "--read-full-records", "-f", pipe, "backup_manifest"], { signal });
  const zstd = new Tool("zstd", ["-q", "-c"], { stdin: tar.output, signal });
  const tools = [tee, tar, zstd];
  // Each waits for the other to open the pipe: without one, nothing would ever come, or be asked for.
  for (const tool of tools) {
    tool.ended.catch(() => {
      for (const other of [source, ...tools]) if (other.process.exitCode === null) other.process.kill("SIGTERM");
    });
  }
  const chunks: Buffer[] = [];
  const list = new Promise<Buffer>((resolve) =>
    zstd.output.on("data", (chunk: Buffer) => chunks.push(chunk)).once("close", () => resolve(Buffer.concat(chunks))),
  );
  return { output: tee.output, tools, list };
}

/** Stores the list where the next backup may read it. */
export async function storeFileList(
  { store, database, id, signal }: BackupRequest,
  list: Buffer,
): Promise<ManifestFileList> {
  const { bytes, sha256 } = await store.put(fileListKey(database.name, id), list, { ifAbsent: true, signal });
  return { bytes, sha256 };
}
