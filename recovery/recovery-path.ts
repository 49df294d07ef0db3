import { logWindow, lossTerms } from "./data-loss";
import { type DeclaredDatabase, recoveryTargetClass, type RecoverySite } from "./declared-database";
import { blockersOf } from "./dependency";
import { knownMinutes, type Term, TermName, TermOrigin, totalMinutes } from "./derivation";
import {
  type EvidenceRules,
  findingsOf,
  isFailure,
  type MeasuredRun,
  type RunFindings,
  TimeBasis,
} from "./measured-runs";
import { type Objectives, responseTimesFor, type ScenarioObjective } from "./objectives";
import { Domain, failedDomains, PlacedKind, survivalOf, Survival } from "./placement";
import {
  appliesTo,
  coverage,
  evidenceMechanism,
  isStored,
  Mechanism,
  type Protection,
  recoveryDefaults,
  type StoreCopyProtection,
} from "./protection";
import { numberText } from "./quantity-text";
import { largestSizeWithin, recoveryTimeLedger } from "./recovery-time-ledger";
import { Scenario } from "./scenario";
import { scheduleProblems } from "./schedule";
import { Verdict } from "./verdict";

/** What one scenario is judged from. */
export interface ScenarioCase {
  readonly database: DeclaredDatabase;
  readonly scenario: Scenario;
  readonly objectives: Objectives;
  readonly runs: readonly MeasuredRun[];
  readonly rules: EvidenceRules;
  readonly now: Date;
}

/** One way to recover, and what it costs. */
export interface RecoveryPath {
  /** The protection's name, and the store copy that it is read from: `dump via replica`. */
  readonly name: string;
  readonly mechanism: Mechanism;
  readonly loss: readonly Term[];
  readonly recovery: readonly Term[];
  /** Sum of the terms; null when one is unknown, or when it does not recover at all. */
  readonly lossMinutes: number | null;
  readonly recoveryMinutes: number | null;
  readonly verdict: Verdict;
  /** Why it is known not to do, or why it is not known to. */
  readonly why: readonly string[];
  /** What the evidence leaves open or refutes, and what to run; no change of a declaration can settle it. */
  readonly evidenceProblem: string | null;
  /** Whether its time was measured on the same thing or is an estimate. */
  readonly timeBasis: TimeBasis;
  /** The newest run that proved a copy made by it. */
  readonly proof: MeasuredRun | null;
  /** Largest database in bytes that meets the RTO this way; null when its size does not matter or cannot be judged. */
  readonly largestSizeBytes: number | null;
}

/** Every way to recover, best first, and why what else was declared does not count. */
export interface RecoveryPaths {
  readonly paths: readonly RecoveryPath[];
  readonly notCounted: readonly string[];
}

const MINUTES_PER_DAY = 1440;
// The domains of the database whose loss leaves it no place to be restored in.
const HOME_DOMAINS: readonly Domain[] = [Domain.Cluster, Domain.Region, Domain.Account];

/** What a scenario takes with it, for this database. */
export function domainsOf({ database, scenario }: Pick<ScenarioCase, "database" | "scenario">): readonly Domain[] {
  return database.failedDomains?.[scenario] ?? failedDomains[scenario];
}

/** All ways to recover from a scenario. */
export function recoveryPaths(scenarioCase: ScenarioCase): RecoveryPaths {
  const { database, scenario } = scenarioCase;
  const domains = domainsOf(scenarioCase);
  const copies = database.protections.filter((protection) => protection.mechanism === Mechanism.StoreCopy);
  const paths: RecoveryPath[] = [];
  const notCounted: string[] = [];
  for (const protection of database.protections) {
    if (protection.mechanism === Mechanism.StoreCopy) continue;
    if (!appliesTo(protection.mechanism, database.engine)) {
      notCounted.push(`${protection.name}: a ${protection.mechanism} does nothing for engine ${database.engine}`);
      continue;
    }
    const { helps, because } = coverage[protection.mechanism][scenario];
    if (!helps) {
      // Where the data is whole, it goes without saying that no copy of it is used.
      if (isData(protection) && DATA_SCENARIOS.has(scenario)) notCounted.push(`${protection.name}: ${because}`);
      continue;
    }
    const carriers = isStored(protection) && domains.length > 0 ? carriersOf(protection, copies) : [];
    for (const copy of [undefined, ...carriers]) {
      const placed = copy ?? (isData(protection) ? protection : undefined);
      const kind = protection.mechanism === Mechanism.Standby ? PlacedKind.Server : PlacedKind.Stored;
      const name = copy === undefined ? protection.name : `${protection.name} via ${copy.name}`;
      const { survival, why } =
        placed === undefined ? { survival: Survival.Survives, why: "" } : survivalOf(placed, database, domains, kind);
      if (survival === Survival.Lost) notCounted.push(`${name}: ${why}`);
      else paths.push(evaluate(scenarioCase, name, protection, copy, survival === Survival.Unknown ? [why] : []));
    }
  }
  const objective = scenarioCase.objectives.scenarios[scenario];
  return { paths: paths.sort((a, b) => comparePaths(a, b, objective)), notCounted: notCounted.sort() };
}

