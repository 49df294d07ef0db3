import {
  combineVerdicts,
  type DatabaseConfig,
  Engine,
  type Evidence,
  EvidenceKind,
  exitCodeOf,
  jobConfigDefaults,
  judgeProtectionStatus,
  type LogStatus,
  maxPointInTimeTestAgeSeconds,
  maxRecoveryPointAgeMinutes,
  newestRestoreTests,
  objectivesFrom,
  streamPrefix,
} from "../../../recovery";
import { type Command, type CommandContext } from "../command";
import { databasesNamed } from "../config-file";
import { openEvidenceKey } from "../report/open-evidence-key";
import { readEvidence } from "../report/evidence-record";
import type * as StatusPublisherModule from "../report/status-publisher";
import { secondsText, table, verdictText } from "../report/terminal";
import { type CatalogEntry, readCatalog, RecoveryPointState } from "../store/catalog";
import { type ObjectStore } from "../store/object-store";
import { coverageOf } from "../store/stored-log";

/** `dr status [DATABASE] [--publish]` */
export const status: Command = {
  name: "status",
  usage: "[DATABASE] [--publish]",
  summary: "newest recovery point, restore test and drill against the objectives",
  details: "Reads the store only, so it says the truth also when the jobs that should have run did not.",
  options: { publish: { type: "boolean" } },
  optionHelp: { publish: "also publish it as CloudWatch metrics, for the alarms" },
  maxWords: 1,
  isProof: true,
  async run({ words, options }, context) {
    const databases = await Promise.all(
      databasesNamed(context.config(), words[0]).map((database) => statusOf(context, database)),
    );
    const verdict = combineVerdicts(databases.map((each) => each.verdict));
    if (options.publish === true) {
      // Loaded when it is needed: the AWS SDK takes longer to load than most commands take to run.
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { publishStatus } = require("../report/status-publisher") as typeof StatusPublisherModule;
      await publishStatus(databases);
    }
    const rows = databases.flatMap((each) =>
      each.checks.map((check) => [each.database, check.name, verdictText(check.verdict), check.detail]),
    );
    return {
      exitCode: exitCodeOf(verdict),
      json: { verdict, databases },
      text: table(["DATABASE", "WHAT", "VERDICT", "FOUND"], rows),
    };
  },
};

async function statusOf(context: CommandContext, database: DatabaseConfig) {
  const { rpoMinutes, rtoMinutes } = objectivesFrom(context.config().objectives);
  const store = context.store();
  const now = new Date();
  const catalog = await readCatalog(store, { database: database.name });
  const newest = catalog.find(({ state }) => state === RecoveryPointState.Complete);
  const { records, problems } = await readEvidence(store, {
    database: database.name,
    key: openEvidenceKey(context.config().signature),
  });
  const ageSeconds = (at: string | undefined): number | null =>
    at === undefined ? null : Math.round((now.getTime() - new Date(at).getTime()) / 1000);
  const allOf = (kind: Evidence["kind"]): Evidence[] =>
    records.map(({ evidence }) => evidence).filter((record) => record.kind === kind);
  const { restoreTest, pointInTimeTest } = newestRestoreTests(allOf(EvidenceKind.RestoreTest));
  const drill = allOf(EvidenceKind.Drill).at(-1);
  const proof = allOf(EvidenceKind.Proof).at(-1);
  const log = database.wal
    ? await logStatus(store, database.name, catalog, ageSeconds, rpoMinutes * 60)
    : database.engine === Engine.Sqlite
      ? await streamStatus(store, database.name, ageSeconds, rpoMinutes * 60)
      : undefined;
  const maxTestAge = maxPointInTimeTestAgeSeconds(database, database.engine === Engine.Sqlite && log !== undefined);
  const checks = judgeProtectionStatus({
    log,
    recoveryPointAgeSeconds: ageSeconds(newest?.at),
    maxRecoveryPointAgeSeconds: maxRecoveryPointAgeMinutes({ rpoMinutes, ...database.backup }) * 60,
    rtoSeconds: rtoMinutes * 60,
    restoreTest: summary(restoreTest),
    ...(maxTestAge === undefined
      ? {}
      : { pointInTimeTest: { last: summary(pointInTimeTest), maxAgeSeconds: maxTestAge } }),
    drill: summary(drill),
    proof: summary(proof),
    evidenceProblems: problems,
    ageText: secondsText,
  });
  return {
    database: database.name,
    environment: context.config().environment ?? jobConfigDefaults.environment,
    verdict: combineVerdicts(checks.map((check) => check.verdict)),
    newestRecoveryPoint: newest ? { id: newest.id, at: newest.at, ageSeconds: ageSeconds(newest.at) } : null,
    log: log ? { ageSeconds: log.ageSeconds, gap: log.gap ?? null } : null,
    lastRestoreTest: restoreTest
      ? { ...summary(restoreTest), at: restoreTest.startedAt, level: restoreTest.level ?? null }
      : null,
    lastPointInTimeTest: pointInTimeTest ? { ...summary(pointInTimeTest), at: pointInTimeTest.startedAt } : null,
    pointInTimeTestDue: maxTestAge !== undefined,
    lastSabotage: proof ? { ...summary(proof), at: proof.startedAt } : null,
    lastDrill: drill ? { ...summary(drill), at: drill.startedAt } : null,
    checks,
    newestBackup: catalog.find(({ manifest }) => manifest)?.manifest?.verdict,
  };

  function summary(record: Evidence | undefined) {
    if (!record) return undefined;
    return {
      verdict: record.verdict,
      ageSeconds: ageSeconds(record.finishedAt)!,
      measuredRtoSeconds: record.measuredRtoSeconds ?? null,
      achievedRpoSeconds: record.achievedRpoSeconds,
    };
  }
}

/**
 * How old the newest piece of a SQLite file's stream is. A heartbeat makes one every time, so an old piece means that
 * Litestream stands still; whether what it writes can be restored is for the restore test to say.
 *
 * @returns undefined where nothing is streamed
 */
async function streamStatus(
  store: ObjectStore,
  database: string,
  ageSeconds: (at: string | undefined) => number | null,
  maxAgeSeconds: number,
): Promise<LogStatus | undefined> {
  let newest: Date | undefined;
  for await (const { lastModified } of store.list(streamPrefix(database))) {
    if (newest === undefined || lastModified > newest) newest = lastModified;
  }
  if (newest === undefined) return undefined;
  return { writer: "Litestream", ageSeconds: ageSeconds(newest.toISOString()), maxAgeSeconds };
}

async function logStatus(
  store: ObjectStore,
  database: string,
  catalog: readonly CatalogEntry[],
  ageSeconds: (at: string | undefined) => number | null,
  maxAgeSeconds: number,
): Promise<LogStatus> {
  const base = catalog.find(({ state, manifest }) => state === RecoveryPointState.Complete && manifest?.wal)?.manifest;
  if (!base?.wal) return { ageSeconds: null, maxAgeSeconds };
  const { coversUntil, gap } = await coverageOf(store, base);
  return { ageSeconds: ageSeconds(coversUntil?.toISOString()), maxAgeSeconds, ...(gap ? { gap } : {}) };
}
