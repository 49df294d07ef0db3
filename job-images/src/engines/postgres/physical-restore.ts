import { randomBytes } from "node:crypto";
import { chown, mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import {
  combineVerdicts,
  type EvidenceCheck,
  incrementalSince,
  logCoverage,
  type LogCoverage,
  lsnText,
  type Manifest,
  type ManifestWal,
  parseLsn,
  replayStart,
  segmentStart,
  type RecoveryTarget,
  Verdict,
} from "../../../../recovery";
import { OperationError, UsageError } from "../../errors";
import { type RunAs, runTool, Tool } from "../../process/child";
import { failed, passed } from "../../proof/check";
import { ProofRun, type RestoreProof } from "../../proof/proof-run";
import { readAncestors } from "../../store/backup-chain";
import { partOf, readJsonPart } from "../../store/parts";
import { fetchLog, logOwnerOf, readStoredLog } from "../../store/stored-log";
import { fetchInto } from "../compressed-part";
import { type RestoredCopy, type RestoreIntoRequest, type RestoreRequest, type RestoreTestRequest } from "../engine";
import { baseArchivePart, type ServerFacts, serverFactsPart } from "./base-parts";
import { one } from "./facts";
import { provePhysicalCopy } from "./physical-proof";
import { LocalServer, throwAwaySettings } from "./server";
import { connect } from "./session";
import { type PostgresTools, serverToolsFor } from "./tools";

/** Restores a base backup and the log behind it into a server that is gone afterwards. */
export async function restoreBaseIntoThrowAway(request: RestoreTestRequest): Promise<RestoreProof> {
  const tools = await serverToolsFor(request.manifest.source.serverMajor);
  const run = new ProofRun(request.signal, "archive");
  return run.toItsEnd(() => recoverAndProve(request, run, { tools, settings: throwAwaySettings }));
}

/** Restores into a data directory that does not exist yet; it carries a working name until it is proven. */
export async function restoreBaseInto(request: RestoreIntoRequest): Promise<RestoredCopy> {
  const { into } = request;
  if (!isAbsolute(into)) {
    throw new UsageError(
      `A base backup becomes a data directory: --into /absolute/path/of/a/new/directory, got ${JSON.stringify(into)}.`,
    );
  }
  if (await stat(into).catch(() => undefined)) {
    throw new UsageError(`${into} exists: name a directory that does not, nothing is ever overwritten.`);
  }
  await stat(dirname(into)).catch(() => {
    throw new UsageError(`${dirname(into)} does not exist: make it, owned by the user that runs PostgreSQL.`);
  });
  const tools = await serverToolsFor(request.manifest.source.serverMajor);
  const working = `${into}.restoring-${randomBytes(4).toString("hex")}`;
  const run = new ProofRun(request.signal, "archive");
  let proof: RestoreProof;
  try {
    proof = await run.toItsEnd(() =>
      recoverAndProve(request, run, { tools, settings: durableSettings, dataDirectory: working }),
    );
  } catch (error) {
    await rm(working, { recursive: true, force: true });
    throw error;
  }
  const proven = combineVerdicts(proof.checks.map((check) => check.verdict)) === Verdict.Pass;
  if (proven) {
    await rename(working, into);
    await syncDirectory(dirname(into));
    return { proof, kept: into, where: `the copy is the data directory ${into}, stopped in order and ready to start` };
  }
  if (request.keep && run.targetMade) {
    return { proof, kept: working, where: `what could not be proven is the data directory ${working}` };
  }
  await rm(working, { recursive: true, force: true });
  return { proof, kept: null, where: "nothing is left of the copy" };
}

/** Nothing that the copy carries may act on production before it is proven: no network, no archive, no workers. */
const inertSettings: Readonly<Record<string, string>> = {
  archive_mode: "off",
  hot_standby: "off",
  max_logical_replication_workers: "0",
  shared_preload_libraries: "",
  session_preload_libraries: "",
  local_preload_libraries: "",
  synchronous_standby_names: "",
  primary_conninfo: "",
  primary_slot_name: "",
  recovery_end_command: "",
  archive_cleanup_command: "",
  autovacuum: "off",
  ssl: "off",
  logging_collector: "off",
  log_destination: "stderr",
};

const durableSettings: Readonly<Record<string, string>> = { ...inertSettings, fsync: "on", full_page_writes: "on" };

/** What a replay needs to be as it was on the source, or more. */
const carriedSettings = [
  "max_connections",
  "max_prepared_transactions",
  "max_locks_per_transaction",
  "max_worker_processes",
];

/** Where a recovery happens. */
interface RecoveryPlace {
  readonly tools: PostgresTools;
  readonly settings: Readonly<Record<string, string>>;
  /** @default inside the throw-away server's own folder */
  readonly dataDirectory?: string;
}

async function recoverAndProve(
  request: RestoreRequest & Pick<RestoreTestRequest, "onRestored">,
  run: ProofRun,
  place: RecoveryPlace,
): Promise<void> {
  const { manifest, store, progress, signal } = request;
  const wal = manifest.wal!;
  const facts = await run.required("parts", () =>
    readJsonPart<ServerFacts>(store, partOf(manifest, serverFactsPart), signal),
  );
  const log = await readStoredLog(store, logOwnerOf(manifest));
  const coverage = logCoverage(log, replayStart(wal));
  run.checks.push(checkReach(request.to, manifest, coverage));
  run.stopAfterFailure();

  const ancestors = await run.required("chain", () => readAncestors(store, manifest));
  const carried = carriedSettings.flatMap((name) => (name in facts.settings ? [[name, facts.settings[name]!]] : []));
  const server = await LocalServer.forDataOfAnother(
    {
      tools: place.tools,
      settings: {
        ...inertSettings,
        // Unknown to older ones; with the data it comes in postgresql.auto.conf, and refuses wal_level minimal.
        ...(place.tools.major >= incrementalSince ? { summarize_wal: "off" } : {}),
        ...place.settings,
        ...(Object.fromEntries(carried) as Record<string, string>),
      },
      isolated: true,
      dataDirectory: place.dataDirectory,
      readySeconds: Infinity,
      signal,
    },
    facts.superuser,
  );
  try {
    const logFolder = join(server.directory, "log-files");
    await makeFolders([server.dataDirectory, logFolder], server.runAs);
    if (ancestors.length === 0) await fetchWhole(request, run, server);
    else await fetchChain(request, run, server, { ancestors, ...place });
    if (request.to !== undefined) {
      await run.phase("fetch log", "log", () => {
        progress.step(`fetching ${coverage.files.length} segments of the log`);
        return fetchLog(store, log, coverage, logFolder, signal);
      });
    }
    await run.phase("replay", "recovery", async () => {
      progress.step("replaying the log");
      const toItsEnd = await replay(server, logFolder, request.to, wal, coverage);
      if (toItsEnd) await requireWholeReplay(server, manifest, coverage);
      run.checks.push(passed("recovery", "the replay reached its target"));
    });
    progress.step("proving");
    await request.onRestored?.(server.url(manifest.source.databaseName));
    await run.phase("prove", "proof", () => provePhysicalCopy({ ...request, coverage, facts, server }, run));
    run.recoveredTo = recoveredMoment(request.to, coverage);
    await server.stop("fast");
    if (place.dataDirectory !== undefined) await leaveConfigured(place.dataDirectory, server.runAs, facts);
  } finally {
    await server.destroy();
  }
}

/** A base backup that stands alone is the data directory. */
async function fetchWhole(request: RestoreRequest, run: ProofRun, server: LocalServer): Promise<void> {
  const { manifest, progress, signal } = request;
  await run.phase("fetch", "parts", async () => {
    progress.step("fetching the base backup");
    await unpack(request, manifest, server, server.dataDirectory);
    run.targetMade = true;
    run.checks.push(passed("parts", `${manifest.parts.length} parts with the size and SHA-256 of the manifest`));
  });
  await run.phase("verify", "archive", async () => {
    progress.step("verifying the base backup");
    await verifyBackup(server, server.dataDirectory, signal);
    run.checks.push(passed("archive", "pg_verifybackup: every file is as it was copied"));
  });
}

/** An increment is put together with what it builds on; each is verified for itself before. */
async function fetchChain(
  request: RestoreRequest,
  run: ProofRun,
  server: LocalServer,
  { ancestors, dataDirectory }: Pick<RecoveryPlace, "dataDirectory"> & { readonly ancestors: readonly Manifest[] },
): Promise<void> {
  const { manifest, progress, signal } = request;
  const chain = [...ancestors, manifest];
  // Beside the data directory, so that files can be links to theirs.
  const parent = `${server.dataDirectory}.chain`;
  const folders = chain.map((_, index) => join(parent, String(index)));
  try {
    await run.phase("fetch", "parts", async () => {
      await makeFolders([parent, ...folders], server.runAs);
      for (const [index, each] of chain.entries()) {
        progress.step(`fetching base backup ${index + 1} of ${chain.length}`);
        await unpack(request, each, server, folders[index]!);
      }
      // Of what is built upon only the archive is used.
      const parts = manifest.parts.length + ancestors.length;
      run.checks.push(passed("parts", `${parts} parts with the size and SHA-256 of ${chain.length} manifests`));
    });
    await run.phase("verify", "archive", async () => {
      for (const [index, folder] of folders.entries()) {
        progress.step(`verifying base backup ${index + 1} of ${chain.length}`);
        await verifyBackup(server, folder, signal);
      }
      run.checks.push(passed("archive", `pg_verifybackup: every file of ${chain.length} is as it was copied`));
    });
    await run.phase("combine", "chain", async () => {
      progress.step(`putting ${chain.length} base backups together`);
      const program = server.tools.program("pg_combinebackup");
      const options = [
        `--output=${server.dataDirectory}`,
        // Since 18; the folders go, and the links stay.
        ...(server.tools.major >= 18 ? ["--link"] : []),
        ...(dataDirectory === undefined ? ["--no-sync"] : []),
      ];
      await runTool(program, [...options, ...folders], {
        runAs: server.runAs,
        signal,
        env: { PATH: dirname(program), LC_ALL: "C.UTF-8" },
      });
      run.targetMade = true;
      run.checks.push(passed("chain", `pg_combinebackup made one of ${chain.length}, the first of them full`));
    });
  } finally {
    await rm(parent, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function unpack(
  { store, progress, signal }: RestoreRequest,
  manifest: Manifest,
  server: LocalServer,
  folder: string,
): Promise<void> {
  await fetchInto(
    store,
    partOf(manifest, baseArchivePart),
    (stdin) => new Tool("tar", ["-x", "-C", folder], { stdin, runAs: server.runAs, signal }),
    { signal, onBytes: (bytes) => progress.bytes(bytes) },
  );
}

/** @returns whether it went to the end of the log, of which then nothing may be missing */
async function replay(
  server: LocalServer,
  logFolder: string,
  target: RecoveryTarget | undefined,
  wal: ManifestWal,
  coverage: LogCoverage,
): Promise<boolean> {
  const signalFile = join(server.dataDirectory, "recovery.signal");
  await writeFile(signalFile, "");
  if (server.runAs) await chown(signalFile, server.runAs.uid, server.runAs.gid);
  const settings = {
    // The folder's name is our own: it has no character that a shell would read.
    restore_command: `cp ${logFolder}/%f %p`,
    recovery_target_action: "promote",
    recovery_target_timeline: String(target === undefined ? wal.timeline : coverage.timeline),
  };
  try {
    await server.start({ ...settings, ...targetSettings(target) });
    return target?.kind === "latest";
  } catch (error) {
    const ended = (error as Error).message.includes("recovery ended before configured recovery target was reached");
    if (!ended || target?.kind !== "time" || !(target.orBefore || covers(coverage, target.at))) throw error;
    // Nothing in the log was committed after the moment that was asked for: its end is the target.
    await server.start(settings);
    return true;
  }
}

/** The moment that the copy is of; `undefined` for the recovery point's own, and where nobody knows. */
function recoveredMoment(target: RecoveryTarget | undefined, { coversUntil }: LogCoverage): Date | undefined {
  if (target?.kind !== "time") return target && coversUntil;
  return target.orBefore && coversUntil && coversUntil < target.at ? coversUntil : target.at;
}

/** PostgreSQL takes the first record that it cannot read for the end of the log, and serves what it has until there. */
async function requireWholeReplay(server: LocalServer, manifest: Manifest, coverage: LogCoverage): Promise<void> {
  const client = await connect(server.access(), { applicationName: "dr recovery" });
  try {
    const { lsn } = await one<{ lsn: string | null }>(client, "SELECT pg_last_wal_replay_lsn()::text AS lsn");
    const replayed = lsn === null ? undefined : parseLsn(lsn);
    const { segmentBytes } = manifest.wal!;
    const last = coverage.end > 0n ? segmentStart(coverage.end - 1n, segmentBytes) : 0n;
    const brought = coverage.files.length > 0 || coverage.partial !== undefined;
    if (!brought || (replayed !== undefined && replayed >= last)) return;
    throw new OperationError(
      `The replay ended at ${lsn ?? "its beginning"}, and the log reaches ${lsnText(coverage.end)}: a segment in between is damaged or of another timeline.`,
    );
  } finally {
    await client.end();
  }
}

function targetSettings(target: RecoveryTarget | undefined): Record<string, string> {
  if (target === undefined) return { recovery_target: "immediate" };
  switch (target.kind) {
    case "time":
      return { recovery_target_time: target.at.toISOString().replace("T", " ").replace("Z", "+00") };
    case "lsn":
      return { recovery_target_lsn: target.lsn };
    case "name":
      return { recovery_target_name: target.name };
    case "latest":
      return {};
  }
}

/** Whether the stored log is known to hold every commit up to a moment. */
function covers({ coversUntil }: LogCoverage, at: Date): boolean {
  return coversUntil !== undefined && at <= coversUntil;
}

/** Whether the target lies between the base backup and the log's end, before anything large is fetched. */
function checkReach(target: RecoveryTarget | undefined, manifest: Manifest, coverage: LogCoverage): EvidenceCheck {
  const end = `the log of ${manifest.id} reaches ${lsnText(coverage.end)}${coverage.coversUntil ? `, ${coverage.coversUntil.toISOString()}` : ""}`;
  const hole = coverage.gap ? `; ${coverage.gap.segment}: ${coverage.gap.why}` : "";
  const ok = passed("log", target === undefined ? "the base backup brings its own" : `${end}${hole}`);
  if (target?.kind === "time") {
    if (target.at < new Date(manifest.consistentAt)) {
      return failed(
        "log",
        `${target.at.toISOString()} is before ${manifest.id}, which is of ${manifest.consistentAt}: choose an older base backup`,
      );
    }
    if (coverage.coversUntil && target.at > coverage.coversUntil && !target.orBefore) {
      return failed(
        "log",
        `${target.at.toISOString()} is not reached: ${end}${hole}. --to latest recovers what there is`,
      );
    }
  }
  if (target?.kind === "lsn" && parseLsn(target.lsn)! > coverage.end)
    return failed("log", `${target.lsn} is not reached: ${end}${hole}`);
  // Asked for the newest state, a hole means that there is a newer one which this base backup cannot reach.
  if (target?.kind === "latest" && coverage.gap)
    return failed("log", `${end}${hole}: what came after it is lost to this base backup`);
  return ok;
}

async function makeFolders(folders: readonly string[], owner: RunAs | undefined): Promise<void> {
  for (const folder of folders) {
    await mkdir(folder, { mode: 0o700 });
    if (owner) await chown(folder, owner.uid, owner.gid);
  }
}

async function verifyBackup(server: LocalServer, folder: string, signal: AbortSignal): Promise<void> {
  const program = server.tools.program("pg_verifybackup");
  await runTool(program, ["--quiet", folder], {
    runAs: server.runAs,
    signal,
    env: { PATH: dirname(program), LC_ALL: "C.UTF-8" },
  });
}

/** A configuration that lay outside of the data directory did not come with it: what it said is written where it belongs. */
async function leaveConfigured(dataDirectory: string, owner: RunAs | undefined, facts: ServerFacts): Promise<void> {
  const path = join(dataDirectory, "postgresql.conf");
  if (await stat(path).catch(() => undefined)) return;
  const lines = Object.entries(facts.settings).map(([name, value]) => `${name} = '${value.replace(/'/g, "''")}'\n`);
  await writeFile(
    path,
    `# What the source was configured with when ${facts.serverVersion} was backed up.\n${lines.join("")}`,
    { mode: 0o600 },
  );
  if (owner) await chown(path, owner.uid, owner.gid);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path);
  await directory.sync().finally(() => directory.close());
}
