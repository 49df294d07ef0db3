import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Compares with a reviewed file. `UPDATE_SNAPSHOTS=1` writes it anew, for the next review; a missing file fails, so that
 * nothing passes unseen.
 */
export function matchesSnapshot(file: string, actual: string): void {
  if (process.env.UPDATE_SNAPSHOTS === "1") {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, actual);
  }
  assert.ok(existsSync(file), `${file} is missing: UPDATE_SNAPSHOTS=1 writes it`);
  assert.equal(actual, readFileSync(file, "utf8"), `${file} differs: read the difference, then UPDATE_SNAPSHOTS=1`);
}
