/** Where the value of a term came from. */
export const TermOrigin = {
  /** Computed from a cron schedule. */
  Schedule: "schedule",
  /** Stated by the user. */
  Config: "config",
  /** Nobody stated it; `recoveryDefaults` and the objectives' defaults have it. */
  Default: "default",
  /** Measured; the detail names the evidence records. */
  Evidence: "evidence",
} as const;
export type TermOrigin = (typeof TermOrigin)[keyof typeof TermOrigin];

/** One addend of a worst-case loss or of a recovery time. */
export interface Term {
  /** What takes this time. Stable: reports and the drill line up measurements by it. */
  readonly name: TermName;
  /** Null when it is unknown. */
  readonly minutes: number | null;
  readonly origin: TermOrigin;
  /** How the value comes about, so that a person can check it by hand. */
  readonly detail: string;
}

/** The addends of a loss, and then those of a recovery time in the order in which they pass. */
export const TermName = {
  Untouched: "data untouched",
  ScheduleGap: "schedule gap",
  FailedRun: "failed run",
  Overlap: "runs that wait",
  StartDelay: "start delay",
  Dump: "dump",
  Upload: "upload",
  Flush: "flush",
  Lag: "replication lag",
  StoreReplication: "store replication",
  MeasuredExcess: "measured above the derivation",

  Detect: "detect",
  Acknowledge: "acknowledge",
  Decide: "decide",
  StartSite: "start site",
  Provision: "provision",
  Retrieve: "retrieve",
  Fetch: "fetch",
  Restore: "restore",
  Replay: "replay",
  Verify: "verify",
  Measured: "measured",
  Promote: "promote",
  Act: "act",
  Switch: "switch",
} as const;
export type TermName = (typeof TermName)[keyof typeof TermName];

/** The sum of the terms in minutes, or null as soon as one is unknown. */
export function totalMinutes(terms: readonly Term[]): number | null {
  return terms.some(({ minutes }) => minutes === null) ? null : knownMinutes(terms);
}

/** The sum of the terms that are known: the total is at least this. */
export function knownMinutes(terms: readonly Term[]): number {
  return rounded(terms.reduce((sum, { minutes }) => sum + (minutes ?? 0), 0));
}

/** To a microminute: what seconds leave in binary fractions must not decide whether 15 minutes are 15 minutes. */
function rounded(minutes: number): number {
  return Math.round(minutes * 1e6) / 1e6;
}
