import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { endingAfter, throttled } from "../../../job-images/src/engines/paced-stream";

describe("a stream that is slowed down", () => {
  const { now } = Date;
  afterEach(() => void (Date.now = now));

  it("keeps its pace when the clock is set back meanwhile", async () => {
    const startedAt = performance.now();
    async function* chunks(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(100);
      Date.now = () => now() - 7_200_000;
      yield await Promise.resolve(Buffer.alloc(100));
    }
    const read = buffer(Readable.from(throttled(chunks(), 1000)));
    assert.equal((await read).length, 200);
    assert.ok(performance.now() - startedAt >= 190, "200 bytes at 1000 a second");
  });
});

describe("a stream that ends after something else", () => {
  it("[guide 12] never ends well when that fails, however late", async () => {
    let refuse: (reason: Error) => void = () => undefined;
    const condition = new Promise((_, reject) => (refuse = reject));
    const stream = Readable.from(endingAfter(Readable.from([Buffer.from("all of it")]), condition));
    stream.once("data", () => setImmediate(() => refuse(new Error("it was damaged"))));
    await assert.rejects(buffer(stream), /it was damaged/);
  });

  it("gives all of it once that has ended", async () => {
    const source = Readable.from([Buffer.from("all "), Buffer.from("of it")]);
    assert.equal((await buffer(endingAfter(source, Promise.resolve()))).toString(), "all of it");
  });
});
