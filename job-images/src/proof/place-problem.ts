/** What PostgreSQL's tools, tar, zstd, SQLite and Node say when the place has no room, no rights or no life left. */
const signs = new RegExp(
  [
    "No space left on device|ENOSPC|database or disk is full|could not extend file",
    "Permission denied|EACCES|Read-only file system|EROFS|Cannot allocate memory",
    "was killed by SIG|server closed the connection unexpectedly|terminating connection due to",
    "Connection refused|ECONNREFUSED|ECONNRESET",
  ].join("|"),
);

/**
 * Whether a failure is the fault of the place that a copy was made in. It says nothing of the recovery point then: one
 * that was called bad because a disk was full would be passed over on the night when it is needed.
 */
export function isOfThePlace(message: string): boolean {
  return signs.test(message);
}
