import { type Manifest, type ManifestLink } from "./manifest";

/** What of a manifest tells of the chain that it ends. */
export type Chained = Pick<Manifest, "id" | "buildsOn">;

/**
 * What is wrong with one recovery point that an incremental one builds on, as far as the two manifests say; undefined when
 * nothing is.
 *
 * @param index its place in the chain, the full one at 0
 * @param found the manifest that is there under its id
 */
export function chainLinkProblem(
  { id, buildsOn = [] }: Chained,
  index: number,
  found: Pick<Manifest, "id" | "digest" | "buildsOn"> | undefined,
): string | undefined {
  const link = buildsOn[index]!;
  if (!found) return `${id} builds on ${link.id}, which is missing`;
  if (found.digest !== link.digest) {
    return `${id} builds on ${link.id}, and what is there under this id is another one: its digest is ${found.digest}, not ${link.digest}`;
  }
  if (namesOf(found.buildsOn) === namesOf(buildsOn.slice(0, index))) return undefined;
  return `${id} builds on ${link.id}, which builds on ${namesOf(found.buildsOn) || "nothing"} and not on ${namesOf(buildsOn.slice(0, index)) || "nothing"}`;
}

function namesOf(links: readonly ManifestLink[] = []): string {
  return links.map(({ id }) => id).join(", ");
}

/** When the first of a chain goes, and all of it is of no use; undefined when none ever does. */
export function earliestExpiry(expiries: readonly (string | undefined)[]): string | undefined {
  return expiries.filter((expiry) => expiry !== undefined).sort()[0];
}

/** What decides whether a base backup is taken as an increment of an older one. */
export interface IncrementSituation {
  /** How many increments may be taken after each full base backup. */
  readonly incrementalsPerFull: number;
  readonly serverMajor: number;
  /** Whether the server notes which blocks its log changes (`summarize_wal`). */
  readonly summarizesWal: boolean;
  /** The newest base backup of this very server. */
  readonly previous?: Chained & Pick<Manifest, "fileList">;
  /** What is wrong with it or with what it builds on. */
  readonly previousProblems: readonly string[];
  /** Until when it and all that it builds on are there and in no archive; absent for ever. */
  readonly previousUntil?: string;
  /** For how many days that would be so of a full one that is taken now; absent for ever. */
  readonly keptDays?: number;
  readonly now: Date;
}

/** The first version that can. */
export const incrementalSince = 17;

const DAY = 86_400_000;

/** An incremental backup must be of use for at least this share of what a full one would be kept for. */
const leastShareOfRetention = 0.5;

/**
 * Why the base backup that is due has to be a full one; undefined when it may be an increment of the previous one. Whatever
 * is not known for certain makes it a full one, which needs nothing but itself.
 */
export function whyFull(situation: IncrementSituation): string | undefined {
  const { incrementalsPerFull, serverMajor, summarizesWal, previous, previousProblems } = situation;
  if (incrementalsPerFull === 0) return "no incremental ones are configured";
  if (serverMajor < incrementalSince) {
    return `PostgreSQL ${serverMajor} takes no incremental base backups: ${incrementalSince} and newer do`;
  }
  if (!summarizesWal) return "summarize_wal is off on the server";
  if (!previous) return "there is no base backup of this server to build on";
  if (previousProblems.length > 0) return `${previous.id} is not to be built on: ${previousProblems.join("; ")}`;
  if (!previous.fileList) return `the list of files of ${previous.id} was not kept`;
  const taken = previous.buildsOn?.length ?? 0;
  if (taken >= incrementalsPerFull) {
    return `${taken} incremental ones have been taken since the last full one, ${incrementalsPerFull} may be`;
  }
  return tooShortLived(situation);
}

function tooShortLived({ previous, previousUntil, keptDays, now }: IncrementSituation): string | undefined {
  if (previousUntil === undefined || keptDays === undefined) return undefined;
  const leftDays = (new Date(previousUntil).getTime() - now.getTime()) / DAY;
  if (leftDays >= keptDays * leastShareOfRetention) return undefined;
  return `${previous!.id} and what it builds on can be restored at once until ${previousUntil}, a full one for ${keptDays} days`;
}

/** Until when a recovery point and all that it builds on can be restored at once, by the days before the archive. */
export function usableUntil(
  chain: readonly Pick<Manifest, "startedAt" | "expiresAt">[],
  hotDays: number | undefined,
): string | undefined {
  return earliestExpiry(
    chain.flatMap(({ startedAt, expiresAt }) => [
      expiresAt,
      ...(hotDays === undefined ? [] : [new Date(new Date(startedAt).getTime() + hotDays * DAY).toISOString()]),
    ]),
  );
}

/** What a server is asked for before increments are counted on. */
export interface IncrementSettings {
  readonly serverMajor: number;
  readonly summarizesWal: boolean;
  /** `wal_summary_keep_time`; 0 keeps them for ever. */
  readonly summaryKeptMinutes: number;
  /** The longest time from one base backup to the next. */
  readonly intervalMinutes: number;
}

/** Everything on the server that turns increments into full base backups, each with what to do about it. */
export function incrementProblems(settings: IncrementSettings): { readonly found: string; readonly fix: string }[] {
  const { serverMajor, summarizesWal, summaryKeptMinutes, intervalMinutes } = settings;
  if (serverMajor < incrementalSince) {
    return [
      {
        found: `PostgreSQL ${serverMajor} takes no incremental base backups`,
        fix: `Upgrade to ${incrementalSince} or newer, or set incrementalsPerFull to 0.`,
      },
    ];
  }
  return [
    ...(summarizesWal ? [] : [{ found: "summarize_wal is off", fix: "Set summarize_wal = on and reload the server." }]),
    ...(summaryKeptMinutes === 0 || summaryKeptMinutes >= intervalMinutes
      ? []
      : [
          {
            found: `wal_summary_keep_time is ${summaryKeptMinutes} minutes, and up to ${intervalMinutes} lie between two base backups`,
            fix: `Set wal_summary_keep_time = '${Math.ceil(intervalMinutes / 60) + 1}h' at least.`,
          },
        ]),
  ];
}
