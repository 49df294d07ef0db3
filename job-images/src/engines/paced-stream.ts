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
  const start = Date.now();
  let bytes = 0;
  for await (const chunk of source) {
    yield chunk;
    if (bytesPerSecond === undefined) continue;
    bytes += chunk.length;
    const ahead = (bytes / bytesPerSecond) * 1000 - (Date.now() - start);
    if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
  }
}
