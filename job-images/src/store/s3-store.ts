import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion,
  type ReplicationStatus,
} from "@aws-sdk/client-s3";
import { Intake } from "./intake";
import { checkObjectKey, checkObjectPrefix } from "./object-key";
import {
  type GetOptions,
  ObjectExistsError,
  ObjectNotFoundError,
  type ObjectStore,
  type PutOptions,
  type PutResult,
  StoreError,
  type StoredObject,
  type StoredVersion,
} from "./object-store";
import { explainS3Error, type S3Location, statusOf } from "./s3-errors";
import { type S3Options, S3Sender } from "./s3-sender";
import { Integrity, refusedAsPresent, upload, versionOf } from "./s3-upload";

/** How often a download is taken up again without one more byte having come. */
const resumptions = 8;

/**
 * A store in a bucket of AWS S3 or of a server that speaks its protocol. Memory does not grow with the size of an object
 * until that passes 40 GiB. With an endpoint of its own it uses nothing that S3-compatible servers are known to get
 * wrong: no checksum trailers, `Content-MD5` rather than SHA-256 checksums.
 */
export class S3Store implements ObjectStore {
  readonly url: string;
  private readonly sender: S3Sender;
  private readonly base: string;
  private readonly owner: { readonly ExpectedBucketOwner?: string };

  constructor(
    private readonly location: S3Location,
    private readonly options: S3Options = {},
  ) {
    const { bucket, prefix, expectedBucketOwner } = location;
    this.url = `s3://${bucket}${prefix && `/${prefix}`}`;
    this.base = prefix === "" ? "" : `${prefix}/`;
    this.owner = { ExpectedBucketOwner: expectedBucketOwner };
    this.sender = new S3Sender(location, options);
  }

  async put(key: string, body: Readable | Buffer, options: PutOptions = {}): Promise<PutResult> {
    const intake = new Intake(body, options.signal);
    try {
      checkObjectKey(key);
      options.signal?.throwIfAborted();
      const { versionId } = await this.explain(`write ${key}`, () => this.write(key, body, intake, options));
      return { bytes: intake.bytes, sha256: intake.sha256(), versionId };
    } finally {
      intake.close();
    }
  }

  private async write(
    key: string,
    body: Readable | Buffer,
    intake: Intake,
    { ifAbsent = false, expectedBytes, signal }: PutOptions,
  ): Promise<{ readonly versionId?: string }> {
    // Some servers take no notice of If-None-Match on a bucket with versioning, so this comes first.
    if (ifAbsent && (await this.head(key))) throw new ObjectExistsError(key, this.url);
    const { bucket, endpoint, kmsKeyId } = this.location;
    const encryption = kmsKeyId
      ? ({ ServerSideEncryption: "aws:kms", SSEKMSKeyId: kmsKeyId, BucketKeyEnabled: true } as const)
      : {};
    try {
      return await upload({
        sender: this.sender,
        bucket,
        key: this.base + key,
        intake,
        integrity: endpoint === undefined ? Integrity.Sha256 : Integrity.Md5,
        expectedBytes: Buffer.isBuffer(body) ? body.length : expectedBytes,
        smallestPartBytes: this.options.smallestPartBytes,
        ifAbsent,
        signal,
        settings: { ...this.owner, ...encryption },
      });
    } catch (error) {
      const { present, perhapsOurs } = refusedAsPresent(error);
      if (!ifAbsent || !present) throw error;
      const own = perhapsOurs && Buffer.isBuffer(body) ? await this.holds(key, body) : undefined;
      if (own) return own;
      throw new ObjectExistsError(key, this.url);
    }
  }

  /** Whether exactly these bytes are there: then it was our own put that succeeded, and its answer that was lost. */
  private async holds(key: string, body: Buffer): Promise<{ readonly versionId?: string } | undefined> {
    const output = await this.fetch(key, {}, 0);
    const found = Buffer.from(await output.Body!.transformToByteArray());
    return found.equals(body) ? { versionId: versionOf(output.VersionId) } : undefined;
  }

