import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OperationError } from "../errors";
import { claimedName, isAbandoned } from "./claimed-name";

const prefix = "dr-scratch-";

/** Longer than any job may take. */
const abandonedAfterMs = 24 * 3600 * 1000;

/**
 * Does work in a folder that only its owner may enter, and that is gone afterwards. What runs that were killed outright
 * left behind goes first, so that they do not fill the disk one by one.
 *
 * @param parent @default the system's temporary folder
 */
export async function inScratchFolder<Result>(
  work: (folder: string) => Promise<Result>,
  parent = tmpdir(),
): Promise<Result> {
  await sweep(parent);
  const folder = join(parent, `${prefix}${claimedName()}`);
  await mkdir(folder, { mode: 0o700 }).catch((error: Error) => {
    throw new OperationError(`No temporary folder can be made in ${parent}: ${error.message}. Point TMPDIR elsewhere.`);
  });
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    if (!name.startsWith(prefix)) continue;
    const path = join(parent, name);
    const stats = await stat(path).catch(() => undefined);
    if (stats && isAbandoned(name.slice(prefix.length), stats.mtimeMs, abandonedAfterMs)) {
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}
