import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import {
  ObjectExistsError,
  ObjectNotFoundError,
  type ObjectStore,
  type StoredObject,
} from "../../../job-images/src/store/object-store";

/** What a kind of store can do beyond the contract, or not at all. */
export interface StoreTraits {
  /** Keeps every version of an object. @default false */
  readonly versions?: boolean;
  /** Unfinished uploads that an outsider would find in it. */
  readonly unfinished: () => Promise<readonly string[]>;
}

const sha256 = (data: Buffer): string => createHash("sha256").update(data).digest("hex");

async function keys(objects: AsyncIterable<StoredObject>): Promise<string[]> {
  const found: string[] = [];
  for await (const object of objects) found.push(object.key);
  return found;
}

async function* chunksOf(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) {
    yield data.subarray(at, at + size);
    await Promise.resolve();
  }
}

/** Gives some of the data, then fails as a broken pipe or a died child does. */
async function* failingAfter(data: Buffer, message: string): AsyncGenerator<Buffer> {
  yield* chunksOf(data, 65536);
  throw new Error(message);
}

/** Gives some of the data and then nothing, for ever. */
function stalledAfter(data: Buffer): Readable {
  const stream = new Readable({ read() {} });
  stream.push(data);
  return stream;
}

/**
 * What every store must do.
 *
 * @param open gives a store of its own that is empty, and how to look into it from outside
 * @param options.large a size that the store moves in more than one piece
 */
