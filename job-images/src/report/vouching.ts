import { EvidenceKind, type EvidenceRecord, Verdict } from "../../../recovery";
import { type CatalogEntry } from "../store/catalog";

/** What the evidence says of one recovery point. */
export interface Vouching {
  /** The last time that it was restored, whoever recorded it. */
  readonly lastProof: {
    readonly verdict: Verdict;
    readonly level?: string;
    readonly at: string;
    /** The copy was good, whatever else was not: it may have been too old. */
    readonly restored: boolean;
  } | null;
  /** Key of the newest signed record that says: restored, compared, and the same manifest. */
  readonly vouchedBy?: string;
  /** What contradicts the evidence. */
  readonly problems: readonly string[];
}

const proofs: readonly EvidenceKind[] = [EvidenceKind.RestoreTest, EvidenceKind.Restore, EvidenceKind.Drill];

/**
 * Who stands for a recovery point. A manifest's own digest stands for nothing, since whoever may write manifests can
 * make one; the signature of a prover does, over the very bytes of the manifest, which name the parts by their SHA-256.
 */
export function vouchingFor(entry: CatalogEntry, records: readonly EvidenceRecord[]): Vouching {
  const about = records
    .filter(({ evidence }) => evidence.recoveryPoint === entry.id && proofs.includes(evidence.kind))
    .sort((a, b) => (a.evidence.startedAt < b.evidence.startedAt ? 1 : -1));
  const last = about[0]?.evidence;
  const passed = about.filter(({ signed, evidence }) => signed && evidence.verdict === Verdict.Pass);
  const sha256 = entry.manifestObject?.sha256;
  const same = passed.find(({ evidence }) => evidence.manifest?.sha256 === sha256);
  const other = passed.find(({ evidence }) => evidence.manifest !== undefined && evidence.manifest.sha256 !== sha256);
  return {
    lastProof: last
      ? {
          verdict: last.verdict,
          level: last.level,
          at: last.startedAt,
          restored: last.measuredRtoSeconds !== undefined,
        }
      : null,
    vouchedBy: same?.object.key,
    problems: other ? [`manifest: is not the one that ${other.object.key} vouches for: it was replaced`] : [],
  };
}
