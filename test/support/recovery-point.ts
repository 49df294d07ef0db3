import { createHash, randomBytes } from "node:crypto";
import { type ObjectStore } from "../../job-images/src/store/object-store";
import {
  BackupMethod,
  Engine,
  type Manifest,
  manifestDigestInput,
  manifestKey,
  partKey,
  recoveryPointId,
  Verdict,
} from "../../recovery";

/** A manifest with its digest, from one without. */
export function sealManifest(manifest: Omit<Manifest, "digest">): Manifest {
  return { ...manifest, digest: createHash("sha256").update(manifestDigestInput(manifest)).digest("hex") };
}

/** What a synthetic recovery point shall be like. */
export interface SyntheticRecoveryPoint {
  /** @default "architect" */
  readonly database?: string;
  readonly at?: Date;
  /** @default a dump */
  readonly method?: BackupMethod;
  /** Contents of its parts. @default two small ones */
  readonly parts?: Readonly<Record<string, Buffer>>;
  readonly signal?: AbortSignal;
  /** Changes the manifest before it is sealed. */
  readonly edit?: (manifest: Omit<Manifest, "digest">) => Omit<Manifest, "digest">;
}

/** Writes parts and then the manifest, as an engine does, but of bytes that need no database. */
export async function writeRecoveryPoint(store: ObjectStore, wanted: SyntheticRecoveryPoint = {}): Promise<Manifest> {
  const database = wanted.database ?? "architect";
  const at = wanted.at ?? new Date("2026-11-23T14:05:00Z");
  const method = wanted.method ?? BackupMethod.Dump;
  const id = recoveryPointId(database, at, method, randomBytes(4).toString("hex"));
  const contents = wanted.parts ?? { "dump.pgc.zst": randomBytes(5000), "globals.sql.zst": randomBytes(300) };
  const parts = [];
  for (const [name, content] of Object.entries(contents)) {
    const key = partKey(database, id, name);
    parts.push({ name, key, ...(await store.put(key, content, { signal: wanted.signal })) });
  }
  const facts: Omit<Manifest, "digest"> = {
    formatVersion: 1,
    id,
    database,
    engine: Engine.Postgres,
    method,
    startedAt: at.toISOString(),
    finishedAt: new Date(at.getTime() + 60_000).toISOString(),
    consistentAt: new Date(at.getTime() + 1000).toISOString(),
    source: { databaseName: database, serverVersion: "15.18", serverMajor: 15, bytes: 1_000_000 },
    tools: { pg_dump: "15.18" },
    runnerVersion: "0.1.0",
    objectives: { rpoMinutes: 60, rtoMinutes: 15 },
    tables: [{ schema: "public", name: "users", rows: 10, bytes: 8192 }],
    parts,
    verdict: Verdict.Pass,
    reasons: [],
  };
  const manifest = sealManifest(wanted.edit?.(facts) ?? facts);
  await store.put(manifestKey(database, id), Buffer.from(JSON.stringify(manifest)), { signal: wanted.signal });
  return manifest;
}
