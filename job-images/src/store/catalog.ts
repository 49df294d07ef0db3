import { createHash } from "node:crypto";
import {
  chainLinkProblem,
  idOfManifestKey,
  isFileListKey,
  type Manifest,
  type ManifestPart,
  type ObjectReference,
  parseRecoveryPointId,
  type StorageClass,
  storageClassTerms,
  StorePrefix,
} from "../../../recovery";
import { mapConcurrently } from "./concurrently";
import { digestProblems, readManifest, type ReadManifest } from "./manifest-reader";
import { ObjectNotFoundError, type ObjectStore, type StoredObject, type StoredVersion } from "./object-store";
import { coveredBy, firstVersion, versionName, versionsByKey } from "./versions";

/**
 * What a recovery point is good for. Only `complete` ones count for the RPO.
 *
 * - `complete`: its manifest is valid and each of its parts was found in this store, in the version and size it names.
 * - `replicating`: its manifest has come from another bucket, and parts are still on their way: replication keeps no
 *   order.
 * - `broken`: its manifest cannot be read, or parts are missing or differ.
 * - `expired`: parts are gone, and the retention in force when it was taken says that they may be.
 * - `archived`: complete, but parts must be retrieved from an archive before they can be read.
 * - `orphaned`: parts without a manifest, of a backup that is still running or did not finish.
 */
export const RecoveryPointState = {
  Complete: "complete",
  Replicating: "replicating",
  Broken: "broken",
  Expired: "expired",
  Archived: "archived",
  Orphaned: "orphaned",
} as const;
export type RecoveryPointState = (typeof RecoveryPointState)[keyof typeof RecoveryPointState];

/** One recovery point as the store at hand has it. */
export interface CatalogEntry {
  /** The recovery point's id; for an object in the catalog that is no manifest, its key. */
  readonly id: string;
  /** The database's name in the job configuration; empty where even that cannot be told. */
  readonly database: string;
  /** The moment whose data it holds, or when it was started where no manifest says it. ISO 8601, UTC. */
  readonly at: string;
  /** Size of all parts: those that the manifest names, else those that were found; with those of what it builds on. */
  readonly bytes: number;
  readonly state: RecoveryPointState;
  /** Why it is not complete. */
  readonly problems: readonly string[];
  /**
   * What somebody did to it that a backup never does: wrote over one of its objects, or deleted one. The versions that
   * it consists of are still there, so it may be complete all the same.
   */
  readonly tampering: readonly string[];
  /** Absent when there is none or it cannot be read. */
  readonly manifest?: Manifest;
  /** The object that the manifest was read from. */
  readonly manifestObject?: ObjectReference;
  /** What an increment builds on, as far as it can be read, the full one first. */
  readonly ancestors?: readonly Manifest[];
  /** Longest wait until an archived one can be read, in minutes, and whether somebody has asked for it already. */
  readonly retrieval?: { readonly minutes: number; readonly underWay: boolean };
}

/** How to read a catalog. */
export interface CatalogOptions {
  /** The database's name in the job configuration. @default all */
  readonly database?: string;
  /** @default now */
  readonly now?: Date;
  /** How long after a backup its parts may still be on their way to a replica bucket. @default 1440 */
  readonly replicationAllowanceMinutes?: number;
}

const readsAtOnce = 16;

/**
 * Everything that the store knows of recovery points, newest first. A manifest that cannot be read is an entry with a
 * problem, never an error; only a store that cannot be read at all rejects.
 *
 * Each object is written once. Where the store keeps versions, the first version of a manifest is the recovery point's,
 * and whatever came over it is tampering.
 */
export async function readCatalog(store: ObjectStore, options: CatalogOptions = {}): Promise<CatalogEntry[]> {
  const folder = options.database === undefined ? "" : `${options.database}/`;
  const parts = await versionsByKey(store, StorePrefix.Parts + folder);
  const manifests = await versionsByKey(store, StorePrefix.Catalog + folder);
  // A list of files is for the next backup alone: no recovery point is worse without it.
  for (const key of manifests.keys()) if (isFileListKey(key)) manifests.delete(key);
  const reader = { store, parts, options };
  const written = [...manifests.values()].filter((versions) => firstVersion(versions));
  const entries = await mapConcurrently(written, readsAtOnce, (versions) => entryOf(reader, versions));
  return [...inTheirChains(entries, options.now ?? new Date()), ...orphans(parts, manifests)].sort(newestFirst);
}

