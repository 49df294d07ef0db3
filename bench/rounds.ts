/** Two ways to do the same thing, timed by turns in one run. */
export interface Contest {
  readonly name: string;
  /** The smallest ratio that is good enough: baseline time over ours. */
  readonly bar: number;
  /** Seconds of the way that users have today. */
  readonly baseline: () => Promise<number>;
  /** Seconds of ours. */
  readonly ours: () => Promise<number>;
}

/** One line of the result. */
export interface BenchRow {
  readonly name: string;
  /** Median over the rounds of baseline over ours, each from the same round. */
  readonly ratio: number;
  readonly bar: number;
  readonly met: boolean;
  readonly baselineSeconds: number;
  readonly seconds: number;
}

/** Runs A B A B: a machine that slows down slows down both. */
export async function run(contest: Contest, rounds: number, say: (text: string) => void): Promise<BenchRow> {
  const baseline: number[] = [];
  const ours: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    baseline.push(await contest.baseline());
    ours.push(await contest.ours());
    say(
      `${contest.name}, round ${round} of ${rounds}: ${baseline.at(-1)!.toFixed(1)} s against ${ours.at(-1)!.toFixed(1)} s`,
    );
  }
  const ratio = median(baseline.map((seconds, index) => seconds / ours[index]!));
  return {
    name: contest.name,
    ratio: Math.round(ratio * 100) / 100,
    bar: contest.bar,
    met: ratio >= contest.bar,
    baselineSeconds: median(baseline),
    seconds: median(ours),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
