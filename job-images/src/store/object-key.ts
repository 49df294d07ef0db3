/**
 * Refuses a key that could leave the store or that two stores would read differently: absolute, empty, with an empty,
 * `.` or `..` segment, with a backslash or a control character, or longer than S3's 1,024 bytes.
 *
 * @throws Error naming the key and what is wrong with it
 */
export function checkObjectKey(key: string): void {
  const problem = problemOfKey(key);
  if (problem) throw new Error(`${JSON.stringify(key)} is not a key of the store: ${problem}.`);
}

/** As `checkObjectKey`, for a prefix: it may be empty, and may end with a slash or in mid-name. */
export function checkObjectPrefix(prefix: string): void {
  if (prefix !== "") checkObjectKey(prefix.endsWith("/") ? prefix.slice(0, -1) : prefix);
}

function problemOfKey(key: string): string | undefined {
  if (key === "") return "it is empty";
  if (Buffer.byteLength(key) > 1024) return "it is longer than 1,024 bytes";
  if (key.startsWith("/")) return "it is absolute";
  // A lone surrogate becomes U+FFFD on the way, so two keys would become one.
  if (/[\\\p{Cc}\p{Cs}]/u.test(key)) return "it holds a backslash, a control character or half a surrogate pair";
  const bad = key.split("/").find((segment) => segment === "" || segment === "." || segment === "..");
  if (bad !== undefined) return `it has the segment ${JSON.stringify(bad)}`;
  return undefined;
}
