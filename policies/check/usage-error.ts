/** A question that was asked wrongly: every problem of it at once. It ends with exit code 2. */
export class UsageError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
  }
}
