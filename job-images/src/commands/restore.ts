import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  combineVerdicts,
  EvidenceKind,
  exitCodeOf,
  jobConfigDefaults,
  type Manifest,
  parseRecoveryTarget,
  TargetClass,
  Verdict,
} from "../../../recovery";
import { type Command, type CommandContext } from "../command";
import { databasesNamed, oneDatabase } from "../config-file";
import { accessOfUrl, describeAccess, type PostgresAccess } from "../engines/postgres/libpq";
import { dropUnproven, maintenanceAccess, refuseExisting, renameDatabase } from "../engines/postgres/restore";
import { one } from "../engines/postgres/facts";
import { connect } from "../engines/postgres/session";
import { type PostgresTools, toolsForServer } from "../engines/postgres/tools";
import { messageOf, NoRecoveryPointError, OperationError, UsageError } from "../errors";
import { achievedRpoSeconds } from "../proof/canary";
import { restoreAndProve } from "../proof/restore-proof";
import { openEvidenceKey } from "../report/open-evidence-key";
import { type Measurement, recordEvidence } from "../report/evidence-record";
import { describeProof } from "../report/proof-report";
import { type CatalogEntry, RecoveryPointState } from "../store/catalog";
import { findRecoveryPoint, recoveryPointsOf } from "../store/find-recovery-point";
import { readPasswordFile } from "../password-file";