function isData(protection: Protection): protection is Extract<Protection, { placement?: unknown }> {
  return isStored(protection) || protection.mechanism === Mechanism.Standby;
}

const DATA_SCENARIOS: ReadonlySet<Scenario> = new Set([
  Scenario.DataCorruption,
  Scenario.CompleteOutage,
  Scenario.RegionalFailure,
]);

function carriersOf(protection: Protection, copies: readonly StoreCopyProtection[]): StoreCopyProtection[] {
  return copies.filter(({ carries }) => carries === undefined || carries.includes(protection.name));
}

/** What a path is known to fail by, and what nobody knows about it. */
interface Doubts {
  readonly stops: string[];
  readonly unknown: string[];
}

function evaluate(
  scenarioCase: ScenarioCase,
  name: string,
  protection: Protection,
  copy: StoreCopyProtection | undefined,
  unknownSurvival: readonly string[],
): RecoveryPath {
  const { database, scenario, objectives } = scenarioCase;
  const { sizeBytes, detection } = database;
  const objective = objectives.scenarios[scenario];
  const findings = findingsFor(scenarioCase, protection);
  const doubts: Doubts = { stops: scheduleFaults(protection), unknown: [...unknownSurvival] };
  const isReadable = doubts.stops.length === 0;
  const site = siteFor(scenarioCase, doubts);
  const loss = isReadable ? withMeasuredExcess(lossTerms({ protection, copy, sizeBytes }), findings) : [];
  const noticedAfterDays = scenario === Scenario.DataCorruption ? objectives.detectCorruptionDays : 0;
  if (isReadable) checkHistory(protection, sizeBytes, noticedAfterDays, totalMinutes(loss), doubts);
  checkEvidence(findings, doubts);
  checkDependencies(scenarioCase, doubts);

  const ledger = isReadable
    ? recoveryTimeLedger({
        protection,
        sizeBytes,
        response: responseTimesFor(objectives.response, objective.severity),
        ...(detection === undefined ? {} : { detection }),
        ...(site === undefined ? {} : { site }),
        findings,
        copyAgeDays: noticedAfterDays + Math.floor(knownMinutes(loss) / MINUTES_PER_DAY),
      })
    : undefined;
  const recovery = ledger?.terms ?? [];
  const works = doubts.stops.length === 0;
  return {
    name,
    mechanism: protection.mechanism,
    loss,
    recovery,
    lossMinutes: works ? totalMinutes(loss) : null,
    recoveryMinutes: works ? totalMinutes(recovery) : null,
    ...judge(loss, recovery, objective, doubts),
    evidenceProblem: evidenceProblem(database.name, findings),
    timeBasis: findings.timeBasis,
    proof: findings.proof ?? null,
    largestSizeBytes: (ledger && works ? largestSizeWithin(ledger, objective.rtoMinutes) : undefined) ?? null,
  };
}

function findingsFor({ database, runs, rules, now }: ScenarioCase, protection: Protection): RunFindings {
  const subject = {
    database: database.name,
    mechanism: evidenceMechanism(protection),
    targetClass: recoveryTargetClass(database.engine),
    environment: database.environment ?? "local",
    sizeBytes: database.sizeBytes,
  };
  return findingsOf(runs, subject, now, rules);
}

function checkEvidence({ unproven }: RunFindings, doubts: Doubts): void {
  if (unproven === undefined) return;
  if (isFailure(unproven)) doubts.stops.push(`the newest run proved no copy: ${unproven.id}`);
  else doubts.unknown.push(`the newest run could not be judged: ${unproven.id}`);
}

