import { declarationProblems, type DeclaredDatabase } from "./declared-database";
import { type Term } from "./derivation";
import { type Fix, fixFor } from "./fix";
import { defaultEvidenceRules, type EvidenceRules, type MeasuredRun, TimeBasis } from "./measured-runs";
import { impossibleObjectives, type Objectives } from "./objectives";
import { recoveryPaths, type ScenarioCase } from "./recovery-path";
import { type Scenario, scenarios } from "./scenario";
import { Verdict } from "./verdict";

/** What is assessed. */
export interface AssessmentInput {
  readonly objectives: Objectives;
  readonly databases: readonly DeclaredDatabase[];
  /** What was measured so far; evidence records as they are. @default none: everything is an estimate */
  readonly evidence?: readonly MeasuredRun[];
  /** The time at which evidence must be fresh. */
  readonly now: Date;
  readonly rules?: Partial<EvidenceRules>;
}

/** What one scenario would cost one database. Plain data: it is JSON as it stands. */
export interface Outcome {
  readonly database: string;
  readonly scenario: Scenario;
  /** Committed changes lost at worst, as minutes before the disruption; null when it is unknown or nothing recovers it. */
  readonly rpoMinutes: number | null;
  /** Minutes from the disruption to service at worst; null when it is unknown or nothing recovers it. */
  readonly rtoMinutes: number | null;
  readonly objective: { readonly rpoMinutes: number; readonly rtoMinutes: number };
  /** `pass`: both objectives are met. `inconclusive`: something is unknown. `fail`: one is missed, or nothing recovers it. */
  readonly verdict: Verdict;
  /** The protection that recovers it best, or null when none does. */
  readonly by: string | null;
  /** Whether the recovery time was measured on the same thing; everything else is an estimate. */
  readonly measured: boolean;
  /** The newest record that proved a copy made by this protection; null when none was ever proven. */
  readonly proof: { readonly evidence: string; readonly at: string; readonly level: string | null } | null;
  /** Largest database in bytes that this protection brings back within the RTO; null when its size does not matter. */
  readonly largestSizeBytes: number | null;
  /** The terms that `rpoMinutes` and `rtoMinutes` are the sums of. */
  readonly derivation: { readonly loss: readonly Term[]; readonly recovery: readonly Term[] };
  /** Why it is not a `pass`. */
  readonly why: readonly string[];
  /** What else was declared and does not count here, and why. */
  readonly notCounted: readonly string[];
  /** The smallest change after which it passes, or why none is known; null when it passes. */
  readonly fix: Fix | null;
}

/**
 * How much each database would lose and how long it would be down, in each scenario, why, and what is the smallest
 * change that meets a missed objective. The order of databases, protections and evidence changes nothing.
 *
 * @throws RangeError naming every impossible number and repeated name in the input.
 */
export function assess(input: AssessmentInput): Outcome[] {
  const problems = [...impossibleObjectives(input.objectives), ...declarationProblems(input.databases)];
  if (problems.length > 0) throw new RangeError(`nothing can be assessed:\n  ${problems.join("\n  ")}`);
  return byName(input.databases)
    .map(inOrder)
    .flatMap((database) => scenarios.map((scenario) => assessScenario(input, database, scenario)));
}

/** The declaration in one order, so that of several fixes of the same size it is always the same that is found. */
function inOrder(database: DeclaredDatabase): DeclaredDatabase {
  const { protections, sites, dependencies } = database;
  return {
    ...database,
    protections: byName(protections),
    ...(sites === undefined ? {} : { sites: byName(sites) }),
    ...(dependencies === undefined ? {} : { dependencies: byName(dependencies) }),
  };
}

function byName<Named extends { readonly name: string }>(items: readonly Named[]): Named[] {
  return [...items].sort((a, b) => a.name.localeCompare(b.name));
}

function assessScenario(input: AssessmentInput, database: DeclaredDatabase, scenario: Scenario): Outcome {
  const { objectives, now, evidence = [], rules } = input;
  const scenarioCase: ScenarioCase = {
    database: withMeasuredSize(database, evidence, now),
    scenario,
    objectives,
    runs: evidence,
    rules: { ...defaultEvidenceRules, ...rules },
    now,
  };
  const { paths, notCounted } = recoveryPaths(scenarioCase);
  const [best] = paths;
  const { rpoMinutes, rtoMinutes } = objectives.scenarios[scenario];
  const verdict = best?.verdict ?? Verdict.Fail;
  const proof = best?.proof ?? null;
  return {
    database: database.name,
    scenario,
    rpoMinutes: best?.lossMinutes ?? null,
    rtoMinutes: best?.recoveryMinutes ?? null,
    objective: { rpoMinutes, rtoMinutes },
    verdict,
    by: best?.name ?? null,
    measured: best?.timeBasis === TimeBasis.Measured,
    proof: proof === null ? null : { evidence: proof.id, at: proof.finishedAt, level: proof.level ?? null },
    largestSizeBytes: best?.largestSizeBytes ?? null,
    derivation: { loss: best?.loss ?? [], recovery: best?.recovery ?? [] },
    why: best?.why ?? [`no declared mechanism recovers from ${scenario}`],
    notCounted,
    fix: verdict === Verdict.Pass ? null : fixFor(scenarioCase, best),
  };
}

/** The size that a restore of this environment last found, where nobody states one. */
function withMeasuredSize(database: DeclaredDatabase, evidence: readonly MeasuredRun[], now: Date): DeclaredDatabase {
  if (database.sizeBytes !== undefined) return database;
  const [newest] = evidence
    .filter((run) => run.database === database.name && run.environment === (database.environment ?? "local"))
    .filter((run) => run.sizeBytes > 0 && Date.parse(run.finishedAt) <= now.getTime())
    .sort((a, b) => b.finishedAt.localeCompare(a.finishedAt) || a.id.localeCompare(b.id));
  return newest === undefined ? database : { ...database, sizeBytes: newest.sizeBytes };
}
