import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { fetchDecompressed } from "../../../job-images/src/engines/compressed-part";
import { DamagedPartError, UnreadablePartError } from "../../../job-images/src/store/parts";
import { DirectoryStore } from "../../../job-images/src/store/directory-store";
import { temporaryFolder } from "../../support/postgres";

describe("fetching an archive", () => {
  const key = "parts/it/id/dump.pgc.zst";
  const whole = execFileSync("zstd", ["-q", "-c"], { input: randomBytes(3_000_000), maxBuffer: 2 ** 26 });

  async function fetch(stored: Buffer, named: Buffer): Promise<void> {
    const folder = temporaryFolder();
    const store = new DirectoryStore(join(folder, "store"));
    await store.put(key, stored);
    const sha256 = createHash("sha256").update(named).digest("hex");
    const part = { name: "dump.pgc.zst", key, bytes: named.length, sha256 };
    await fetchDecompressed(store, part, join(folder, "archive"), { signal: new AbortController().signal });
  }

  it("takes an honest one", () => fetch(whole, whole));

  // zstd gives up at different moments; wherever the fault is, the part has to be named as the cause.
  for (const share of [0, 0.01, 0.5, 0.99]) {
    it(`[guide 11] calls a part damaged when a bit at ${share * 100} % was flipped after it was stored`, async () => {
      const flipped = Buffer.from(whole);
      flipped[Math.floor(share * (whole.length - 1))]! ^= 0x20;
      await assert.rejects(fetch(flipped, whole), DamagedPartError);
      await assert.rejects(fetch(flipped, flipped), UnreadablePartError);
    });
  }

  it("tells a part that was cut off from one that was stored like that", async () => {
    const cut = whole.subarray(0, 1_000_000);
    await assert.rejects(fetch(cut, whole), DamagedPartError);
    await assert.rejects(fetch(cut, cut), UnreadablePartError);
  });
});
