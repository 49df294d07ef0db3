import { type EvidenceCheck, type EvidencePhase, type ProofLevel } from "../../../recovery";
import { InterruptedError, messageOf, OperationError } from "../errors";
import { DamagedPartError } from "../store/parts";
import { failed, undecided } from "./check";
import { isOfThePlace } from "./place-problem";
import { Stopwatch } from "./stopwatch";

/** One table's comparison, for the report. */
export interface TableComparison {
  readonly table: string;
  readonly expectedRows: number;
  readonly rows: number;
  /** Rows of the sample by key hash that were compared; 0 where there was no sample. */
  readonly sampledRows: number;
  readonly equal: boolean;
}

/** What came of a restore and its proof. */
export interface RestoreProof {
  readonly checks: readonly EvidenceCheck[];
  readonly phases: readonly EvidencePhase[];
  readonly comparisons: readonly TableComparison[];
  /** The deepest level that was compared to its end; absent when nothing could be compared. */
  readonly level?: ProofLevel;
  /** From the start of the fetch. */
  readonly seconds: number;
  /** The newest heartbeat in the copy. */
  readonly newestHeartbeat?: Date;
  /** The moment that the copy is of, where a log was replayed. @default the recovery point's own */
  readonly recoveredTo?: Date;
  /** Size of the copy, where no manifest says it. */
  readonly sizeBytes?: number;
  /** The target was made; whoever asked decides what becomes of it. */
  readonly targetMade: boolean;
}

/** Ends the sequence of checks: later ones would only report the same fault again. */
class StopChecking extends Error {}

/**
 * The course of one restore and its proof. Each check has a name of its own and is judged by itself: a fault is reported
 * by the check that is meant to find it, and what could not be judged is `inconclusive`, never passed.
 */
export class ProofRun {
  readonly checks: EvidenceCheck[] = [];
  comparisons: readonly TableComparison[] = [];
  level: ProofLevel | undefined;
  newestHeartbeat: Date | undefined;
  recoveredTo: Date | undefined;
  sizeBytes: number | undefined;
  targetMade = false;
  private readonly stopwatch = new Stopwatch();

  /** @param unreadable the check that finds parts which are as they were stored and cannot be read */
  constructor(
    private readonly signal: AbortSignal,
    private readonly unreadable: string,
  ) {}

  /** Does the work until it ends or a check stops it. */
  async toItsEnd(work: () => Promise<void>): Promise<RestoreProof> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof StopChecking)) throw error;
    }
    const { checks, comparisons, level, newestHeartbeat, recoveredTo, sizeBytes, targetMade } = this;
    const { phases, seconds } = this.stopwatch;
    return { checks, phases, comparisons, level, seconds, newestHeartbeat, recoveredTo, sizeBytes, targetMade };
  }

  /** A timed stretch without which nothing after it can be judged; `check` reports its failure. */
  phase<Result>(phase: string, check: string, work: () => Promise<Result>): Promise<Result> {
    return this.stopwatch.time(phase, () => this.required(check, work));
  }

  /** Work without which nothing after it can be judged. */
  async required<Result>(check: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      this.record(check, error);
      throw new StopChecking();
    }
  }

  /** Work whose failure leaves the other checks to say what they can. */
  async optional(check: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.record(check, error);
    }
  }

  /** Ends the run here when the newest check did not pass. */
  stopAfterFailure(): void {
    if (this.checks.at(-1)?.verdict !== "pass") throw new StopChecking();
  }

  private record(check: string, error: unknown): void {
    if (error instanceof StopChecking || error instanceof InterruptedError || this.signal.aborted) throw error;
    if (error instanceof DamagedPartError) this.checks.push(failed("parts", error.message));
    else if (error instanceof OperationError && isOfThePlace(error.message))
      this.checks.push(undecided(check, `the place failed, not the copy: ${error.message}`));
    else if (error instanceof OperationError)
      this.checks.push(failed(check === "parts" ? this.unreadable : check, error.message));
    else this.checks.push(undecided(check, messageOf(error)));
  }
}
