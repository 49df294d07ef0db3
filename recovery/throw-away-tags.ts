/**
 * The tags of what a restore test makes in a cloud account and somebody must delete again. The reaper goes by them alone,
 * so nothing else may ever carry them.
 */
export const ThrowAwayTag = {
  /** Always `restore-test`. */
  Purpose: "recovery:purpose",
  /** The database's name in the job configuration. */
  Database: "recovery:database",
  /** The environment's name, so that one environment's reaper leaves the others alone. */
  Environment: "recovery:environment",
  /** ISO 8601, in UTC. Before it nothing is deleted. */
  ExpiresAt: "recovery:expires-at",
} as const;
export type ThrowAwayTag = (typeof ThrowAwayTag)[keyof typeof ThrowAwayTag];

/** The only value of `recovery:purpose`. */
export const throwAwayPurpose = "restore-test";

/** What every throw-away resource is tagged with, and with nothing else. */
export function throwAwayTags(about: {
  readonly database: string;
  readonly environment: string;
  readonly expiresAt: Date;
}): { Key: string; Value: string }[] {
  return [
    { Key: ThrowAwayTag.Purpose, Value: throwAwayPurpose },
    { Key: ThrowAwayTag.Database, Value: about.database },
    { Key: ThrowAwayTag.Environment, Value: about.environment },
    { Key: ThrowAwayTag.ExpiresAt, Value: about.expiresAt.toISOString() },
  ];
}
