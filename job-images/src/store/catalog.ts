import { createHash } from "node:crypto";
import {
  idOfManifestKey,
  type Manifest,
  manifestDigestInput,
  type ManifestPart,
  parseManifest,
  parseRecoveryPointId,
  StorePrefix,
} from "../../../recovery";
import { mapConcurrently } from "./concurrently";
import { ObjectNotFoundError, type ObjectStore, type StoredObject } from "./object-store";

/**
 * What a recovery point is good for. Only `complete` ones count for the RPO.
 *
 * - `complete`: its manifest is valid and each of its parts was found in this store, in the size that it names.
 * - `broken`: its manifest cannot be read, or parts are missing or differ.
 * - `orphaned`: parts without a manifest, of a backup that is still running or did not finish.
 */
export const RecoveryPointState = { Complete: "complete", Broken: "broken", Orphaned: "orphaned" } as const;
export type RecoveryPointState = (typeof RecoveryPointState)[keyof typeof RecoveryPointState];

/** One recovery point as the store at hand has it. */
export interface CatalogEntry {
  /** The recovery point's id; for an object in the catalog that is no manifest, its key. */
  readonly id: string;
  /** The database's name in the job configuration; empty where even that cannot be told. */
  readonly database: string;
  /** The moment whose data it holds, or when it was started where no manifest says it. ISO 8601, UTC. */
  readonly at: string;
  /** Size of all parts: those that the manifest names, else those that were found. */
  readonly bytes: number;
  readonly state: RecoveryPointState;
  /** Everything that is wrong with it. */
  readonly problems: readonly string[];
  /** Absent when there is none or it cannot be read. */
  readonly manifest?: Manifest;
}

/** A manifest that is larger is hostile: 100,000 tables take about 10 MB. */
const largestManifestBytes = 64 * 1024 * 1024;

const readsAtOnce = 16;

/**
 * Everything that the store knows of recovery points, newest first. A manifest that cannot be read is an entry with a
 * problem, never an error; only a store that cannot be read at all rejects.
 */
export async function readCatalog(
  store: ObjectStore,
  options: { readonly database?: string } = {},
): Promise<CatalogEntry[]> {
  const folder = options.database === undefined ? "" : `${options.database}/`;
  const parts = new Map<string, StoredObject>();
  for await (const part of store.list(StorePrefix.Parts + folder)) parts.set(part.key, part);
  const manifests: StoredObject[] = [];
  for await (const manifest of store.list(StorePrefix.Catalog + folder)) manifests.push(manifest);

  const entries = await mapConcurrently(manifests, readsAtOnce, (object) => entryOf(store, object, parts));
  const known = new Set(entries.map((entry) => entry.id));
  return [...entries, ...orphans(parts.values(), known)].sort(newestFirst);
}

/** By the time that they were taken at, then by id, so that the order is the same on every run. */
function newestFirst(a: CatalogEntry, b: CatalogEntry): number {
  return a.at === b.at ? (a.id < b.id ? 1 : -1) : a.at < b.at ? 1 : -1;
}

async function entryOf(
  store: ObjectStore,
  object: StoredObject,
  parts: ReadonlyMap<string, StoredObject>,
): Promise<CatalogEntry> {
  const id = idOfManifestKey(object.key);
  const parsedId = id === undefined ? undefined : parseRecoveryPointId(id);
  const facts = {
    id: id ?? object.key,
    database: parsedId?.database ?? "",
    at: (parsedId?.startedAt ?? object.lastModified).toISOString(),
    bytes: 0,
    state: RecoveryPointState.Broken,
  };
  if (id === undefined) return { ...facts, problems: [`${object.key} is not the key of a manifest`] };
  const read = await readManifest(store, object);
  if (!read.manifest) return { ...facts, problems: read.problems };
  const { manifest } = read;
  const problems = [...read.problems, ...manifest.parts.flatMap((part) => problemOfPart(part, parts.get(part.key)))];
  return {
    ...facts,
    at: manifest.consistentAt,
    bytes: manifest.parts.reduce((sum, part) => sum + part.bytes, 0),
    state: problems.length === 0 ? RecoveryPointState.Complete : RecoveryPointState.Broken,
    problems,
    manifest,
  };
}

