import { type RdsTag } from "./rds-description";
import { ThrowAwayTag, throwAwayPurpose } from "./throw-away-tags";

/** An instance or cluster that the reaper came by. */
export interface ReaperCandidate {
  readonly identifier: string;
  readonly tags: readonly RdsTag[];
  readonly status: string | undefined;
  readonly deletionProtection: boolean;
  /** The instances of a cluster, which go with it. */
  readonly members?: readonly ReaperCandidate[];
}

/** What the reaper does with it, and why. */
export interface ReaperDecision {
  readonly identifier: string;
  readonly remove: boolean;
  /** Nothing of it concerns this reaper: it is a database like any other and not worth a line. */
  readonly isOurs: boolean;
  readonly why: string;
}

/**
 * Whether the reaper may delete this. Deleting a database is the one thing here that cannot be undone, so every doubt
 * keeps it: it must carry exactly the tags of a throw-away of this environment, with an expiry that can be read and has
 * passed. Another tag means that somebody has made it their own.
 */
export function reaperDecision(candidate: ReaperCandidate, environment: string, now: Date): ReaperDecision {
  const { identifier, tags, status, deletionProtection, members = [] } = candidate;
  const known: ReadonlySet<string> = new Set(Object.values(ThrowAwayTag));
  const values = new Map(tags.map(({ Key, Value }) => [Key ?? "", Value ?? ""]));
  const isOurs = [...values.keys()].some((key) => known.has(key));
  const keep = (why: string): ReaperDecision => ({ identifier, remove: false, isOurs, why });

  if (values.get(ThrowAwayTag.Purpose) !== throwAwayPurpose) {
    return keep(`it is not tagged ${ThrowAwayTag.Purpose}=${throwAwayPurpose}`);
  }
  if (values.size !== tags.length) return keep("a tag of it is there twice");
  const missing = [...known].filter((key) => (values.get(key) ?? "") === "");
  if (missing.length > 0) return keep(`it has no tag ${missing.join(", ")}: no restore test made it like this`);
  const foreign = [...values.keys()].filter((key) => !known.has(key) && !key.startsWith("aws:"));
  if (foreign.length > 0) {
    return keep(`it also carries ${foreign.join(", ")}: somebody has made it their own; delete it by hand if not`);
  }
  const itsEnvironment = values.get(ThrowAwayTag.Environment)!;
  if (itsEnvironment !== environment) return keep(`it is of environment ${itsEnvironment}, this is ${environment}`);
  const expiry = values.get(ThrowAwayTag.ExpiresAt)!;
  const expiresAt = readExpiry(expiry);
  if (!expiresAt) return keep(`its expiry ${JSON.stringify(expiry)} cannot be read: delete it by hand`);
  if (expiresAt >= now) return keep(`it expires at ${expiresAt.toISOString()}`);
  if (deletionProtection) return keep("it is protected from deletion, and no restore test does that");
  if (status === "deleting") return keep("it is being deleted already");
  for (const member of members) {
    const decision = reaperDecision(member, environment, now);
    if (!decision.remove && member.status !== "deleting") {
      return keep(`its instance ${member.identifier} stays: ${decision.why}`);
    }
  }
  return { identifier, remove: true, isOurs, why: `a forgotten restore test, expired at ${expiresAt.toISOString()}` };
}

/** Only what `throwAwayTags` writes: any other spelling was written by somebody else. */
function readExpiry(text: string): Date | undefined {
  const at = new Date(text);
  return !Number.isNaN(at.getTime()) && at.toISOString() === text ? at : undefined;
}
