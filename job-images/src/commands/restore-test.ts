import { type BackupMethod, combineVerdicts, EvidenceKind, exitCodeOf, parseRecoveryPointId } from "../../../recovery";
import { type Command } from "../command";
import { databasesNamed } from "../config-file";
import { NoRecoveryPointError, UsageError } from "../errors";
import { restoreTest, type RestoreTestResult } from "../proof/restore-test";
import { measureStream, streamEngineFor } from "../proof/stream-measurement";
import { openEvidenceKey } from "../report/open-evidence-key";
import { readEvidence, recordEvidence } from "../report/evidence-record";
import { describeProof } from "../report/proof-report";
import { type CatalogEntry } from "../store/catalog";
import { findRecoveryPoint, recoveryPointsOf } from "../store/find-recovery-point";

/** `dr restore-test [ID] [--database NAME]` */
export const restoreTestCommand: Command = {
  name: "restore-test",
  usage: "[ID] [--database NAME] [--from-stream]",
  summary: "restore into a throw-away server, prove the copy, record the evidence",
  details:
    "Without an ID the newest recovery point of each database and method is tested; when it is bad, the ones before it as well. A base backup is tested with all of the log behind it.",
  options: { database: { type: "string" }, "from-stream": { type: "boolean" } },
  optionHelp: {
    database: "NAME  only this database",
    "from-stream":
      "test what restores itself instead of the recovery points: Litestream's replica of a SQLite file, or RDS's log into a throw-away instance",
  },
  maxWords: 1,
  isProof: true,
  async run({ words, options }, context) {
    const config = context.config();
    const store = context.store();
    const key = openEvidenceKey(config.signature, { toSign: true });
    const named = options.database as string | undefined;
    if (words[0] !== undefined && options["from-stream"] === true)
      throw new UsageError("A stream has no recovery points: give an ID or --from-stream, not both.");
    if (words[0] !== undefined && named !== undefined) throw new UsageError("Give an ID or a --database, not both.");
    const tests: (RestoreTestResult & { evidence: string })[] = [];
    const asked = words[0] === undefined ? undefined : await findRecoveryPoint(store, config, words[0]);
    for (const database of databasesNamed(config, asked?.database ?? named)) {
      if (options["from-stream"] === true) {
        const startedAt = new Date();
        const proof = await streamEngineFor(database).restoreTest({ ...context, config, database });
        const measurement = measureStream({ config, database }, EvidenceKind.RestoreTest, startedAt, proof);
        const recorded = await recordEvidence(store, measurement, key);
        tests.push({ measurement, comparisons: proof.comparisons, evidence: recorded.key });
        continue;
      }
      const points = await recoveryPointsOf(store, database.name);
      if (points.length === 0) {
        throw new NoRecoveryPointError(
          `${store.url} holds no recovery point of ${database.name}. \`dr backup\` makes one.`,
        );
      }
      const { records } = await readEvidence(store, { database: database.name, key });
      for (const candidates of asked ? [fromThisOn(points, asked)] : byMethod(points)) {
        const result = await restoreTest({ ...context, config, database, store, records }, candidates);
        context.signal.throwIfAborted();
        const recorded = await recordEvidence(store, result.measurement, key);
        tests.push({ ...result, evidence: recorded.key });
      }
    }
    const reports = tests.map(({ measurement, comparisons, evidence }) => ({
      verdict: measurement.verdict,
      id: measurement.recoveryPoint,
      database: measurement.database,
      seconds: measurement.measuredRtoSeconds ?? null,
      achievedRpoSeconds: measurement.achievedRpoSeconds,
      level: measurement.level ?? null,
      checks: measurement.checks,
      phases: measurement.phases,
      lastGood: measurement.lastGood ?? null,
      comparisons,
      evidence,
    }));
    const verdict = combineVerdicts(reports.map((report) => report.verdict));
    const json = reports.length === 1 ? reports[0]! : { verdict, tests: reports };
    return {
      exitCode: exitCodeOf(verdict),
      json,
      text: tests
        .map(({ measurement, evidence }) => `${describeProof(measurement)}\nevidence: ${evidence}`)
        .join("\n\n"),
    };
  },
};

/** Every way to recover is tested: a dump that works says nothing about the log. */
function byMethod(points: readonly CatalogEntry[]): CatalogEntry[][] {
  const methods = new Map<BackupMethod | undefined, CatalogEntry[]>();
  for (const point of points) {
    const method = parseRecoveryPointId(point.id)?.method;
    methods.set(method, [...(methods.get(method) ?? []), point]);
  }
  return [...methods.values()];
}

function fromThisOn(points: readonly CatalogEntry[], asked: CatalogEntry): CatalogEntry[] {
  const method = parseRecoveryPointId(asked.id)?.method;
  return points
    .slice(points.findIndex(({ id }) => id === asked.id))
    .filter(({ id }) => parseRecoveryPointId(id)?.method === method);
}
