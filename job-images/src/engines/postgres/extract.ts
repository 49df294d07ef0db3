import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BackupMethod, rowFilterProblem, sideSchemaProblem, tableText } from "../../../../recovery";
import { OperationError, UsageError } from "../../errors";
import { readPasswordFile } from "../../password-file";
import { failed, judged, passed } from "../../proof/check";
import { ProofRun, type RestoreProof } from "../../proof/proof-run";
import { partOf, readJsonPart, readSmallPart } from "../../store/parts";
import { fetchDecompressed } from "../compressed-part";
import { type Extraction, type ExtractRequest, type RowsRequest } from "../engine";
import { readTableOfContents } from "./archive";
import { restoreBaseIntoThrowAway } from "./physical-restore";
import { compareTable } from "./compare-rows";
import { dumpPart, factsPart, globalsPart } from "./dump-parts";
import { chooseRows, type ChosenRows, type RowsFile, writeRows } from "./chosen-rows";
import { type PostgresFacts } from "./facts";
import { accessOfUrl, type PostgresAccess } from "./libpq";
import { createDatabase, loadDefinitions, loadRowsOf } from "./restore";
import { inspectSide, type LiveDatabase, loadSide, putBackSql } from "./side-schema";
import { LocalServer, scratchFolder, throwAwaySettings } from "./server";
import { connect } from "./session";
import { type PostgresTools, serverToolsFor, toolsForServer } from "./tools";

/**
 * Copies rows of a recovery point. A throw-away server reads them, from definitions and the chosen tables' rows of a dump,
 * or from a base backup with its log.
 */
export function extractFromPostgres(request: ExtractRequest): Promise<Extraction> {
  const read = request.manifest.method === BackupMethod.Dump ? readDump : readPhysicalCopy;
  return extractRows(request, (run, folder) => read(request, run, folder));
}

/**
 * Copies rows of a copy into a schema of their own in a live database. They wait in files until that copy has passed its
 * checks, and only then is anything made in the live database, in one transaction.
 *
 * @param read makes the copy, proves it into the run, and puts the rows into files of the folder
 */