/** An increment is as good as the worst of what it builds on. */
function inTheirChains(entries: readonly CatalogEntry[], now: Date): CatalogEntry[] {
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  return entries.map((entry) => {
    const { manifest } = entry;
    if (!manifest?.buildsOn) return entry;
    const ancestors = manifest.buildsOn.flatMap(({ id }) => byId.get(id) ?? []);
    const missing = manifest.buildsOn.flatMap(
      ({ id }, index) => chainLinkProblem(manifest, index, byId.get(id)?.manifest) ?? [],
    );
    const broken = ancestors.filter(({ state }) => !usableStates.includes(state));
    const problems = [
      ...missing,
      ...broken.flatMap(({ id, problems }) => problems.map((problem) => `it builds on ${id}: ${problem}`)),
    ].map((problem) => `chain: ${problem}`);
    const inChain = {
      ...entry,
      ancestors: ancestors.flatMap(({ manifest }) => manifest ?? []),
      bytes: entry.bytes + ancestors.reduce((sum, { bytes }) => sum + bytes, 0),
      tampering: [
        ...entry.tampering,
        ...ancestors.flatMap(({ id, tampering }) => tampering.map((what) => `${id}, which it builds on: ${what}`)),
      ],
      problems: [...entry.problems, ...problems],
    };
    return problems.length > 0
      ? { ...inChain, state: brokenState(entry, broken, missing, now) }
      : archived(inChain, ancestors);
  });
}

const usableStates: readonly RecoveryPointState[] = [RecoveryPointState.Complete, RecoveryPointState.Archived];

/** Of an increment whose chain is not whole. */
function brokenState(
  { state, manifest }: CatalogEntry,
  broken: readonly CatalogEntry[],
  missing: readonly string[],
  now: Date,
): RecoveryPointState {
  if (state === RecoveryPointState.Expired || state === RecoveryPointState.Broken) return state;
  // The lifecycle takes the oldest of a chain first.
  if (manifest!.expiresAt !== undefined && new Date(manifest!.expiresAt) <= now) return RecoveryPointState.Expired;
  const onTheirWay = broken.every((ancestor) => ancestor.state === RecoveryPointState.Replicating);
  return missing.length === 0 && onTheirWay ? RecoveryPointState.Replicating : RecoveryPointState.Broken;
}

/** All that lies in an archive is asked for at once, so the longest wait is the wait. */
function archived(entry: CatalogEntry, ancestors: readonly CatalogEntry[]): CatalogEntry {
  const retrievals = [entry, ...ancestors].flatMap(({ retrieval }) => retrieval ?? []);
  if (retrievals.length === 0 || !usableStates.includes(entry.state)) return entry;
  return {
    ...entry,
    state: RecoveryPointState.Archived,
    retrieval: {
      minutes: Math.max(...retrievals.map(({ minutes }) => minutes)),
      underWay: retrievals.every(({ underWay }) => underWay),
    },
    problems: [
      ...entry.problems,
      ...ancestors
        .filter(({ retrieval }) => retrieval)
        .flatMap(({ id, problems }) => problems.map((problem) => `${id}: ${problem}`)),
    ],
  };
}

interface CatalogReader {
  readonly store: ObjectStore;
  readonly parts: ReadonlyMap<string, readonly StoredVersion[]>;
  readonly options: CatalogOptions;
}

/** By the time that they were taken at, then by id, so that the order is the same on every run. */
function newestFirst(a: CatalogEntry, b: CatalogEntry): number {
  return a.at === b.at ? (a.id < b.id ? 1 : -1) : a.at < b.at ? 1 : -1;
}

async function entryOf(reader: CatalogReader, versions: readonly StoredVersion[]): Promise<CatalogEntry> {
  const object = firstVersion(versions)!;
  const { key } = object;
  const id = idOfManifestKey(key);
  const parsedId = id === undefined ? undefined : parseRecoveryPointId(id);
  const facts = {
    id: id ?? key,
    database: parsedId?.database ?? "",
    at: (parsedId?.startedAt ?? object.lastModified).toISOString(),
    bytes: 0,
    state: RecoveryPointState.Broken,
    tampering: coveredBy(object, versions).map((how) => `manifest: ${how}`),
  };
  if (id === undefined) return { ...facts, problems: [`${key} is not the key of a manifest`] };
  const read = await readManifest(reader.store, object);
  if (!read.manifest) return { ...facts, problems: read.problems, manifestObject: read.reference };
  const { manifest } = read;
  const parts = manifest.parts.map((part) => lookAt(part, reader.parts.get(part.key) ?? []));
  return {
    ...facts,
    at: manifest.consistentAt,
    bytes: manifest.parts.reduce((sum, part) => sum + part.bytes, 0),
    tampering: [...facts.tampering, ...parts.flatMap((part) => part.tampering)],
    manifest,
    manifestObject: read.reference,
    ...(await stateOf(reader, read, manifest, parts)),
  };
}

/** One part of a manifest, compared with what the store has. */
interface SeenPart {
  readonly problem?: string;
  /** The problem is that it is not there. */
  readonly missing: boolean;
  /** Somebody deleted it, and where versions are kept that took nothing away. */
  readonly hidden: boolean;
  readonly tampering: readonly string[];
  readonly retrieval?: { readonly minutes: number; readonly underWay: boolean };
}

