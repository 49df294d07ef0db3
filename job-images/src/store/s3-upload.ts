import { createHash } from "node:crypto";
import {
  AbortMultipartUploadCommand,
  type ChecksumAlgorithm,
  CompleteMultipartUploadCommand,
  type CompletedPart,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { type Intake } from "./intake";
import { StoreError } from "./object-store";
import { mostParts, partBytes, partsInFlight } from "./part-sizes";
import { attemptsOf, statusOf } from "./s3-errors";
import { type S3Sender } from "./s3-sender";

/** How the server proves that it received what was sent. */
export const Integrity = {
  /** `x-amz-checksum-sha256`: AWS checks it, stores it and says it back. */
  Sha256: "sha256",
  /** `Content-MD5` and the ETag, which servers without checksums know. */
  Md5: "md5",
} as const;
export type Integrity = (typeof Integrity)[keyof typeof Integrity];

/** One object on its way to S3. */
export interface S3Upload {
  readonly sender: S3Sender;
  readonly bucket: string;
  /** The whole key, the store's prefix included. */
  readonly key: string;
  readonly intake: Intake;
  readonly integrity: Integrity;
  readonly expectedBytes?: number;
  readonly smallestPartBytes?: number;
  readonly ifAbsent: boolean;
  readonly signal?: AbortSignal;
  /** Headers for encryption and the expected owner of the bucket. */
  readonly settings: Pick<
    PutObjectCommandInput,
    "ExpectedBucketOwner" | "ServerSideEncryption" | "SSEKMSKeyId" | "BucketKeyEnabled"
  >;
}

/** Sends an object: in one request when it fits into one part, else as a multipart upload that is complete or aborted. */
export async function upload(job: S3Upload): Promise<{ readonly versionId?: string }> {
  const parts = assemble(job.intake, (index) => partBytes(index, job.expectedBytes, job.smallestPartBytes));
  const first = await parts.next();
  if (first.done) throw new Error("An assembly of parts has at least one, if an empty one.");
  if (first.value.last) return putWhole(job, first.value.data);
  return uploadParts(job, first.value, parts);
}

interface Part {
  /** From 1, as S3 counts. */
  readonly number: number;
  readonly data: Buffer;
  readonly last: boolean;
  /** Gives the memory back for a later part; `data` must not be read any more. */
  release(): void;
}

/** Cuts a stream into parts, in memory that is used again and again, so that it takes the same for any size. */
async function* assemble(
  chunks: AsyncIterable<Buffer>,
  bytesOf: (index: number) => number,
): AsyncGenerator<Part, void> {
  let free: Buffer[] = [];
  let number = 1;
  const memory = (): Buffer => {
    const bytes = bytesOf(number - 1);
    free = free.filter((buffer) => buffer.length === bytes);
    return free.pop() ?? Buffer.allocUnsafeSlow(bytes);
  };
  let buffer = memory();
  let filled = 0;
  const part = (last: boolean): Part => {
    const whole = buffer;
    return { number: number++, data: whole.subarray(0, filled), last, release: () => free.push(whole) };
  };
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      if (filled === buffer.length) {
        yield part(false);
        buffer = memory();
        filled = 0;
      }
      const copied = chunk.copy(buffer, filled, at);
      filled += copied;
      at += copied;
    }
  }
  yield part(true);
}

async function putWhole(job: S3Upload, data: Buffer): Promise<{ readonly versionId?: string }> {
  const checksum = checksumOf(data, job.integrity);
  const output = await job.sender.send(
    new PutObjectCommand({
      Bucket: job.bucket,
      Key: job.key,
      Body: data,
      ...checksum.headers,
      ...job.settings,
      ...(job.ifAbsent ? { IfNoneMatch: "*" } : {}),
    }),
    job.signal,
  );
  checksum.check(job.key, output);
  return { versionId: versionOf(output.VersionId) };
}

