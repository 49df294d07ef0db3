import {
  combineVerdicts,
  type DatabaseConfig,
  defaultSideSchema,
  exitCodeOf,
  type Manifest,
  type RecoveryTarget,
} from "../../../recovery";
import { type Command, type CommandContext } from "../command";
import { databasesNamed, oneDatabase } from "../config-file";
import { databaseKindOf } from "../engines/database-kinds";
import { type Extraction, type RowsRequest } from "../engines/engine";
import { NoRecoveryPointError, OperationError, UsageError } from "../errors";
import { planFor } from "../procedures/recovery-planning";
import { streamEngineFor } from "../proof/stream-measurement";
import { secondsText, table, verdictText } from "../report/terminal";
import { RecoveryPointState } from "../store/catalog";
import { findRecoveryPoint } from "../store/find-recovery-point";
import { targetOf } from "./plan";

/** `dr extract [ID] --table app.tasks --into URL` */
export const extract: Command = {
  name: "extract",
  usage:
    "[ID] --table NAME [--table NAME] [--where CONDITION] --into PLACE [--to WHEN [--from-stream]] [--schema NAME]",
  summary: "bring back a table, a schema or one tenant's rows beside the live ones, compared; never over them",
  details:
    "Rows of a recovery point (the newest, unless an ID or --to says another) go into plain tables of a new schema of the live database: no trigger, key, default or sequence of theirs can act. For SQLite they go into new tables of the file, or into a new file. It ends with the SQL that would put the rows back, for a person to read and run. --to also reads Litestream's replica of a SQLite file, and RDS's log or snapshots: RDS makes a throw-away instance for it, which takes as long as a restore test, needs the rights of one, and is deleted again; an ID of a dump needs none.",
  options: {
    table: { type: "string", multiple: true },
    "from-schema": { type: "string" },
    where: { type: "string" },
    into: { type: "string" },
    schema: { type: "string" },
    to: { type: "string" },
    "from-stream": { type: "boolean" },
    database: { type: "string" },
    "password-file": { type: "string" },
    scratch: { type: "string" },
  },
  optionHelp: {
    table: 'NAME  table, schema.table or "Odd.Schema"."Odd Table"; may be given several times',
    "from-schema": "NAME  every table of this schema instead",
    where: 'CONDITION  only these rows of each table, as in "tenant_id = 7"; other tables are named with their schema',
    into: "PLACE  postgresql://user@host/live-database, or a SQLite file, live or new",
    schema:
      "NAME  the schema to make there (SQLite: what the new tables' names begin with); default: recovered_ and the time",
    to: "WHEN  latest, a time like 2026-11-23T14:05:00Z, lsn:X/Y or name:X: from the best source of `dr plan`",
    "from-stream":
      "with --to: from Litestream's replica of a SQLite file, or RDS's log, whatever `dr plan` would choose",
    database: "NAME  with --to or without an ID, where the configuration has several",
    "password-file": "FILE  the password to the live server; default: libpq's own rules",
    scratch: "DIR  with room for the decompressed archive and the rows; default: the temporary folder",
  },
  maxWords: 1,
  isProof: false,
  async run({ words, options }, context) {
    const tables = (options.table as string[] | undefined) ?? [];
    const ofSchema = options["from-schema"] as string | undefined;
    const into = options.into as string | undefined;
    const problems = [
      ...(into === undefined ? ["name the live database: --into PLACE"] : []),
      ...((tables.length === 0) === (ofSchema === undefined) ? ["name tables with --table, or one --from-schema"] : []),
    ];
    if (problems.length > 0) throw new UsageError("Nothing was done:", problems);
    const when = options.to as string | undefined;
    const source =
      options["from-stream"] === true
        ? streamSource(context, words[0], when, options.database as string | undefined)
        : await chooseSource(context, words[0], when, options.database as string | undefined);
    context.progress.note(`reading ${source.what}`);
    const extraction = await source.extract({
      tables,
      ofSchema,
      where: options.where as string | undefined,
      into: into!,
      passwordFile: options["password-file"] as string | undefined,
      scratch: options.scratch as string | undefined,
      side: (options.schema as string | undefined) ?? defaultSideSchema(new Date()),
    });
    const verdict = combineVerdicts(extraction.proof.checks.map((check) => check.verdict));
    const { proof, ...rest } = extraction;
    const { checks, phases, seconds } = proof;
    return {
      exitCode: exitCodeOf(verdict),
      json: {
        ...{ verdict, id: source.id, database: source.database, lossSeconds: source.lossSeconds },
        ...{ seconds, checks, phases, ...rest },
      },
      text: describe(source.what, extraction),
    };
  },
};

/** Where the rows come from. */
interface Source {
  readonly id: string;
  readonly database: string;
  /** For people: what of it is read. */
  readonly what: string;
  /** How much older than what was asked for; `null` where nothing was, or nobody knows. */
  readonly lossSeconds: number | null;
  readonly extract: (rows: RowsRequest) => Promise<Extraction>;
}

