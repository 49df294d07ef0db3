import { createInterface } from "node:readline/promises";
import {
  combineVerdicts,
  type DatabaseConfig,
  ExitCode,
  exitCodeOf,
  jobConfigDefaults,
  type PlannedSource,
  Verdict,
} from "../../../recovery";
import { type Command, type CommandContext } from "../command";
import { oneDatabase } from "../config-file";
import { acceptsPlace, databaseKindOf } from "../engines/database-kinds";
import { InterruptedError, messageOf, NoRecoveryPointError, OperationError, UsageError } from "../errors";
import { numberOption } from "../number-option";
import { planFor } from "../procedures/recovery-planning";
import { type RecordedRestore, restoreAndRecord, restoreStreamAndRecord } from "../procedures/recorded-restore";
import { describeSwitch, offerSwitch, type SecretSwitch } from "../procedures/secret-switch";
import { streamEngineFor } from "../proof/stream-measurement";
import { describeProof } from "../report/proof-report";
import { planText, targetOf } from "./plan";

interface Attempt {
  readonly id: string;
  readonly verdict: Verdict;
  readonly seconds: number | null;
  readonly why: string;
  /** The place in which something of it was left. */
  readonly left?: string | undefined;
}

/** Environments in which nobody has to be asked. */
const unattended: readonly string[] = [jobConfigDefaults.environment, "drill"];

/** `dr recover --to WHEN --into PLACE` */
export const recover: Command = {
  name: "recover",
  usage: "[DATABASE] --to WHEN --into PLACE [--into PLACE]",
  summary:
    "carry out the best of `dr plan`: restore beside what is there, prove, and fall back to the next when a proof fails",
  details:
    "Asks for what is not given, and always before it begins. Nothing that exists is overwritten: clients are pointed to the new place once it is proven.",
  options: {
    to: { type: "string" },
    into: { type: "string", multiple: true },
    "password-file": { type: "string" },
    scratch: { type: "string" },
    jobs: { type: "string" },
    "switch-secret": { type: "boolean" },
    yes: { type: "boolean" },
  },
  optionHelp: {
    to: "WHEN  latest, a time like 2026-11-23T14:05:00Z, lsn:X/Y or name:X",
    into: "PLACE  a new database's URL for dumps, a new data directory's path for the log, the file's path for SQLite, a new instance's identifier for what RDS keeps; one of each may be given",
    "password-file": "FILE  the password to the target server; default: libpq's own rules",
    scratch: "DIR  with room for the decompressed archive; default: the temporary folder",
    jobs: "N  sessions that load a dump at the same time; default: one for each CPU here, up to 8",
    "switch-secret":
      "once the copy is proven, and a person says so, put its endpoint into the secret that rds.secretArn names",
    yes: `ask nothing; only in the environments ${unattended.join(" and ")}`,
  },
  maxWords: 1,
  isProof: false,
  async run({ words, options }, context) {
    const config = context.config();
    const environment = config.environment ?? jobConfigDefaults.environment;
    const yes = options.yes === true;
    if (yes && !unattended.includes(environment)) {
      throw new UsageError(`--yes is for ${unattended.join(" and ")}: this is ${environment}, where a person decides.`);
    }
    const jobs = numberOption("--jobs", options.jobs, 1);
    const questions = yes ? undefined : new Questions();
    try {
      const database = oneDatabase(config, words[0]);
      if (options["switch-secret"] === true && database.rds?.secretArn === undefined) {
        throw new UsageError(`--switch-secret: the configuration names no secret of ${database.name} (rds.secretArn).`);
      }
      const target = targetOf((options.to as string | undefined) ?? (await questions?.moment()));
      const { plan, entries, snapshots } = await planFor(context, database, target);
      context.progress.note(planText(plan.sources, plan.chosen));
      if (!plan.chosen) {
        throw new NoRecoveryPointError(
          `Nothing can bring ${database.name} there: \`dr plan\` says why for each source.`,
        );
      }
      const places = (options.into as string[] | undefined) ?? (await questions?.places(plan.chosen)) ?? [];
      if (places.length === 0) throw new UsageError("Name the new place: --into PLACE");
      refusePlaces(places, database);
      const usable = plan.sources
        .filter(({ usable }) => usable)
        .flatMap((source) => {
          const entry = entries.get(source.id);
          const into = places.find((place) =>
            entry ? acceptsPlace(entry.manifest, place) : streamEngineFor(database).acceptsPlace(place),
          );
          return into === undefined ? [] : [{ source, entry, into }];
        });
      if (usable.length === 0) {
        throw new UsageError(
          `No usable source can be restored into ${places.join(" or ")}: \`dr plan\` lists them, a dump needs a URL and the log a path${database.rds ? "; what RDS keeps needs a new identifier" : ""}.`,
        );
      }
      await questions?.confirm(database.name, usable[0]!.source);
      const attempts: Attempt[] = [];
      for (const { source, entry, into } of usable) {
        const snapshot = snapshots.get(source.id)?.id;
        const place = {
          // What an attempt left in a service is looked at, not deleted: the next one gets a name of its own.
          into: attempts.some(({ left }) => left === into) ? `${into}-${attempts.length + 1}` : into,
          to: source.to,
          passwordFile: options["password-file"] as string | undefined,
          scratch: options.scratch as string | undefined,
          keep: false,
          jobs,
        };
        const attempt = await tryOne(context, source, place.into !== into, () =>
          // Without a recovery point to begin with it is a stream.
          entry
            ? restoreAndRecord(context, entry, place)
            : restoreStreamAndRecord(context, database, { ...place, ...(snapshot === undefined ? {} : { snapshot }) }),
        );
        attempts.push({ ...attempt, left: !entry && attempt.restored?.kept ? into : undefined });
        if (attempt.restored?.verdict === Verdict.Pass) {
          const secret =
            options["switch-secret"] === true && (await offerSwitch(database, attempt.restored, questions));
          return report(attempts, attempt.restored, source, secret || undefined);
        }
        context.progress.note(`${source.id} did not pass its proof (${attempt.why}); trying the next source`);
      }
      const verdict = combineVerdicts(attempts.map(({ verdict }) => verdict));
      return {
        exitCode: verdict === Verdict.Pass ? ExitCode.Fail : exitCodeOf(verdict),
        json: { verdict, chosen: null, attempts: attempts.map(plainAttempt) },
        text: `Nothing could be recovered and proven:\n${attempts.map(({ id, why }) => `  ${id}: ${why}`).join("\n")}`,
      };
    } finally {
      questions?.close();
    }
  },
};

