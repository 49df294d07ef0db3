import { OperationError } from "../../errors";
import { pause } from "../../pause";
import { type Progress } from "../../progress";

/** What is waited for, and how long. */
export interface Waiting {
  /** For people. */
  readonly what: string;
  readonly deadlineMinutes: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** RDS does not leave these by itself (RDS User Guide, "Viewing DB instance status"). */
const dead =
  /^(failed|incompatible-.*|inaccessible-encryption-credentials|restore-error|storage-full|insufficient-capacity|deleting|deleted)$/;

/** It serves, and the rest goes on behind it, for hours sometimes. */
const serves = /^(available|storage-optimization|storage-initialization)$/;

const firstPauseMilliseconds = 500;
const longestPauseMilliseconds = 15_000;

/**
 * Waits until RDS says that it is available.
 *
 * @param look gives the status and the thing itself
 * @throws OperationError when it has failed, or the deadline has passed
 */
export async function waitUntilAvailable<Thing>(
  { what, deadlineMinutes, progress, signal }: Waiting,
  look: () => Promise<{ readonly status: string | undefined; readonly thing: Thing } | undefined>,
): Promise<Thing> {
  const startedAt = performance.now();
  let told: string | undefined;
  for (let wait = firstPauseMilliseconds; ; wait = Math.min(1.5 * wait, longestPauseMilliseconds)) {
    signal.throwIfAborted();
    const found = await look();
    const status = found?.status ?? "not there yet";
    if (found && serves.test(status)) return found.thing;
    if (dead.test(status))
      throw new OperationError(`${what} is ${status}: RDS will not finish it. Its events say why.`);
    if (performance.now() - startedAt > deadlineMinutes * 60_000) {
      throw new OperationError(
        `${what} is still ${status} after ${deadlineMinutes} minutes. It goes on by itself; rds.restoreMinutes is how long it is waited for.`,
      );
    }
    if (status !== told) progress.step(`${what} is ${status} (waiting up to ${deadlineMinutes} min)`);
    told = status;
    await pause(wait, signal);
  }
}

/** How long something that says it is available may take no change. */
const busySeconds = 900;

/**
 * Changes what is available. RDS says so and begins a backup in the next moment, during which it takes no change.
 *
 * @param look waits until it is available
 * @param change says whether it was taken
 * @throws OperationError when it stays busy
 */
export async function changeWhenFree(
  what: string,
  signal: AbortSignal,
  look: () => Promise<unknown>,
  change: () => Promise<boolean>,
): Promise<void> {
  const taken = await waitFor(busySeconds, signal, async () => {
    await look();
    return change();
  });
  if (!taken) {
    throw new OperationError(
      `${what} is available and takes no change: RDS says that it is busy, for ${busySeconds / 60} minutes now.`,
    );
  }
}

/** Waits for something that may not come, and says whether it did. */
export async function waitFor(seconds: number, signal: AbortSignal, isDone: () => Promise<boolean>): Promise<boolean> {
  const until = performance.now() + seconds * 1000;
  for (let wait = firstPauseMilliseconds; ; wait = Math.min(1.5 * wait, longestPauseMilliseconds)) {
    signal.throwIfAborted();
    if (await isDone()) return true;
    if (performance.now() + wait > until) return false;
    await pause(wait, signal);
  }
}