async function uploadParts(
  job: S3Upload,
  first: Part,
  rest: AsyncIterable<Part>,
): Promise<{ readonly versionId?: string }> {
  const stop = new AbortController();
  const signal = job.signal ? AbortSignal.any([job.signal, stop.signal]) : stop.signal;
  const sent: CompletedPart[] = [];
  const inFlight = new Set<Promise<void>>();
  let uploadId: string | undefined;
  try {
    uploadId = await begin(job, signal);
    signal.throwIfAborted();
    const send = (part: Part): void => {
      const sending = sendPart(job, uploadId!, part, signal)
        .then((done) => void sent.push(done))
        // Ends the reading of the body as well, which may be waiting for a database.
        .catch((error: Error) => job.intake.close(error))
        .finally(() => inFlight.delete(sending));
      inFlight.add(sending);
    };
    send(first);
    for await (const part of rest) {
      if (part.number > mostParts) throw new StoreError(`${job.key} is larger than ${mostParts} parts can hold.`);
      while (inFlight.size >= partsInFlight(part.data.length)) await Promise.race(inFlight);
      job.intake.throwIfClosed();
      send(part);
    }
    await Promise.all(inFlight);
    job.intake.throwIfClosed();
    return await complete(
      job,
      uploadId,
      sent.sort((a, b) => a.PartNumber! - b.PartNumber!),
      signal,
    );
  } catch (error) {
    // A part that arrives after the abort would stay, so the abort waits for all of them.
    stop.abort();
    await Promise.all(inFlight);
    await abort(job, uploadId);
    throw error;
  }
}

async function begin(job: S3Upload, signal: AbortSignal): Promise<string> {
  const command = new CreateMultipartUploadCommand({
    Bucket: job.bucket,
    Key: job.key,
    ...job.settings,
    ...(job.integrity === Integrity.Sha256 ? { ChecksumAlgorithm: "SHA256" satisfies ChecksumAlgorithm } : {}),
  });
  signal.throwIfAborted();
  const output = await job.sender.send(command, withGrace(signal));
  // Each attempt whose answer was lost may have begun an upload of its own.
  if ((output.$metadata.attempts ?? 1) > 1) await abortOthers(job, output.UploadId);
  return output.UploadId!;
}

const graceMilliseconds = 5_000;

/**
 * The answer to a beginning names what must be cleaned up, so it is waited for a little even when the put is abandoned: the
 * server goes on with a request whose sender has left.
 */
function withGrace(signal: AbortSignal): AbortSignal {
  const late = new AbortController();
  const abandon = (): void => void setTimeout(() => late.abort(signal.reason), graceMilliseconds).unref();
  signal.addEventListener("abort", abandon, { once: true });
  return late.signal;
}

async function sendPart(job: S3Upload, uploadId: string, part: Part, signal: AbortSignal): Promise<CompletedPart> {
  const checksum = checksumOf(part.data, job.integrity);
  const output = await job.sender.send(
    new UploadPartCommand({
      Bucket: job.bucket,
      Key: job.key,
      UploadId: uploadId,
      PartNumber: part.number,
      Body: part.data,
      ...checksum.headers,
      ExpectedBucketOwner: job.settings.ExpectedBucketOwner,
    }),
    signal,
  );
  checksum.check(`part ${part.number} of ${job.key}`, output);
  part.release();
  return { PartNumber: part.number, ETag: output.ETag, ChecksumSHA256: checksum.sha256 };
}

async function complete(
  job: S3Upload,
  uploadId: string,
  parts: CompletedPart[],
  signal: AbortSignal,
): Promise<{ readonly versionId?: string }> {
  const command = new CompleteMultipartUploadCommand({
    Bucket: job.bucket,
    Key: job.key,
    UploadId: uploadId,
    MultipartUpload: { Parts: parts },
    ExpectedBucketOwner: job.settings.ExpectedBucketOwner,
    // AWS refuses to assemble another number of bytes than this.
    ...(job.integrity === Integrity.Sha256 ? { MpuObjectSize: job.intake.bytes } : {}),
    ...(job.ifAbsent ? { IfNoneMatch: "*" } : {}),
  });
  const output = await job.sender.send(command, signal);
  const expected = compositeSha256(parts);
  if (expected !== undefined && output.ChecksumSHA256 !== undefined && output.ChecksumSHA256 !== expected) {
    throw new StoreError(`The server assembled other bytes of ${job.key}: ${output.ChecksumSHA256}, not ${expected}.`);
  }
  return { versionId: versionOf(output.VersionId) };
}

