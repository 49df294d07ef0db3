import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { type ManifestPart } from "../../../recovery";
import { OperationError } from "../errors";
import { checkedStream, runTool, Tool } from "../process/child";
import { type ObjectStore } from "../store/object-store";
import { readPart, UnreadablePartError } from "../store/parts";

/** Fetches, checks and decompresses a part into a new file that only its owner may read. */
export async function fetchDecompressed(
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
  const writing = pipeline(checkedStream([zstd]), createWriteStream(path, { mode: 0o600 }));
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

/** For the manifest: what wrote a compressed part. */
export async function zstdVersion(): Promise<string> {
  return /v([\d.]+)/.exec(await runTool("zstd", ["--version"]))?.[1] ?? "unknown";
}
