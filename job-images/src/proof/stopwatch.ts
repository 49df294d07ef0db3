import { type EvidencePhase } from "../../../recovery";

/** Times one stretch of work after another. */
export class Stopwatch {
  private readonly finished: EvidencePhase[] = [];
  private readonly startedAt = performance.now();

  /** Times a stretch; it counts however it ends. */
  async time<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.finished.push({ name, seconds: rounded(performance.now() - start) });
    }
  }

  get phases(): readonly EvidencePhase[] {
    return this.finished;
  }

  /** Since the stopwatch was made. */
  get seconds(): number {
    return rounded(performance.now() - this.startedAt);
  }
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}