  async get(key: string, options: GetOptions = {}): Promise<Readable> {
    checkObjectKey(key);
    options.signal?.throwIfAborted();
    const first = await this.explain(`read ${key}`, () => this.fetch(key, options, 0));
    return Readable.from(this.resuming(key, options, first), { objectMode: false, signal: options.signal });
  }

  /** The object's bytes, taken up again where a connection broke. */
  private async *resuming(key: string, options: GetOptions, first: GetObjectCommandOutput): AsyncIterable<Buffer> {
    const total = first.ContentLength;
    // The same version all along, even when a newer one comes in the meantime.
    const pinned = { ...options, versionId: options.versionId ?? versionOf(first.VersionId), etag: first.ETag };
    let at = 0;
    let failures = 0;
    for (let answer = first; ;) {
      try {
        for await (const chunk of answer.Body as Readable) {
          failures = 0;
          at += (chunk as Buffer).length;
          yield chunk as Buffer;
        }
        if (total === undefined || at === total) return;
        throw new StoreError(`The connection ended after ${at} of ${total} bytes.`);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (at === total) return;
        if (++failures > resumptions || total === undefined || at > total) {
          throw this.explained(`read ${key} beyond byte ${at}`, error);
        }
        await delay(Math.random() * Math.min(20_000, 100 * 2 ** failures), undefined, { signal: options.signal });
        answer = await this.explain(`read ${key} from byte ${at}`, () => this.fetch(key, pinned, at));
      }
    }
  }

  private async fetch(
    key: string,
    options: GetOptions & { readonly etag?: string },
    from: number,
  ): Promise<GetObjectCommandOutput> {
    const command = new GetObjectCommand({
      ...this.at(key, options.versionId),
      ...(from > 0 ? { Range: `bytes=${from}-`, IfMatch: options.etag } : {}),
    });
    try {
      return await this.sender.send(command, options.signal);
    } catch (error) {
      if (await this.isMissing(error, key, options.versionId)) throw new ObjectNotFoundError(key, this.url);
      throw error;
    }
  }

  async head(key: string, options: Pick<GetOptions, "versionId"> = {}): Promise<StoredObject | undefined> {
    checkObjectKey(key);
    return this.explain(`look at ${key}`, async () => {
      try {
        const found = await this.look(key, options.versionId);
        return {
          key,
          bytes: found.ContentLength ?? 0,
          lastModified: found.LastModified ?? new Date(0),
          versionId: versionOf(found.VersionId),
          storageClass: found.StorageClass,
          replication: found.ReplicationStatus && replicationOf[found.ReplicationStatus],
        };
      } catch (error) {
        if (error instanceof ObjectNotFoundError) return undefined;
        throw error;
      }
    });
  }

  /**
   * The answer to a HEAD has no body, so a refusal does not say why: credentials that have expired look like a version
   * that is not there. Then the object is asked for as a reader would, and not read.
   */
  private async look(key: string, versionId: string | undefined): Promise<HeadObjectCommandOutput> {
    try {
      return await this.sender.send(new HeadObjectCommand(this.at(key, versionId)));
    } catch (error) {
      if (statusOf(error) === 404 && (error as Error).name !== "NoSuchBucket") {
        throw new ObjectNotFoundError(key, this.url);
      }
      if (statusOf(error) !== 400 && statusOf(error) !== 403) throw error;
      const found = await this.fetch(key, { versionId }, 0);
      (found.Body as Readable).destroy();
      return found;
    }
  }

  /**
   * Whether an error of a GET says that there is no such object. S3 says 403 rather than 404 to somebody who may list
   * only some prefixes, so then the list decides; a version id of another server's making is 400, and 405 is a delete
   * marker.
   */
  private async isMissing(error: unknown, key: string, versionId: string | undefined): Promise<boolean> {
    const status = statusOf(error);
    const { name } = error as Error;
    if (name === "NoSuchBucket") return false;
    if (status === 404) return true;
    if (versionId !== undefined && (status === 405 || (status === 400 && name === "InvalidArgument"))) return true;
    if (name !== "AccessDenied") return false;
    try {
      return !(await this.isListed(key, versionId));
    } catch {
      // Neither may it list: the first refusal is the one to tell.
      return false;
    }
  }

