import { join } from "node:path";
import {
  type DatabaseConfig,
  type EvidenceCheck,
  type EvidencePhase,
  jobConfigDefaults,
  type Manifest,
  ProofLevel,
  proofLevelFor,
} from "../../../recovery";
import {
  DamagedPartError,
  fetchArchive,
  partOf,
  readFacts,
  readSmallPart,
  readTableOfContents,
} from "../engines/postgres/archive";
import { dumpPart, factsPart, globalsPart } from "../engines/postgres/dump";
import { type PostgresFacts, readDescription, readNewestHeartbeat } from "../engines/postgres/facts";
import { type PostgresAccess } from "../engines/postgres/libpq";
import {
  advanceSequences,
  analyze,
  carryOverDatabaseSettings,
  createDatabase,
  type DumpRestore,
  loadArchive,
  maintenanceAccess,
} from "../engines/postgres/restore";
import { connect } from "../engines/postgres/session";
import { type PostgresTools } from "../engines/postgres/tools";
import { InterruptedError, messageOf, OperationError } from "../errors";
import { type Progress } from "../progress";
import { type ObjectStore } from "../store/object-store";
import { checkCanary } from "./canary";
import { failed, passed, undecided } from "./check";
import { compareContent, compareCounts, type TableComparison } from "./compare-rows";
import { compareRoles, compareStructure } from "./compare-structure";
import { checkConsistency } from "./consistency";
import { Stopwatch } from "./stopwatch";

/** A recovery point to restore into a database that does not exist yet, and to compare with its source's facts. */
export interface RestoreProofRequest {
  readonly store: ObjectStore;
  readonly manifest: Manifest;
  /** Rules, proof settings and the heartbeat's interval. */
  readonly database: Pick<DatabaseConfig, "proof" | "checks" | "canary">;
  /** The database to make. */
  readonly target: PostgresAccess;
  /** Tools that fit the target's server and are not older than the archive. */
  readonly tools: PostgresTools;
  /** Folder with room for the decompressed archive. */
  readonly scratch: string;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What came of it. */
export interface RestoreProof {
  readonly checks: readonly EvidenceCheck[];
  readonly phases: readonly EvidencePhase[];
  readonly comparisons: readonly TableComparison[];
  /** The deepest level that was compared to its end; absent when nothing could be compared. */
  readonly level?: ProofLevel;
  /** From the start of the fetch. */
  readonly seconds: number;
  /** The newest heartbeat in the copy. */
  readonly newestHeartbeat?: Date;
  /** The target was made; whoever asked decides what becomes of it. */
  readonly targetMade: boolean;
}

/** Ends the sequence of checks: later ones would only report the same fault again. */
class StopChecking extends Error {}

/**
 * Restores and proves. Each check has a name of its own and is judged by itself: a fault is reported by the check that
 * is meant to find it, and what could not be judged is `inconclusive`, never passed.
 */
export async function restoreAndProve(request: RestoreProofRequest): Promise<RestoreProof> {
  const proof = new ProofRun(request);
  try {
    await proof.run();
  } catch (error) {
    if (!(error instanceof StopChecking)) throw error;
  }
  return proof.result();
}

class ProofRun {
  private readonly checks: EvidenceCheck[] = [];
  private readonly stopwatch = new Stopwatch();
  private comparisons: readonly TableComparison[] = [];
  private level: ProofLevel | undefined;
  private newestHeartbeat: Date | undefined;
  private targetMade = false;

  constructor(private readonly request: RestoreProofRequest) {}

