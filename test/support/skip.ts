/** Skips a test, or from a hook every test that it is for, and says why; the reporter prints it. Never returns. */
export function skip(context: Mocha.Context, reason: string): never {
  const runnable = context.test!;
  const skipped = (test: object): void => void Object.assign(test, { skipReason: reason });
  if ((runnable as { type?: string }).type === "hook") runnable.parent!.eachTest(skipped);
  else skipped(runnable);
  return context.skip();
}
