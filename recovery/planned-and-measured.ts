import { phaseTerms } from "./assessment-table";
import { type EvidencePhase } from "./evidence";
import { type PlannedSource } from "./recovery-plan";

/** One stretch of a recovery: what the plan said of it, and how long it took. `null` where one of the two has none. */
export interface PlannedAndMeasured {
  readonly term: string;
  readonly estimatedSeconds: number | null;
  readonly measuredSeconds: number | null;
}

/** How the sum of all terms is called. */
export const allTerms = "in all";

/**
 * A plan's estimate beside what was measured when it was carried out, term by term, and in all.
 *
 * @param phases of the restore and its proof, whose names are mapped to the terms
 * @param measuredSeconds from the first fetch to the proven copy
 */
export function plannedAndMeasured(
  { terms, recoverySeconds }: Pick<PlannedSource, "terms" | "recoverySeconds">,
  phases: readonly EvidencePhase[],
  measuredSeconds: number,
): PlannedAndMeasured[] {
  const measured = new Map<string, number>();
  for (const { name, seconds } of phases) {
    const term = phaseTerms.get(name) ?? name;
    measured.set(term, (measured.get(term) ?? 0) + seconds);
  }
  const estimated = new Map<string, number>(terms.map(({ name, seconds }) => [name, seconds]));
  const names = [...estimated.keys(), ...[...measured.keys()].filter((name) => !estimated.has(name))];
  return [
    ...names.map((term) => ({
      term,
      estimatedSeconds: estimated.get(term) ?? null,
      measuredSeconds: measured.get(term) ?? null,
    })),
    { term: allTerms, estimatedSeconds: recoverySeconds, measuredSeconds },
  ];
}
