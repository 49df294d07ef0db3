import { createHash, randomBytes } from "node:crypto";
import { text } from "node:stream/consumers";
import {
  type Evidence,
  evidenceDigestInput,
  evidenceFormatVersion,
  evidenceKey,
  parseEvidence,
  StorePrefix,
} from "../../../recovery";
import { type ObjectStore } from "../store/object-store";
import { runnerVersion } from "../version";

/** What a command measured, before it is a record. */
export type Measurement = Omit<Evidence, "formatVersion" | "id" | "runnerVersion" | "digest">;

/** Writes a measurement into the store as evidence. */
export async function recordEvidence(
  store: ObjectStore,
  measurement: Measurement,
): Promise<{ readonly key: string; readonly evidence: Evidence }> {
  const nonce = randomBytes(4).toString("hex");
  const key = evidenceKey(measurement.database, new Date(measurement.startedAt), measurement.kind, nonce);
  const unsigned = {
    formatVersion: evidenceFormatVersion,
    id: key.slice(key.lastIndexOf("/") + 1).replace(/\.json$/, ""),
    runnerVersion,
    ...measurement,
  };
  const evidence: Evidence = { ...unsigned, digest: digestOf(unsigned) };
  await store.put(key, Buffer.from(`${JSON.stringify(evidence, undefined, 2)}\n`), { ifAbsent: true });
  return { key, evidence };
}

/**
 * Every evidence record of one database, or of all, oldest first; what cannot be read or was changed is a problem and
 * no evidence.
 */
export async function readEvidence(
  store: ObjectStore,
  database?: string,
): Promise<{ readonly records: Evidence[]; readonly problems: string[] }> {
  const records: Evidence[] = [];
  const problems: string[] = [];
  const folder = database === undefined ? "" : `${database}/`;
  for await (const { key } of store.list(`${StorePrefix.Evidence}${folder}`)) {
    const { evidence, problems: found } = parseEvidence(await text(await store.get(key)));
    if (!evidence) problems.push(...found.map((problem) => `${key}: ${problem}`));
    else if (digestOf(evidence) !== evidence.digest) problems.push(`${key}: was changed after it was written`);
    else records.push(evidence);
  }
  return { records, problems };
}

function digestOf(record: Omit<Evidence, "digest">): string {
  return createHash("sha256").update(evidenceDigestInput(record)).digest("hex");
}
