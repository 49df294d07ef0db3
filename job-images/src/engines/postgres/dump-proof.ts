import { join } from "node:path";
import { type EvidenceCheck, jobConfigDefaults, type Manifest, ProofLevel, proofLevelFor } from "../../../../recovery";
import { checkCanary } from "../../proof/canary";
import { failed, passed } from "../../proof/check";
import { ProofRun, type RestoreProof } from "../../proof/proof-run";
import { partOf, readJsonPart, readSmallPart } from "../../store/parts";
import { fetchDecompressed } from "../compressed-part";
import { type RestoreRequest } from "../engine";
import { readTableOfContents } from "./archive";
import { compareContent, compareCounts } from "./compare-rows";
import { compareRoles, compareStructure } from "./compare-structure";
import { checkConsistency } from "./consistency";
import { dumpPart, factsPart, globalsPart } from "./dump-parts";
import { type PostgresFacts, readDescription, readNewestHeartbeat } from "./facts";
import { type PostgresAccess } from "./libpq";
import {
  advanceSequences,
  analyze,
  carryOverDatabaseSettings,
  createDatabase,
  type DumpRestore,
  loadArchive,
  maintenanceAccess,
} from "./restore";
import { connect } from "./session";
import { type PostgresTools } from "./tools";

/** A dump to restore into a database that does not exist yet, and to compare with its source's facts. */
export interface DumpProofRequest extends RestoreRequest {
  /** The database to make. */
  readonly target: PostgresAccess;
  /** Tools that fit the target's server and are not older than the archive. */
  readonly tools: PostgresTools;
  /** Folder with room for the decompressed archive. */
  readonly scratch: string;
  /** Sessions that load at the same time. @default one for each CPU here, up to 8 */
  readonly jobs?: number;
  /** After the restore, before the proof. */
  readonly onRestored?: () => Promise<void> | undefined;
}

/** Restores and proves. */
export async function restoreAndProve(request: DumpProofRequest): Promise<RestoreProof> {
  const run = new ProofRun(request.signal, "archive");
  return run.toItsEnd(() => restoreThenCompare(request, run));
}

async function restoreThenCompare(request: DumpProofRequest, run: ProofRun): Promise<void> {
  const { store, manifest, tools, target, scratch, jobs, progress, signal } = request;
  const archivePath = join(scratch, "dump.pgc");

  progress.step("fetching");
  const { facts, globals } = await run.phase("fetch", "parts", async () => {
    await fetchDecompressed(store, partOf(manifest, dumpPart), archivePath, {
      signal,
      onBytes: (count) => progress.bytes(count),
    });
    const read = {
      facts: await readJsonPart<PostgresFacts>(store, partOf(manifest, factsPart), signal),
      globals: await readSmallPart(store, partOf(manifest, globalsPart), signal),
    };
    run.checks.push(passed("parts", `${manifest.parts.length} parts with the size and SHA-256 of the manifest`));
    return read;
  });
  await run.required("archive", async () => {
    const contents = await readTableOfContents(tools, archivePath, signal);
    run.checks.push(passed("archive", `a readable archive of ${contents.entries} entries`));
    run.checks.push(checkIdentity(manifest, facts, contents.databaseName));
    run.stopAfterFailure();
  });

  progress.step("restoring");
  const restore: DumpRestore = { tools, archivePath, facts, globals, target, jobs, progress, signal };
  await run.phase("create", "roles", async () => {
    await createDatabase(restore);
    run.targetMade = true;
    const client = await connect(maintenanceAccess(target));
    try {
      run.checks.push(compareRoles(facts.roles, (await readDescription(client)).roles));
    } finally {
      await client.end();
    }
    run.stopAfterFailure();
  });
  await run.phase("restore", "restore", async () => {
    await loadArchive(restore);
    run.checks.push(passed("restore", "pg_restore ended without an error"));
  });
  await run.phase("analyze", "analyze", () => analyze(restore));
  await run.phase("finish", "finish", async () => {
    const client = await connect(target, { applicationName: "dr restore" });
    try {
      const moved = await advanceSequences(client);
      for (const { sequence, from, to } of moved)
        progress.note(`sequence ${sequence} moved from ${from ?? "its start"} to ${to}`);
      await carryOverDatabaseSettings(client, target.databaseName, facts.database);
    } finally {
      await client.end();
    }
  });

  progress.step("proving");
  await request.onRestored?.();
  await run.phase("prove", "proof", () => compare(request, run, facts, archivePath));
}

async function compare(
  request: DumpProofRequest,
  run: ProofRun,
  facts: PostgresFacts,
  archivePath: string,
): Promise<void> {
  const { database, manifest, target, tools, signal } = request;
  const level = proofLevelFor(manifest.source.bytes, database.proof);
  const client = await connect(target, { applicationName: "dr proof" });
  try {
    await run.optional("structure", async () => {
      run.checks.push(...(await compareStructure(client, facts)));
      run.level = ProofLevel.Structure;
    });
    if (level !== ProofLevel.Structure) {
      await run.optional("counts", async () => {
        const { checks, comparisons } = await compareCounts(client, facts);
        run.checks.push(...checks);
        run.comparisons = comparisons;
        run.level = ProofLevel.Counts;
      });
    }
    if (level === ProofLevel.Content) {
      await run.optional("content", async () => {
        run.checks.push(await compareContent(client, target, tools, archivePath, facts, signal));
        run.level = ProofLevel.Content;
      });
    }
    await run.optional("consistency", async () =>
      run.checks.push(await checkConsistency(client, database.checks?.orphans ?? [])),
    );
    if (facts.canary) await run.optional("canary", () => readCanary(request, run, client, facts));
  } finally {
    await client.end();
  }
}

async function readCanary(
  { manifest, database }: DumpProofRequest,
  run: ProofRun,
  client: Awaited<ReturnType<typeof connect>>,
  facts: PostgresFacts,
): Promise<void> {
  run.newestHeartbeat = await readNewestHeartbeat(client);
  const recorded = facts.canary?.newestAt;
  run.checks.push(
    checkCanary({
      recordedAt: recorded ? new Date(recorded) : undefined,
      restoredAt: run.newestHeartbeat,
      consistentAt: new Date(manifest.consistentAt),
      canarySeconds: database.canary?.canarySeconds ?? jobConfigDefaults.canarySeconds,
    }),
  );
}

/** Whether the parts are of the database that the manifest says: parts of another one restore just as well. */
function checkIdentity(manifest: Manifest, facts: PostgresFacts, archived: string | undefined): EvidenceCheck {
  const { databaseName, systemIdentifier } = manifest.source;
  const differences: string[] = [];
  if (archived !== databaseName) differences.push(`the archive is of database ${JSON.stringify(archived)}`);
  if (facts.database.name !== databaseName) differences.push(`the facts are of ${JSON.stringify(facts.database.name)}`);
  if (systemIdentifier !== undefined && facts.systemIdentifier !== systemIdentifier) {
    differences.push(`the facts are of server ${facts.systemIdentifier}, not ${systemIdentifier}`);
  }
  if (differences.length === 0)
    return passed("identity", `database ${JSON.stringify(databaseName)} of the server that the manifest names`);
  return failed("identity", `${differences.join("; ")}; the manifest says ${JSON.stringify(databaseName)}`);
}
