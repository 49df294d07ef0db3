import { stat, statfs } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Readable } from "node:stream";
import {
  BackupMethod,
  jobConfigDefaults,
  type ManifestPart,
  ProofLevel,
  proofLevelFor,
  TargetClass,
} from "../../../../recovery";
import { messageOf, OperationError } from "../../errors";
import { checkedStream, Tool } from "../../process/child";
import { compressionThreads } from "../../process/parallelism";
import { inScratchFolder } from "../../process/scratch-folder";
import { bytesText } from "../../report/terminal";
import { putPart } from "../../store/parts";
import { zstdVersion } from "../compressed-part";
import { type BackupRequest, type RecoveryEngine, type TakenBackup } from "../engine";
import { counted, endingAfter, throttled } from "../paced-stream";
import { copyPart, factsPart } from "./copy-parts";
import { restoreCopyInto, restoreCopyIntoScratch } from "./copy-restore";
import { openCopySabotage } from "./copy-sabotage";
import { type DatabaseHeader, inspectSource } from "./database-file";
import { checkIntegrity, readContents, readForeignKeyViolations, readTableBytes, type SqliteFacts } from "./facts";
import { runSql, type SqliteAccess, SqliteCode, SqliteError, sqliteVersion, sqlText } from "./shell";
import { watchWaitingWriters } from "./writer-watch";

/**
 * A copy of the file as of one moment, however busy its writers are: `VACUUM INTO` reads it in one transaction, so it
 * never has to start over (the shell's own `.backup` does, with every foreign write). The copy is checked while it is
 * compressed and sent, and a copy that is damaged never becomes an object of the store.
 */
export const sqliteCopy: RecoveryEngine = {
  method: BackupMethod.Copy,
  targetClass: { test: TargetClass.File, restore: TargetClass.File },
  take,
  restoreTest: restoreCopyIntoScratch,
  restoreInto: restoreCopyInto,
  openSabotage: openCopySabotage,
};

async function take(request: BackupRequest): Promise<TakenBackup> {
  const path = request.database.path!;
  const header = await inspectSource(path);
  return inScratchFolder(async (scratch) => {
    await requireSpace(scratch, header);
    const copy = join(scratch, "copy.db");
    request.progress.step("copying");
    const consistentAt = await copyInOneStep(request, path, copy, header);
    request.progress.step("checking and storing");
    const { part, facts, reasons, tableBytes } = await checkAndStore(request, path, copy, header);
    return {
      consistentAt,
      source: {
        databaseName: facts.databaseName,
        serverVersion: await sqliteVersion(),
        serverMajor: 3,
        encoding: facts.settings.encoding,
        systemIdentifier: facts.canary?.identity,
        bytes: header.bytes,
      },
      tools: { sqlite3: await sqliteVersion(), zstd: await zstdVersion() },
      tables: facts.tables.map(({ name, rows }) => ({
        schema: "main",
        name,
        rows,
        bytes: tableBytes.get(name) ?? 0,
      })),
      parts: [part, await put(request, factsPart, Buffer.from(JSON.stringify(facts)))],
      reasons,
    };
  });
}

async function requireSpace(scratch: string, { bytes }: DatabaseHeader): Promise<void> {
  const { bavail, bsize } = await statfs(scratch);
  if (bavail * bsize >= bytes) return;
  throw new OperationError(
    `A copy needs ${bytesText(bytes)} and ${scratch} has ${bytesText(bavail * bsize)} left. Point TMPDIR at a volume with room.`,
  );
}

/** @returns the moment before the copy's transaction began, by the clock that the source's writers use */
async function copyInOneStep(
  request: BackupRequest,
  path: string,
  copy: string,
  { wal }: DatabaseHeader,
): Promise<Date> {
  const settings = { ...jobConfigDefaults, ...request.database.backup };
  const giveWay = new AbortController();
  const signal = AbortSignal.any([request.signal, giveWay.signal]);
  const stopWatching = wal
    ? undefined
    : watchWaitingWriters(path, settings.maxBlockingSeconds, (reason) => giveWay.abort(reason));
  try {
    const [at] = await runSql(
      { path, lockWaitSeconds: settings.lockWaitSeconds, signal },
      `SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now');\nVACUUM INTO ${sqlText(copy)};`,
    );
    return new Date(at!);
  } catch (error) {
    throw explained(error, path, copy, settings.lockWaitSeconds);
  } finally {
    await stopWatching?.();
  }
}

