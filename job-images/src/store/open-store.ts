import { parseStoreUrl } from "../../../recovery";
import { DirectoryStore } from "./directory-store";
import { type ObjectStore } from "./object-store";
import { S3Store } from "./s3-store";

/**
 * Opens the store that a URL names; nothing is contacted yet.
 *
 * @throws Error with every problem of the URL
 */
export function openStore(url: string): ObjectStore {
  const { location, problems } = parseStoreUrl(url);
  if (!location) throw new Error(`The store URL ${problems.join("; it ")}.`);
  switch (location.kind) {
    case "directory":
      return new DirectoryStore(location.path);
    case "s3":
      return new S3Store(location);
  }
}
