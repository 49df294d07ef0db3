import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { recoveryPointsOf } from "../../../job-images/src/store/find-recovery-point";
import { openStore } from "../../../job-images/src/store/open-store";
import { temporaryFolder } from "../../support/postgres";
import { drJson, finished, startRunner, writeConfig } from "../../support/runner";
import { skip } from "../../support/skip";
import {
  backUp,
  committedEntries,
  ledgerOf,
  notPassed,
  protectedFile,
  type ProtectedFile,
  restoreInto,
  sqlite,
} from "../../support/sqlite";
import { waitFor } from "../../support/wait-for";

/** Kills the runner as soon as it says that it has come to a step. @returns whether it had not ended before */
async function killAt(
  step: string,
  signal: NodeJS.Signals,
  words: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<boolean> {
  const child = startRunner(words, env);
  let said = "";
  child.stderr!.on("data", (text: string) => (said += text));
  const end = finished(child);
  await waitFor(step, 30, () => said.includes(step) || child.exitCode !== null);
  const killed = child.kill(signal);
  return (await end).exitCode !== 0 && killed;
}

const entries = 30_000;

describe("SQLite on bad days", () => {
  it("[guide 10, 12] a backup killed at any step leaves no recovery point, and the next one works", async function () {
    this.timeout(90_000);
    const file = protectedFile(ledgerOf("wal", entries), { backup: { maxBytesPerSecond: 1_000_000 } });
    const words = ["backup", "--config", file.config];
    const TMPDIR = temporaryFolder();
    for (const [step, signal] of [
      ["checking and storing", "SIGTERM"],
      ["copying", "SIGKILL"],
      ["checking and storing", "SIGKILL"],
    ] as const) {
      assert.ok(await killAt(step, signal, words, { TMPDIR }), `${signal} at ${step} came too late`);
      const visible = await recoveryPointsOf(openStore(`file://${file.store}`), "it");
      assert.deepEqual(visible, [], `${signal} at ${step} left something that looks like a recovery point`);
      assert.equal(committedEntries(file.path), entries);
    }
    const into = join(file.folder, "restored.db");
    assert.ok(readdirSync(TMPDIR).length > 0, "a killed run leaves its copy behind");
    const next = await drJson(words, { TMPDIR });
    assert.equal(next.exitCode, 0, next.stdout);
    assert.deepEqual(readdirSync(TMPDIR), [], "and the next one sweeps it");
    assert.equal((await drJson(["restore", "latest", "--into", into, "--config", file.config])).exitCode, 0);
    assert.equal(committedEntries(into), entries);
  });

  it("[guide 32] a restore killed at any step leaves the old file or the new one, each whole, and the next one works", async function () {
    this.timeout(90_000);
    const file = protectedFile(ledgerOf("wal", entries));
    await backUp(file);
    sqlite(file.path, "UPDATE debit SET note = 'newer'; UPDATE credit SET note = 'newer';");
    const words = ["restore", "latest", "--into", file.path, "--config", file.config];
    for (const [step, signal] of [
      ["fetching", "SIGKILL"],
      ["checking", "SIGKILL"],
      ["proving", "SIGKILL"],
      ["proving", "SIGTERM"],
      ["switching", "SIGKILL"],
    ] as const) {
      await killAt(step, signal, words);
      assert.equal(committedEntries(file.path), entries, `${signal} at ${step}`);
    }
    const last = await drJson<{ verdict: string }>(words);
    assert.equal(last.json.verdict, "pass", last.stdout);
    assert.equal(sqlite(file.path, "SELECT count(*) FROM debit WHERE note = 'newer'"), "0");
    assert.deepEqual(
      readdirSync(file.folder).filter((name) => name.includes("restoring")),
      [],
      "what killed restores left is swept",
    );
    const kept = readdirSync(file.folder).filter((name) => /replaced-\w+-\w+$/.test(name));
    assert.ok(kept.length > 0);
    for (const name of kept) assert.equal(committedEntries(join(file.folder, name)), entries, name);
  });

  it("[guide 10, 12, 32] a full disk: nothing half-visible, the old file still opens, and the next run works", async function () {
    this.timeout(60_000);
    if (process.getuid?.() !== 0) skip(this, "a small file system needs root");
    const file = protectedFile(ledgerOf("wal", 10_000));
    const manifest = await backUp(file);
    const small = join(file.folder, "small");
    mkdirSync(small);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1500k", "tmpfs", small]);
    try {
      await storeIsFull(file, small);
      await scratchIsFull(file, small);
      const target = join(small, "architect.db");
      sqlite(target, ledgerOf("delete", 100));
      await assert.rejects(
        restoreInto(file, manifest, target),
        /restored file needs .* beside the old one, and .* left/,
      );
      assert.equal(committedEntries(target), 100);
      // The manifest understates the size, so that the disk fills up in the middle of the restore.
      const understated = { ...manifest, source: { ...manifest.source, bytes: 4096 } };
      assert.match(notPassed(await restoreInto(file, understated, target)).join(), /ENOSPC|no space/i);
      assert.equal(committedEntries(target), 100);
      assert.deepEqual(readdirSync(small), ["architect.db"]);
      execFileSync("mount", ["-o", "remount,size=32m", small]);
      assert.deepEqual(notPassed(await restoreInto(file, manifest, target)), []);
      assert.equal(committedEntries(target), 10_000);
    } finally {
      execFileSync("umount", [small]);
    }
  });
});

async function storeIsFull({ folder, path }: ProtectedFile, small: string): Promise<void> {
  // What cannot be compressed does not fit.
  const large = join(folder, "large.db");
  sqlite(large, "CREATE TABLE t (a); INSERT INTO t SELECT randomblob(1000) FROM generate_series(1, 3000);");
  const config = writeConfig(folder, {
    store: `file://${small}/store`,
    databases: [{ name: "it", engine: "sqlite", path: large }],
  });
  const { exitCode, json } = await drJson<{ backups: { reasons: string[] }[] }>(["backup", "--config", config]);
  assert.equal(exitCode, 1);
  assert.match(json.backups[0]!.reasons.join(), /disk is full/);
  const left = readdirSync(small, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.deepEqual(left, [], "nothing half-written stays");
  execFileSync("rm", ["-r", join(small, "store")]);
  assert.equal(committedEntries(path), 10_000);
}

async function scratchIsFull({ config, path }: ProtectedFile, small: string): Promise<void> {
  const words = ["backup", "--config", config];
  const { exitCode, json } = await drJson<{ backups: { reasons: string[] }[] }>(words, { TMPDIR: small });
  assert.equal(exitCode, 1);
  assert.match(json.backups[0]!.reasons.join(), /A copy needs .* Point TMPDIR/);
  assert.deepEqual(readdirSync(small), []);
  assert.equal(committedEntries(path), 10_000);
}
