/**
 * The three outcomes of anything that is judged. An unknown is never a pass, so what could not be judged has an outcome
 * of its own.
 */
export const Verdict = { Pass: "pass", Fail: "fail", Inconclusive: "inconclusive" } as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** The exit codes of every command. 2 is never retried by a CronJob: repeating a wrong configuration cannot help. */
export const ExitCode = { Pass: 0, Fail: 1, Usage: 2, Inconclusive: 3 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

const exitCodes: Record<Verdict, ExitCode> = {
  pass: ExitCode.Pass,
  fail: ExitCode.Fail,
  inconclusive: ExitCode.Inconclusive,
};

/** The exit code that says a verdict to the shell, to Kubernetes and to CI. */
export function exitCodeOf(verdict: Verdict): ExitCode {
  return exitCodes[verdict];
}

/**
 * One verdict for several: any `fail` fails, otherwise any `inconclusive` leaves it open. Nothing judged at all is
 * `inconclusive`, because an empty list of checks proves nothing.
 */
export function combineVerdicts(verdicts: Iterable<Verdict>): Verdict {
  let combined: Verdict | undefined;
  for (const verdict of verdicts) {
    if (verdict === Verdict.Fail) return Verdict.Fail;
    if (verdict === Verdict.Inconclusive || combined === undefined) combined = verdict;
  }
  return combined ?? Verdict.Inconclusive;
}