function checkDependencies(scenarioCase: ScenarioCase, doubts: Doubts): void {
  const { database } = scenarioCase;
  const { stops, unknown } = blockersOf(database.dependencies ?? [], database, domainsOf(scenarioCase));
  doubts.stops.push(...stops.map((stop) => `stopped by ${stop}`));
  doubts.unknown.push(...unknown);
}

function scheduleFaults(protection: Protection): string[] {
  if (protection.mechanism === Mechanism.Dump && protection.schedule !== undefined) {
    return scheduleProblems(protection.schedule, protection.timeZone);
  }
  if (protection.mechanism === Mechanism.PointInTimeLog && protection.baseBackupSchedule !== undefined) {
    return scheduleProblems(protection.baseBackupSchedule);
  }
  return [];
}

function evidenceProblem(database: string, { unproven, timeBasis, ids }: RunFindings): string | null {
  const run = `run \`dr restore-test\` for ${database}`;
  if (unproven !== undefined) return `the newest run ${unproven.id} proved no copy: repair what it names, then ${run}`;
  return timeBasis === TimeBasis.Stale
    ? `${ids.join(", ")} is too old to count: ${run} on the same kind of target`
    : null;
}

/** A restore that lost more than the derivation allows proves the derivation wrong, never the other way round. */
function withMeasuredExcess(terms: readonly Term[], findings: RunFindings): readonly Term[] {
  const { achievedRpoSeconds, achievedRpoIds } = findings;
  const excess = (achievedRpoSeconds ?? 0) / 60 - knownMinutes(terms);
  if (achievedRpoSeconds === undefined || excess <= 0) return terms;
  return [
    ...terms,
    {
      name: TermName.MeasuredExcess,
      minutes: excess,
      origin: TermOrigin.Evidence,
      detail: `p95 of ${achievedRpoIds.length} runs lost ${numberText(achievedRpoSeconds / 60)} min: ${achievedRpoIds.slice(0, 3).join(", ")}`,
    },
  ];
}

/** Where the recovery happens when the database's own place is gone: the site with compute that is ready first. */
function siteFor(scenarioCase: ScenarioCase, doubts: Doubts): RecoverySite | undefined {
  const { database } = scenarioCase;
  const domains = domainsOf(scenarioCase);
  const home = database.placement;
  const lostHome = domains.filter(
    (domain) =>
      HOME_DOMAINS.includes(domain) &&
      (domain === Domain.Region ||
        domain === Domain.Account ||
        (home as Record<string, unknown>)?.[domain] !== undefined),
  );
  if (lostHome.length === 0) return undefined;
  const unusable: string[] = [];
  const unknown: string[] = [];
  const usable: RecoverySite[] = [];
  for (const site of database.sites ?? []) {
    const { survival, why } = survivalOf(site, database, domains);
    if (survival === Survival.Lost) unusable.push(`recovery site ${site.name}: ${why}`);
    else if (!site.compute) unusable.push(`recovery site ${site.name}: it has no compute`);
    else if (survival === Survival.Unknown) unknown.push(`recovery site ${site.name}: ${why}`);
    else usable.push(site);
  }
  const startMinutes = (site: RecoverySite) => site.startMinutes ?? recoveryDefaults.siteStartMinutes;
  usable.sort((a, b) => startMinutes(a) - startMinutes(b) || a.name.localeCompare(b.name));
  if (usable[0] !== undefined) return usable[0];
  if (unknown.length > 0) doubts.unknown.push(...unknown.sort());
  else if (unusable.length > 0) doubts.stops.push(...unusable.sort());
  else doubts.stops.push(`no recovery site outside the failed ${lostHome.join(" and ")} is declared`);
  return undefined;
}

