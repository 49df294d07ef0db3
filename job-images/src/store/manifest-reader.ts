import { createHash } from "node:crypto";
import {
  idOfManifestKey,
  type Manifest,
  manifestDigestInput,
  type ObjectReference,
  parseManifest,
  StorePrefix,
} from "../../../recovery";
import { type ObjectStore, type StoredObject } from "./object-store";

/** A manifest that is larger is hostile: 100,000 tables take about 10 MB. */
const largestManifestBytes = 64 * 1024 * 1024;

/** What came of reading a manifest: never an error, whatever the object holds. */
export interface ReadManifest {
  /** Absent when it cannot be read at all. */
  readonly manifest?: Manifest;
  /** Absent when its bytes could not be read. */
  readonly reference?: ObjectReference;
  /** Everything that is wrong with it. */
  readonly problems: readonly string[];
}

/** Reads one manifest, in the version that the object has. */
export async function readManifest(store: ObjectStore, object: StoredObject): Promise<ReadManifest> {
  const { key, versionId, bytes } = object;
  if (bytes > largestManifestBytes) {
    return { problems: [`manifest: ${bytes} bytes, more than the ${largestManifestBytes} that one may have`] };
  }
  const hash = createHash("sha256");
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  try {
    for await (const chunk of await store.get(key, { versionId })) {
      hash.update(chunk as Buffer);
      text += decoder.decode(chunk as Buffer, { stream: true });
    }
    text += decoder.decode();
  } catch (error) {
    return { problems: [`manifest: cannot be read: ${(error as Error).message}`] };
  }
  const reference = { key, versionId, sha256: hash.digest("hex") };
  const { manifest, problems } = parseManifest(text);
  if (!manifest) return { reference, problems: problems.map((problem) => `manifest: ${problem}`) };
  if (manifest.id !== idOfManifestKey(key)) {
    return { manifest, reference, problems: [`manifest: of ${manifest.id}, but filed under ${key}`] };
  }
  return { manifest, reference, problems: digestProblems(manifest) };
}

/** Whether a manifest still is what its own digest says. Anybody can make a new digest: only a signature vouches. */
export function digestProblems(manifest: Manifest): string[] {
  const digest = createHash("sha256").update(manifestDigestInput(manifest)).digest("hex");
  if (digest === manifest.digest) return [];
  return [`manifest: was changed after it was written: its digest is ${digest}, and it says ${manifest.digest}`];
}

/**
 * The newest manifest of a database that is valid and accepted. It takes no look at parts, which the identity that
 * writes backups may not even list.
 */
export async function newestManifest(
  store: ObjectStore,
  database: string,
  accept: (manifest: Manifest) => boolean,
): Promise<Manifest | undefined> {
  const objects: StoredObject[] = [];
  for await (const object of store.list(`${StorePrefix.Catalog}${database}/`)) {
    if (idOfManifestKey(object.key) !== undefined) objects.push(object);
  }
  // Within a database, keys sort by time.
  for (const object of objects.reverse()) {
    const { manifest, problems } = await readManifest(store, object);
    if (manifest && problems.length === 0 && accept(manifest)) return manifest;
  }
  return undefined;
}
