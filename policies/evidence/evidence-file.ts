import { existsSync, readFileSync } from "node:fs";
import {
  defaultEvidenceRules,
  type Evidence,
  EvidenceKind,
  parseEvidence,
  percentile95,
  Verdict,
} from "../../recovery";

/** What the newest restore tests say. */
export const Standing = {
  Passed: "passed",
  /** There are none yet, and need not be until a deadline. */
  Pending: "pending",
  Absent: "absent",
  Failed: "failed",
  Inconclusive: "inconclusive",
  Stale: "stale",
  /** They passed, and took longer than the RTO. */
  Slow: "slow",
} as const;
export type Standing = (typeof Standing)[keyof typeof Standing];

/** What evidence is judged by. */
export interface EvidenceTerms {
  readonly maxAgeHours: number;
  readonly rtoMinutes: number;
  /** A date until which there need be none; empty for none. */
  readonly pendingUntil: string;
  readonly now: Date;
}

/** The standing of all databases together, which is that of the worst, and why. */
export interface EvidenceStanding {
  readonly standing: Standing;
  readonly why: string;
}

const MILLISECONDS_PER_HOUR = 3_600_000;

/** Judges the file that `dr evidence pull` wrote. A file that is not there, or is none, is no evidence. */
export function evidenceStanding(path: string, terms: EvidenceTerms): EvidenceStanding {
  const { records, problems } = readEvidenceFile(path);
  if (problems.length > 0) return { standing: Standing.Failed, why: problems.join("; ") };
  const tests = records.filter(({ kind }) => kind === EvidenceKind.RestoreTest);
  const databases = [...new Set(tests.map(({ database }) => database))].sort();
  if (databases.length === 0) {
    const { pendingUntil, now } = terms;
    const today = now.toISOString().slice(0, 10);
    return pendingUntil >= today
      ? { standing: Standing.Pending, why: `no restore test was recorded yet; the first is due by ${pendingUntil}` }
      : { standing: Standing.Absent, why: `${path} has no restore test${pendingUntil && `, due by ${pendingUntil}`}` };
  }
  const each = databases.map((name) =>
    standingOf(
      name,
      tests.filter(({ database }) => database === name),
      terms,
    ),
  );
  return each.find(({ standing }) => standing !== Standing.Passed) ?? each[0]!;
}

function standingOf(name: string, tests: readonly Evidence[], terms: EvidenceTerms): EvidenceStanding {
  const ordered = [...tests].sort((a, b) => b.finishedAt.localeCompare(a.finishedAt));
  const newest = ordered[0]!;
  const of = `${name}: the newest restore test (${newest.id}, ${newest.finishedAt})`;
  const ageHours = (terms.now.getTime() - Date.parse(newest.finishedAt)) / MILLISECONDS_PER_HOUR;
  if (newest.verdict === Verdict.Fail) return { standing: Standing.Failed, why: `${of} failed` };
  if (newest.verdict === Verdict.Inconclusive)
    return { standing: Standing.Inconclusive, why: `${of} was inconclusive` };
  if (ageHours > terms.maxAgeHours) {
    const age = `${Math.round(ageHours)} hours old, and ${terms.maxAgeHours} are allowed`;
    return { standing: Standing.Stale, why: `${of} is ${age}` };
  }
  const measured = ordered
    .flatMap(({ measuredRtoSeconds }) => (measuredRtoSeconds === undefined ? [] : [measuredRtoSeconds]))
    .slice(0, defaultEvidenceRules.lastRuns);
  const minutes = percentile95(measured) / 60;
  if (measured.length > 0 && minutes > terms.rtoMinutes) {
    const took = `${Math.round(minutes * 10) / 10} min at the 95th percentile of ${measured.length} runs`;
    return { standing: Standing.Slow, why: `${name}: restore tests took ${took}; the RTO is ${terms.rtoMinutes} min` };
  }
  return { standing: Standing.Passed, why: `${of} passed` };
}

function readEvidenceFile(path: string): { records: readonly Evidence[]; problems: readonly string[] } {
  if (!existsSync(path)) return { records: [], problems: [] };
  try {
    const { records, problems = [] } = JSON.parse(readFileSync(path, "utf8")) as {
      readonly records?: readonly { readonly evidence: unknown }[];
      readonly problems?: readonly string[];
    };
    if (!Array.isArray(records)) return { records: [], problems: [`${path} is not what dr evidence pull prints`] };
    const parsed = records.map(({ evidence }: { evidence: unknown }) => parseEvidence(JSON.stringify(evidence)));
    return {
      records: parsed.flatMap(({ evidence }) => evidence ?? []),
      problems: [...problems, ...parsed.flatMap((one) => one.problems ?? []).map((problem) => `${path}: ${problem}`)],
    };
  } catch (error) {
    return { records: [], problems: [`${path} is no JSON: ${error instanceof Error ? error.message : String(error)}`] };
  }
}
