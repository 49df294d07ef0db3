import { createHash } from "node:crypto";
import { addAbortSignal, type Readable } from "node:stream";

/**
 * The bytes of one put on their way into a store: counted and hashed as they pass. It ends with the body's own error
 * when the body fails at any time, even before anybody reads, and with an `AbortError` when the signal fires.
 */
export class Intake implements AsyncIterable<Buffer> {
  private readonly hash = createHash("sha256");
  private readonly body: Readable | readonly Buffer[];
  private passed = 0;
  private reason?: Error;

  constructor(
    body: Readable | Buffer,
    private readonly signal?: AbortSignal,
  ) {
    this.body = Buffer.isBuffer(body) ? [body] : body;
    if (Buffer.isBuffer(body)) return;
    // An error before the first read stays in the stream, and the iteration below throws it.
    body.on("error", () => {});
    if (signal) addAbortSignal(signal, body);
  }

  /** How many bytes have passed. */
  get bytes(): number {
    return this.passed;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    this.throwIfClosed();
    for await (const chunk of this.body as AsyncIterable<Buffer | string>) {
      const buffer = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      this.hash.update(buffer);
      this.passed += buffer.length;
      yield buffer;
    }
    this.throwIfClosed();
    this.signal?.throwIfAborted();
  }

  /** Lower-case hexadecimal SHA-256 of all bytes; to be asked for once, at the end. */
  sha256(): string {
    return this.hash.digest("hex");
  }

  /** Lets go of the body, read to its end or not; with an error, reading it further ends in that error. */
  close(error?: Error): void {
    this.reason ??= error;
    if (!Array.isArray(this.body)) (this.body as Readable).destroy(error);
  }

  /** @throws the error that it was closed with */
  throwIfClosed(): void {
    if (this.reason) throw this.reason;
  }
}
