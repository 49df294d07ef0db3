import { constants } from "node:fs";
import { access, open, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { OperationError } from "../../errors";

/** What the first bytes of a database file say (sqlite.org/fileformat2.html). */
export interface DatabaseHeader {
  readonly pageBytes: number;
  /** Size that the header claims; 0 where a very old SQLite wrote last. */
  readonly pages: number;
  /** Write-ahead log, else a rollback journal. */
  readonly wal: boolean;
  /** Size of the file. */
  readonly bytes: number;
}

/** The file is no database that can be read; the message says what it is. */
export class NotADatabaseError extends OperationError {}

const magic = "SQLite format 3\0";
const headerBytes = 100;

/** @throws NotADatabaseError when the file does not begin as a database does */
export async function readHeader(path: string): Promise<DatabaseHeader> {
  const file = await open(path, "r");
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(headerBytes), 0, headerBytes, 0);
    const { size } = await file.stat();
    if (size === 0) throw new NotADatabaseError(`${path} is empty: 0 bytes hold no database.`);
    if (bytesRead < headerBytes || buffer.toString("latin1", 0, magic.length) !== magic) {
      throw new NotADatabaseError(
        `${path} is not a SQLite database, or it is encrypted: its first bytes are not "SQLite format 3". ` +
          "Check the path; a database of SQLCipher or SEE has to be copied by its own tools.",
      );
    }
    const pageBytes = buffer.readUInt16BE(16);
    return {
      // 65536 does not fit into two bytes and is written as 1.
      pageBytes: pageBytes === 1 ? 65_536 : pageBytes,
      pages: buffer.readUInt32BE(28),
      wal: buffer[19] === 2,
      bytes: size,
    };
  } finally {
    await file.close();
  }
}

/** The files that SQLite keeps beside a database: a foreign one is replayed over whatever lies there. */
export function sidecarsOf(path: string): readonly string[] {
  return sidecarSuffixes.map((suffix) => path + suffix);
}

/** What is appended to a database's name for each of them. */
export const sidecarSuffixes = ["-wal", "-shm", "-journal"] as const;

/** Where Litestream keeps its copy of the log; with it a restored file would continue the old history. */
export function litestreamFolderOf(path: string): string {
  return join(dirname(path), `.${basename(path)}-litestream`);
}

/** Those of the paths that are there. */
export async function present(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(paths.map(async (path) => ((await stat(path).catch(() => undefined)) ? [path] : [])));
  return found.flat();
}

/**
 * Whether a source can be read without harm, and its header.
 *
 * @throws OperationError that says what is in the way and what to do
 */
export async function inspectSource(path: string): Promise<DatabaseHeader> {
  const stats = await stat(path).catch((error: NodeJS.ErrnoException) => {
    const advice =
      error.code === "ENOENT"
        ? "Is the volume mounted, and is `path` right?"
        : "Check the path and its folders' rights.";
    throw new OperationError(`${path} cannot be looked at: ${error.message}. ${advice}`);
  });
  if (!stats.isFile()) throw new OperationError(`${path} is not a file. \`path\` must name the database file itself.`);
  await access(path, constants.R_OK).catch(() => {
    throw new OperationError(
      `${path} may not be read by user id ${whoAmI()}; it belongs to user id ${stats.uid}. Run the job as that user.`,
    );
  });
  const header = await readHeader(path);
  if (header.wal) await refuseForeignSharedMemory(path, stats);
  return header;
}

/**
 * Whoever opens a database in WAL mode makes its `-wal` and `-shm`, if nobody has it open. Made by another user, they
 * would lock the application out of its own database.
 */
async function refuseForeignSharedMemory(
  path: string,
  { uid, mode }: { readonly uid: number; readonly mode: number },
): Promise<void> {
  const harmless = whoAmI() === 0 || whoAmI() === uid || (mode & 0o020) !== 0;
  if (harmless || (await present([`${path}-shm`])).length > 0) return;
  throw new OperationError(
    `${path} is in WAL mode, nobody has it open, and it belongs to user id ${uid}: opening it as user id ${whoAmI()} ` +
      `would make files beside it that its owner cannot write. Run the job as user id ${uid}.`,
  );
}

function whoAmI(): number {
  return process.getuid?.() ?? 0;
}
