import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DirectoryStore } from "../../../job-images/src/store/directory-store";
import { fetchLog } from "../../../job-images/src/store/stored-log";
import { type LogCoverage, type StoredWalFile } from "../../../recovery";
import { temporaryFolder } from "../../support/postgres";
import { descendantsOf } from "../../support/process-tree";
import { waitFor } from "../../support/wait-for";

describe("fetching the log", () => {
  it("[guide 30] leaves no tool behind when a piece of it is gone, so that the runner can end", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "store"));
    const name = "000000010000000000000003";
    const missing = { key: `wal/ledger/1/${name}-${"0".repeat(64)}.zst`, name, sha256: "0".repeat(64) };
    const files = [missing as unknown as StoredWalFile];
    const log = { segmentBytes: 16 * 1024 ** 2, files, partials: [], histories: [] };
    const coverage = { files } as unknown as LogCoverage;
    const signal = new AbortController().signal;
    await assert.rejects(fetchLog(new DirectoryStore(join(folder, "store")), log, coverage, folder, signal));
    await waitFor("every tool to end", 5, () => !descendantsOf(process.pid).some(({ command }) => command === "zstd"));
  });
});
