import {
  type DatabaseConfig,
  exitCodeOf,
  type JobConfig,
  type Manifest,
  parseLsn,
  parseRecoveryTarget,
  type RecoveryTarget,
} from "../../../recovery";
import { type Command, type CommandContext, type CommandInput, type CommandOutcome } from "../command";
import { oneDatabase } from "../config-file";
import { acceptsPlace } from "../engines/database-kinds";
import { NoRecoveryPointError, OperationError, UsageError } from "../errors";
import { numberOption } from "../number-option";
import { type RecordedRestore, restoreAndRecord, restoreStreamAndRecord } from "../procedures/recorded-restore";
import { describeProof } from "../report/proof-report";
import { type CatalogEntry, RecoveryPointState } from "../store/catalog";
import { findRecoveryPoint, recoveryPointsOf } from "../store/find-recovery-point";

/** `dr restore ID --into URL` */
export const restore: Command = {
  name: "restore",
  usage: "ID --into PLACE  |  --to WHEN --into PLACE",
  summary: "restore into a new database and prove it; never over an existing one",
  details:
    "The copy carries a working name until it is proven; then it gets the name in the URL. A copy that fails its proof is dropped, unless --keep is given.",
  options: {
    into: { type: "string" },
    to: { type: "string" },
    database: { type: "string" },
    "password-file": { type: "string" },
    scratch: { type: "string" },
    jobs: { type: "string" },
    keep: { type: "boolean" },
    "from-stream": { type: "boolean" },
  },
  optionHelp: {
    into: "URL  postgresql://user@host:port/new-database; a path for a data directory",
    to: "WHEN  latest, a time like 2026-11-23T14:05:00Z, lsn:X/Y or name:X. With an ID, how far to replay the log behind it",
    database: "NAME  with --to, where the configuration has several",
    "password-file": "FILE  the password to the target server; default: libpq's own rules",
    scratch: "DIR  with room for the decompressed archive; default: the temporary folder",
    jobs: "N  sessions that load a dump at the same time; default: one for each CPU here, up to 8",
    "from-stream": "restore Litestream's replica of a SQLite database, as of --to",
    keep: "keep a copy that failed its proof, under its working name, for forensics",
  },
  maxWords: 1,
  isProof: false,
  async run({ words, options }, context) {
    const into = options.into as string | undefined;
    const jobs = numberOption("--jobs", options.jobs, 1);
    if (into === undefined) throw new UsageError("Name the new place: --into postgresql://user@host:port/database");
    if (options["from-stream"] === true) {
      const { database, to } = streamToRestore(words[0], options, context.config());
      return outcomeOf(await restoreStreamAndRecord(context, database, { into, to, keep: options.keep === true }));
    }
    const to = recoveryTarget(words[0], options);
    const entry = await chooseRecoveryPoint(context, words[0], to, into, options.database as string | undefined);
    if (!entry.manifest || entry.state !== RecoveryPointState.Complete) {
      throw new OperationError(
        `${entry.id} cannot be restored: ${entry.problems.join("; ")}. \`dr list\` prints what can.`,
      );
    }
    const { manifest } = entry;
    if (words[0] !== undefined && to && !manifest.wal) {
      throw new UsageError(`${manifest.id} holds one moment and has no log behind it: give an ID or --to, not both.`);
    }
    const place = {
      into,
      to,
      passwordFile: options["password-file"] as string | undefined,
      scratch: options.scratch as string | undefined,
      keep: options.keep === true,
      jobs,
    };
    return outcomeOf(await restoreAndRecord(context, { ...entry, manifest }, place));
  },
};

function outcomeOf(restored: RecordedRestore): CommandOutcome {
  const { verdict, measurement, comparisons, seconds, kept, where, evidence } = restored;
  const json = {
    verdict,
    id: measurement.recoveryPoint ?? null,
    database: kept,
    seconds,
    achievedRpoSeconds: measurement.achievedRpoSeconds,
    level: measurement.level ?? null,
    checks: measurement.checks,
    phases: measurement.phases,
    comparisons,
    evidence,
  };
  return {
    exitCode: exitCodeOf(verdict),
    json,
    text: `${describeProof(measurement)}\n${where}\nevidence: ${evidence ?? "none"}`,
  };
}

/** The database and the moment of a restore that begins with no recovery point. */
function streamToRestore(
  id: string | undefined,
  options: CommandInput["options"],
  config: JobConfig,
): { readonly database: DatabaseConfig; readonly to: RecoveryTarget } {
  const to = recoveryTarget(id, options);
  if (id !== undefined || !to) throw new UsageError("A stream has no recovery points: give --to WHEN and no ID.");
  return { database: oneDatabase(config, options.database as string | undefined), to };
}

function recoveryTarget(id: string | undefined, { to }: { readonly to?: unknown }): RecoveryTarget | undefined {
  if (to === undefined) {
    if (id === undefined) throw new UsageError("Name the recovery point (`dr list` prints them), or a time with --to.");
    return undefined;
  }
  const target = parseRecoveryTarget(to as string);
  if (target.kind === "problem") throw new UsageError(`--to: ${target.problem}`);
  return target;
}

/**
 * The named recovery point, else the newest that can be carried to the target. What can be restored into a place depends
 * on the place: a base backup becomes a data directory, a dump becomes a database of a server.
 */
async function chooseRecoveryPoint(
  context: CommandContext,
  id: string | undefined,
  target: RecoveryTarget | undefined,
  into: string,
  databaseName: string | undefined,
): Promise<CatalogEntry> {
  const config = context.config();
  if (id !== undefined) return findRecoveryPoint(context.store(), config, id);
  const database = oneDatabase(config, databaseName);
  const points = (await recoveryPointsOf(context.store(), database.name)).filter(
    ({ state, manifest }) =>
      state === RecoveryPointState.Complete && manifest !== undefined && acceptsPlace(manifest, into),
  );
  if (points.every(({ manifest }) => !manifest?.wal) && (target?.kind === "lsn" || target?.kind === "name")) {
    throw new UsageError(
      `--to ${target.kind}: a dump holds one moment; a log position needs a base backup, which is restored into a data directory.`,
    );
  }
  const found = points.find(({ at, manifest }) => isBefore(target!, at, manifest));
  if (found) return found;
  const oldest = points.at(-1)?.at;
  throw new NoRecoveryPointError(
    oldest === undefined
      ? `${context.store().url} holds no complete recovery point of ${database.name} for ${into}.`
      : `Nothing is as old as that: the oldest recovery point of ${database.name} for ${into} holds ${oldest}.`,
  );
}

function isBefore(target: RecoveryTarget, at: string, manifest: Manifest | undefined): boolean {
  if (target.kind === "time") return new Date(at) <= target.at;
  if (target.kind === "lsn") return manifest?.wal !== undefined && parseLsn(manifest.wal.end)! <= parseLsn(target.lsn)!;
  // Nobody knows when a name was given but the log itself: the newest is the cheapest to try.
  return true;
}