/** What SQLite refused, and what to do about it. */
function explained(error: unknown, path: string, copy: string, lockWaitSeconds: number): unknown {
  if (!(error instanceof SqliteError)) return error;
  const advice: Readonly<Record<number, string>> = {
    [SqliteCode.Busy]: `A writer kept it locked for ${lockWaitSeconds} s. End the long transaction, or raise backup.lockWaitSeconds.`,
    [SqliteCode.ReadOnly]:
      "Its writer died in the middle of a transaction and left a journal, which a reader may not roll back. Start the application, or open the file once with sqlite3.",
    [SqliteCode.Corrupt]: corruptAdvice,
    [SqliteCode.NotADatabase]: corruptAdvice,
    [SqliteCode.Full]: `The disk under ${copy} is full. Point TMPDIR at a volume with room.`,
    [SqliteCode.CannotOpen]:
      "Its -wal and -shm, or its folder, cannot be used by this user. Run the job as the user that the application runs as.",
  };
  const what = advice[error.code ?? -1];
  // SQLite names the file that it was making when it failed to read the other.
  return what === undefined ? error : new OperationError(`${error.message.replace(`: ${copy}`, "")}. ${what}`);
}

const corruptAdvice =
  "The database is corrupt, and nothing was stored. Keep the file, restore the newest proven recovery point (`dr list`), and try `sqlite3 FILE .recover` for what came after it.";

/** The stream to the store ends well only after the copy was found whole. */
async function checkAndStore(
  request: BackupRequest,
  path: string,
  copy: string,
  header: DatabaseHeader,
): Promise<{ part: ManifestPart } & Checked> {
  const settings = { ...jobConfigDefaults, ...request.database.backup };
  const refusal = new AbortController();
  const signal = AbortSignal.any([request.signal, refusal.signal]);
  const checking = check(request, path, { path: copy, signal }, header);
  checking.catch((error: unknown) => refusal.abort(error));
  const zstd = new Tool(
    "zstd",
    [`-${settings.compressionLevel}`, `-T${compressionThreads()}`, "-q", "-c", "--", copy],
    { signal },
  );
  const body = checkedStream([zstd], (output) =>
    endingAfter(throttled(counted(output, request.progress), settings.maxBytesPerSecond), checking),
  );
  const putting = put(request, copyPart, body, signal);
  const [checked, part] = await Promise.allSettled([checking, putting]);
  await zstd.ended.catch(() => undefined);
  if (request.signal.aborted) throw request.signal.reason as Error;
  if (checked.status === "rejected") throw checked.reason as Error;
  if (part.status === "rejected") throw part.reason as Error;
  return { part: part.value, ...checked.value };
}

interface Checked {
  readonly facts: SqliteFacts;
  readonly reasons: readonly string[];
  readonly tableBytes: ReadonlyMap<string, number>;
}

async function check(
  { database }: BackupRequest,
  path: string,
  access: SqliteAccess,
  header: DatabaseHeader,
): Promise<Checked> {
  const { damage, constraints } = await checkIntegrity(access);
  if (damage.length > 0) {
    throw new OperationError(`${path}: integrity_check says: ${damage.slice(0, 5).join("; ")}. ${corruptAdvice}`);
  }
  const reasons = constraints.length === 0 ? [] : [`integrity_check says: ${constraints.slice(0, 5).join("; ")}`];
  const violations = await readForeignKeyViolations(access).catch((error: unknown) => {
    reasons.push(`foreign_key_check could not be run: ${messageOf(error)}`);
    return [];
  });
  reasons.push(
    ...violations.map(
      ({ table, parent, rows }) => `foreign_key_check says: ${rows} rows of ${table} have no ${parent}`,
    ),
  );
  const withDigests = proofLevelFor(header.bytes, database.proof) === ProofLevel.Content;
  const { uid, gid, mode } = await stat(path);
  const facts: SqliteFacts = {
    formatVersion: 1,
    databaseName: basename(path),
    wal: header.wal,
    owner: { uid, gid, mode: mode & 0o7777 },
    ...(await readContents(access, withDigests)),
    foreignKeyViolations: violations,
  };
  return { facts, reasons, tableBytes: await readTableBytes(access) };
}

function put(
  { store, database, id, signal: ofRequest }: BackupRequest,
  name: string,
  body: Readable | Buffer,
  signal = ofRequest,
): Promise<ManifestPart> {
  return putPart(store, { database: database.name, id }, name, body, { signal });
}
