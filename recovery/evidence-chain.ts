import { type Evidence, type ObjectReference } from "./evidence";

/** One record as it was found in the store. */
export interface EvidenceRecord {
  readonly object: ObjectReference;
  readonly evidence: Evidence;
  /** Its signature was checked and is good. */
  readonly signed: boolean;
}

/** Two writers whose clocks differ, or one whose last put took long, may not have seen each other for this long. */
const toleranceMs = 15 * 60_000;

/** The records that no other one names as what came before it: what the next record has to name. */
export function chainHeads(records: readonly EvidenceRecord[]): ObjectReference[] {
  const named = new Set(records.flatMap(({ evidence }) => evidence.previous ?? []).map(({ key }) => key));
  return records.map(({ object }) => object).filter(({ key }) => !named.has(key));
}

/**
 * Whether the records of one database are all that were ever written, in the order that they say. Each names the ones
 * before it by key, version and hash, so a record that was dropped, replaced or put in later is found, and so is a
 * history that begins anew. Two records that did not see each other are both named by the next.
 *
 * What was cut off at the end is found only with `anchors`: heads of the chain that somebody saw before and kept
 * elsewhere.
 */
export function chainProblems(records: readonly EvidenceRecord[], anchors: readonly ObjectReference[] = []): string[] {
  const ordered = [...records].sort((a, b) => (a.object.key < b.object.key ? -1 : 1));
  const byKey = new Map(ordered.map((record) => [record.object.key, record]));
  const problems: string[] = [];
  const follow = (link: ObjectReference, who: string): void => {
    const found = byKey.get(link.key)?.object;
    if (!found) problems.push(`${link.key}: is missing, and ${who} names it`);
    else if (!isSame(found, link)) problems.push(`${link.key}: is not the record that ${who} names`);
  };
  for (const { object, evidence } of ordered) {
    for (const link of evidence.previous ?? []) follow(link, object.key);
  }
  for (const anchor of anchors) follow(anchor, "the anchor");
  return [...problems, ...beginnings(ordered), ...insertions(ordered), ...unsigned(ordered)];
}

function isSame(found: ObjectReference, link: ObjectReference): boolean {
  if (found.sha256 !== link.sha256) return false;
  return found.versionId === undefined || link.versionId === undefined || found.versionId === link.versionId;
}

/** Only the first record has nothing before it, and those that were written while it was. */
function beginnings([first, ...rest]: readonly EvidenceRecord[]): string[] {
  if (!first) return [];
  return rest
    .filter(({ evidence }) => (evidence.previous ?? []).length === 0 && isLater(evidence, first.evidence))
    .map(({ object }) => `${object.key}: names nothing before it, and ${first.object.key} was`);
}

/** What was there when a later record was written is named by it, or by one between. */
function insertions(ordered: readonly EvidenceRecord[]): string[] {
  const heads = new Set(chainHeads(ordered).map(({ key }) => key));
  return ordered
    .filter(({ object }) => heads.has(object.key))
    .flatMap(({ object, evidence }) => {
      const later = ordered.find((other) => isLater(other.evidence, evidence));
      return later ? [`${object.key}: was put in afterwards: ${later.object.key} does not know it`] : [];
    });
}

const isLater = (evidence: Evidence, than: Evidence): boolean =>
  new Date(evidence.startedAt).getTime() > new Date(than.finishedAt).getTime() + toleranceMs;

/** Once there are signatures, there are no more records without. */
function unsigned(ordered: readonly EvidenceRecord[]): string[] {
  const first = ordered.findIndex(({ signed }) => signed);
  if (first < 0) return [];
  return ordered
    .slice(first)
    .filter(({ signed }) => !signed)
    .map(({ object }) => `${object.key}: is not signed, and earlier ones are`);
}