/** Before anything is made: a source that is tried later must not find out that its place is none. */
function refusePlaces(places: readonly string[], database: DatabaseConfig): void {
  const { stream } = databaseKindOf(database);
  const problems = places
    .filter((place) => stream?.acceptsPlace(place))
    .flatMap((place) => {
      const problem = stream?.placeProblem?.(place, database);
      return problem === undefined ? [] : [`--into ${place}: ${problem}`];
    });
  if (problems.length > 0) throw new UsageError("Nothing was done:", problems);
}

async function tryOne(
  context: CommandContext,
  source: PlannedSource,
  hasOwnName: boolean,
  work: () => Promise<RecordedRestore>,
): Promise<Attempt & { readonly restored?: RecordedRestore }> {
  context.progress.note(`recovering from ${source.id}`);
  try {
    const restored = await work();
    const failed = restored.measurement.checks.filter(({ verdict }) => verdict !== Verdict.Pass);
    const why = failed.map(({ name, detail }) => `${name}: ${detail}`).join("; ");
    return { id: source.id, verdict: restored.verdict, seconds: restored.seconds, why, restored };
  } catch (error) {
    // A place that cannot be used is the same for every source: the person must name another one. Not so a name that was
    // made up here.
    if ((error instanceof UsageError && !hasOwnName) || context.signal.aborted || error instanceof InterruptedError)
      throw error;
    const isUnderstood = error instanceof OperationError || error instanceof UsageError;
    // Whatever else it was: the next source may be all that is left, and is tried.
    const verdict = isUnderstood ? Verdict.Fail : Verdict.Inconclusive;
    return { id: source.id, verdict, seconds: null, why: messageOf(error) };
  }
}

function plainAttempt({ id, verdict, seconds, why }: Attempt): Attempt {
  return { id, verdict, seconds, why };
}

function report(
  attempts: readonly Attempt[],
  restored: RecordedRestore,
  source: PlannedSource,
  secret: SecretSwitch | undefined,
) {
  const { verdict, measurement, kept, where, seconds, evidence } = restored;
  return {
    exitCode: exitCodeOf(verdict),
    json: {
      verdict,
      chosen: source.id,
      place: kept,
      seconds,
      estimatedSeconds: source.recoverySeconds,
      lossSeconds: source.lossSeconds,
      achievedRpoSeconds: measurement.achievedRpoSeconds,
      attempts: attempts.map(plainAttempt),
      checks: measurement.checks,
      evidence,
      ...(restored.endpoint ? { endpoint: restored.endpoint } : {}),
      ...(secret ? { secret } : {}),
    },
    text: [
      describeProof(measurement),
      where,
      `evidence: ${evidence ?? "none"}`,
      ...(secret ? [describeSwitch(secret)] : []),
      "Next: point the clients and the configuration at it, then `dr re-protect`: until that passes the recovery is not finished.",
    ].join("\n"),
  };
}

/** The few questions that matter at three in the morning, on the terminal. */
class Questions {
  private readonly terminal = process.stdin.isTTY
    ? createInterface({ input: process.stdin, output: process.stderr })
    : undefined;

  async moment(): Promise<string> {
    return this.ask("To which moment? `latest`, or the last time when all was well, as in 2026-11-23T14:05:00Z: ");
  }

  async places(source: PlannedSource): Promise<string[]> {
    return [
      await this.ask(
        `Where to? ${source.id} needs a place that does not exist yet (a URL for a dump, an identifier for what RDS keeps, else a path): `,
      ),
    ];
  }

  async confirm(database: string, source: PlannedSource): Promise<void> {
    const answer = await this.ask(`This restores ${source.id} and touches nothing else. Type ${database} to begin: `);
    if (answer !== database) throw new UsageError(`${JSON.stringify(answer)} is not ${database}: nothing was done.`);
  }

  async confirmSwitch(database: string, where: string): Promise<boolean> {
    const question = `The copy is proven. Type ${database} to point its clients to ${where}; anything else leaves the secret as it is: `;
    // Whoever has closed the terminal has not said so, and is still to be told where the copy is.
    const answer = await this.ask(question).catch(() => undefined);
    return answer === database;
  }

  close(): void {
    this.terminal?.close();
  }

  private async ask(question: string): Promise<string> {
    if (!this.terminal) {
      throw new UsageError(
        `There is no terminal to ask on, and a recovery begins only when a person says so: run it on one. (${question.trim()})`,
      );
    }
    try {
      return (await this.terminal.question(question)).trim();
    } catch (error) {
      if (/Ctrl\+C/.test(messageOf(error))) throw new InterruptedError("SIGINT");
      throw new UsageError("Nobody answered: nothing was done.");
    }
  }
}
