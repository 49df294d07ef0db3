import { type Readable } from "node:stream";
import {
  type GetOptions,
  type ObjectStore,
  type PutOptions,
  type PutResult,
  type StoredObject,
  type StoredVersion,
} from "../../job-images/src/store/object-store";

/** A store that is another one, for a test to change a single answer of it. */
export class DelegatingStore implements ObjectStore {
  constructor(protected readonly inner: ObjectStore) {}
  get url(): string {
    return this.inner.url;
  }
  put(key: string, body: Readable | Buffer, options?: PutOptions): Promise<PutResult> {
    return this.inner.put(key, body, options);
  }
  get(key: string, options?: GetOptions): Promise<Readable> {
    return this.inner.get(key, options);
  }
  head(key: string, options?: Pick<GetOptions, "versionId">): Promise<StoredObject | undefined> {
    return this.inner.head(key, options);
  }
  list(prefix: string): AsyncIterable<StoredObject> {
    return this.inner.list(prefix);
  }
  versions(prefix: string): AsyncIterable<StoredVersion> {
    return this.inner.versions(prefix);
  }
  close(): void {
    this.inner.close();
  }
}
