import assert from "node:assert/strict";
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  backUp,
  committedEntries,
  type JournalMode,
  ledgerOf,
  LedgerWriter,
  notPassed,
  protectedFile,
  restoreInto,
} from "../../support/sqlite";

/** `DR_SQLITE_ROUNDS=20` for the long run. */
const rounds = Number(process.env.DR_SQLITE_ROUNDS ?? 2);
const run = promisify(execFile);
const history = 20_000;
const longestStallSeconds = 0.5;

interface Round {
  readonly stall: number;
  readonly restored: number | string;
  readonly committedBefore: number;
  readonly guide: number | string;
}

describe("SQLite under a writer at full speed", () => {
  for (const mode of ["wal", "delete"] as JournalMode[]) {
    it(`[guide 12, 32] every backup restores to a committed state, journal mode ${mode}, and the guide's gzip beside it`, async function () {
      this.timeout(60_000 + rounds * 60_000);
      const file = protectedFile(ledgerOf(mode, history));
      const { folder, path } = file;
      const writer = new LedgerWriter(path);
      const all: Round[] = [];
      try {
        await writer.more(100);
        for (let round = 0; round < rounds; round++) {
          const guideCopy = join(folder, `guide-${round}.db`);
          await run("sh", ["-c", 'gzip -c "$1" > "$2.gz"; gunzip -c "$2.gz" > "$2"', "sh", path, guideCopy]);
          const committedBefore = writer.entries;
          const from = Date.now();
          const manifest = await backUp(file);
          const to = Date.now();
          await writer.more(10);
          const into = join(folder, `restored-${round}.db`);
          assert.deepEqual(notPassed(await restoreInto(file, manifest, into)), []);
          const stall = writer.longestStall(from, to);
          all.push({ stall, restored: committedEntries(into), committedBefore, guide: committedEntries(guideCopy) });
        }
      } finally {
        await writer.stop();
      }
      assert.ok(Number(committedEntries(path)) >= writer.entries, "the source itself is as its writer left it");
      const stalls = all.map(({ stall }) => stall).sort((a, b) => a - b);
      const readable = all.filter(({ guide }) => !String(guide).startsWith("unreadable")).length;
      const correct = all.filter(({ guide }) => typeof guide === "number").length;
      console.log(
        `      ${mode}: ${rounds} backups while ${writer.entries - history} entries were committed; longest stall of the writer ` +
          `${stalls.at(-1)!.toFixed(2)} s, median ${stalls[stalls.length >> 1]!.toFixed(2)} s; ` +
          `the guide's gzip: ${readable} of ${rounds} readable, ${correct} correct`,
      );
      for (const { restored, committedBefore } of all) {
        assert.equal(typeof restored, "number", String(restored));
        assert.ok((restored as number) >= committedBefore, `${restored} of at least ${committedBefore} entries`);
      }
      // A copy that locks writers out does so every time; the machine's other work does not.
      if (mode === "wal") assert.ok(stalls[0]! < longestStallSeconds, `the writer stalled for ${stalls.join()} s`);
    });
  }

  it("the guide's gzip of a file that nobody writes to is right: the comparison is fair", () => {
    const { path, folder } = protectedFile(ledgerOf("delete", 1000));
    const { stdout } = spawnSync("gzip", ["-c", path], { maxBuffer: 2 ** 26 });
    writeFileSync(join(folder, "copy.db"), execFileSync("gunzip", { input: stdout, maxBuffer: 2 ** 26 }));
    assert.equal(committedEntries(join(folder, "copy.db")), 1000);
  });
});
