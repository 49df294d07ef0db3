import { createWriteStream } from "node:fs";
import { type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type ManifestPart } from "../../../recovery";
import { OperationError } from "../errors";
import { allEnded, checkedStream, runTool, Tool } from "../process/child";
import { type ObjectStore } from "../store/object-store";
import { readPart, UnreadablePartError } from "../store/parts";

/** How a fetch is watched and ended. */
export interface FetchOptions {
  readonly signal: AbortSignal;
  readonly onBytes?: (bytes: number) => void;
}

/** Fetches, checks and decompresses a part into a new file that only its owner may read. */
export async function fetchDecompressed(
  store: ObjectStore,
  part: ManifestPart,
  path: string,
  options: FetchOptions,
): Promise<void> {
  await decompress(store, part, options, (zstd) =>
    pipeline(checkedStream([zstd]), createWriteStream(path, { mode: 0o600 })),
  );
}

/** Fetches, checks and decompresses a part into a program's standard input; the kernel connects the two. */
export async function fetchInto(
  store: ObjectStore,
  part: ManifestPart,
  start: (input: Readable) => Tool,
  options: FetchOptions,
): Promise<void> {
  await decompress(store, part, options, (zstd) => {
    const consumer = start(zstd.output);
    consumer.output.resume();
    return allEnded([zstd, consumer]);
  });
}

async function decompress(
  store: ObjectStore,
  part: ManifestPart,
  options: FetchOptions,
  consume: (zstd: Tool) => Promise<void>,
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
  const [fed, consumed] = await Promise.allSettled([feeding, consume(zstd)]);
  // A damaged part stops zstd as well, but the part is the cause.
  if (fed.status === "rejected" && fed.reason instanceof OperationError) throw fed.reason;
  if (options.signal.aborted) throw options.signal.reason as Error;
  if (consumed.status === "rejected") {
    // zstd may have given up before the last byte was read and hashed; only a whole reading tells which it was.
    const reading = readPart(store, part, options.signal);
    while (!(await reading.next()).done);
    throw new UnreadablePartError(
      `${part.key} is stored as it was written and cannot be decompressed: ${(consumed.reason as Error).message}`,
    );
  }
  if (fed.status === "rejected") throw fed.reason as Error;
}

/** For the manifest: what wrote a compressed part. */
export async function zstdVersion(): Promise<string> {
  return /v([\d.]+)/.exec(await runTool("zstd", ["--version"]))?.[1] ?? "unknown";
}
