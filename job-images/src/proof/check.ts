import { type EvidenceCheck, Verdict } from "../../../recovery";

/** A check that found what it looked for. */
export function passed(name: string, detail: string): EvidenceCheck {
  return { name, verdict: Verdict.Pass, detail };
}

/** A check that found something else, and what. */
export function failed(name: string, detail: string): EvidenceCheck {
  return { name, verdict: Verdict.Fail, detail };
}

/** A check that could not be made. It never counts as passed. */
export function undecided(name: string, detail: string): EvidenceCheck {
  return { name, verdict: Verdict.Inconclusive, detail };
}

const listed = 10;

/** Pass without differences; otherwise a failure that names the first of them and counts all. */
export function judged(name: string, differences: readonly string[], whenEqual: string): EvidenceCheck {
  if (differences.length === 0) return passed(name, whenEqual);
  const more = differences.length > listed ? `; and ${differences.length - listed} more` : "";
  return failed(name, `${differences.slice(0, listed).join("; ")}${more}`);
}
