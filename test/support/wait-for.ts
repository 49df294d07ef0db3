import { setTimeout as delay } from "node:timers/promises";

type Outcome<T> = T | undefined | false;

/** Waits until the condition holds, or fails with what it said last. */
export async function waitFor<T>(
  what: string,
  seconds: number,
  condition: () => Outcome<T> | Promise<Outcome<T>>,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  let last: unknown;
  for (;;) {
    try {
      const result = await condition();
      if (result !== undefined && result !== false) return result;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`Waited ${seconds} s for ${what}.`, { cause: last });
    await delay(50);
  }
}
