import { continuityProblems, type EvidenceRecord, type Manifest, type ObjectReference } from "../../../recovery";
import { type CatalogEntry, readCatalog, RecoveryPointState, verifyRecoveryPoint } from "../store/catalog";
import { type ObjectStore } from "../store/object-store";
import { type EvidenceKey } from "./evidence-key";
import { readEvidence } from "./evidence-record";
import { vouchingFor } from "./vouching";

/** What an audit found. */
export interface Audit {
  readonly records: readonly EvidenceRecord[];
  readonly entries: readonly CatalogEntry[];
  /** Everything that somebody must look at. */
  readonly problems: readonly string[];
}

/** What to audit, and with what. */
export interface AuditOptions {
  /** The database's name in the job configuration. @default all */
  readonly database?: string;
  readonly key?: EvidenceKey;
  /** Heads of the evidence that were seen before and kept elsewhere. */
  readonly anchors?: readonly ObjectReference[];
  /** Also read every part and compare it with its manifest. @default false */
  readonly readParts?: boolean;
  readonly signal?: AbortSignal;
}

/** Whether anybody has tampered with recovery points or with what is said of them. */
export async function audit(store: ObjectStore, options: AuditOptions = {}): Promise<Audit> {
  const { records, problems } = await readEvidence(store, options);
  const entries = await readCatalog(store, options);
  const found = [...problems];
  for (const entry of entries) {
    const of = (each: string): string => `${entry.id}: ${each}`;
    found.push(...entry.tampering.map(of), ...vouchingFor(entry, records).problems.map(of));
    const { manifest } = entry;
    if (entry.state === RecoveryPointState.Broken) found.push(...entry.problems.map(of));
    if (!manifest || entry.state !== RecoveryPointState.Complete) continue;
    const proven = lastProvenBefore(entry, entries, records);
    if (proven) found.push(...continuityProblems(manifest, proven).map(of));
    if (options.readParts) {
      const wrong = await verifyRecoveryPoint(store, manifest, { readParts: true, signal: options.signal });
      found.push(...wrong.map(of));
    }
  }
  return { records, entries, problems: found };
}

/**
 * The newest other recovery point of the database that a prover has restored and signed for, with whatever verdict: so
 * a change of server asks for a person once, and not for ever. Nothing when this one was proven itself.
 */
export function lastProvenBefore(
  entry: CatalogEntry,
  entries: readonly CatalogEntry[],
  records: readonly EvidenceRecord[],
): Manifest | undefined {
  const signedFor = new Set(
    records.filter(({ signed }) => signed).flatMap(({ evidence }) => evidence.manifest?.sha256 ?? []),
  );
  const isProven = ({ manifestObject }: CatalogEntry): boolean =>
    manifestObject !== undefined && signedFor.has(manifestObject.sha256);
  if (isProven(entry)) return undefined;
  return entries.find((other) => other.database === entry.database && other.at <= entry.at && isProven(other))
    ?.manifest;
}
