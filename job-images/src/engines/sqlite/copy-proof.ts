import { type EvidenceCheck, jobConfigDefaults, type Manifest, ProofLevel, proofLevelFor } from "../../../../recovery";
import { OperationError } from "../../errors";
import { checkCanary } from "../../proof/canary";
import { failed, judged, passed } from "../../proof/check";
import { ProofRun, type RestoreProof } from "../../proof/proof-run";
import { partOf, readJsonPart } from "../../store/parts";
import { fetchDecompressed } from "../compressed-part";
import { type RestoreRequest } from "../engine";
import { compareCounts, compareDigests, compareSchema, compareSequences, compareSettings } from "./compare-contents";
import { checkConsistency } from "./consistency";
import { copyPart, factsPart } from "./copy-parts";
import { present, readHeader, sidecarsOf } from "./database-file";
import { checkIntegrity, readContents, type SqliteContents, type SqliteFacts } from "./facts";
import { runSql, type SqliteAccess } from "./shell";

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
  await run.phase("check", "integrity", async () => {
    await run.required("file", async () => void run.checks.push(await checkFile(path)));
    run.stopAfterFailure();
    // Before anything opens it: opening it would replay them.
    run.checks.push(await checkSidecars(path));
    run.stopAfterFailure();
    const { damage, constraints } = await checkIntegrity(access);
    run.checks.push(judged("integrity", [...damage, ...constraints], "integrity_check says ok"));
    if (damage.length > 0) run.stopAfterFailure();
  });

  progress.step("proving");
  await run.phase("prove", "proof", () => compare(request, run, access, facts));
  await run.phase("finish", "settings", () => restoreJournalMode(access, facts));
  if (request.publish && run.checks.every(({ verdict }) => verdict === "pass")) {
    await run.phase("switch", "switch", () => request.publish!(facts));
  }
}

async function checkFile(path: string): Promise<EvidenceCheck> {
  const { bytes, pages, pageBytes } = await readHeader(path);
  const detail = `${pages} pages of ${pageBytes} bytes`;
  if (bytes === pages * pageBytes) return passed("file", detail);
  return failed("file", `${bytes} bytes, and its header says ${detail}: the file is not whole`);
}

/** A log of another file beside it would be replayed over it, and integrity_check would still say ok. */
async function checkSidecars(path: string): Promise<EvidenceCheck> {
  const strays = await present(sidecarsOf(path));
  return judged(
    "sidecars",
    strays.map((stray) => `${stray} does not belong to the copy and would be replayed over it`),
    "no -wal, -shm or -journal beside the copy",
  );
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

/** The mode lives in the file, and a copy never has the write-ahead log's: an application that counts on it would wait. */
async function restoreJournalMode(access: SqliteAccess, { wal }: SqliteFacts): Promise<void> {
  if (!wal) return;
  const said = await runSql({ ...access, writable: true }, "PRAGMA journal_mode = WAL;");
  const left = await present(sidecarsOf(access.path));
  if (said.at(-1) !== "wal" || left.length > 0) {
    throw new OperationError(
      `${access.path} could not be put back into WAL mode: it said ${said.join()}, left ${left.join() || "nothing"}.`,
    );
  }
}
