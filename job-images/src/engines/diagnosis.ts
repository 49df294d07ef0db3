import { Verdict } from "../../../recovery";

/** One thing that must be in place, whether it is, and what to do when it is not. */
export interface Diagnosis {
  readonly name: string;
  readonly verdict: Verdict;
  readonly found: string;
  /** Empty when nothing is to be done. */
  readonly fix: string;
}

/** What a look at one thing found. */
export type Finding = Omit<Diagnosis, "name">;

/** In order. */
export const fine = (found: string): Finding => ({ verdict: Verdict.Pass, found, fix: "" });

/** In the way of a backup or a recovery. */
export const bad = (found: string, fix: string): Finding => ({ verdict: Verdict.Fail, found, fix });

/** Not known, or missing for a part of what could be had. */
export const open = (found: string, fix: string): Finding => ({ verdict: Verdict.Inconclusive, found, fix });
