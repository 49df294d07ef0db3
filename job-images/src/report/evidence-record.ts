import { createHash, randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import {
  chainHeads,
  chainProblems,
  type Evidence,
  evidenceDigestInput,
  evidenceFormatVersion,
  evidenceKey,
  type EvidenceRecord,
  type ObjectReference,
  parseEvidence,
  StorePrefix,
} from "../../../recovery";
import { mapConcurrently } from "../store/concurrently";
import { type ObjectStore, type StoredVersion } from "../store/object-store";
import { coveredBy, firstVersion, versionsByKey } from "../store/versions";
import { runnerVersion } from "../version";
import { type EvidenceKey } from "./evidence-key";

/** What a command measured, before it is a record. */
export type Measurement = Omit<
  Evidence,
  "formatVersion" | "id" | "runnerVersion" | "previous" | "digest" | "signature"
>;

const readsAtOnce = 16;

/** A record that no later one had named would have to be older than so many to be missed by the next. */
const chainWindow = 50;

/** Writes a measurement into the store as evidence: chained to what was there, and signed where there is a key. */
export async function recordEvidence(
  store: ObjectStore,
  measurement: Measurement,
  signingKey?: EvidenceKey,
): Promise<{ readonly key: string; readonly evidence: Evidence }> {
  const folder = `${StorePrefix.Evidence}${measurement.database}/`;
  const newest = [...(await versionsByKey(store, folder)).values()].slice(-chainWindow);
  const { records } = await readRecords(store, newest, signingKey);
  const nonce = randomBytes(4).toString("hex");
  const key = evidenceKey(measurement.database, new Date(measurement.startedAt), measurement.kind, nonce);
  const unsigned = {
    formatVersion: evidenceFormatVersion,
    id: idOfKey(key),
    runnerVersion,
    ...measurement,
    previous: chainHeads(records),
  };
  const digest = digestOf(unsigned);
  const evidence: Evidence = { ...unsigned, digest, signature: await signingKey?.sign(digest) };
  await store.put(key, Buffer.from(`${JSON.stringify(evidence, undefined, 2)}\n`), { ifAbsent: true });
  return { key, evidence };
}

/** What of evidence to read, and how to check it. */
export interface EvidenceOptions {
  /** The database's name in the job configuration. @default all */
  readonly database?: string;
  /** Checks signatures; without it no record counts as signed. */
  readonly key?: EvidenceKey;
  /** Heads of the chain that were seen before and kept elsewhere. */
  readonly anchors?: readonly ObjectReference[];
}

/**
 * Every evidence record of one database, or of all, oldest first. What cannot be read, was changed, is not the key's, is
 * not where it belongs or does not fit into the chain is a problem, and no evidence if it is the record itself that is
 * wrong.
 */
export async function readEvidence(
  store: ObjectStore,
  { database, key, anchors = [] }: EvidenceOptions = {},
): Promise<{ readonly records: EvidenceRecord[]; readonly problems: string[] }> {
  const prefix = database === undefined ? StorePrefix.Evidence : `${StorePrefix.Evidence}${database}/`;
  const folders = new Map<string, StoredVersion[][]>();
  for (const [object, versions] of await versionsByKey(store, prefix)) {
    const folder = folderOf(object);
    folders.set(folder, [...(folders.get(folder) ?? []), versions]);
  }
  for (const anchor of anchors) {
    const folder = folderOf(anchor.key);
    if (folder.startsWith(prefix) && !folders.has(folder)) folders.set(folder, []);
  }
  const records: EvidenceRecord[] = [];
  const problems: string[] = [];
  for (const [folder, objects] of folders) {
    const read = await readRecords(store, objects, key);
    const anchored = anchors.filter((anchor) => folderOf(anchor.key) === folder);
    records.push(...read.records);
    problems.push(...read.problems, ...chainProblems(read.records, anchored));
  }
  return { records, problems };
}

async function readRecords(
  store: ObjectStore,
  objects: readonly (readonly StoredVersion[])[],
  key: EvidenceKey | undefined,
): Promise<{ readonly records: EvidenceRecord[]; readonly problems: string[] }> {
  const read = await mapConcurrently(objects, readsAtOnce, async (versions) => {
    const first = firstVersion(versions);
    if (!first) return { problems: [`${versions[0]!.key}: was deleted, and no version of it is left`] };
    const covers = coveredBy(first, versions).map((how) => `${first.key}: ${how}`);
    const { record, problems } = await readRecord(store, first, key);
    return { record, problems: [...covers, ...problems] };
  });
  return {
    records: read.flatMap(({ record }) => record ?? []),
    problems: read.flatMap(({ problems }) => problems),
  };
}

async function readRecord(
  store: ObjectStore,
  { key, versionId }: StoredVersion,
  signingKey: EvidenceKey | undefined,
): Promise<{ readonly record?: EvidenceRecord; readonly problems: string[] }> {
  const bytes = await buffer(await store.get(key, { versionId }));
  const { evidence, problems } = parseEvidence(bytes.toString("utf8"));
  if (!evidence) return { problems: problems.map((problem) => `${key}: ${problem}`) };
  if (digestOf(evidence) !== evidence.digest) return { problems: [`${key}: was changed after it was written`] };
  if (evidence.id !== idOfKey(key) || folderOf(key) !== `${StorePrefix.Evidence}${evidence.database}/`) {
    return { problems: [`${key}: is ${evidence.id} of ${evidence.database}, and was put here afterwards`] };
  }
  const { signature, digest } = evidence;
  const signed = signature !== undefined && signingKey !== undefined && (await signingKey.verify(digest, signature));
  if (signature !== undefined && signingKey !== undefined && !signed) {
    return { problems: [`${key}: its signature is not of the configured key ${signingKey.keyId}`] };
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { record: { object: { key, versionId, sha256 }, evidence, signed }, problems: [] };
}

const folderOf = (key: string): string => key.slice(0, key.lastIndexOf("/") + 1);

const idOfKey = (key: string): string => key.slice(key.lastIndexOf("/") + 1).replace(/\.json$/, "");

function digestOf(record: Omit<Evidence, "digest">): string {
  return createHash("sha256").update(evidenceDigestInput(record)).digest("hex");
}