async function readManifest(
  store: ObjectStore,
  object: StoredObject,
): Promise<{ readonly manifest?: Manifest; readonly problems: readonly string[] }> {
  if (object.bytes > largestManifestBytes) {
    return { problems: [`manifest: ${object.bytes} bytes, more than the ${largestManifestBytes} that one may have`] };
  }
  let text: string;
  try {
    text = await readText(store, object.key);
  } catch (error) {
    return { problems: [`manifest: cannot be read: ${(error as Error).message}`] };
  }
  const { manifest, problems } = parseManifest(text);
  if (!manifest) return { problems: problems.map((problem) => `manifest: ${problem}`) };
  if (manifest.id !== idOfManifestKey(object.key)) {
    return { manifest, problems: [`manifest: of ${manifest.id}, but filed under ${object.key}`] };
  }
  return { manifest, problems: digestProblems(manifest) };
}

function digestProblems(manifest: Manifest): string[] {
  const digest = createHash("sha256").update(manifestDigestInput(manifest)).digest("hex");
  if (digest === manifest.digest) return [];
  return [`manifest: was changed after it was written: its digest is ${digest}, and it says ${manifest.digest}`];
}

async function readText(store: ObjectStore, key: string): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  for await (const chunk of await store.get(key)) text += decoder.decode(chunk as Buffer, { stream: true });
  return text + decoder.decode();
}

function problemOfPart(part: ManifestPart, found: StoredObject | undefined): string[] {
  if (!found) return [`${part.key}: is missing`];
  if (found.bytes !== part.bytes) return [`${part.key}: has ${found.bytes} bytes, the manifest says ${part.bytes}`];
  return [];
}

function orphans(parts: Iterable<StoredObject>, known: ReadonlySet<string>): CatalogEntry[] {
  const byId = new Map<string, StoredObject[]>();
  for (const part of parts) {
    const id = part.key.split("/")[2] ?? part.key;
    if (!known.has(id)) byId.set(id, [...(byId.get(id) ?? []), part]);
  }
  return [...byId].map(([id, objects]) => {
    const parsed = parseRecoveryPointId(id);
    return {
      id,
      database: parsed?.database ?? "",
      at: (parsed?.startedAt ?? objects[0]!.lastModified).toISOString(),
      bytes: objects.reduce((sum, object) => sum + object.bytes, 0),
      state: RecoveryPointState.Orphaned,
      problems: ["there is no manifest: the backup is still running, or it did not finish"],
    };
  });
}

/**
 * Checks a recovery point against its manifest without restoring it: the manifest's own digest, and that each part is
 * there in the size that it names.
 *
 * @param options.readParts also read every part and compare its SHA-256
 * @returns everything that is wrong; nothing when the recovery point is what its manifest says
 */
export async function verifyRecoveryPoint(
  store: ObjectStore,
  manifest: Manifest,
  options: { readonly readParts: boolean; readonly signal?: AbortSignal },
): Promise<string[]> {
  const problems = digestProblems(manifest);
  for (const part of manifest.parts) {
    const found = problemOfPart(part, await store.head(part.key, { versionId: part.versionId }));
    if (found.length === 0 && options.readParts) found.push(...(await contentProblems(store, part, options.signal)));
    problems.push(...found);
  }
  return problems;
}

async function contentProblems(store: ObjectStore, part: ManifestPart, signal?: AbortSignal): Promise<string[]> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const chunk of await store.get(part.key, { versionId: part.versionId, signal })) {
      hash.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
    }
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return [`${part.key}: is missing`];
    throw error;
  }
  if (bytes !== part.bytes) return [`${part.key}: ${bytes} bytes were read, the manifest says ${part.bytes}`];
  const sha256 = hash.digest("hex");
  if (sha256 === part.sha256) return [];
  return [`${part.key}: was changed: its SHA-256 is ${sha256}, the manifest says ${part.sha256}`];
}
