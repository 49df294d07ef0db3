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
import { type Extraction } from "../engines/engine";
import { NoRecoveryPointError, OperationError, UsageError } from "../errors";
import { planFor } from "../procedures/recovery-planning";
import { secondsText, table, verdictText } from "../report/terminal";
import { RecoveryPointState } from "../store/catalog";
import { findRecoveryPoint } from "../store/find-recovery-point";
import { targetOf } from "./plan";

/** `dr extract [ID] --table app.tasks --into URL` */
export const extract: Command = {
  name: "extract",
  usage: "[ID] --table NAME [--table NAME] [--where CONDITION] --into PLACE [--to WHEN] [--schema NAME]",
  summary: "bring back a table, a schema or one tenant's rows beside the live ones, compared; never over them",
  details:
    "Rows of a recovery point (the newest, unless an ID or --to says another) go into plain tables of a new schema of the live database: no trigger, key, default or sequence of theirs can act. For SQLite they go into new tables of the file, or into a new file. It ends with the SQL that would put the rows back, for a person to read and run.",
  options: {
    table: { type: "string", multiple: true },
    "from-schema": { type: "string" },
    where: { type: "string" },
    into: { type: "string" },
    schema: { type: "string" },
    to: { type: "string" },
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
    const source = await chooseSource(
      context,
      words[0],
      options.to as string | undefined,
      options.database as string | undefined,
    );
    const { manifest, database, to } = source;
    context.progress.note(
      `reading ${manifest.id}${to?.kind === "time" ? ` and its log to ${to.at.toISOString()}` : ""}`,
    );
    const extraction = await databaseKindOf(database).extract({
      ...context,
      store: context.store(),
      manifest,
      database,
      to,
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
      json: { verdict, id: manifest.id, database: database.name, seconds, checks, phases, ...rest },
      text: describe(manifest.id, extraction),
    };
  },
};

interface Source {
  readonly manifest: Manifest;
  readonly database: DatabaseConfig;
  readonly to?: RecoveryTarget;
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
    return { manifest, database: databasesNamed(config, database)[0]!, to };
  }
  const database = oneDatabase(config, databaseName);
  const { plan, entries } = await planFor(context, database, targetOf(when ?? "latest"));
  // A stream has no recovery point to read tables from; everything else has.
  for (const source of plan.sources.filter(({ usable }) => usable)) {
    const entry = entries.get(source.id);
    if (entry) return { manifest: entry.manifest, database, to: entry.manifest.wal ? source.to : undefined };
  }
  throw new NoRecoveryPointError(
    `Nothing can bring rows of ${database.name} back: \`dr plan\` says why for each source.`,
  );
}

function describe(id: string, { proof, tables, notes, putBack }: Extraction): string {
  const checks = proof.checks.map(({ name, verdict, detail }) => [name, verdictText(verdict), detail]);
  return [
    table(["CHECK", "VERDICT", "FOUND"], checks),
    "",
    ...(tables.length === 0
      ? [`Nothing was made of ${id}.`]
      : [
          table(
            ["TABLE", "IS IN", "ROWS"],
            tables.map(({ table: name, into, rows }) => [name, into, String(rows)]),
          ),
          `in ${secondsText(proof.seconds)}, from ${id}`,
          ...notes.map((note) => `note: ${note}`),
          "",
          "To put the rows back, read this, run it, and commit what is right:",
          "",
          putBack,
        ]),
  ].join("\n");
}