async function chooseSource(
  context: CommandContext,
  id: string | undefined,
  when: string | undefined,
  databaseName: string | undefined,
): Promise<Source> {
  const config = context.config();
  if (id !== undefined && databaseName !== undefined) throw new UsageError("Give an ID or a --database, not both.");
  if (id !== undefined) {
    const { manifest, state, problems, database } = await findRecoveryPoint(context.store(), config, id);
    if (!manifest || state !== RecoveryPointState.Complete) {
      throw new OperationError(`${id} cannot be restored: ${problems.join("; ")}. \`dr list\` prints what can.`);
    }
    const to = when === undefined ? undefined : targetOf(when);
    if (to && !manifest.wal) {
      throw new UsageError(`${manifest.id} holds one moment and has no log behind it: give an ID or --to, not both.`);
    }
    return recoveryPoint(context, databasesNamed(config, database)[0]!, manifest, to);
  }
  const database = oneDatabase(config, databaseName);
  const { plan, entries, snapshots } = await planFor(context, database, targetOf(when ?? "latest"));
  for (const source of plan.sources.filter(({ usable }) => usable)) {
    const entry = entries.get(source.id);
    const loss = when === undefined ? null : source.lossSeconds;
    if (entry)
      return recoveryPoint(context, database, entry.manifest, entry.manifest.wal ? source.to : undefined, loss);
    // What restores itself is as new as the mistake that the rows are wanted back from: only a named moment is asked of it.
    if (when !== undefined) return stream(context, database, source.id, source.to, loss, snapshots.get(source.id)?.id);
  }
  throw new NoRecoveryPointError(
    `Nothing can bring rows of ${database.name} back: \`dr plan\` says why for each source.`,
  );
}

/** A stream whatever else there is. */
function streamSource(
  context: CommandContext,
  id: string | undefined,
  when: string | undefined,
  databaseName: string | undefined,
): Source {
  if (id !== undefined || when === undefined) {
    throw new UsageError("A stream has no recovery points: give --to WHEN and no ID.");
  }
  const database = oneDatabase(context.config(), databaseName);
  const to = targetOf(when);
  if (to.kind !== "latest" && to.kind !== "time") {
    throw new UsageError("--to: a stream knows no log positions and no names: give latest or a time.");
  }
  return stream(context, database, streamEngineFor(database).sourceId, to);
}

function recoveryPoint(
  context: CommandContext,
  database: DatabaseConfig,
  manifest: Manifest,
  to: RecoveryTarget | undefined,
  lossSeconds: number | null = null,
): Source {
  return {
    id: manifest.id,
    database: database.name,
    what: `${manifest.id}${to?.kind === "time" ? ` and its log to ${to.at.toISOString()}` : ""}${lossText(lossSeconds)}`,
    lossSeconds,
    extract: (rows) =>
      databaseKindOf(database).extract({ ...context, ...rows, store: context.store(), manifest, database, to }),
  };
}

function stream(
  context: CommandContext,
  database: DatabaseConfig,
  id: string,
  to: RecoveryTarget | undefined,
  lossSeconds: number | null = null,
  snapshot?: string,
): Source {
  const at = to?.kind === "time" ? to.at : undefined;
  const moment = snapshot === undefined ? `, as of ${at?.toISOString() ?? "its newest moment"}` : "";
  return {
    id,
    database: database.name,
    what: `${id} of ${database.name}${moment}${lossText(lossSeconds)}`,
    lossSeconds,
    extract: (rows) =>
      streamEngineFor(database).extract({
        ...context,
        ...rows,
        config: context.config(),
        database,
        at,
        ...(snapshot === undefined ? {} : { snapshot }),
      }),
  };
}

/** Rows that are older than what was asked for look no different. */
function lossText(seconds: number | null): string {
  return seconds === null || seconds < 1
    ? ""
    : `, which is ${secondsText(seconds)} before the moment that was asked for`;
}

function describe(source: string, { proof, tables, notes, putBack }: Extraction): string {
  const checks = proof.checks.map(({ name, verdict, detail }) => [name, verdictText(verdict), detail]);
  return [
    table(["CHECK", "VERDICT", "FOUND"], checks),
    "",
    ...(tables.length === 0
      ? [`Nothing was made of ${source}.`]
      : [
          table(
            ["TABLE", "IS IN", "ROWS"],
            tables.map(({ table: name, into, rows }) => [name, into, String(rows)]),
          ),
          `in ${secondsText(proof.seconds)}, from ${source}`,
          ...notes.map((note) => `note: ${note}`),
          "",
          "To put the rows back, read this, run it, and commit what is right:",
          "",
          putBack,
        ]),
  ].join("\n");
}
