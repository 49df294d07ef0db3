import { createHash, randomBytes } from "node:crypto";
import { type Evidence, evidenceDigestInput, evidenceFormatVersion, evidenceKey } from "../../../recovery";
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
  const digest = createHash("sha256").update(evidenceDigestInput(unsigned)).digest("hex");
  const evidence: Evidence = { ...unsigned, digest };
  await store.put(key, Buffer.from(`${JSON.stringify(evidence, undefined, 2)}\n`), { ifAbsent: true });
  return { key, evidence };
}
