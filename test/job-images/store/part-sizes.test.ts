import assert from "node:assert/strict";
import fc from "fast-check";
import { mostParts, partBytes, partsInFlight } from "../../../job-images/src/store/part-sizes";

const mebibyte = 1024 ** 2;
const tebibyte = 1024 ** 4;
const largestObject = 5 * tebibyte;

describe("part sizes of an upload", () => {
  it("are 8 MiB for small and for unknown sizes, and as large as it takes for known ones", () => {
    assert.equal(partBytes(0), 8 * mebibyte);
    assert.equal(partBytes(4999), 8 * mebibyte);
    assert.equal(partBytes(0, 1), 8 * mebibyte);
    assert.equal(partBytes(0, 100 * 1024 ** 3), 21 * mebibyte);
    assert.equal(partBytes(0, largestObject), 1049 * mebibyte);
  });

  it("hold more than 2 TiB of unknown size in 10,000 parts", () => {
    let bytes = 0;
    for (let index = 0; index < mostParts; index++) bytes += partBytes(index);
    assert.ok(bytes > 2.4 * tebibyte, `${bytes / tebibyte} TiB`);
  });

  it("are within S3's limits, never shrink, and hold the expected size in equal parts", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: largestObject }), fc.nat(mostParts - 2), (expected, index) => {
        const [bytes, next] = [partBytes(index, expected), partBytes(index + 1, expected)];
        assert.ok(bytes >= 5 * mebibyte && bytes <= 5 * 1024 * mebibyte);
        assert.ok(next >= bytes);
        assert.ok(partBytes(0, expected) * 5000 >= expected);
        assert.equal(partBytes(4999, expected), partBytes(0, expected));
      }),
    );
  });

  it("bound the memory: 32 MiB on their way, or one part", () => {
    assert.equal(partsInFlight(8 * mebibyte), 4);
    assert.equal(partsInFlight(21 * mebibyte), 1);
    assert.equal(partsInFlight(1024 * mebibyte), 1);
  });
});
