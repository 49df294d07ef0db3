import { type RdsTag } from "./rds-description";
import { type RdsSettings } from "./rds-settings";
import { ThrowAwayTag } from "./throw-away-tags";

/**
 * The tag of what a recovery has made, with the source's identifier. Whoever restores may change what carries it, and no
 * other database whose name happens to begin like a copy's.
 */
export const restoredFromTag = "recovery:restored-from";

/** RDS takes no more of one resource, its own not counted. */
const mostTags = 50;

interface RecoveredTags {
  readonly tags: readonly { readonly Key: string; readonly Value: string }[];
  /** Those of the source's that there was no room for. */
  readonly leftOut: readonly string[];
}

/**
 * The tags of a restored database: what it is restored from, and its source's. AWS's own nobody may set, those of a
 * throw-away would have it deleted, and what its source was restored from says nothing of it.
 */
export function recoveredTags(sourceIdentifier: string, sourceTags: readonly RdsTag[]): RecoveredTags {
  const own: ReadonlySet<string> = new Set([...Object.values(ThrowAwayTag), restoredFromTag]);
  const carried = sourceTags
    .filter(({ Key }) => Key !== undefined && !Key.startsWith("aws:") && !own.has(Key))
    .map(({ Key, Value }) => ({ Key: Key!, Value: Value ?? "" }));
  return {
    tags: [...carried.slice(0, mostTags - 1), { Key: restoredFromTag, Value: sourceIdentifier }],
    leftOut: carried.slice(mostTags - 1).map(({ Key }) => Key),
  };
}

/** What the names of copies of a source begin with, unless somebody says otherwise. */
export function copyPrefixOf(sourceIdentifier: string): string {
  return `${sourceIdentifier}-`;
}

/** What is wrong with the name of a copy that the rights of whoever restores would not let it make; else undefined. */
export function copyNameProblem(
  { instanceIdentifier, clusterIdentifier, copyPrefixes }: RdsSettings,
  identifier: string,
): string | undefined {
  const prefixes = copyPrefixes ?? [copyPrefixOf(instanceIdentifier ?? clusterIdentifier ?? "")];
  if (prefixes.some((prefix) => identifier.startsWith(prefix) && identifier !== prefix)) return undefined;
  return `expected a name that begins with ${prefixes.join(" or ")}, as in ${prefixes[0]}2: whoever restores may make no other (rds.copyPrefixes names what else its policy allows)`;
}
