import type { Readable } from "node:stream";

/** One object as the store knows it. */
export interface StoredObject {
  readonly key: string;
  readonly bytes: number;
  readonly lastModified: Date;
  readonly versionId?: string;
  /** The store's own name for where the object lies, where it has one, for instance `GLACIER`. */
  readonly storageClass?: string;
  /** Where the object stands in a replication between buckets; only `head` tells. */
  readonly replication?: "pending" | "completed" | "failed" | "replica";
}

/** One version of an object, or the mark that it was deleted. */
export interface StoredVersion extends StoredObject {
  /** The store's own hash of the bytes, where it has one; equal for equal bytes, but for encrypted ones. */
  readonly etag?: string;
  /** The one that a reader gets who asks for none. */
  readonly latest: boolean;
  /** A delete marker: it has no bytes, and hides the versions before it. */
  readonly deleted: boolean;
  /** Set for an object in an archive that is being retrieved, or was and can be read for a while. */
  readonly retrieval?: "under-way" | "done";
}

/** What was stored: counted and hashed on the way in, from the bytes themselves. */
export interface PutResult {
  readonly bytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly versionId?: string;
}

/** Options of a put. */
export interface PutOptions {
  /** Abandons the put; nothing stays visible. */
  readonly signal?: AbortSignal;
  /** Size, where it is known beforehand; a store sizes its upload parts by it. */
  readonly expectedBytes?: number;
  /** Refuse to replace an object that is there already. @default false */
  readonly ifAbsent?: boolean;
}

/** Which object to read. */
export interface GetOptions {
  readonly signal?: AbortSignal;
  /** A certain version; a store that keeps none has one of each key and reads that. @default the newest */
  readonly versionId?: string;
}

/**
 * The little that recovery needs from a place to keep things. There is no delete: retention belongs to the bucket's
 * lifecycle, so that a bug or a thief in a job destroys nothing.
 */
export interface ObjectStore {
  /** Its URL, for people; never holds a credential. */
  readonly url: string;
  /** Stores all of `body` durably, or nothing at all: a reader never sees a part of an object. */
  put(key: string, body: Readable | Buffer, options?: PutOptions): Promise<PutResult>;
  /** @throws ObjectNotFoundError */
  get(key: string, options?: GetOptions): Promise<Readable>;
  /** `undefined` when there is no such object. */
  head(key: string, options?: Pick<GetOptions, "versionId">): Promise<StoredObject | undefined>;
  /** Every object under a prefix, newest versions only, in the order of their keys. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /**
   * Every version of every object under a prefix, in the order of their keys and newest first for each; a store without
   * versions has one of each.
   */
  versions(prefix: string): AsyncIterable<StoredVersion>;
  /** Ends connections. */
  close(): void;
}

/** There is no such object. */
export class ObjectNotFoundError extends Error {
  override readonly name = "ObjectNotFoundError";
  constructor(
    readonly key: string,
    url: string,
  ) {
    super(`${url} holds no ${key}.`);
  }
}

/** `ifAbsent` was asked for and the object is there. */
export class ObjectExistsError extends Error {
  override readonly name = "ObjectExistsError";
  constructor(
    readonly key: string,
    url: string,
  ) {
    super(`${url} already holds ${key}, and nothing of it was replaced.`);
  }
}

/** The store cannot do what was asked: it is unreachable, full, not writable, or not there. The message says what to do. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}
