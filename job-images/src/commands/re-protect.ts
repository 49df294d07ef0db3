import { readFileSync } from "node:fs";
import {
  defaultSequenceGap,
  type DatabaseConfig,
  Engine,
  EvidenceKind,
  exitCodeOf,
  jobConfigDefaults,
  parseRecoveryTarget,
  TargetClass,
  Verdict,
} from "../../../recovery";
import { type Command, type CommandContext } from "../command";
import { oneDatabase } from "../config-file";
import { accessOf } from "../engines/postgres/libpq";
import { leaveSequenceGap, setRolePasswords } from "../engines/postgres/re-protect";
import { connect } from "../engines/postgres/session";
import { messageOf, UsageError } from "../errors";
import { numberOption } from "../number-option";
import { untilReProtected } from "../procedures/re-protection";
import { openEvidenceKey } from "../report/open-evidence-key";
import { readEvidence } from "../report/evidence-record";
import { recordIfAllowed } from "../report/record-if-allowed";
import { secondsText, table, verdictText } from "../report/terminal";

const defaultWaitSeconds = 600;

/** `dr re-protect [DATABASE]` */
export const reProtect: Command = {
  name: "re-protect",
  usage: "[DATABASE] [--since TIME] [--wait SECONDS] [--role-passwords FILE] [--sequence-gap N]",
  summary: "finish a recovery: backup, log, standby and assessment of the recovered database, and the time until then",
  details:
    "Run it with the configuration that names the recovered database. What protected the old one protects nothing of the new one: until this passes, the recovery is not finished.",
  options: {
    since: { type: "string" },
    wait: { type: "string" },
    "role-passwords": { type: "string" },
    "sequence-gap": { type: "string" },
  },
  optionHelp: {
    since: "TIME  when the recovery began; default: that of the newest restore in the evidence",
    wait: `SECONDS  how long to wait for the log and the standby; default: ${defaultWaitSeconds}`,
    "role-passwords": 'FILE  JSON, {"role": "password"}, as a secret holds it; a dump of the roles has none',
    "sequence-gap": `N  move sequences N steps past what the copy knows, so that no id that was lost is given out again; 0 for not at all; default: ${defaultSequenceGap} with --role-passwords or when asked for, else 0`,
  },
  maxWords: 1,
  isProof: false,
  async run({ words, options }, context) {
    const database = oneDatabase(context.config(), words[0]);
    const wait = numberOption("--wait", options.wait) ?? defaultWaitSeconds;
    const passwords = readPasswords(options["role-passwords"] as string | undefined);
    const gap =
      numberOption("--sequence-gap", options["sequence-gap"]) ?? (passwords.size > 0 ? defaultSequenceGap : 0);
    const since = await sinceWhen(context, database, options.since as string | undefined);
    const steps = await prepareRecovered(database, passwords, gap);
    for (const step of steps) context.progress.note(step);
    const judged = await untilReProtected(context, database, since, wait);
    const { verdict, checks, missing, reProtectedSeconds } = judged;
    const evidence = await recordIfAllowed(context, {
      kind: EvidenceKind.ReProtection,
      database: database.name,
      engine: database.engine,
      mechanism: EvidenceKind.ReProtection,
      environment: context.config().environment ?? jobConfigDefaults.environment,
      targetClass: TargetClass.None,
      startedAt: since.toISOString(),
      finishedAt: new Date().toISOString(),
      verdict,
      sizeBytes: 0,
      phases: [],
      achievedRpoSeconds: "unknown",
      checks,
      ...(reProtectedSeconds === null ? {} : { reProtectedSeconds }),
    });
    return {
      exitCode: exitCodeOf(verdict),
      json: {
        verdict,
        database: database.name,
        since: since.toISOString(),
        reProtectedSeconds,
        missing,
        checks,
        steps,
        evidence,
      },
      text: [
        table(
          ["WHAT", "VERDICT", "FOUND"],
          checks.map((check) => [check.name, verdictText(check.verdict), check.detail]),
        ),
        reProtectedSeconds === null
          ? `The recovery is not finished: ${missing.join(", ")}.`
          : `Protected again ${secondsText(reProtectedSeconds)} after the recovery began.`,
        "Recycle the connection pools (restart pgbouncer's and the application's): open connections still mean the old database.",
        `evidence: ${evidence ?? "none"}`,
      ].join("\n"),
    };
  },
};

function readPasswords(path: string | undefined): ReadonlyMap<string, string> {
  if (path === undefined) return new Map();
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    // JSON's own message would show a piece of the file, which is secret.
    const why = error instanceof SyntaxError ? "it is not JSON" : messageOf(error);
    throw new UsageError(`--role-passwords ${path} cannot be read: ${why}.`);
  }
  const entries = Object.entries(document ?? {});
  const wrong = entries.filter(([, password]) => typeof password !== "string" || password === "").map(([role]) => role);
  if (typeof document !== "object" || Array.isArray(document) || entries.length === 0 || wrong.length > 0) {
    throw new UsageError(
      `--role-passwords ${path}: expected {"role": "password"}${wrong.length > 0 ? `; no password is given for ${wrong.join(", ")}` : ""}.`,
    );
  }
  return new Map(entries as [string, string][]);
}

async function sinceWhen(context: CommandContext, database: DatabaseConfig, word: string | undefined): Promise<Date> {
  if (word !== undefined) {
    const target = parseRecoveryTarget(word);
    if (target.kind === "time" && target.at <= new Date()) return target.at;
    throw new UsageError(
      `--since: expected a moment that has been, like 2026-11-23T14:05:00Z, got ${JSON.stringify(word)}.`,
    );
  }
  const { records } = await readEvidence(context.store(), {
    database: database.name,
    key: openEvidenceKey(context.config().signature),
  });
  const restored = records
    .map(({ evidence }) => evidence)
    .filter(({ kind, verdict }) => kind === EvidenceKind.Restore && verdict === Verdict.Pass)
    .sort((a, b) => a.startedAt.localeCompare(b.startedAt))
    .at(-1);
  if (restored) return new Date(restored.startedAt);
  throw new UsageError(
    `No restore of ${database.name} is in the evidence: say when the recovery began with --since TIME.`,
  );
}

/** What a recovered server lacks that no backup brings. @returns what was done */
async function prepareRecovered(
  database: DatabaseConfig,
  passwords: ReadonlyMap<string, string>,
  gap: number,
): Promise<string[]> {
  if (passwords.size === 0 && gap === 0) return [];
  if (database.engine === Engine.Sqlite) {
    throw new UsageError("A SQLite file has no roles and no sequences: leave --role-passwords and --sequence-gap out.");
  }
  const client = await connect(accessOf(database, "adminUrl"), { applicationName: "dr re-protect" });
  try {
    const steps: string[] = [];
    if (passwords.size > 0) {
      await setRolePasswords(client, passwords);
      steps.push(`set the passwords of ${[...passwords.keys()].join(", ")}`);
    }
    if (gap > 0) steps.push(`moved ${await leaveSequenceGap(client, gap)} sequences ${gap} steps on`);
    return steps;
  } finally {
    await client.end();
  }
}
