import { createHash } from "node:crypto";
import { type Readable } from "node:stream";
import { type Manifest, type ManifestPart, partKey } from "../../../recovery";
import { OperationError } from "../errors";
import { ObjectNotFoundError, type ObjectStore, type PutOptions } from "./object-store";

/** A part is missing, or is not what the manifest says. */
export class DamagedPartError extends OperationError {}

/** The stored bytes of a part are what was stored, and still they cannot be read. */
export class UnreadablePartError extends OperationError {}

/** Stores one part of a recovery point in the making. */
export async function putPart(
  store: ObjectStore,
  point: { readonly database: string; readonly id: string },
  name: string,
  body: Readable | Buffer,
  options: PutOptions,
): Promise<ManifestPart> {
  const key = partKey(point.database, point.id, name);
  const { bytes, sha256, versionId } = await store.put(key, body, options);
  return { name, key, bytes, sha256, versionId };
}

/** The part of a name. @throws DamagedPartError when the manifest names none */
export function partOf(manifest: Manifest, name: string): ManifestPart {
  const part = manifest.parts.find((candidate) => candidate.name === name);
  if (!part) throw new DamagedPartError(`${manifest.id} names no part ${name}.`);
  return part;
}

/** A part's bytes as they come; the stream fails at its end when they are not the ones that the manifest names. */
export async function* readPart(store: ObjectStore, part: ManifestPart, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  let bytes = 0;
  let source: Readable;
  try {
    source = await store.get(part.key, { versionId: part.versionId, signal });
  } catch (error) {
    if (error instanceof ObjectNotFoundError) throw new DamagedPartError(`${part.key} is missing from ${store.url}.`);
    throw error;
  }
  for await (const chunk of source as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    yield chunk;
  }
  if (bytes !== part.bytes) {
    throw new DamagedPartError(`${part.key} holds ${bytes} bytes; its manifest says ${part.bytes}.`);
  }
  if (hash.digest("hex") !== part.sha256) {
    throw new DamagedPartError(`${part.key} has the right size and other content: its SHA-256 is not the manifest's.`);
  }
}

/** A part's bytes, whole and checked. For parts that fit into memory. */
export async function readWholePart(store: ObjectStore, part: ManifestPart, signal?: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of readPart(store, part, signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A small part, whole and checked, as text. */
export async function readSmallPart(store: ObjectStore, part: ManifestPart, signal?: AbortSignal): Promise<string> {
  return (await readWholePart(store, part, signal)).toString("utf8");
}

/** A small part that is JSON of the one format version that this runner knows. @throws UnreadablePartError */
export async function readJsonPart<Document extends { readonly formatVersion: 1 }>(
  store: ObjectStore,
  part: ManifestPart,
  signal?: AbortSignal,
): Promise<Document> {
  const text = await readSmallPart(store, part, signal);
  try {
    const document = JSON.parse(text) as Document;
    if (document.formatVersion !== 1) throw new Error(`format version ${String(document.formatVersion)} is not 1`);
    return document;
  } catch (error) {
    throw new UnreadablePartError(`${part.key} cannot be read: ${(error as Error).message}`);
  }
}
