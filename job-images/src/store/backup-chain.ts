import { type Manifest, type ManifestLink, manifestKey, partKey, StorePrefix } from "../../../recovery";
import { messageOf, OperationError } from "../errors";
import { readManifest } from "./manifest-reader";
import { type ObjectStore, type StoredObject } from "./object-store";

/**
 * What a recovery point is an increment of, the full one first: nothing where it stands alone. Whatever version of a
 * manifest has the digest that was built upon is the one.
 *
 * @throws OperationError when one of them is not there
 */
export async function readAncestors(
  store: ObjectStore,
  { id, database, buildsOn = [] }: Manifest,
): Promise<Manifest[]> {
  const ancestors: Manifest[] = [];
  for (const link of buildsOn) {
    const ancestor = await find(store, store.versions(manifestKey(database, link.id)), link);
    if (!ancestor) throw new OperationError(`${id} builds on ${link.id}, which ${store.url} does not hold as it was.`);
    ancestors.push(ancestor);
  }
  return ancestors;
}

async function find(
  store: ObjectStore,
  objects: AsyncIterable<StoredObject & { readonly deleted?: boolean }>,
  { digest }: ManifestLink,
): Promise<Manifest | undefined> {
  for await (const object of objects) {
    if (object.deleted === true) continue;
    const { manifest, problems } = await readManifest(store, object);
    if (manifest?.digest === digest && problems.length === 0) return manifest;
  }
  return undefined;
}

/** A base backup that another one may be built on, as far as a writer can see. */
export interface Foundation {
  /** What it builds on itself, the full one first. */
  readonly ancestors: readonly Manifest[];
  /** What speaks against it. */
  readonly problems: readonly string[];
}

/**
 * Looks at a base backup with the rights of who writes backups: it lists, and reads manifests, but no parts. What cannot be
 * looked at is a problem, since a full backup is always possible.
 */
export async function inspectFoundation(store: ObjectStore, previous: Manifest): Promise<Foundation> {
  const { database, buildsOn = [] } = previous;
  try {
    const ancestors: Manifest[] = [];
    for (const link of buildsOn) {
      const ancestor = await find(store, store.list(manifestKey(database, link.id)), link);
      if (!ancestor) return { ancestors, problems: [`it builds on ${link.id}, which is not there as it was`] };
      ancestors.push(ancestor);
    }
    const problems: string[] = [];
    for (const manifest of [...ancestors, previous]) problems.push(...(await partProblems(store, manifest)));
    return { ancestors, problems };
  } catch (error) {
    return { ancestors: [], problems: [`whether its parts are there cannot be seen: ${messageOf(error)}`] };
  }
}

async function partProblems(store: ObjectStore, { id, database, parts }: Manifest): Promise<string[]> {
  const sizes = new Map<string, number>();
  for await (const { key, bytes } of store.list(`${StorePrefix.Parts}${database}/${id}/`)) sizes.set(key, bytes);
  return parts.flatMap(({ name, bytes }) => {
    const key = partKey(database, id, name);
    const found = sizes.get(key);
    if (found === bytes) return [];
    return [found === undefined ? `${key} is missing` : `${key} has ${found} bytes, its manifest says ${bytes}`];
  });
}
