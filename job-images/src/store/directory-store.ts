import { constants, type Dirent, type Stats } from "node:fs";
import { type FileHandle, link, lstat, mkdir, open, readdir, realpath, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Readable } from "node:stream";
import { claimedName, isAbandoned } from "../process/claimed-name";
import { Intake } from "./intake";
import { checkObjectKey, checkObjectPrefix } from "./object-key";
import {
  type GetOptions,
  ObjectExistsError,
  ObjectNotFoundError,
  type ObjectStore,
  type PutOptions,
  type PutResult,
  StoreError,
  type StoredObject,
  type StoredVersion,
} from "./object-store";

/** Where objects grow until they are whole; on the store's own file system, so that a rename can publish them. */
const incoming = ".incoming";

/** Names at the store's root that are no objects: our own, and what a fresh ext4 file system holds. */
const notObjects = new Set([incoming, "lost+found"]);

/** Another place's unfinished object is abandoned when nothing was written to it for this long. */
const abandonedAfterMs = 24 * 3600 * 1000;

/** The unfinished objects of this very process. */
const growing = new Set<string>();

/**
 * A store in a directory of a local or mounted file system. An object appears by a rename, or not at all, and is on the
 * disk when `put` returns: the file and every directory above it up to the root were synced. Symbolic links inside of
 * the store are never followed. The root is created when its parent is there; a store whose root is missing is empty.
 */
export class DirectoryStore implements ObjectStore {
  readonly url: string;

  /** @param root absolute path of the directory */
  constructor(private readonly root: string) {
    this.url = `file://${root}`;
  }

  async put(key: string, body: Readable | Buffer, options: PutOptions = {}): Promise<PutResult> {
    const intake = new Intake(body, options.signal);
    try {
      checkObjectKey(key);
      options.signal?.throwIfAborted();
      return await this.explain(`write ${key}`, () => this.write(key, intake, options.ifAbsent ?? false));
    } finally {
      intake.close();
    }
  }

  private async write(key: string, intake: Intake, ifAbsent: boolean): Promise<PutResult> {
    await this.makeRoot();
    const target = await this.locate(key);
    // Early, so that nobody streams a database only to hear this; the link below is what decides.
    if (ifAbsent && (await statOf(target))) throw new ObjectExistsError(key, this.url);
    const folder = dirname(target);
    await mkdir(folder, { recursive: true, mode: 0o750 });
    await mkdir(join(this.root, incoming), { recursive: true, mode: 0o750 });
    await this.sweep();

    const temporary = join(this.root, incoming, claimedName());
    growing.add(temporary);
    try {
      await writeFileSynced(temporary, intake);
      if (ifAbsent) await this.linkNew(key, temporary, target);
      else await rename(temporary, target);
      await syncFolders(folder, this.root);
      return { bytes: intake.bytes, sha256: intake.sha256() };
    } finally {
      await unlink(temporary).catch(ignoreMissing);
      growing.delete(temporary);
    }
  }

