import { UsageError } from "./errors";

/**
 * An option that is a whole number.
 *
 * @param name of the option, with its dashes
 * @param least the smallest that makes sense
 * @returns `undefined` when it was not given
 * @throws UsageError
 */
export function numberOption(name: string, word: unknown, least = 0): number | undefined {
  if (word === undefined) return undefined;
  if (typeof word === "string" && /^\d{1,9}$/.test(word) && Number(word) >= least) return Number(word);
  throw new UsageError(`${name}: expected a whole number from ${least}, got ${JSON.stringify(word)}.`);
}