  private async isListed(key: string, versionId: string | undefined): Promise<boolean> {
    if (versionId !== undefined) {
      for await (const version of this.versions(key)) {
        if (version.key === key && version.versionId === versionId) return true;
      }
      return false;
    }
    const { Contents = [] } = await this.sender.send(
      new ListObjectsV2Command({ ...this.bucket(), Prefix: this.base + key, MaxKeys: 1 }),
    );
    return Contents[0]?.Key === this.base + key;
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    checkObjectPrefix(prefix);
    let token: string | undefined;
    do {
      const page: ListObjectsV2CommandOutput = await this.explain(`list ${prefix || "the store"}`, () =>
        this.sender.send(
          new ListObjectsV2Command({ ...this.bucket(), Prefix: this.base + prefix, ContinuationToken: token }),
        ),
      );
      for (const object of page.Contents ?? []) yield this.objectOf(object);
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async *versions(prefix: string): AsyncIterable<StoredVersion> {
    checkObjectPrefix(prefix);
    let key: string | undefined;
    let version: string | undefined;
    do {
      const page: ListObjectVersionsCommandOutput = await this.explain(`list ${prefix || "the store"}`, () =>
        this.sender.send(
          new ListObjectVersionsCommand({
            ...this.bucket(),
            Prefix: this.base + prefix,
            KeyMarker: key,
            VersionIdMarker: version,
            OptionalObjectAttributes: ["RestoreStatus"],
          }),
        ),
      );
      yield* this.versionsOf(page);
      key = page.IsTruncated ? page.NextKeyMarker : undefined;
      version = page.NextVersionIdMarker;
    } while (key !== undefined);
  }

  /** S3 answers with versions and delete markers apart, each in order. */
  private versionsOf(page: ListObjectVersionsCommandOutput): StoredVersion[] {
    const versions = [
      ...(page.DeleteMarkers ?? []).map((marker) => ({ ...marker, Size: 0, deleted: true })),
      ...(page.Versions ?? []).map((version) => ({ ...version, deleted: false })),
    ].map((version) => ({
      ...this.objectOf(version),
      etag: "ETag" in version ? version.ETag : undefined,
      latest: version.IsLatest ?? true,
      deleted: version.deleted,
      retrieval: retrievalOf(version),
    }));
    return versions.sort(
      (a, b) =>
        Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) ||
        Number(b.latest) - Number(a.latest) ||
        b.lastModified.getTime() - a.lastModified.getTime(),
    );
  }

  private objectOf(object: Omit<ObjectVersion, "StorageClass"> & { StorageClass?: string }): StoredObject {
    return {
      key: object.Key!.slice(this.base.length),
      bytes: object.Size ?? 0,
      lastModified: object.LastModified ?? new Date(0),
      versionId: versionOf(object.VersionId),
      storageClass: object.StorageClass,
    };
  }

  close(): void {
    this.sender.close();
  }

  private bucket(): { readonly Bucket: string; readonly ExpectedBucketOwner?: string } {
    return { Bucket: this.location.bucket, ...this.owner };
  }

  private at(key: string, versionId: string | undefined): { Bucket: string; Key: string; VersionId?: string } {
    return { ...this.bucket(), Key: this.base + key, VersionId: versionId };
  }

  private async explain<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.explained(doing, error);
    }
  }

  private explained(doing: string, error: unknown): unknown {
    if (error instanceof ObjectExistsError || error instanceof ObjectNotFoundError) return error;
    return explainS3Error(error, doing, this.location);
  }
}

/** S3 says COMPLETE or COMPLETED. */
const replicationOf: Readonly<Record<ReplicationStatus, StoredObject["replication"]>> = {
  COMPLETE: "completed",
  COMPLETED: "completed",
  FAILED: "failed",
  PENDING: "pending",
  REPLICA: "replica",
};

function retrievalOf({ RestoreStatus }: ObjectVersion): StoredVersion["retrieval"] {
  if (RestoreStatus?.IsRestoreInProgress) return "under-way";
  return RestoreStatus?.RestoreExpiryDate ? "done" : undefined;
}
