import { randomBytes } from "node:crypto";
import { chmod, chown, link, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { compactUtc } from "../../../../recovery";
import { messageOf, OperationError } from "../../errors";
import { litestreamFolderOf, present, sidecarsOf, sidecarSuffixes } from "./database-file";
import { type FileOwner } from "./facts";

/** What became of a replacement. */
export interface Replacement {
  /** Where the file is that was there before; absent when there was none. */
  readonly kept?: string;
  /** Everything else that was moved out of the way. */
  readonly movedAside: readonly string[];
}

/**
 * Gives a proven file its name. The old one is kept beside it under a new name, together with its sidecars and
 * Litestream's folder, so that it can be opened again; what stays under the old name would be replayed over the new file,
 * or would have Litestream continue the old history. The name itself holds the old file or the new one at every moment.
 *
 * @param proven in the same folder
 * @throws OperationError with everything back where it was
 */
export async function replaceFile(proven: string, target: string, owner: FileOwner | undefined): Promise<Replacement> {
  if (owner) await giveTo(proven, owner);
  await syncPath(proven);
  const kept = `${target}.replaced-${compactUtc(new Date())}-${randomBytes(2).toString("hex")}`;
  const hadFile = (await present([target])).length > 0;
  const undo: (() => Promise<void>)[] = [];
  const movedAside: string[] = [];
  const moveAside = async (from: string, to: string): Promise<void> => {
    if ((await present([from])).length === 0) return;
    await rename(from, to);
    undo.push(() => rename(to, from));
    movedAside.push(to);
  };
  try {
    if (hadFile) await keepUnder(target, kept, undo);
    for (const suffix of sidecarSuffixes) await moveAside(target + suffix, kept + suffix);
    await moveAside(litestreamFolderOf(target), litestreamFolderOf(kept));
    await rename(proven, target);
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => undefined);
    throw new OperationError(`${target} could not be replaced: ${messageOf(error)}. The old file is where it was.`);
  }
  await syncPath(dirname(target));
  return { ...(hadFile ? { kept } : {}), movedAside };
}

/** A second name for the old file; where the file system knows none, its only one. */
async function keepUnder(target: string, kept: string, undo: (() => Promise<void>)[]): Promise<void> {
  try {
    await link(target, kept);
    undo.push(() => unlink(kept));
  } catch {
    await rename(target, kept);
    undo.push(() => rename(kept, target));
  }
}

async function giveTo(path: string, { uid, gid, mode }: FileOwner): Promise<void> {
  await chmod(path, mode);
  await chown(path, uid, gid).catch((error: Error) => {
    throw new OperationError(
      `${path} could not be given to user id ${uid} and group ${gid}: ${error.message}. Run the restore as that user or as root.`,
    );
  });
}

/** On the disk, not only in its cache. */
async function syncPath(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Removes a working file and whatever opening it made. */
export async function removeWorkingFile(path: string): Promise<void> {
  for (const file of [path, ...sidecarsOf(path)]) await unlink(file).catch(() => undefined);
}