/** What is gone back to has to be there still: a version, or for damage that is noticed late, a copy from before it. */
function checkHistory(
  protection: Protection,
  sizeBytes: number | undefined,
  noticedAfterDays: number,
  lossMinutes: number | null,
  doubts: Doubts,
): void {
  if (protection.mechanism === Mechanism.PointInTimeLog) {
    const { days, detail } = logWindow(protection, sizeBytes);
    if (days === undefined) doubts.unknown.push(detail);
    else if (days <= 0) doubts.stops.push(`${detail}: there are times to which nothing can be recovered`);
    else if (days < noticedAfterDays) doubts.stops.push(`${detail}, and damage is noticed after ${noticedAfterDays} d`);
    return;
  }
  if (protection.mechanism === Mechanism.Rollback) {
    const limit = protection.revisionHistoryLimit ?? recoveryDefaults.revisionHistoryLimit;
    if (limit < 1) doubts.stops.push(`revisionHistoryLimit is ${limit}: there is no version to go back to`);
    return;
  }
  if (noticedAfterDays === 0) return;
  if (protection.mechanism === Mechanism.SqliteStream) {
    const { windowDays } = protection;
    if (windowDays === undefined) doubts.unknown.push("nobody said how far back the stream reaches");
    else if (windowDays < noticedAfterDays) {
      doubts.stops.push(`a window of ${windowDays} d, and damage is noticed after ${noticedAfterDays} d`);
    }
  }
  if (protection.mechanism === Mechanism.Dump && lossMinutes !== null) {
    const { retentionDays } = protection;
    const neededDays = noticedAfterDays + lossMinutes / MINUTES_PER_DAY;
    if (retentionDays === undefined) doubts.unknown.push("nobody said how long the copies are kept");
    else if (retentionDays < neededDays) {
      doubts.stops.push(
        `copies are kept for ${retentionDays} d, and one of ${numberText(neededDays)} d is needed: damage is noticed ` +
          `after ${noticedAfterDays} d, and the newest copy from before it may be ${numberText(lossMinutes)} min older`,
      );
    }
  }
}

function judge(
  loss: readonly Term[],
  recovery: readonly Term[],
  { rpoMinutes, rtoMinutes }: ScenarioObjective,
  { stops, unknown }: Doubts,
): { verdict: Verdict; why: readonly string[] } {
  const misses = [
    ...missed("loss", "RPO", loss, rpoMinutes),
    ...missed("recovery", "RTO", recovery, rtoMinutes),
    ...stops,
  ];
  const open = [...unknown, ...unknownTerms(loss), ...unknownTerms(recovery)];
  const verdict = misses.length > 0 ? Verdict.Fail : open.length > 0 ? Verdict.Inconclusive : Verdict.Pass;
  return { verdict, why: [...misses, ...open] };
}

/** An objective is missed as soon as what is known exceeds it; meeting it to the minute is meeting it. */
function missed(what: string, objective: string, terms: readonly Term[], allowedMinutes: number): string[] {
  const known = knownMinutes(terms);
  if (known <= allowedMinutes) return [];
  const least = totalMinutes(terms) === null ? "at least " : "";
  return [`${what} ${least}${numberText(known)} min is above the ${objective} of ${numberText(allowedMinutes)} min`];
}

function unknownTerms(terms: readonly Term[]): string[] {
  return terms.filter(({ minutes }) => minutes === null).map(({ name, detail }) => `${name} is unknown: ${detail}`);
}

const ORDER: readonly Verdict[] = [Verdict.Pass, Verdict.Inconclusive, Verdict.Fail];

/** Best first: by verdict, then by how much of its objectives it uses up, then by name, so that order never matters. */
function comparePaths(a: RecoveryPath, b: RecoveryPath, objective: ScenarioObjective): number {
  return (
    ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict) ||
    compareNumbers(objectiveShare(a, objective), objectiveShare(b, objective)) ||
    compareNumbers(a.recoveryMinutes ?? Infinity, b.recoveryMinutes ?? Infinity) ||
    compareNumbers(a.lossMinutes ?? Infinity, b.lossMinutes ?? Infinity) ||
    a.name.localeCompare(b.name)
  );
}

/** The larger share of the two objectives that a path uses up; 1 is exactly met. */
export function objectiveShare(
  { lossMinutes, recoveryMinutes }: Pick<RecoveryPath, "lossMinutes" | "recoveryMinutes">,
  { rpoMinutes, rtoMinutes }: Pick<ScenarioObjective, "rpoMinutes" | "rtoMinutes">,
): number {
  const share = (minutes: number | null, allowed: number) =>
    minutes === null ? Infinity : minutes === 0 ? 0 : minutes / allowed;
  return Math.max(share(lossMinutes, rpoMinutes), share(recoveryMinutes, rtoMinutes));
}

function compareNumbers(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