  async run(): Promise<void> {
    const { manifest, tools, target, scratch, progress, signal } = this.request;
    const archivePath = join(scratch, "dump.pgc");

    progress.step("fetching");
    const { facts, globals } = await this.phase("fetch", "parts", async () => {
      const { store } = this.request;
      await fetchArchive(store, partOf(manifest, dumpPart), archivePath, {
        signal,
        onBytes: (count) => progress.bytes(count),
      });
      const read = {
        facts: await readFacts(store, partOf(manifest, factsPart), signal),
        globals: await readSmallPart(store, partOf(manifest, globalsPart), signal),
      };
      this.checks.push(passed("parts", `${manifest.parts.length} parts with the size and SHA-256 of the manifest`));
      return read;
    });
    await this.required("archive", async () => {
      const contents = await readTableOfContents(tools, archivePath, signal);
      this.checks.push(passed("archive", `a readable archive of ${contents.entries} entries`));
      this.checks.push(checkIdentity(manifest, facts, contents.databaseName));
      this.stopAfterFailure();
    });

    progress.step("restoring");
    const restore: DumpRestore = { tools, archivePath, facts, globals, target, progress, signal };
    await this.phase("create", "roles", async () => {
      await createDatabase(restore);
      this.targetMade = true;
      const client = await connect(maintenanceAccess(target));
      try {
        this.checks.push(compareRoles(facts.roles, (await readDescription(client)).roles));
      } finally {
        await client.end();
      }
      this.stopAfterFailure();
    });
    await this.phase("restore", "restore", async () => {
      await loadArchive(restore);
      this.checks.push(passed("restore", "pg_restore ended without an error"));
    });
    await this.phase("analyze", "analyze", () => analyze(restore));
    await this.phase("finish", "finish", async () => {
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
    await this.phase("prove", "proof", () => this.compare(facts, archivePath));
  }

  private async compare(facts: PostgresFacts, archivePath: string): Promise<void> {
    const { database, manifest, target, tools, signal } = this.request;
    const level = proofLevelFor(manifest.source.bytes, database.proof);
    const client = await connect(target, { applicationName: "dr proof" });
    try {
      await this.optional("structure", async () => this.checks.push(...(await compareStructure(client, facts))));
      this.level = ProofLevel.Structure;
      if (level !== ProofLevel.Structure) {
        await this.optional("counts", async () => {
          const { checks, comparisons } = await compareCounts(client, facts);
          this.checks.push(...checks);
          this.comparisons = comparisons;
          this.level = ProofLevel.Counts;
        });
      }
      if (level === ProofLevel.Content) {
        await this.optional("content", async () => {
          this.checks.push(await compareContent(client, target, tools, archivePath, facts, signal));
          this.level = ProofLevel.Content;
        });
      }
      await this.optional("consistency", async () =>
        this.checks.push(await checkConsistency(client, database.checks?.orphans ?? [])),
      );
      if (facts.canary) await this.optional("canary", () => this.readCanary(client, facts));
    } finally {
      await client.end();
    }
  }

  private async readCanary(client: Awaited<ReturnType<typeof connect>>, facts: PostgresFacts): Promise<void> {
    this.newestHeartbeat = await readNewestHeartbeat(client);
    const recorded = facts.canary?.newestAt;
    this.checks.push(
      checkCanary({
        recordedAt: recorded ? new Date(recorded) : undefined,
        restoredAt: this.newestHeartbeat,
        consistentAt: new Date(this.request.manifest.consistentAt),
        canarySeconds: this.request.database.canary?.canarySeconds ?? jobConfigDefaults.canarySeconds,
      }),
    );
  }

  result(): RestoreProof {
    return {
      checks: this.checks,
      phases: this.stopwatch.phases,
      comparisons: this.comparisons,
      level: this.level,
      seconds: this.stopwatch.seconds,
      newestHeartbeat: this.newestHeartbeat,
      targetMade: this.targetMade,
    };
  }

  private phase<Result>(phase: string, check: string, work: () => Promise<Result>): Promise<Result> {
    return this.stopwatch.time(phase, () => this.required(check, work));
  }

  /** Work without which nothing after it can be judged. */
  private async required<Result>(check: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      this.record(check, error);
      throw new StopChecking();
    }
  }

  /** Work whose failure leaves the other checks to say what they can. */
  private async optional(check: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.record(check, error);
    }
  }

  private record(check: string, error: unknown): void {
    if (error instanceof StopChecking || error instanceof InterruptedError || this.request.signal.aborted) throw error;
    if (error instanceof DamagedPartError) this.checks.push(failed("parts", error.message));
    else if (error instanceof OperationError)
      this.checks.push(failed(check === "parts" ? "archive" : check, error.message));
    else this.checks.push(undecided(check, messageOf(error)));
  }

  private stopAfterFailure(): void {
    if (this.checks.at(-1)?.verdict !== "pass") throw new StopChecking();
  }
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