  private async linkNew(key: string, temporary: string, target: string): Promise<void> {
    try {
      await link(temporary, target);
    } catch (error) {
      if (codeOf(error) === "EEXIST") throw new ObjectExistsError(key, this.url);
      throw error;
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<Readable> {
    checkObjectKey(key);
    options.signal?.throwIfAborted();
    return this.explain(`read ${key}`, async () => {
      const path = await this.locate(key);
      let file: FileHandle;
      try {
        file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
      } catch (error) {
        if (isMissing(error)) throw new ObjectNotFoundError(key, this.url);
        throw error;
      }
      if (!(await file.stat()).isFile()) {
        await file.close();
        throw new ObjectNotFoundError(key, this.url);
      }
      return file.createReadStream({ signal: options.signal, highWaterMark: 256 * 1024 });
    });
  }

  async head(key: string): Promise<StoredObject | undefined> {
    checkObjectKey(key);
    return this.explain(`look at ${key}`, async () => {
      const stats = await statOf(await this.locate(key));
      return stats?.isFile() ? { key, bytes: stats.size, lastModified: stats.mtime } : undefined;
    });
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    checkObjectPrefix(prefix);
    const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
    yield* this.walk(folder, prefix);
  }

  async *versions(prefix: string): AsyncIterable<StoredVersion> {
    for await (const object of this.list(prefix)) yield { ...object, latest: true, deleted: false };
  }

  /** Objects come in the order of their keys, because a directory sorts by its name with the slash that follows it. */
  private async *walk(folder: string, prefix: string): AsyncIterable<StoredObject> {
    const entries = await this.explain(`list ${folder || "the store"}`, () => this.entries(folder));
    for (const name of entries) {
      const key = folder + name;
      if (name.endsWith("/")) {
        if (key.startsWith(prefix) || prefix.startsWith(key)) yield* this.walk(key, prefix);
      } else if (key.startsWith(prefix)) {
        // An object that went away since the directory was read is no longer part of the list.
        const object = await this.head(key);
        if (object) yield object;
      }
    }
  }

  private async entries(folder: string): Promise<string[]> {
    let entries: Dirent[];
    try {
      const path = folder === "" ? this.root : await this.locate(folder.slice(0, -1));
      entries = await readdir(path, { withFileTypes: true });
    } catch (error) {
      if (!isMissing(error)) throw error;
      if (folder === "" || !(await statOf(this.root))) await this.checkParent();
      return [];
    }
    return entries
      .filter((entry) => (entry.isFile() || entry.isDirectory()) && !(folder === "" && notObjects.has(entry.name)))
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  close(): void {}

  /** The path of a key whose existing directories are real ones inside of the root. */
  private async locate(key: string): Promise<string> {
    const segments = key.split("/");
    if (notObjects.has(segments[0]!)) throw new Error(`${JSON.stringify(key)} is not a key of the store: reserved.`);
    let path = this.root;
    for (const segment of segments) {
      path = join(path, segment);
      const stats = await statOf(path);
      if (!stats) break;
      if (stats.isSymbolicLink()) {
        throw new StoreError(
          `${path} is a symbolic link, and a store follows none: replace it by what it points to (another disk can be mounted there).`,
        );
      }
    }
    return join(this.root, ...segments);
  }

  private async makeRoot(): Promise<void> {
    try {
      await mkdir(this.root, { mode: 0o750 });
      await syncFolders(this.root, dirname(this.root));
    } catch (error) {
      if (codeOf(error) === "ENOENT") await this.checkParent();
      if (codeOf(error) !== "EEXIST") throw error;
    }
    if (!(await stat(this.root)).isDirectory()) {
      throw new StoreError(`${this.root} is not a directory: move it away or name another store.`);
    }
  }

  private async checkParent(): Promise<void> {
    const parent = dirname(this.root);
    const stats = await stat(parent).catch(ignoreMissing);
    if (stats?.isDirectory()) return;
    throw new StoreError(
      `The store ${this.root} is not there, nor is ${parent}: is the disk mounted? If the path is right, create it.`,
    );
  }

  /** Removes what killed writers left behind. */
  private async sweep(): Promise<void> {
    const folder = join(this.root, incoming);
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (growing.has(path)) continue;
      const stats = await statOf(path);
      if (stats && isAbandoned(name, stats.mtimeMs, abandonedAfterMs)) await unlink(path).catch(ignoreMissing);
    }
  }

  /** Runs file work; what the file system refuses is told with the place, the reason and what to do. */
  private async explain<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const advice = fileAdvice[codeOf(error) ?? ""];
      if (advice === undefined) throw error;
      throw new StoreError(`Cannot ${doing} in ${this.root}: ${advice()} (${(error as Error).message})`, {
        cause: error,
      });
    }
  }
}

const whoAmI = (): string => `user id ${process.getuid?.() ?? "of this process"}`;

const fileAdvice: Readonly<Record<string, () => string>> = {
  EACCES: () => `${whoAmI()} may not; give it the directory or run as its owner.`,
  EPERM: () => `${whoAmI()} may not, or the file system does not allow it; check its owner and mount options.`,
  EROFS: () => "the file system is mounted read-only; remount it writable.",
  ENOSPC: () => "the disk is full; free space or enlarge it. Nothing of the object was kept.",
  EDQUOT: () => "the disk quota is used up; raise it. Nothing of the object was kept.",
  ENOTDIR: () => "something in the path is a file where a directory is expected.",
  EEXIST: () => "something that is no directory is in the way.",
  EISDIR: () => "a directory of that name is in the way.",
  EIO: () => "the disk reported an input/output error; check the kernel's log.",
};

async function writeFileSynced(path: string, chunks: AsyncIterable<Buffer>): Promise<void> {
  const file = await open(path, "wx", 0o640);
  try {
    for await (const chunk of chunks) await file.writeFile(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Syncs a directory and those above it, up to and including `top`: only then a new name survives a power cut. */
async function syncFolders(folder: string, top: string): Promise<void> {
  const last = await realpath(top);
  for (let path = await realpath(folder); ; path = dirname(path)) {
    const directory = await open(path, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    if (path === last || path === dirname(path)) return;
  }
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Nothing there, or a file where a directory would be needed for something to be there. */
const isMissing = (error: unknown): boolean => ["ENOENT", "ENOTDIR"].includes(codeOf(error) ?? "");

function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) !== "ENOENT") throw error;
}
