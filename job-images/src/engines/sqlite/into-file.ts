import { readdir, realpath, stat, statfs } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { OperationError, UsageError } from "../../errors";
import { claimedName, isAbandoned } from "../../process/claimed-name";
import { type RestoreProof } from "../../proof/proof-run";
import { bytesText } from "../../report/terminal";
import { type RestoredCopy, type RestoreIntoRequest } from "../engine";
import { type FileOwner } from "./facts";
import { takeFromUsers } from "./file-holders";
import { removeWorkingFile, type Replacement, replaceFile } from "./replace-file";

const workingMark = ".restoring-";

/** A restore writes all the time until it proves, which takes minutes. */
const abandonedAfterMs = 3600 * 1000;

/** What a restore into a file is about, whatever it is restored from. */
export type IntoFileRequest = Pick<RestoreIntoRequest, "into" | "keep" | "progress" | "signal">;

/**
 * Restores into a file. It is made and proven under a working name in the target's own folder, and takes the target's
 * name only then; what was there is kept.
 *
 * @param bytes what the file will need; 0 where nobody knows
 * @param prove makes the file and proves it, and publishes it when everything passed
 */
export async function restoreIntoFile(
  request: IntoFileRequest,
  bytes: number,
  prove: (path: string, publish: (ownerOfSource?: FileOwner) => Promise<void>) => Promise<RestoreProof>,
): Promise<RestoredCopy> {
  const target = await targetFile(request.into);
  const old = await ownerOf(target);
  await sweepWorkingFiles(target);
  if (old) await requireNobody(request, target);
  await requireSpace(bytes, target);
  const path = workingFile(target);
  let replacement: Replacement | undefined;
  let keep = false;
  try {
    const proof = await prove(path, async (ownerOfSource) => {
      if (old) await requireNobody(request, target);
      request.progress.step("switching");
      replacement = await replaceFile(path, target, old ?? ownerWeCanGive(ownerOfSource));
    });
    if (replacement) return { proof, kept: target, where: describe(target, replacement) };
    keep = request.keep && proof.targetMade;
    return keep
      ? { proof, kept: path, where: `the copy is ${path}` }
      : { proof, kept: null, where: "nothing is left of the copy, and nothing was replaced" };
  } finally {
    if (!replacement && !keep) await removeWorkingFile(path);
  }
}

function describe(target: string, { kept, movedAside }: Replacement): string {
  return [
    `the copy is ${target}`,
    ...(kept === undefined ? [] : [`the file that was there is ${kept}`]),
    ...movedAside.map((path) => `moved aside: ${path}`),
  ].join("\n");
}

/** The real file that the word means: SQLite's sidecars lie beside it, not beside a link to it. */
async function targetFile(into: string): Promise<string> {
  if (/^[a-z][a-z0-9+.-]*:/i.test(into) || into === "") {
    throw new UsageError(
      `--into ${JSON.stringify(into)}: a SQLite database is restored into a file: --into /data/app.db`,
    );
  }
  const path = resolve(into);
  const folder = await realpath(dirname(path)).catch((error: Error) => {
    throw new UsageError(`--into ${into}: its folder cannot be entered: ${error.message}. Is the volume mounted?`);
  });
  return realpath(path).catch(() => join(folder, basename(path)));
}

/** Whose the file is that is to be replaced; `undefined` when there is none. */
async function ownerOf(target: string): Promise<FileOwner | undefined> {
  const stats = await stat(target).catch(() => undefined);
  if (!stats) return undefined;
  if (!stats.isFile())
    throw new UsageError(`--into ${target}: is there and is not a file. Name the database file itself.`);
  const { uid, gid, mode } = stats;
  return { uid, gid, mode: mode & 0o7777 };
}

/** Only root can give a file away; anybody else keeps what it made, with the source's rights. */
function ownerWeCanGive(owner: FileOwner | undefined): FileOwner | undefined {
  if (!owner) return undefined;
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  return uid === 0 ? owner : { ...owner, uid, gid };
}

async function requireNobody({ progress, signal }: IntoFileRequest, target: string): Promise<void> {
  const broken = await takeFromUsers(target, signal);
  if (broken !== undefined)
    progress.note(`the file that is there cannot be opened, and will be kept as it is: ${broken}`);
}

async function requireSpace(bytes: number, target: string): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(target));
  if (bavail * bsize >= bytes) return;
  throw new OperationError(
    `The restored file needs ${bytesText(bytes)} beside the old one, and ${dirname(target)} has ${bytesText(bavail * bsize)} left. ` +
      "Enlarge the volume, or restore into another one with --into.",
  );
}

/** In the same folder, so that a rename can publish it; file names have 255 bytes. */
function workingFile(target: string): string {
  const name = Buffer.from(basename(target))
    .subarray(0, 100)
    .toString("utf8")
    .replace(/\uFFFD/g, "");
  return join(dirname(target), `${name}${workingMark}${claimedName()}`);
}

/** Removes what restores that were killed outright left behind: the volume has no room for many of them. */
async function sweepWorkingFiles(target: string): Promise<void> {
  const folder = dirname(target);
  for (const name of await readdir(folder)) {
    const mark = name.lastIndexOf(workingMark);
    if (mark === -1) continue;
    const path = join(folder, name);
    const stats = await stat(path).catch(() => undefined);
    if (stats && isAbandoned(name.slice(mark + workingMark.length), stats.mtimeMs, abandonedAfterMs)) {
      await removeWorkingFile(path);
    }
  }
}
