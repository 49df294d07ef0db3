/** Where in time to recover to. */
export type RecoveryTarget =
  | { readonly kind: "latest" }
  /** @property orBefore where the source ends before the moment, all that it has: never `latest`, which may have passed it since */
  | { readonly kind: "time"; readonly at: Date; readonly orBefore?: true }
  | { readonly kind: "lsn"; readonly lsn: string }
  | { readonly kind: "name"; readonly name: string };

// A time without a zone means another moment on another machine, so it is refused.
const isoWithZone = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

/**
 * Reads `latest`, an ISO 8601 time with a zone, `lsn:0/16B3748` or `name:before-migration`.
 *
 * @returns the target, or why the word is none
 */
export function parseRecoveryTarget(
  word: string,
): RecoveryTarget | { readonly kind: "problem"; readonly problem: string } {
  if (word === "latest") return { kind: "latest" };
  const [, kind, value] = /^(lsn|name):(.*)$/s.exec(word) ?? [];
  if (kind === "lsn") {
    return /^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/.test(value!)
      ? { kind, lsn: value! }
      : problem(`expected a log position like lsn:0/16B3748, got ${JSON.stringify(word)}`);
  }
  if (kind === "name") {
    return value === "" ? problem("expected the name of a restore point after name:") : { kind: "name", name: value! };
  }
  const at = new Date(word);
  if (isoWithZone.test(word) && !Number.isNaN(at.getTime())) return { kind: "time", at };
  if (/^\d{4}-\d{2}-\d{2}/.test(word)) {
    return problem(
      `${JSON.stringify(word)} is not a moment: expected an ISO 8601 time with a zone, as in 2026-11-23T14:05:00Z or 2026-11-23T15:05:00+01:00`,
    );
  }
  return problem(`expected latest, a time like 2026-11-23T14:05:00Z, lsn:X/Y or name:X, got ${JSON.stringify(word)}`);
}

function problem(text: string): { readonly kind: "problem"; readonly problem: string } {
  return { kind: "problem", problem: text };
}
