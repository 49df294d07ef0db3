/** `rto=1s`, taken apart. */
export interface ObjectiveOverride {
  readonly objective: "rtoMinutes" | "rpoMinutes";
  readonly minutes: number;
}

const minutesPer: Readonly<Record<string, number>> = { s: 1 / 60, min: 1, h: 60, d: 1440 };

/**
 * Reads an objective given on the command line: `rto=15min`, `rpo=1h`, `rto=1s`. The unit must be there; a bare `m`
 * could be a month and is refused.
 *
 * @returns the override, or what is wrong with the word
 */
export function parseObjectiveOverride(word: string): ObjectiveOverride | { readonly problem: string } {
  const match = /^(rto|rpo)=(\d+(?:\.\d+)?)(s|min|h|d)$/.exec(word);
  if (!match) {
    return {
      problem: `expected rto= or rpo= with a number and s, min, h or d, as in rto=15min; got ${JSON.stringify(word)}`,
    };
  }
  const minutes = Number(match[2]) * minutesPer[match[3]!]!;
  if (match[1] === "rto" && minutes === 0) return { problem: "an RTO of nothing cannot be met: expected more than 0" };
  return { objective: match[1] === "rto" ? "rtoMinutes" : "rpoMinutes", minutes };
}
