import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type DatabaseConfig,
  type EvidenceCheck,
  type JobConfig,
  type Manifest,
  manifestKey,
  partKey,
  Verdict,
} from "../../../recovery";
import { recoveryEngineOf } from "../engines/database-kinds";
import { type Forgery, renew, type SabotageCase, type SabotageKit } from "../engines/sabotage-case";
import { sealManifest } from "../engines/take-backup";
import { silentProgress, type Progress } from "../progress";
import { readCatalog } from "../store/catalog";
import { DirectoryStore } from "../store/directory-store";
import { type ObjectStore } from "../store/object-store";
import { restoreTest } from "./restore-test";

/** One sabotage and what became of it. */
export interface SabotageResult {
  readonly name: string;
  /** The check that is meant to find it; for the honest copy, `pass`. */
  readonly expected: string;
  /** The checks that did not pass, or `pass`. */
  readonly got: string;
  readonly caught: boolean;
}

/** An honest recovery point to make spoiled copies of. */
export interface SabotageRequest {
  readonly config: JobConfig;
  readonly database: DatabaseConfig;
  readonly store: ObjectStore;
  readonly manifest: Manifest;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Sees every spoiled copy while it is there; for comparisons with other ways to test. */
  readonly onCopy?: (copy: SpoiledCopy) => Promise<void>;
}

/** A spoiled copy in its scratch store. */
export interface SpoiledCopy {
  readonly name: string;
  /** A local file of a part's stored bytes. */
  readonly partPath: (part: string) => string;
  readonly honest: boolean;
}

/**
 * Spoils copies of an honest recovery point in a scratch store, one way each, and runs the restore test over them. A
 * sabotage is caught when the check that is meant to find it fails; a crash, or another check alone, counts as missed.
 * The honest copy goes through the same code first and last, and has to pass.
 */
export async function proveTheProof(request: SabotageRequest): Promise<SabotageResult[]> {
  const scratch = await mkdtemp(join(tmpdir(), "dr-sabotage-"));
  let kit: SabotageKit | undefined;
  try {
    kit = await recoveryEngineOf(request.manifest).openSabotage({ ...request, scratch });
    const results: SabotageResult[] = [];
    const untouched: SabotageCase = { name: "honest copy", expected: "pass", forge: () => ({}) };
    for (const sabotage of [untouched, ...kit.cases, { ...untouched, name: "honest copy again" }]) {
      request.progress.step(`sabotage: ${sabotage.name}`);
      request.signal.throwIfAborted();
      results.push(await tryOne(request, kit, sabotage, scratch));
    }
    return results;
  } finally {
    await kit?.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function tryOne(
  request: SabotageRequest,
  kit: SabotageKit,
  sabotage: SabotageCase,
  scratch: string,
): Promise<SabotageResult> {
  const folder = await mkdtemp(join(scratch, "store-"));
  const store = new DirectoryStore(folder);
  try {
    const forgery = await sabotage.forge();
    await (forgery.surround ?? kit.surround)?.(store);
    const { id, database } = await storeForgery(store, request.manifest, kit.parts, forgery);
    await request.onCopy?.({
      name: sabotage.name,
      partPath: (part) => join(folder, partKey(database, id, part)),
      honest: sabotage.expected === "pass",
    });
    // What it builds on lies there as well.
    const entry = (await readCatalog(store, { database })).find((each) => each.id === id);
    const { measurement } = await restoreTest(
      {
        ...request,
        store,
        progress: silentProgress,
        disasterAt: new Date(request.manifest.consistentAt),
        onRestored: forgery.spoilCopy,
      },
      [entry!],
    );
    return judge(sabotage, measurement.checks, measurement.verdict);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function judge(sabotage: SabotageCase, checks: readonly EvidenceCheck[], verdict: Verdict): SabotageResult {
  const notPassed = checks.filter((check) => check.verdict !== Verdict.Pass);
  const got = notPassed.length === 0 ? verdict : notPassed.map((check) => `${check.name} ${check.verdict}`).join(", ");
  const caught =
    sabotage.expected === "pass"
      ? verdict === Verdict.Pass
      : notPassed.some((check) => check.name === sabotage.expected && check.verdict === Verdict.Fail);
  return { name: sabotage.name, expected: sabotage.expected, got, caught };
}

/** Stores a recovery point as a backup would have, and spoils it as the forgery says. */
async function storeForgery(
  store: ObjectStore,
  honest: Manifest,
  honestParts: SabotageKit["parts"],
  forgery: Forgery,
): Promise<Manifest> {
  const renamed = renew(honest, new Date(honest.startedAt));
  let manifest = forgery.manifest?.(renamed) ?? renamed;
  const contents = { ...honestParts, ...forgery.parts };
  const parts: Manifest["parts"][number][] = [];
  for (const { name } of manifest.parts) {
    const key = partKey(manifest.database, manifest.id, name);
    const { bytes, sha256 } = await store.put(key, contents[name]!);
    parts.push({ name, key, bytes, sha256 });
  }
  manifest = sealManifest({ ...manifest, parts });
  manifest = forgery.edit?.(manifest) ?? manifest;
  await store.put(manifestKey(manifest.database, manifest.id), Buffer.from(JSON.stringify(manifest)));
  for (const [name, content] of Object.entries(forgery.replacedParts ?? {})) {
    await store.put(partKey(manifest.database, manifest.id, name), content);
  }
  return manifest;
}