function lookAt(part: ManifestPart, versions: readonly StoredVersion[]): SeenPart {
  const latest = versions[0];
  const wanted = versions.find(
    ({ deleted, versionId, latest }) =>
      !deleted && (part.versionId === undefined || versionId === undefined ? latest : versionId === part.versionId),
  );
  if (!wanted) {
    const gone = part.versionId === undefined ? "is missing" : `version ${part.versionId} is missing`;
    const instead = latest && !latest.deleted ? `; ${versionName(latest)} is there in its place` : "";
    return { problem: `${part.key}: ${gone}${instead}`, missing: true, hidden: false, tampering: [] };
  }
  return {
    problem: sizeProblem(part, wanted),
    missing: false,
    hidden: latest!.deleted,
    tampering: coveredBy(wanted, versions).map((how) => `${part.key}: ${how}`),
    retrieval: retrievalOf(wanted),
  };
}

function sizeProblem(part: ManifestPart, found: StoredObject): string | undefined {
  if (found.bytes === part.bytes) return undefined;
  return `${part.key}: has ${found.bytes} bytes, the manifest says ${part.bytes}`;
}

function retrievalOf({ storageClass, retrieval }: StoredVersion): SeenPart["retrieval"] {
  const minutes = storageClassTerms[storageClass as StorageClass]?.retrievalMinutes ?? 0;
  return minutes === 0 || retrieval === "done" ? undefined : { minutes, underWay: retrieval === "under-way" };
}

async function stateOf(
  { store, options }: CatalogReader,
  read: ReadManifest,
  manifest: Manifest,
  parts: readonly SeenPart[],
): Promise<Pick<CatalogEntry, "state" | "problems" | "retrieval">> {
  const now = options.now ?? new Date();
  const problems = [...read.problems, ...parts.flatMap(({ problem }) => problem ?? [])];
  const broken = { state: RecoveryPointState.Broken, problems };
  if (problems.length > parts.filter(({ missing }) => missing).length) return broken;
  const isGoing = parts.some(({ missing, hidden }) => missing || hidden);
  if (isGoing && manifest.expiresAt !== undefined && new Date(manifest.expiresAt) <= now) {
    return { state: RecoveryPointState.Expired, problems: [`its retention ended at ${manifest.expiresAt}`] };
  }
  if (problems.length > 0) {
    const allowance = options.replicationAllowanceMinutes ?? 24 * 60;
    const ageMinutes = (now.getTime() - new Date(manifest.finishedAt).getTime()) / 60_000;
    if ((await store.head(read.reference!.key, read.reference))?.replication !== "replica") return broken;
    if (ageMinutes <= allowance) return { state: RecoveryPointState.Replicating, problems };
    const late = `replication did not bring it all in the ${allowance} minutes that it may take`;
    return { state: RecoveryPointState.Broken, problems: [...problems, late] };
  }
  const retrievals = parts.flatMap(({ retrieval }) => retrieval ?? []);
  if (retrievals.length === 0) return { state: RecoveryPointState.Complete, problems };
  const retrieval = {
    minutes: Math.max(...retrievals.map(({ minutes }) => minutes)),
    underWay: retrievals.every(({ underWay }) => underWay),
  };
  const asked = retrieval.underWay ? "its retrieval is under way" : "it must be retrieved (aws s3api restore-object)";
  return {
    state: RecoveryPointState.Archived,
    problems: [`it lies in an archive: ${asked}, which takes up to ${retrieval.minutes} minutes`],
    retrieval,
  };
}

function orphans(
  parts: ReadonlyMap<string, readonly StoredVersion[]>,
  manifests: ReadonlyMap<string, readonly StoredVersion[]>,
): CatalogEntry[] {
  const written = new Set<string>();
  const deleted = new Set<string>();
  for (const [key, versions] of manifests) {
    (firstVersion(versions) ? written : deleted).add(idOfManifestKey(key) ?? key);
  }
  const byId = new Map<string, StoredVersion[]>();
  for (const [key, [latest]] of parts) {
    const id = key.split("/")[2] ?? key;
    if (!latest!.deleted && !written.has(id)) byId.set(id, [...(byId.get(id) ?? []), latest!]);
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
      tampering: deleted.has(id) ? ["manifest: was deleted, and no version of it is left"] : [],
    };
  });
}

/**
 * Checks a recovery point against its manifest without restoring it: the manifest's own digest, and that each part is
 * there in the version and size that it names.
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
    const found = await store.head(part.key, { versionId: part.versionId });
    const wrong = found ? sizeProblem(part, found) : `${part.key}: is missing`;
    if (wrong !== undefined) problems.push(wrong);
    else if (options.readParts) problems.push(...(await contentProblems(store, part, options.signal)));
    if (found?.replication === "failed") problems.push(`${part.key}: its replication to the other bucket has failed`);
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
