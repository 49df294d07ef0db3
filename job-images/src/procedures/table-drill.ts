import {
  combineVerdicts,
  type DatabaseConfig,
  type DrillCriterion,
  type DrillPhase,
  drillPhase,
  type EvidenceCheck,
  type EvidencePhase,
  type Manifest,
  type Objectives,
  Verdict,
} from "../../../recovery";
import { extractFromPostgres } from "../engines/postgres/extract";
import { one } from "../engines/postgres/facts";
import { type ReferenceWorld } from "../platform/local/reference-world";
import { type Progress } from "../progress";
import { secondsText } from "../report/terminal";
import { type ObjectStore } from "../store/object-store";

/** What the recovery of one table's rows works on. */
export interface TableDrillOptions {
  readonly world: ReferenceWorld;
  readonly store: ObjectStore;
  readonly manifest: Manifest;
  readonly database: DatabaseConfig;
  readonly objectives: Objectives;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What it found. */
export interface TableDrill {
  readonly table: string;
  readonly lostRows: number;
  readonly recoveredRows: number;
  /** From the mistake until the rows were where they belong. */
  readonly recoverySeconds: number;
  readonly checks: readonly EvidenceCheck[];
  /** What the time went into. */
  readonly phasesOfWork: readonly EvidencePhase[];
  readonly criteria: readonly DrillCriterion[];
  readonly phases: readonly DrillPhase[];
}

const table = "app.projects";
/** Projects of every seventh user: a customer's rows, deleted by mistake with all that hangs on them. */
const mistaken = "user_id % 7 = 3 AND id > 10";
const fingerprint = `SELECT count(*)::int AS rows, md5(coalesce(string_agg(p::text, '|' ORDER BY p.id), '')) AS hash FROM ${table} p WHERE ${mistaken}`;

/**
 * The recovery that is needed most often: somebody has deleted rows, and everything else must go on. They come back from
 * the recovery point beside the live ones, and the SQL that `dr extract` prints is run, as a person would after reading it.
 */
export async function runTableDrill(options: TableDrillOptions): Promise<TableDrill> {
  const { world, progress, objectives } = options;
  const before = await world.inDatabase((client) => one<{ rows: number; hash: string }>(client, fingerprint));
  progress.step(`somebody deletes ${before.rows} rows of ${table}`);
  const startedAt = performance.now();
  // Without what hangs on them: nothing but their own table is asked to come back.
  await world.inDatabase(async (client) => {
    await client.query("SET session_replication_role = replica");
    await client.query(`DELETE FROM ${table} WHERE ${mistaken}`);
  });
  const { proof, tables, putBack } = await extractFromPostgres({
    ...options,
    tables: [table],
    where: mistaken,
    into: world.adminUrl,
    side: "recovered",
  });
  const verdict = combineVerdicts(proof.checks.map((check) => check.verdict));
  if (verdict === Verdict.Pass) {
    await world.inDatabase((client) => client.query(putBack.replace(/ROLLBACK;$/, "COMMIT;")));
  }
  const recoverySeconds = (performance.now() - startedAt) / 1000;
  const after = await world.inDatabase((client) => one<{ rows: number; hash: string }>(client, fingerprint));
  const right = verdict === Verdict.Pass && after.hash === before.hash && before.rows > 0;
  const budget = objectives.rtoMinutes * 60;
  return {
    table,
    lostRows: before.rows,
    recoveredRows: tables.reduce((sum, { rows }) => sum + rows, 0),
    recoverySeconds,
    checks: proof.checks,
    phasesOfWork: proof.phases,
    criteria: [
      {
        name: "One table: deleted rows are back, nothing else changed",
        objective: `${before.rows} rows`,
        measured: right ? `${after.rows} the same` : `${after.rows} rows, different`,
        verdict: right ? Verdict.Pass : verdict === Verdict.Inconclusive ? Verdict.Inconclusive : Verdict.Fail,
      },
      {
        name: "One table: RTO",
        objective: `at most ${secondsText(budget)}`,
        measured: secondsText(recoverySeconds),
        verdict: recoverySeconds <= budget ? Verdict.Pass : Verdict.Fail,
      },
    ],
    phases: [drillPhase("one table: bring rows back", recoverySeconds, budget)],
  };
}
