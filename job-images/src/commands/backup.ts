import { combineVerdicts, exitCodeOf, manifestKey, Verdict } from "../../../recovery";
import { type Command } from "../command";
import { databasesNamed } from "../config-file";
import { recoveryEngineFor } from "../engines/database-kinds";
import { takeBackup } from "../engines/take-backup";
import { messageOf, UsageError } from "../errors";
import { bytesText, secondsText, table, verdictText } from "../report/terminal";

interface BackupReport {
  id?: string;
  database: string;
  engine: string;
  bytes: number;
  seconds: number;
  manifest?: string;
  verdict: Verdict;
  reasons: readonly string[];
  /** What it is an increment of. */
  buildsOn?: readonly string[];
  /** Nothing is wrong with it for their sake. */
  notes?: readonly string[];
}

/** `dr backup [DATABASE] [--method dump|base|copy]` */
export const backup: Command = {
  name: "backup",
  usage: "[DATABASE] [--method dump|base|copy]",
  summary: "back up each database of the configuration, or the named one",
  details:
    "A recovery point exists once its manifest is written, which is last. A dump that is empty or that shrank too far ends inconclusive.",
  options: { method: { type: "string" } },
  optionHelp: { method: "dump, base or copy; default: the engine's first" },
  maxWords: 1,
  isProof: false,
  async run({ words, options }, context) {
    const config = context.config();
    const databases = databasesNamed(config, words[0]);
    const engines = databases.map((database) => recoveryEngineFor(database, options.method as string | undefined));
    const backups: BackupReport[] = [];
    for (const [index, database] of databases.entries()) {
      const startedAt = performance.now();
      const seconds = (): number => Math.round(performance.now() - startedAt) / 1000;
      const report = { database: database.name, engine: database.engine };
      try {
        const {
          id,
          parts,
          verdict,
          reasons,
          buildsOn = [],
          notes = [],
        } = await takeBackup({
          ...context,
          config,
          database,
          engine: engines[index]!,
          store: context.store(),
        });
        const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
        const manifest = manifestKey(database.name, id);
        backups.push({
          id,
          ...report,
          bytes,
          seconds: seconds(),
          manifest,
          verdict,
          reasons,
          buildsOn: buildsOn.map((link) => link.id),
          notes,
        });
      } catch (error) {
        // One database that cannot be backed up must not cost the others their backup.
        if (context.signal.aborted || error instanceof UsageError) throw error;
        backups.push({ ...report, bytes: 0, seconds: seconds(), verdict: Verdict.Fail, reasons: [messageOf(error)] });
      }
    }
    const verdict = combineVerdicts(backups.map((each) => each.verdict));
    return { exitCode: exitCodeOf(verdict), json: { verdict, backups }, text: describe(backups) };
  },
};

function describe(backups: readonly BackupReport[]): string {
  const rows = backups.map((each) => [
    each.database,
    verdictText(each.verdict),
    bytesText(each.bytes),
    secondsText(each.seconds),
    each.id ?? "no recovery point",
  ]);
  const reasons = backups.flatMap((each) =>
    [...each.reasons, ...(each.notes ?? [])].map((reason) => `${each.database}: ${reason}`),
  );
  return [table(["DATABASE", "VERDICT", "STORED", "TOOK", "RECOVERY POINT"], rows), ...reasons].join("\n");
}
