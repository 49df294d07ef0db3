import { parseStoreUrl } from "../../../recovery";
import { DirectoryStore } from "./directory-store";
import { type ObjectStore } from "./object-store";

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
      throw new Error("s3 stores are not there yet");
  }
}