/** `dr restore ID --into URL` */
export const restore: Command = {
  name: "restore",
  usage: "ID --into URL  |  --to WHEN --into URL",
  summary: "restore into a new database and prove it; never over an existing one",
  details:
    "The copy carries a working name until it is proven; then it gets the name in the URL. A copy that fails its proof is dropped, unless --keep is given.",
  options: {
    into: { type: "string" },
    to: { type: "string" },
    database: { type: "string" },
    "password-file": { type: "string" },
    scratch: { type: "string" },
    keep: { type: "boolean" },
  },
  optionHelp: {
    into: "URL  postgresql://user@host:port/new-database",
    to: "WHEN  latest, or a time like 2026-11-23T14:05:00Z: the newest recovery point that is not after it",
    database: "NAME  with --to, where the configuration has several",
    "password-file": "FILE  the password to the target server; default: libpq's own rules",
    scratch: "DIR  with room for the decompressed archive; default: the temporary folder",
    keep: "keep a copy that failed its proof, under its working name, for forensics",
  },
  maxWords: 1,
  isProof: false,
  async run({ words, options }, context) {
    const into = options.into as string | undefined;
    if (into === undefined) throw new UsageError("Name the new database: --into postgresql://user@host:port/database");
    const target = accessOfUrl(into, readPasswordFile(options["password-file"] as string | undefined));
    const entry = await chooseRecoveryPoint(context, words[0], options);
    if (!entry.manifest || entry.state !== RecoveryPointState.Complete) {
      throw new OperationError(
        `${entry.id} cannot be restored: ${entry.problems.join("; ")}. \`dr list\` prints what can.`,
      );
    }
    const { manifest } = entry;
    const startedAt = new Date();
    const tools = await toolsForTarget(target, manifest);
    const working = { ...target, databaseName: workingName(target.databaseName) };
    const scratch = await mkdtemp(join((options.scratch as string | undefined) ?? tmpdir(), "dr-restore-"));
    const config = context.config();
    const database = databasesNamed(config, manifest.database)[0]!;
    try {
      const proof = await restoreAndProve({
        ...context,
        store: context.store(),
        manifest,
        database,
        target: working,
        tools,
        scratch,
      });
      const verdict = combineVerdicts(proof.checks.map((check) => check.verdict));
      if (verdict === Verdict.Pass) await renameDatabase(working, target.databaseName);
      else if (proof.targetMade && options.keep !== true) await dropUnproven(working);
      const measurement: Measurement = {
        kind: EvidenceKind.Restore,
        database: manifest.database,
        engine: manifest.engine,
        mechanism: manifest.method,
        recoveryPoint: manifest.id,
        manifest: entry.manifestObject,
        environment: config.environment ?? jobConfigDefaults.environment,
        targetClass: TargetClass.DurableServer,
        startedAt: startedAt.toISOString(),
        finishedAt: new Date().toISOString(),
        verdict,
        level: proof.level,
        sizeBytes: manifest.source.bytes,
        phases: proof.phases,
        measuredRtoSeconds: verdict === Verdict.Pass ? proof.seconds : undefined,
        achievedRpoSeconds: achievedRpoSeconds(startedAt, proof.newestHeartbeat),
        checks: proof.checks,
      };
      const key = await recordIfAllowed(context, measurement);
      const kept = verdict === Verdict.Pass ? target.databaseName : options.keep === true ? working.databaseName : null;
      const json = {
        verdict,
        id: manifest.id,
        database: kept,
        seconds: proof.seconds,
        achievedRpoSeconds: measurement.achievedRpoSeconds,
        level: proof.level ?? null,
        checks: proof.checks,
        phases: proof.phases,
        comparisons: proof.comparisons,
        evidence: key,
      };
      const where =
        kept === null
          ? "nothing is left of the copy"
          : `the copy is ${describeAccess({ ...target, databaseName: kept })}`;
      return {
        exitCode: exitCodeOf(verdict),
        json,
        text: `${describeProof(measurement)}\n${where}\nevidence: ${key ?? "none"}`,
      };
    } catch (error) {
      await dropUnproven(working).catch(() => undefined);
      throw error;
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  },
};

async function chooseRecoveryPoint(
  context: CommandContext,
  id: string | undefined,
  options: { readonly to?: unknown; readonly database?: unknown },
): Promise<CatalogEntry> {
  const config = context.config();
  if (options.to === undefined) {
    if (id === undefined) throw new UsageError("Name the recovery point (`dr list` prints them), or a time with --to.");
    return findRecoveryPoint(context.store(), config, id);
  }
  if (id !== undefined) throw new UsageError("Give an ID or --to, not both.");
  const target = parseRecoveryTarget(options.to as string);
  if (target.kind === "problem") throw new UsageError(`--to: ${target.problem}`);
  if (target.kind === "lsn" || target.kind === "name") {
    throw new UsageError(
      `--to ${target.kind}: a dump holds one moment; a log position needs base backups and the log.`,
    );
  }
  const database = oneDatabase(config, options.database as string | undefined);
  const points = (await recoveryPointsOf(context.store(), database.name)).filter(
    ({ state }) => state === RecoveryPointState.Complete,
  );
  const found = points.find(({ at }) => target.kind === "latest" || new Date(at) <= target.at);
  if (found) return found;
  const oldest = points.at(-1)?.at;
  throw new NoRecoveryPointError(
    oldest === undefined
      ? `${context.store().url} holds no complete recovery point of ${database.name}.`
      : `Nothing is as old as ${options.to as string}: the oldest recovery point of ${database.name} holds ${oldest}.`,
  );
}

async function toolsForTarget(target: PostgresAccess, manifest: Manifest): Promise<PostgresTools> {
  const client = await connect(maintenanceAccess(target), { applicationName: "dr restore" });
  try {
    const { major } = await one<{ major: number }>(
      client,
      "SELECT current_setting('server_version_num')::int / 10000 AS major",
    );
    if (major < manifest.source.serverMajor) {
      throw new OperationError(
        `${describeAccess(target)} is PostgreSQL ${major} and the backup is of ${manifest.source.serverMajor}: restore into ${manifest.source.serverMajor} or newer.`,
      );
    }
    await refuseExisting(client, target);
    return await toolsForServer(major);
  } finally {
    await client.end();
  }
}

/** PostgreSQL cuts names at 63 bytes; a name of its own cannot be mistaken for the real one. */
function workingName(databaseName: string): string {
  return `${Buffer.from(databaseName)
    .subarray(0, 36)
    .toString("utf8")
    .replace(/\uFFFD/g, "")} restoring ${randomBytes(4).toString("hex")}`;
}

/** A restore has succeeded or not whatever becomes of its record: the restore reader may not write any. */
async function recordIfAllowed(context: CommandContext, measurement: Measurement): Promise<string | null> {
  try {
    const key = openEvidenceKey(context.config().signature, { toSign: true });
    return (await recordEvidence(context.store(), measurement, key)).key;
  } catch (error) {
    context.progress.note(`no evidence was recorded: ${messageOf(error)}`);
    return null;
  }
}