/** S3's checksum of checksums: SHA-256 over those of the parts, then how many there are. */
function compositeSha256(parts: readonly CompletedPart[]): string | undefined {
  if (parts.some((part) => part.ChecksumSHA256 === undefined)) return undefined;
  const hash = createHash("sha256");
  for (const part of parts) hash.update(Buffer.from(part.ChecksumSHA256!, "base64"));
  return `${hash.digest("base64")}-${parts.length}`;
}

async function abort(job: S3Upload, uploadId: string | undefined): Promise<void> {
  if (uploadId === undefined) return abortOthers(job, undefined);
  await abortOne(job, uploadId);
}

async function abortOne(job: S3Upload, uploadId: string): Promise<void> {
  try {
    await job.sender.send(
      new AbortMultipartUploadCommand({
        Bucket: job.bucket,
        Key: job.key,
        UploadId: uploadId,
        ExpectedBucketOwner: job.settings.ExpectedBucketOwner,
      }),
    );
  } catch (error) {
    // Gone already, which is what was asked for: an abort whose answer was lost, or a completion whose answer was.
    if (statusOf(error) === 404) return;
    job.sender.warn(
      `The unfinished upload of ${job.key} (${uploadId}) could not be aborted: ${(error as Error).message} ` +
        "The bucket's lifecycle removes it, when it has a rule for incomplete uploads.",
    );
  }
}

/** Aborts every upload of exactly this key but one: a key belongs to one writer at a time. */
async function abortOthers(job: S3Upload, keep: string | undefined): Promise<void> {
  for (const uploadId of await uploadsOf(job)) if (uploadId !== keep) await abortOne(job, uploadId);
}

async function uploadsOf(job: S3Upload): Promise<string[]> {
  const command = new ListMultipartUploadsCommand({
    Bucket: job.bucket,
    Prefix: job.key,
    ExpectedBucketOwner: job.settings.ExpectedBucketOwner,
  });
  try {
    const { Uploads = [] } = await job.sender.send(command);
    return Uploads.flatMap(({ Key, UploadId }) => (Key === job.key && UploadId !== undefined ? [UploadId] : []));
  } catch (error) {
    // What is left over is swept up later; the upload itself is none the worse.
    job.sender.warn(
      `Whether an unfinished upload of ${job.key} was left could not be seen: ${(error as Error).message} ` +
        "The bucket's lifecycle removes it, when it has a rule for incomplete uploads.",
    );
    return [];
  }
}

interface Checksum {
  /** What goes along with the bytes, so that the server refuses others. */
  readonly headers: { readonly ContentMD5?: string; readonly ChecksumSHA256?: string };
  /** Base64, where it is the kind in use. */
  readonly sha256?: string;
  /** Compares with what the server says that it received, where it says it. @throws StoreError */
  check(
    what: string,
    answer: {
      readonly ETag?: string;
      readonly ChecksumSHA256?: string;
      readonly ServerSideEncryption?: string;
    },
  ): void;
}

function checksumOf(data: Buffer, integrity: Integrity): Checksum {
  const digest = createHash(integrity).update(data).digest();
  const base64 = digest.toString("base64");
  const refuse = (what: string, got: string): never => {
    throw new StoreError(`The server received other bytes of ${what} than were sent (${integrity} ${got}); try again.`);
  };
  if (integrity === Integrity.Sha256) {
    return {
      headers: { ChecksumSHA256: base64 },
      sha256: base64,
      check: (what, { ChecksumSHA256: got }) => void (got !== undefined && got !== base64 && refuse(what, got)),
    };
  }
  return {
    headers: { ContentMD5: base64 },
    check: (what, { ETag, ServerSideEncryption }) => {
      // An ETag is the MD5 of the bytes only where KMS does not encrypt them.
      const got = /^"?([0-9a-f]{32})"?$/.exec(ETag ?? "")?.[1];
      if (ServerSideEncryption?.startsWith("aws:kms") || got === undefined) return;
      if (got !== digest.toString("hex")) refuse(what, got);
    },
  };
}

/** A bucket without versioning calls the only version `null`. */
export function versionOf(versionId: string | undefined): string | undefined {
  return versionId === "null" ? undefined : versionId;
}

/** Whether an object was refused because one is there, and whether an earlier, lost answer may have been our own. */
export function refusedAsPresent(error: unknown): { readonly present: boolean; readonly perhapsOurs: boolean } {
  return { present: statusOf(error) === 412 || statusOf(error) === 409, perhapsOurs: attemptsOf(error) > 1 };
}
