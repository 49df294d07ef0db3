import { type ObjectStore, type StoredVersion } from "./object-store";

/** Every version under a prefix by key, newest first. */
export async function versionsByKey(store: ObjectStore, prefix: string): Promise<Map<string, StoredVersion[]>> {
  const byKey = new Map<string, StoredVersion[]>();
  for await (const version of store.versions(prefix)) {
    const versions = byKey.get(version.key);
    if (versions) versions.push(version);
    else byKey.set(version.key, [version]);
  }
  return byKey;
}

/** The one that was written first: objects are written once, so that whatever came later is not the runner's. */
export function firstVersion(versions: readonly StoredVersion[]): StoredVersion | undefined {
  return versions.filter(({ deleted }) => !deleted).at(-1);
}

/**
 * What lies over a version: nothing, when all is well. The same bytes again are a put whose answer was lost and that
 * was tried once more.
 */
export function coveredBy(wanted: StoredVersion, versions: readonly StoredVersion[]): string[] {
  return versions
    .slice(0, versions.indexOf(wanted))
    .filter((over) => over.deleted || over.etag === undefined || over.etag !== wanted.etag)
    .map((over) =>
      over.deleted
        ? `was deleted at ${over.lastModified.toISOString()}; ${versionName(wanted)} is still there`
        : `was written over at ${over.lastModified.toISOString()} by ${versionName(over)}; ${versionName(wanted)} is still there`,
    );
}

/** A version as a person names it. */
export function versionName({ versionId }: StoredVersion): string {
  return `version ${versionId ?? "null"}`;
}
