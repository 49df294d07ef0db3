const mebibyte = 1024 * 1024;

/** S3's most parts of one upload. */
export const mostParts = 10_000;

/** Parts that keep their first size; the rest is room to grow when more comes than was expected. */
const constantParts = 5_000;
const doubleEvery = 500;
/** Size of a part of an object that is not large. */
export const usualPartBytes = 8 * mebibyte;
const largestPartBytes = 1024 * mebibyte;

/** What parts of one upload may hold in memory while they are sent, unless a single part is larger. */
const inFlightBytes = 32 * mebibyte;

/**
 * Size of the part with this index (from 0). 8 MiB, or what fits the expected size into 5,000 parts; all equal, as some
 * S3-compatible servers ask for, unless the object outgrows 5,000 of them: then sizes double every 500 parts, so that
 * 2.4 TiB of unknown size still fit into S3's 10,000 parts.
 *
 * @param smallest size of a part of an object that is not large @default 8 MiB
 */
export function partBytes(index: number, expectedBytes = 0, smallest = usualPartBytes): number {
  const base = Math.max(smallest, Math.ceil(expectedBytes / constantParts / mebibyte) * mebibyte);
  if (index < constantParts) return base;
  const doublings = Math.floor((index - constantParts) / doubleEvery) + 1;
  return Math.max(base, Math.min(largestPartBytes, base * 2 ** doublings));
}

/** How many parts of this size may be on their way at once. */
export function partsInFlight(bytes: number): number {
  return Math.max(1, Math.floor(inFlightBytes / bytes));
}
