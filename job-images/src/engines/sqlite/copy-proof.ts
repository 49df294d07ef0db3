import { type EvidenceCheck, jobConfigDefaults, type Manifest, ProofLevel, proofLevelFor } from "../../../../recovery";
import { checkCanary } from "../../proof/canary";
import { failed, passed } from "../../proof/check";
import { ProofRun, type RestoreProof } from "../../proof/proof-run";
import { partOf, readJsonPart } from "../../store/parts";
import { fetchDecompressed } from "../compressed-part";
import { type RestoreRequest } from "../engine";
import { compareCounts, compareDigests, compareSchema, compareSequences, compareSettings } from "./compare-contents";
import { checkConsistency } from "./consistency";
import { copyPart, factsPart } from "./copy-parts";
import { readContents, type SqliteContents, type SqliteFacts } from "./facts";
import { checkWholeFile, leaveWriteAheadLog } from "./file-proof";
import { type SqliteAccess } from "./shell";

/** A copy to restore into a file that does not exist yet. */
export interface CopyProofRequest extends RestoreRequest {
  /** Where the file is made; nobody else may know of it. */
  readonly path: string;
  /** After the restore, before the proof. */
  readonly onRestored?: (path: string) => Promise<void>;
  /** After everything passed, as a part of the measured time: gives the file its name. */
  readonly publish?: (facts: SqliteFacts) => Promise<void>;
}

/** Restores and proves. */
export async function restoreAndProve(request: CopyProofRequest): Promise<RestoreProof> {
  const run = new ProofRun(request.signal, "file");
  return run.toItsEnd(() => restoreThenCompare(request, run));
}

async function restoreThenCompare(request: CopyProofRequest, run: ProofRun): Promise<void> {
  const { store, manifest, path, progress, signal } = request;
  progress.step("fetching");
  const facts = await run.phase("fetch", "parts", async () => {
    await fetchDecompressed(store, partOf(manifest, copyPart), path, {
      signal,
      onBytes: (count) => progress.bytes(count),
    });
    run.targetMade = true;
    const read = await readJsonPart<SqliteFacts>(store, partOf(manifest, factsPart), signal);
    run.checks.push(passed("parts", `${manifest.parts.length} parts with the size and SHA-256 of the manifest`));
    return read;
  });
  await request.onRestored?.(path);

  progress.step("checking");
  const access: SqliteAccess = { path, signal };
  await run.phase("check", "integrity", () => checkWholeFile(run, access));

  progress.step("proving");
  await run.phase("prove", "proof", () => compare(request, run, access, facts));
  // A copy never has the write-ahead log's mode, and an application that counts on it would wait.
  if (facts.wal) await run.phase("finish", "settings", () => leaveWriteAheadLog(access));
  if (request.publish && run.checks.every(({ verdict }) => verdict === "pass")) {
    await run.phase("switch", "switch", () => request.publish!(facts));
  }
}

async function compare(
  request: CopyProofRequest,
  run: ProofRun,
  access: SqliteAccess,
  facts: SqliteFacts,
): Promise<void> {
  const { database, manifest } = request;
  const level = proofLevelFor(manifest.source.bytes, database.proof);
  const got = await readContents(access, level === ProofLevel.Content);
  run.checks.push(checkIdentity(manifest, facts, got));
  run.stopAfterFailure();
  run.checks.push(compareSchema(facts, got), compareSettings(facts, got), compareSequences(facts, got));
  run.level = ProofLevel.Structure;
  if (level !== ProofLevel.Structure) {
    const { check, comparisons } = compareCounts(manifest, got);
    run.checks.push(check);
    run.comparisons = comparisons;
    run.level = ProofLevel.Counts;
  }
  const content = level === ProofLevel.Content ? compareDigests(facts, got) : undefined;
  if (content) {
    run.checks.push(content);
    run.level = ProofLevel.Content;
  }
  await run.optional("consistency", async () =>
    run.checks.push(await checkConsistency(access, database.checks?.orphans ?? [], facts.foreignKeyViolations)),
  );
  if (!facts.canary) return;
  const [recorded, restored] = [facts.canary.newestAt, got.canary?.newestAt ?? null];
  run.newestHeartbeat = restored === null ? undefined : new Date(restored);
  run.checks.push(
    checkCanary({
      recordedAt: recorded === null ? undefined : new Date(recorded),
      restoredAt: run.newestHeartbeat,
      consistentAt: new Date(manifest.consistentAt),
      canarySeconds: database.canary?.canarySeconds ?? jobConfigDefaults.canarySeconds,
    }),
  );
}

/** Whether the file is of the database that the manifest says: a file has no identity but the one that `dr prepare` gives. */
function checkIdentity(manifest: Manifest, facts: SqliteFacts, got: SqliteContents): EvidenceCheck {
  const { databaseName, systemIdentifier } = manifest.source;
  const differences: string[] = [];
  if (facts.databaseName !== databaseName) differences.push(`the facts are of ${JSON.stringify(facts.databaseName)}`);
  if (facts.canary?.identity !== systemIdentifier) {
    differences.push(`the facts are of database ${facts.canary?.identity ?? "without an identity"}`);
  }
  if (systemIdentifier !== undefined && got.canary?.identity !== systemIdentifier) {
    differences.push(`the file is of database ${got.canary?.identity ?? "without an identity"}`);
  }
  const expected = `${JSON.stringify(databaseName)}${systemIdentifier === undefined ? "" : ` (${systemIdentifier})`}`;
  if (differences.length > 0) return failed("identity", `${differences.join("; ")}; the manifest says ${expected}`);
  return passed("identity", `database ${expected}`);
}