export async function extractRows(
  request: RowsRequest & Pick<ExtractRequest, "progress" | "signal">,
  read: (run: ProofRun, folder: string, live: LiveDatabase) => Promise<readonly RowsFile[]>,
): Promise<Extraction> {
  refuseNames(request);
  const target = accessOfUrl(request.into, readPasswordFile(request.passwordFile));
  const live = await inspectSide(target, request.side);
  const run = new ProofRun(request.signal, "archive");
  const folder = await mkdtemp(join(request.scratch ?? tmpdir(), "dr-restore-"));
  try {
    let rows: readonly RowsFile[] = [];
    let loaded: Awaited<ReturnType<typeof loadSide>> | undefined;
    const proof = await run.toItsEnd(async () => {
      rows = await read(run, folder, live);
      run.checks.push(checkAnyRow(request, rows));
      run.stopAfterFailure();
      if (run.checks.some(({ verdict }) => verdict !== "pass")) return;
      request.progress.step("copying beside the live tables");
      loaded = await run.phase("copy", "copy", async () =>
        loadSide({ ...request, target, live, rows, tools: await toolsForServer(live.serverMajor) }),
      );
      run.checks.push(
        judged("content", loaded.differences, `${rows.length} tables hold the rows and the hash of the copy`),
      );
    });
    return {
      proof,
      tables: loaded?.differences.length === 0 ? loaded.tables : [],
      notes: loaded?.notes ?? [],
      putBack: loaded?.differences.length === 0 ? await putBackSql(target, request.side, rows) : "",
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function refuseNames({ side, where }: RowsRequest): void {
  const schemaProblem = sideSchemaProblem(side);
  const filterProblem = where === undefined ? undefined : rowFilterProblem(where, { sqlite: false });
  const problems = [
    ...(schemaProblem === undefined ? [] : [`--schema ${JSON.stringify(side)}: ${schemaProblem}`]),
    ...(filterProblem === undefined ? [] : [`--where: ${filterProblem}`]),
  ];
  if (problems.length > 0) throw new UsageError("Nothing was done:", problems);
}

function checkAnyRow({ where }: RowsRequest, rows: readonly RowsFile[]) {
  const total = rows.reduce((sum, each) => sum + each.digest.rows, 0);
  const names = rows.map(({ table }) => tableText(table)).join(", ");
  if (where !== undefined && total === 0) {
    return failed("rows", `no row of ${names} meets the condition ${where}: nothing was made`);
  }
  return passed("rows", `${total} rows of ${names}`);
}

/** Definitions of everything, because tables need types and functions; rows only of what was asked for. */
async function readDump(request: ExtractRequest, run: ProofRun, folder: string): Promise<readonly RowsFile[]> {
  const { store, manifest, progress, signal } = request;
  const tools = await serverToolsFor(manifest.source.serverMajor);
  progress.step(`starting a throw-away PostgreSQL ${manifest.source.serverMajor}`);
  const server = await LocalServer.create({ tools, settings: throwAwaySettings, isolated: true, signal });
  try {
    const { databaseName } = manifest.source;
    const access = server.access(databaseName === "postgres" ? "restored" : databaseName);
    const archivePath = join(request.scratch === undefined ? scratchFolder(server) : folder, "dump.pgc");
    progress.step("fetching");
    const { facts, globals } = await run.phase("fetch", "parts", async () => {
      await fetchDecompressed(store, partOf(manifest, dumpPart), archivePath, {
        signal,
        onBytes: (count) => progress.bytes(count),
      });
      const facts = await readJsonPart<PostgresFacts>(store, partOf(manifest, factsPart), signal);
      const globals = await readSmallPart(store, partOf(manifest, globalsPart), signal);
      const { databaseName: archived } = await readTableOfContents(tools, archivePath, signal);
      if (archived !== databaseName) {
        throw new OperationError(`The archive is of database ${JSON.stringify(archived)}, not of ${databaseName}.`);
      }
      return { facts, globals };
    });
    run.checks.push(passed("parts", `${manifest.parts.length} parts with the size and SHA-256 of the manifest`));
    progress.step("restoring definitions");
    const restore = { tools, archivePath, facts, globals, target: access, progress, signal };
    await run.phase("create", "restore", async () => {
      await createDatabase(restore);
      await loadDefinitions(restore);
    });
    const chosen = await choose(request, access, { rowsAreThere: false });
    progress.step(`restoring the rows of ${chosen.holders.map(tableText).join(", ")}`);
    await run.phase("restore", "restore", () =>
      loadRowsOf(
        restore,
        chosen.holders.map(({ name }) => name),
      ),
    );
    await run.phase("prove", "counts", async () => run.checks.push(await compareWithFacts(access, chosen, facts)));
    run.stopAfterFailure();
    return await run.phase("read", "read", () => writeRows({ tools, access, folder, chosen, signal }));
  } finally {
    await server.destroy();
  }
}

/**
 * Puts rows of a server that has them all into files.
 *
 * @throws UsageError when a name or the condition is none
 */
export async function readRowsOfServer(
  request: RowsRequest & Pick<ExtractRequest, "signal">,
  access: PostgresAccess,
  tools: PostgresTools,
  folder: string,
): Promise<readonly RowsFile[]> {
  const chosen = await choose(request, access, { rowsAreThere: true });
  return writeRows({ tools, access, folder, chosen, signal: request.signal });
}

async function choose(
  { tables, ofSchema, where }: RowsRequest,
  access: PostgresAccess,
  { rowsAreThere }: { readonly rowsAreThere: boolean },
): Promise<ChosenRows> {
  const client = await connect(access, { applicationName: "dr extract" });
  try {
    return await chooseRows(client, { tables, ofSchema, where, rowsAreThere });
  } finally {
    await client.end();
  }
}

/** What was restored of the tables against what the source held in the dump's snapshot. */
async function compareWithFacts(access: PostgresAccess, chosen: ChosenRows, facts: PostgresFacts) {
  const client = await connect(access, { applicationName: "dr extract" });
  try {
    const differences: string[] = [];
    let rows = 0;
    for (const { schema, name } of chosen.holders) {
      const table = facts.tables.find((each) => each.schema === schema && each.name === name);
      // A partitioned table holds no rows of its own; an extension's table is not among the facts.
      if (!table) continue;
      const { counts, samples, result } = await compareTable(client, table);
      differences.push(...counts, ...samples);
      rows += result.rows;
    }
    return judged("counts", differences, `${rows} rows, as many as the source held, and its sample by key hash`);
  } finally {
    await client.end();
  }
}

/** A base backup is restored and proven as a whole: it has no smaller unit. The rows are read before its proof. */
async function readPhysicalCopy(request: ExtractRequest, run: ProofRun, folder: string): Promise<readonly RowsFile[]> {
  const tools = await serverToolsFor(request.manifest.source.serverMajor);
  let rows: readonly RowsFile[] = [];
  let problem: unknown;
  const proof: RestoreProof = await run.phase("restore", "restore", () =>
    restoreBaseIntoThrowAway({
      ...request,
      onRestored: async (url) => {
        try {
          rows = await readRowsOfServer(request, accessOfUrl(url), tools, folder);
        } catch (error) {
          problem = error;
        }
      },
    }),
  );
  run.checks.push(...proof.checks);
  // A name or a condition that is wrong is the person's to mend, and no fault of the copy.
  if (problem !== undefined) throw problem as Error;
  return rows;
}
