import { parseStoreUrl } from "../../../recovery";
import { DirectoryStore } from "./directory-store";
import { type ObjectStore } from "./object-store";
import type * as S3StoreModule from "./s3-store";

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
    case "s3": {
      // Loaded when it is needed: the AWS SDK takes longer to load than most commands take to run.
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { S3Store } = require("./s3-store") as typeof S3StoreModule;
      return new S3Store(location);
    }
  }
}