export function storeContract(
  open: () => Promise<{ store: ObjectStore; traits: StoreTraits; dispose?: () => Promise<void> }>,
  options: {
    readonly large?: number;
    /** `ifAbsent` holds even between two writers at the same moment. @default true */
    readonly atomicIfAbsent?: boolean;
  } = {},
): void {
  const { large = 3 * 1024 * 1024, atomicIfAbsent = true } = options;
  let store: ObjectStore;
  let traits: StoreTraits;
  let dispose: (() => Promise<void>) | undefined;

  beforeEach(async () => {
    ({ store, traits, dispose } = await open());
  });
  afterEach(async () => {
    assert.deepEqual(await traits.unfinished(), [], "an unfinished upload was left behind");
    store.close();
    await dispose?.();
  });

  it("gives back what was put, counted and hashed from the bytes", async () => {
    const data = randomBytes(100_003);
    const put = await store.put("parts/a/b.bin", data);
    assert.equal(put.bytes, data.length);
    assert.equal(put.sha256, sha256(data));
    assert.deepEqual(await buffer(await store.get("parts/a/b.bin")), data);
    const head = await store.head("parts/a/b.bin");
    assert.equal(head?.key, "parts/a/b.bin");
    assert.equal(head.bytes, data.length);
    assert.ok(Math.abs(head.lastModified.getTime() - Date.now()) < 60_000);
  });

  it("stores an empty object", async () => {
    const put = await store.put("parts/empty", Readable.from([]));
    assert.deepEqual({ bytes: put.bytes, sha256: put.sha256 }, { bytes: 0, sha256: sha256(Buffer.alloc(0)) });
    assert.equal((await store.head("parts/empty"))?.bytes, 0);
    assert.equal((await buffer(await store.get("parts/empty"))).length, 0);
  });

  for (const expected of ["unknown", "exact", "far too small", "far too large"] as const) {
    it(`stores a large stream whose expected size is ${expected}`, async () => {
      const data = randomBytes(large + 17);
      const expectedBytes = { unknown: undefined, exact: data.length, "far too small": 1, "far too large": 2 ** 36 };
      const put = await store.put("parts/large", Readable.from(chunksOf(data, 65_521)), {
        expectedBytes: expectedBytes[expected],
      });
      assert.deepEqual([put.bytes, put.sha256], [data.length, sha256(data)]);
      assert.equal(sha256(await buffer(await store.get("parts/large"))), sha256(data));
    });
  }

  it("shows the old object until the new one is whole, then the new one", async () => {
    await store.put("catalog/x.json", Buffer.from("old"));
    const stream = stalledAfter(Buffer.from("ne"));
    const writing = store.put("catalog/x.json", stream);
    assert.equal((await buffer(await store.get("catalog/x.json"))).toString(), "old");
    stream.push("w");
    stream.push(null);
    await writing;
    assert.equal((await buffer(await store.get("catalog/x.json"))).toString(), "new");
  });

  it("shows nothing of a stream that failed, and rejects with its error", async () => {
    for (const size of [10, large + 1]) {
      const body = Readable.from(failingAfter(randomBytes(size), "the dump died"));
      await assert.rejects(store.put("parts/failed", body), /the dump died/);
      assert.equal(await store.head("parts/failed"), undefined);
    }
    assert.deepEqual(await keys(store.list("")), []);
  });

  it("shows nothing of a put that was aborted, even while its stream stalls", async () => {
    for (const size of [10, large + 1]) {
      const abort = new AbortController();
      const body = stalledAfter(randomBytes(size));
      const writing = store.put("parts/aborted", body, { signal: abort.signal });
      setTimeout(() => abort.abort(), 100);
      await assert.rejects(writing, { name: "AbortError" });
      assert.equal(body.destroyed, true);
    }
    assert.deepEqual(await keys(store.list("")), []);
  });

  it("rejects with the error of a stream that failed before it was read", async () => {
    const body = new Readable({ read() {} });
    const writing = store.put("parts/failed", body);
    body.destroy(new Error("the dump never started"));
    await assert.rejects(writing, /the dump never started/);
    assert.equal(await store.head("parts/failed"), undefined);
  });

  it("takes no bytes when it was aborted before it began", async () => {
    const body = Readable.from([Buffer.from("x")]);
    await assert.rejects(store.put("parts/aborted", body, { signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.equal(body.destroyed, true);
    assert.equal(await store.head("parts/aborted"), undefined);
  });

  it("refuses to replace with ifAbsent, and keeps what is there", async () => {
    await store.put("catalog/once.json", Buffer.from("first"), { ifAbsent: true });
    await assert.rejects(store.put("catalog/once.json", Buffer.from("second"), { ifAbsent: true }), ObjectExistsError);
    await assert.rejects(
      store.put("catalog/once.json", Readable.from([Buffer.from("second")]), { ifAbsent: true }),
      ObjectExistsError,
    );
    assert.equal((await buffer(await store.get("catalog/once.json"))).toString(), "first");
  });

  const itAtomically = atomicIfAbsent ? it : () => {};
  itAtomically("lets one of many writers with ifAbsent win", async () => {
    const racers = Array.from({ length: 8 }, (_, index) =>
      store.put("catalog/race.json", Buffer.from(`writer ${index}`), { ifAbsent: true }).then(
        () => index,
        (error: unknown) => {
          assert.ok(error instanceof ObjectExistsError, String(error));
          return undefined;
        },
      ),
    );
    const winners = (await Promise.all(racers)).filter((index) => index !== undefined);
    assert.equal(winners.length, 1);
    assert.equal((await buffer(await store.get("catalog/race.json"))).toString(), `writer ${winners[0]}`);
  });

  it("says that an object is not there", async () => {
    assert.equal(await store.head("parts/none"), undefined);
    await assert.rejects(
      store.get("parts/none"),
      (error) => error instanceof ObjectNotFoundError && error.key === "parts/none",
    );
    assert.deepEqual(await keys(store.list("parts/")), []);
  });

  it("lists by prefix in the order of the keys' bytes", async () => {
    const names = ["a/b", "a.b", "a/c/d", "a/é", "a-b", "a0", "b/a", "a/c.d", "A/b"];
    for (const name of names) await store.put(`parts/${name}`, Buffer.from(name));
    const sorted = names.map((name) => `parts/${name}`).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(await keys(store.list("")), sorted);
    assert.deepEqual(
      await keys(store.list("parts/a")),
      sorted.filter((key) => key.startsWith("parts/a")),
    );
    assert.deepEqual(
      await keys(store.list("parts/a/")),
      sorted.filter((key) => key.startsWith("parts/a/")),
    );
    assert.deepEqual(await keys(store.list("parts/a/c")), ["parts/a/c.d", "parts/a/c/d"]);
    assert.deepEqual(await keys(store.list("nothing/")), []);
    for await (const object of store.list("parts/b/")) assert.equal(object.bytes, 3);
  });

  it("refuses keys that could leave the store or mean two things", async () => {
    const bad = ["", "/etc/passwd", "../x", "parts/../../x", "parts//x", "parts/./x", "parts/", "a\\b", "a\0b", "a\nb"];
    for (const key of [...bad, "x".repeat(1025), "\ud800"]) {
      await assert.rejects(store.put(key, Buffer.from("x")), /is not a key of the store/, key);
      await assert.rejects(store.get(key), /is not a key of the store/, key);
      await assert.rejects(store.head(key), /is not a key of the store/, key);
    }
    await assert.rejects(keys(store.list("../")), /is not a key of the store/);
    assert.deepEqual(await keys(store.list("")), []);
  });

  it("stops reading when it is aborted", async () => {
    await store.put("parts/large", randomBytes(large));
    const abort = new AbortController();
    const stream = await store.get("parts/large", { signal: abort.signal });
    const reading = buffer(stream);
    abort.abort();
    await assert.rejects(reading, { name: "AbortError" });
  });

  it("keeps versions where it has them, and reads the one that is asked for", async () => {
    const first = await store.put("catalog/v.json", Buffer.from("first"));
    const second = await store.put("catalog/v.json", Buffer.from("second"));
    assert.equal((await buffer(await store.get("catalog/v.json"))).toString(), "second");
    if (!traits.versions) {
      assert.equal(second.versionId, undefined);
      return;
    }
    assert.ok(first.versionId && second.versionId && first.versionId !== second.versionId);
    const old = await store.get("catalog/v.json", { versionId: first.versionId });
    assert.equal((await buffer(old)).toString(), "first");
    assert.equal((await store.head("catalog/v.json", { versionId: first.versionId }))?.bytes, 5);
    assert.equal((await store.head("catalog/v.json"))?.versionId, second.versionId);
  });
}
