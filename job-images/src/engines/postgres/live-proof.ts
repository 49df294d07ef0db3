import { type Client } from "pg";
import {
  type DatabaseConfig,
  jobConfigDefaults,
  type Manifest,
  ProofLevel,
  shrinkageReasons,
} from "../../../../recovery";
import { OperationError } from "../../errors";
import { pause } from "../../pause";
import { type Progress } from "../../progress";
import { checkRecoveredCanary } from "../../proof/canary";
import { judged, passed, undecided } from "../../proof/check";
import { type ProofRun } from "../../proof/proof-run";
import { checkConsistency } from "./consistency";
import { one, readNewestHeartbeat, readTables } from "./facts";
import { type PostgresAccess } from "./libpq";
import { readEverything } from "./read-everything";
import { connect } from "./session";
import { toolsForServer } from "./tools";

/** A copy on a server that somebody else runs, of which nothing but its databases can be reached. */
export interface LiveProofRequest {
  readonly access: PostgresAccess;
  /** Rules and the heartbeat's interval. */
  readonly database: DatabaseConfig;
  /** From when to when the source of the copy reached; a snapshot reached from and to its own moment. */
  readonly window: { readonly from: Date; readonly to: Date };
  /** The moment that was asked for. @default the end of the window */
  readonly at?: Date;
  /** The newest recovery point from before that moment: rows cannot have gone missing since. */
  readonly earlier?: Manifest;
  /** The copy is the source's storage, so it has the source's system identifier. */
  readonly isPhysical: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** A new server's name takes a while to be known everywhere. */
const connectSeconds = 300;

/**
 * Proves a copy that can only be asked. There is no list of rows to compare it with, the source has moved on; so every
 * row is read and counted, against what the newest recovery point from before held; references must lead somewhere, and
 * the newest heartbeat must be as old as the moment says. Reading everything also fetches the storage of a new RDS
 * instance, which else comes block by block while users wait (RDS User Guide, "Restoring from a DB snapshot").
 */
export async function proveLiveCopy(request: LiveProofRequest, run: ProofRun): Promise<void> {
  const { database, progress, signal } = request;
  progress.step("connecting to the copy");
  const client = await run.required("connection", () => connectPatiently(request));
  try {
    run.checks.push(passed("connection", `${request.access.user} was let in`));
    progress.step("proving");
    await run.optional("identity", () => checkIdentity(client, request, run));
    await run.optional("rows", async () => {
      const { major } = await one<{ major: number }>(
        client,
        "SELECT current_setting('server_version_num')::int / 10000 AS major",
      );
      await readEverything(await toolsForServer(major), request.access, signal);
      run.checks.push(passed("rows", "every row can be read"));
    });
    await run.optional("counts", () => checkCounts(client, request, run));
    await run.optional("consistency", async () =>
      run.checks.push(await checkConsistency(client, database.checks?.orphans ?? [])),
    );
    await run.optional("canary", async () => {
      const { there } = await one<{ there: boolean }>(
        client,
        "SELECT to_regclass('dr_canary.heartbeat') IS NOT NULL AS there",
      );
      if (!there) return;
      run.newestHeartbeat = await readNewestHeartbeat(client);
      const canarySeconds = database.canary?.canarySeconds ?? jobConfigDefaults.canarySeconds;
      run.checks.push(checkRecoveredCanary(run.newestHeartbeat, request.window, request.at, canarySeconds));
    });
    for (const actor of await actorsOf(client)) progress.note(`the copy acts by itself already: ${actor}`);
  } finally {
    await client.end();
  }
}

async function connectPatiently({ access, signal }: LiveProofRequest): Promise<Client> {
  const until = performance.now() + connectSeconds * 1000;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await connect(access, { applicationName: "dr proof" });
    } catch (error) {
      // A refusal is an answer; only what cannot be reached or is starting may come.
      const mayCome = error instanceof OperationError && /cannot be reached|is starting up/.test(error.message);
      if (!mayCome || performance.now() > until) throw error;
      await pause(2000, signal);
    }
  }
}

/** The server that the earlier recovery point was taken of. Where nobody could ask for that, nothing is claimed. */
async function checkIdentity(client: Client, { earlier, isPhysical }: LiveProofRequest, run: ProofRun): Promise<void> {
  const { name, id } = await one<{ name: string; id: string | null }>(
    client,
    `SELECT current_database() AS name, CASE WHEN has_function_privilege('pg_control_system()', 'execute')
       THEN (SELECT system_identifier::text FROM pg_control_system()) END AS id`,
  );
  if (!earlier) return;
  const { databaseName, systemIdentifier } = earlier.source;
  const differences = [
    ...(name === databaseName ? [] : [`it is database ${name}, ${earlier.id} is of ${databaseName}`]),
    ...(isPhysical && id !== null && systemIdentifier !== undefined && id !== systemIdentifier
      ? [`it is server ${id}, ${earlier.id} is of ${systemIdentifier}`]
      : []),
  ];
  run.checks.push(judged("identity", differences, `the database and server of ${earlier.id}`));
}

async function checkCounts(client: Client, { earlier, database }: LiveProofRequest, run: ProofRun): Promise<void> {
  const tables = await readTables(client, 1);
  const { bytes } = await one<{ bytes: string }>(client, "SELECT pg_database_size(current_database())::text AS bytes");
  run.sizeBytes = Number(bytes);
  run.level = ProofLevel.Counts;
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  // Sizes in the store are not sizes on a server: only rows are compared.
  const previous = earlier && { ...earlier, parts: [] };
  const reasons = shrinkageReasons(
    { tables: tables, parts: [] },
    previous?.wal ? undefined : previous,
    database.backup?.maxShrinkShare ?? jobConfigDefaults.maxShrinkShare,
  );
  const detail = `${rows} rows in ${tables.length} tables`;
  if (reasons.length > 0) run.checks.push(undecided("counts", `${detail}: ${reasons.join("; ")}`));
  else run.checks.push(passed("counts", earlier ? `${detail}, no fewer than ${earlier.id} lets expect` : detail));
}

/** What of a copy acts on others from its first moment: nobody can hold it back on a server that one does not own. */
async function actorsOf(client: Client): Promise<string[]> {
  try {
    const { rows } = await client.query<{ what: string }>(
      "SELECT 'subscription ' || subname AS what FROM pg_subscription WHERE subenabled",
    );
    const { cron } = await one<{ cron: boolean }>(client, "SELECT to_regclass('cron.job') IS NOT NULL AS cron");
    const jobs = cron
      ? await client.query<{ what: string }>("SELECT 'cron job ' || jobid AS what FROM cron.job WHERE active")
      : { rows: [] };
    return [...rows, ...jobs.rows].map(({ what }) => what);
  } catch {
    return ["perhaps subscriptions or cron jobs: this role may not see them"];
  }
}
