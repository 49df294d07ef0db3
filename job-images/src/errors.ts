/** Wrong words or a wrong configuration: nothing was done. Exit code 2, which a CronJob does not repeat. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** @param problems every problem that was found, not just the first. */
  constructor(
    message: string,
    readonly problems: readonly string[] = [],
  ) {
    super(problems.length === 0 ? message : [message, ...problems.map((problem) => `  - ${problem}`)].join("\n"));
  }
}

/** The action failed for a reason that is understood: says what was wrong and what to do. Exit code 1. */
export class OperationError extends Error {
  override readonly name = "OperationError";
}

/** There is nothing to restore, which is itself the answer, and it is no. Exit code 1 even of a proof. */
export class NoRecoveryPointError extends OperationError {}

/** A signal ended the run. Exit code 128 + the signal's number. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
  constructor(readonly signal: "SIGTERM" | "SIGINT" | "SIGHUP") {
    super(`Ended by ${signal}; nothing that was half done is visible in the store.`);
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
