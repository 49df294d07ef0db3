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

  it("stores nothing of a timeline before its history: a hole before it could not be told from another server's log", async () => {
    const root = temporaryFolder();
    const folder = join(root, "spool");
    mkdirSync(folder);
    const store = openStore(`file://${root}/store`);
    const spool = new WalSpool(folder, { store, database: "it", systemIdentifier: "7", segmentBytes });
    const { signal } = new AbortController();
    writeFileSync(join(folder, "00000002.history"), "1\t0/800000\tno recovery target specified\n");
    writeFileSync(join(folder, "000000020000000000000008.partial"), Buffer.alloc(segmentBytes, "log"));
    const received = 0x800100n;
    assert.equal(await spool.storePartial(received, new Date(), signal), undefined);
    assert.deepEqual(await spool.storeFinished(signal), { files: 1, ofLog: 0 });
    assert.equal(await spool.storePartial(received, new Date(), signal), received);
  });
});
