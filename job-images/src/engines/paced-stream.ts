import { type Progress } from "../progress";

/** Tells the progress how many bytes have gone by. */
export async function* counted(source: AsyncIterable<Buffer>, progress: Progress): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    progress.bytes(bytes);
    yield chunk;
  }
}

/** Slows a stream down; the back-pressure reaches whatever writes it. @param bytesPerSecond @default as fast as it comes */
export async function* throttled(
  source: AsyncIterable<Buffer>,
  bytesPerSecond: number | undefined,
): AsyncGenerator<Buffer> {
  const start = performance.now();
  let bytes = 0;
  for await (const chunk of source) {
    yield chunk;
    if (bytesPerSecond === undefined) continue;
    bytes += chunk.length;
    const ahead = (bytes / bytesPerSecond) * 1000 - (performance.now() - start);
    if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
  }
}

/** Ends only after something else has; where that fails, the stream fails instead of ending. */
export async function* endingAfter(source: AsyncIterable<Buffer>, condition: Promise<unknown>): AsyncGenerator<Buffer> {
  yield* source;
  await condition;
}
