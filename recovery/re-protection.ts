import { type EvidenceCheck } from "./evidence";
import { combineVerdicts, Verdict } from "./verdict";

/** What a recovered database has of what protects it, at one moment. */
export interface ReProtectionState {
  /** When the recovery began; only what came after it protects the new database. */
  readonly since: Date;
  readonly now: Date;
  /** The newest complete backup of the new database, as of the moment that it holds. */
  readonly backup?: { readonly id: string; readonly at: Date };
  /** Absent where the configuration asks for no log. */
  readonly log?: {
    /** Up to when the store has the log behind a base backup of the new server. */
    readonly coversUntil?: Date;
    readonly gap?: string;
    /** Older than this the log does not protect. */
    readonly maxAgeSeconds: number;
  };
  /** Absent where the configuration names none. */
  readonly standby?: { readonly streaming: boolean; readonly detail: string };
  /** Everything else that backups and recoveries need. */
  readonly readiness: { readonly verdict: Verdict; readonly detail: string };
  /** The assessment of what only copies protect from: damaged data. */
  readonly assessment: { readonly verdict: Verdict; readonly detail: string };
}

/** Whether a recovery is finished. */
export interface ReProtection {
  readonly verdict: Verdict;
  readonly checks: readonly EvidenceCheck[];
  /** Names of the checks that have not passed. */
  readonly missing: readonly string[];
  /** From the beginning of the recovery until everything was in place again; `null` until it is. */
  readonly reProtectedSeconds: number | null;
}

/**
 * A recovery is finished when the next disaster may come: the new database has a complete backup, its log arrives where
 * the configuration wants one, its standby follows if there was one, and the assessment is green. What protected the old
 * database protects nothing of the new one.
 */
export function judgeReProtection(state: ReProtectionState): ReProtection {
  const { since, now } = state;
  const checks = [
    judgeBackup(state),
    ...(state.log ? [judgeLog(state, state.log)] : []),
    ...(state.standby
      ? [
          check(
            "standby",
            state.standby.streaming ? Verdict.Pass : Verdict.Fail,
            state.standby.streaming ? state.standby.detail : `${state.standby.detail}: rebuild it from the new primary`,
          ),
        ]
      : []),
    check("readiness", state.readiness.verdict, state.readiness.detail),
    check("assessment", state.assessment.verdict, state.assessment.detail),
  ];
  const verdict = combineVerdicts(checks.map((each) => each.verdict));
  return {
    verdict,
    checks,
    missing: checks.filter((each) => each.verdict !== Verdict.Pass).map(({ name }) => name),
    reProtectedSeconds: verdict === Verdict.Pass ? Math.max(0, (now.getTime() - since.getTime()) / 1000) : null,
  };
}

function judgeBackup({ backup, since }: ReProtectionState): EvidenceCheck {
  if (backup && backup.at > since) {
    return check("backup", Verdict.Pass, `${backup.id} holds ${backup.at.toISOString()}`);
  }
  const newest = backup ? `the newest, ${backup.id}, is of before the recovery` : "there is none";
  return check("backup", Verdict.Fail, `no complete backup of the recovered database: ${newest}`);
}

function judgeLog({ since, now }: ReProtectionState, log: NonNullable<ReProtectionState["log"]>): EvidenceCheck {
  const { coversUntil, gap, maxAgeSeconds } = log;
  if (!coversUntil || coversUntil <= since) {
    return check("log", Verdict.Fail, "no log of the recovered database is in the store: is `dr stream` running?");
  }
  if (gap !== undefined) return check("log", Verdict.Fail, `a hole at ${gap}: a base backup closes it`);
  const ageSeconds = (now.getTime() - coversUntil.getTime()) / 1000;
  const detail = `every commit until ${coversUntil.toISOString()} is in the store`;
  return ageSeconds <= maxAgeSeconds
    ? check("log", Verdict.Pass, detail)
    : check("log", Verdict.Fail, `${detail}, ${Math.round(ageSeconds)} s ago; at most ${maxAgeSeconds} s is allowed`);
}

const check = (name: string, verdict: Verdict, detail: string): EvidenceCheck => ({ name, verdict, detail });

/** How far sequences are moved past what the copy knows, unless a person says otherwise. */
export const defaultSequenceGap = 1000;
