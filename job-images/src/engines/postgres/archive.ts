import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Manifest, type ManifestPart } from "../../../../recovery";
import { OperationError } from "../../errors";
import { checkedOutput, runTool, Tool } from "../../process/child";
import { ObjectNotFoundError, type ObjectStore } from "../../store/object-store";
import { type PostgresFacts } from "./facts";
import { type PostgresTools } from "./tools";

/** A part is missing, or is not what the manifest says. */
export class DamagedPartError extends OperationError {}

/** The stored bytes of a part are what was stored, and still they cannot be read. */
export class UnreadablePartError extends OperationError {}

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

/** A small part, whole and checked. */
export async function readSmallPart(store: ObjectStore, part: ManifestPart, signal?: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of readPart(store, part, signal)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** The facts that a dump carries. @throws UnreadablePartError */
export async function readFacts(store: ObjectStore, part: ManifestPart, signal?: AbortSignal): Promise<PostgresFacts> {
  const text = await readSmallPart(store, part, signal);
  try {
    const facts = JSON.parse(text) as PostgresFacts;
    if (facts.formatVersion !== 1) throw new Error(`format version ${String(facts.formatVersion)} is not 1`);
    return facts;
  } catch (error) {
    throw new UnreadablePartError(`${part.key} cannot be read: ${(error as Error).message}`);
  }
}

/** Fetches, checks and decompresses the archive into a file, which a parallel restore needs to jump about in. */
export async function fetchArchive(
  store: ObjectStore,
  part: ManifestPart,
  path: string,
  options: { signal: AbortSignal; onBytes?: (bytes: number) => void },
): Promise<void> {
  const zstd = new Tool("zstd", ["-d", "-q", "-c"], { signal: options.signal, stdinPipe: true });
  let bytes = 0;
  const feeding = pipeline(async function* () {
    for await (const chunk of readPart(store, part, options.signal)) {
      bytes += chunk.length;
      options.onBytes?.(bytes);
      yield chunk;
    }
  }, zstd.process.stdin!);
  const writing = pipeline(Readable.from(checkedOutput([zstd]), { objectMode: false }), createWriteStream(path));
  const [fed, written] = await Promise.allSettled([feeding, writing]);
  // A damaged part stops zstd as well, but the part is the cause.
  if (fed.status === "rejected" && fed.reason instanceof OperationError) throw fed.reason;
  if (options.signal.aborted) throw options.signal.reason as Error;
  if (written.status === "rejected") {
    // zstd may have given up before the last byte was read and hashed; only a whole reading tells which it was.
    const reading = readPart(store, part, options.signal);
    while (!(await reading.next()).done);
    throw new UnreadablePartError(
      `${part.key} is stored as it was written and cannot be decompressed: ${(written.reason as Error).message}`,
    );
  }
  if (fed.status === "rejected") throw fed.reason as Error;
}

/** What an archive's table of contents says of itself. @throws UnreadablePartError */
export async function readTableOfContents(
  tools: PostgresTools,
  path: string,
  signal?: AbortSignal,
): Promise<{ databaseName: string | undefined; entries: number }> {
  let text: string;
  try {
    text = await runTool(tools.program("pg_restore"), ["--list", path], { signal });
  } catch (error) {
    throw new UnreadablePartError(`The archive cannot be read: ${(error as Error).message}`);
  }
  return {
    databaseName: /^; {5}dbname: (.*)$/m.exec(text)?.[1],
    entries: text.split("\n").filter((line) => /^\d+;/.test(line)).length,
  };
}
