import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WalSpool } from "../../../job-images/src/engines/postgres/wal-spool";
import { openStore } from "../../../job-images/src/store/open-store";
import { temporaryFolder } from "../../support/postgres";

const segmentBytes = 1024 * 1024;
const partial = (number: number): string => `00000001000000000000000${number}.partial`;

describe("the spool of a log", () => {
  it("drops a segment that a full disk left too short, which the receiver would refuse for ever; never one with log in it", async () => {
    const root = temporaryFolder();
    const folder = join(root, "spool");
    mkdirSync(folder);
    const store = openStore(`file://${root}/store`);
    const spool = new WalSpool(folder, { store, database: "it", systemIdentifier: "7", segmentBytes });
    writeFileSync(join(folder, partial(3)), Buffer.alloc(segmentBytes));
    writeFileSync(join(folder, partial(4)), Buffer.alloc(segmentBytes / 2));
    writeFileSync(join(folder, partial(5)), Buffer.concat([Buffer.from("log"), Buffer.alloc(100)]));
    writeFileSync(join(folder, partial(6)), "");
    const dropped = await spool.dropUnmade(new AbortController().signal);
    assert.deepEqual(dropped, [partial(4), partial(5)]);
    assert.deepEqual(readdirSync(folder).sort(), [partial(3), partial(6)]);
    const stored = readdirSync(join(root, "store"), { recursive: true, encoding: "utf8" });
    assert.equal(stored.filter((name) => name.includes("000000010000000000000005")).length, 1, stored.join());
    assert.equal(stored.filter((name) => name.includes("000000010000000000000004")).length, 0, stored.join());
  });
});
