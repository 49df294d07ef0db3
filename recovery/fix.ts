import { logWindow, lossTerms } from "./data-loss";
import { type DeclaredDatabase, type RecoverySite } from "./declared-database";
import { blockersOf } from "./dependency";
import { knownMinutes, TermName } from "./derivation";
import { Engine } from "./manifest";
import { Domain, type Placement, survivalOf, Survival } from "./placement";
import {
  type DumpProtection,
  isStored,
  type LogProtection,
  Mechanism,
  type PoolerProtection,
  type Protection,
  recoveryDefaults,
  type ReplicasProtection,
  type RollbackProtection,
} from "./protection";
import { bytesText, numberText } from "./quantity-text";
import { domainsOf, type RecoveryPath, recoveryPaths, type ScenarioCase } from "./recovery-path";
import { type LifecycleTransition, retrievalMinutes } from "./retention";
import { Scenario } from "./scenario";
import { scheduleWithGapAtMost } from "./schedule";
import { Verdict } from "./verdict";

interface SetChange {
  readonly change: "set";
  readonly protection: string;
  readonly settings: Settings;
}

/** One change to a declaration. Data, so that it can be printed, put into JSON and applied. */
export type FixChange =
  | SetChange
  | { readonly change: "add"; readonly protection: Protection }
  | { readonly change: "compute"; readonly site: string }
  | { readonly change: "add-site"; readonly site: RecoverySite }
  | { readonly change: "copy-dependencies"; readonly names: readonly string[]; readonly placement: Placement };

/** Settings of a protection, by their names in its interface. */
export type Settings = Readonly<
  Record<string, string | number | boolean | readonly string[] | readonly LifecycleTransition[]>
>;

/** The smallest change that meets a missed objective, or why there is none. */
export type Fix =
  | { readonly changes: readonly FixChange[]; readonly text: readonly string[]; readonly noFixBecause?: undefined }
  | { readonly changes?: undefined; readonly text?: undefined; readonly noFixBecause: string };

const MINUTES_PER_DAY = 1440;
const MOST_CHANGES = 4;
const OTHER_REGION = "another region";
const DAILY_BASE_BACKUP = "@daily";
const ADDED_STANDBY_LAG_SECONDS = 60;
const RESPONSE_TERMS: ReadonlySet<TermName> = new Set([TermName.Detect, TermName.Acknowledge, TermName.Decide]);

/**
 * The fewest changes after which the scenario passes, cheapest first among equals. Each candidate is applied and
 * assessed again, so that a fix that is proposed is one that works.
 */
export function fixFor(scenarioCase: ScenarioCase, best: RecoveryPath | undefined): Fix {
  if (best?.evidenceProblem != null) return { noFixBecause: best.evidenceProblem };
  const candidates = candidateChanges(scenarioCase).filter(
    // Where something is only unknown, saying it comes before building more.
    ({ change }) => best?.verdict !== Verdict.Inconclusive || change === "set",
  );
  for (let count = 1; count <= Math.min(MOST_CHANGES, candidates.length); count += 1) {
    for (const changes of combinations(candidates, count)) {
      const database = applyFix(scenarioCase.database, changes);
      if (recoveryPaths({ ...scenarioCase, database }).paths[0]?.verdict === Verdict.Pass) {
        return { changes, text: changes.map((change) => changeText(change, scenarioCase.database)) };
      }
    }
  }
  return { noFixBecause: whyNoFix(scenarioCase, best) };
}

/** The declaration with the changes made. */
export function applyFix(database: DeclaredDatabase, changes: readonly FixChange[]): DeclaredDatabase {
  return changes.reduce(applyChange, database);
}

function applyChange(database: DeclaredDatabase, change: FixChange): DeclaredDatabase {
  switch (change.change) {
    case "set":
      return {
        ...database,
        protections: database.protections.map((protection) =>
          protection.name === change.protection ? { ...protection, ...change.settings } : protection,
        ),
      };
    case "add":
      return { ...database, protections: [...database.protections, change.protection] };
    case "compute":
      return {
        ...database,
        sites: (database.sites ?? []).map((site) => (site.name === change.site ? { ...site, compute: true } : site)),
      };
    case "add-site":
      return { ...database, sites: [...(database.sites ?? []), change.site] };
    case "copy-dependencies":
      return {
        ...database,
        dependencies: (database.dependencies ?? []).map((dependency) =>
          change.names.includes(dependency.name)
            ? { ...dependency, placements: [...dependency.placements, change.placement] }
            : dependency,
        ),
      };
  }
}

/** A change as one would write it into the declaration. */
export function changeText(change: FixChange, database: DeclaredDatabase): string {
  switch (change.change) {
    case "set":
      return `${change.protection}: ${settingsText(inRdsTerms(change, database))}`;
    case "add": {
      const { mechanism, name, ...settings } = change.protection;
      return [`add ${mechanism} \`${name}\``, settingsText(settings)].filter((part) => part !== "").join(" with ");
    }
    case "compute":
      return `recovery site ${change.site}: \`compute: true\``;
    case "add-site": {
      const { name, ...settings } = change.site;
      return `add a recovery site \`${name}\` with ${settingsText(settings)}`;
    }
    case "copy-dependencies":
      return `keep a copy of ${change.names.join(", ")} in ${change.placement.region ?? "another place"}`;
  }
}

/** The window of an RDS log under the name that it has there. */
function inRdsTerms({ protection, settings }: SetChange, database: DeclaredDatabase): Settings {
  const isManaged = database.protections.some(
    (other) => other.name === protection && other.mechanism === Mechanism.PointInTimeLog && other.managed === true,
  );
  const { windowDays, ...others } = settings;
  return isManaged && windowDays !== undefined ? { ...others, backupRetentionPeriod: windowDays } : settings;
}

function settingsText(settings: object): string {
  return Object.entries(settings)
    .map(([name, value]) => `\`${name}: ${valueText(value)}\``)
    .join(", ");
}

function valueText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What could be changed for a scenario, smallest change first: a setting, then something new. */
function candidateChanges(scenarioCase: ScenarioCase): FixChange[] {
  const { database, scenario } = scenarioCase;
  switch (scenario) {
    case Scenario.PodCrash:
      return replicasChanges(database);
    case Scenario.DeploymentFailure:
      return rollbackChanges(scenarioCase);
    case Scenario.DatabaseConnectionLoss:
      return poolerChanges(database);
    case Scenario.DataCorruption:
    case Scenario.CompleteOutage:
    case Scenario.RegionalFailure:
      return dataChanges(scenarioCase);
  }
}

function replicasChanges(database: DeclaredDatabase): FixChange[] {
  const settings = { count: 2, detectSeconds: recoveryDefaults.podDetectSeconds };
  const added: ReplicasProtection = { mechanism: Mechanism.Replicas, name: unusedName(database, "replicas"), count: 2 };
  return [
    ...database.protections
      .filter(({ mechanism }) => mechanism === Mechanism.Replicas)
      .flatMap(({ name }) => [set(name, { count: settings.count }), set(name, settings)]),
    { change: "add", protection: added },
  ];
}

function rollbackChanges({ database, objectives, scenario }: ScenarioCase): FixChange[] {
  const rtoSeconds = objectives.scenarios[scenario].rtoMinutes * 60;
  const { progressDeadlineSeconds, rollbackSeconds, revisionHistoryLimit } = recoveryDefaults;
  const deadline = Math.min(progressDeadlineSeconds, Math.floor(rtoSeconds - rollbackSeconds));
  // A rollout that is called failed before its pods can be ready would undo every good one.
  const automatic = deadline >= rollbackSeconds ? [{ automatic: true, progressDeadlineSeconds: deadline }] : [];
  const added: RollbackProtection = { mechanism: Mechanism.Rollback, name: unusedName(database, "rollback") };
  return [
    ...database.protections
      .filter(({ mechanism }) => mechanism === Mechanism.Rollback)
      .flatMap(({ name }) => [{ revisionHistoryLimit }, ...automatic].map((settings) => set(name, settings))),
    ...[{}, ...automatic].map((settings): FixChange => ({ change: "add", protection: { ...added, ...settings } })),
  ];
}

function poolerChanges(database: DeclaredDatabase): FixChange[] {
  const added: PoolerProtection = { mechanism: Mechanism.Pooler, name: unusedName(database, "pooler") };
  return [
    ...database.protections
      .filter(({ mechanism }) => mechanism === Mechanism.Pooler)
      .map(({ name }) => set(name, { detectSeconds: recoveryDefaults.poolerDetectSeconds })),
    { change: "add", protection: added },
  ];
}

function dataChanges(scenarioCase: ScenarioCase): FixChange[] {
  const { database } = scenarioCase;
  const domains = domainsOf(scenarioCase);
  const site: RecoverySite = { name: "recovery", compute: true, placement: placementOutside(database, domains) };
  return [
    ...database.protections.flatMap((protection) => settingChanges(scenarioCase, protection)),
    ...(database.sites ?? [])
      .filter((site) => !site.compute && survivalOf(site, database, domains).survival === Survival.Survives)
      .map(({ name }): FixChange => ({ change: "compute", site: name })),
    ...dependencyChanges(scenarioCase, domains),
    ...addedProtections(scenarioCase, domains),
    ...(domains.length === 0 ? [] : [{ change: "add-site" as const, site }]),
  ];
}

function settingChanges(scenarioCase: ScenarioCase, protection: Protection): FixChange[] {
  const { database, scenario, objectives } = scenarioCase;
  const rpoSeconds = Math.floor(objectives.scenarios[scenario].rpoMinutes * 60);
  const noticedAfterDays = scenario === Scenario.DataCorruption ? objectives.detectCorruptionDays : 0;
  const { name } = protection;
  switch (protection.mechanism) {
    case Mechanism.Dump:
      return [...scheduleChanges(scenarioCase, protection), ...historyChanges(scenarioCase, protection)];
    case Mechanism.PointInTimeLog:
      return [
        ...windowChanges(protection, database.sizeBytes, noticedAfterDays),
        // A window from each base backup on, and one fetch.
        ...((protection.incrementalsPerFull ?? 0) > 0 ? [set(name, { incrementalsPerFull: 0 })] : []),
        // RDS uploads its log when it does; only a log of one's own can be flushed sooner.
        ...(protection.managed === true ? [] : flushChanges(protection, recoveryDefaults.walFlushSeconds, rpoSeconds)),
      ];
    case Mechanism.SqliteStream:
      return [
        ...((protection.windowDays ?? 0) < noticedAfterDays
          ? [set(name, { windowDays: Math.ceil(noticedAfterDays) })]
          : []),
        ...flushChanges(protection, recoveryDefaults.sqliteFlushSeconds, rpoSeconds),
      ];
    case Mechanism.Standby:
      return (protection.lagSeconds ?? Infinity) > rpoSeconds && protection.synchronous !== true
        ? [set(name, { lagSeconds: Math.min(ADDED_STANDBY_LAG_SECONDS, rpoSeconds) })]
        : [];
    case Mechanism.StoreCopy: {
      const { carries } = protection;
      if (carries === undefined) return [];
      const all = database.protections.filter(isStored).map((stored) => stored.name);
      return all.every((stored) => carries.includes(stored)) ? [] : [set(name, { carries: all })];
    }
    case Mechanism.Replicas:
    case Mechanism.Rollback:
    case Mechanism.Pooler:
      return [];
  }
}

/** The rarest schedules that leave room for the rest of the loss, with and without the way through a store copy. */
function scheduleChanges({ database, objectives, scenario }: ScenarioCase, dump: DumpProtection): FixChange[] {
  const { rpoMinutes } = objectives.scenarios[scenario];
  const gaps = (dump.failedRuns ?? recoveryDefaults.failedRuns) + 1;
  const besides = knownMinutes(
    lossTerms({ protection: { ...dump, schedule: undefined }, sizeBytes: database.sizeBytes }),
  );
  const replications = database.protections
    .filter((protection) => protection.mechanism === Mechanism.StoreCopy)
    .map(({ replicationMinutes }) => replicationMinutes ?? recoveryDefaults.storeReplicationMinutes);
  const schedules = [0, ...replications, recoveryDefaults.storeReplicationMinutes]
    .map((replication) => scheduleWithGapAtMost((rpoMinutes - besides - replication) / gaps))
    .filter((schedule) => schedule !== undefined && schedule !== dump.schedule);
  return [...new Set(schedules)].map((schedule) => set(dump.name, { schedule: schedule ?? "" }));
}

/** Copies that reach back to before damage that is noticed late, and that can still be read in time. */
function historyChanges({ objectives, scenario }: ScenarioCase, dump: DumpProtection): FixChange[] {
  if (scenario !== Scenario.DataCorruption) return [];
  const { rpoMinutes, rtoMinutes } = objectives.scenarios[scenario];
  const neededDays = objectives.detectCorruptionDays + rpoMinutes / MINUTES_PER_DAY;
  const changes: FixChange[] = [];
  if ((dump.retentionDays ?? 0) < neededDays) changes.push(set(dump.name, { retentionDays: Math.ceil(neededDays) }));
  const hotDays = Math.floor(neededDays) + 1;
  const isTooSoon = ({ days, storageClass }: LifecycleTransition) =>
    days < hotDays && retrievalMinutes(storageClass, dump.retrieval) > rtoMinutes;
  if (dump.transitions?.some(isTooSoon) === true) {
    const later = dump.transitions.map((move) => (isTooSoon(move) ? { ...move, days: hotDays } : move));
    changes.push(set(dump.name, { transitions: later }));
  }
  return changes;
}

/** A window that reaches back to before damage that is noticed late. */
function windowChanges(log: LogProtection, sizeBytes: number | undefined, noticedAfterDays: number): FixChange[] {
  const leastDays = Math.max(1, Math.ceil(noticedAfterDays));
  if (log.walRetentionDays === undefined || log.windowDays !== undefined) {
    return (log.windowDays ?? 0) < leastDays ? [set(log.name, { windowDays: leastDays })] : [];
  }
  const changes =
    log.baseBackupSchedule === undefined ? [set(log.name, { baseBackupSchedule: DAILY_BASE_BACKUP })] : [];
  const { days } = logWindow({ ...log, baseBackupSchedule: log.baseBackupSchedule ?? DAILY_BASE_BACKUP }, sizeBytes);
  if (days !== undefined && days < leastDays) {
    changes.push(set(log.name, { walRetentionDays: Math.ceil(log.walRetentionDays - days + leastDays) }));
  }
  return changes;
}

function flushChanges(
  { name, flushSeconds }: { readonly name: string; readonly flushSeconds?: number },
  defaultSeconds: number,
  rpoSeconds: number,
): FixChange[] {
  return (flushSeconds ?? defaultSeconds) > rpoSeconds
    ? [set(name, { flushSeconds: Math.min(defaultSeconds, rpoSeconds) })]
    : [];
}

function dependencyChanges({ database }: ScenarioCase, domains: readonly Domain[]): FixChange[] {
  const dependencies = database.dependencies ?? [];
  const blocked = dependencies.filter((dependency) => {
    const { stops, unknown } = blockersOf([dependency], database, domains);
    return stops.length + unknown.length > 0;
  });
  if (blocked.length === 0) return [];
  return [
    {
      change: "copy-dependencies",
      names: blocked.map(({ name }) => name).sort(),
      placement: placementOutside(database, domains),
    },
  ];
}

function addedProtections({ database, objectives, scenario }: ScenarioCase, domains: readonly Domain[]): FixChange[] {
  const placement = placementOutside(database, domains);
  const serverPlacement: Placement = {
    ...Object.fromEntries(
      [Domain.Server, Domain.Zone, Domain.Cluster]
        .filter((domain) => domains.includes(domain) && database.placement?.[domain] !== undefined)
        .map((domain) => [domain, `another ${domain}`]),
    ),
    ...placement,
  };
  const windowDays = Math.max(1, Math.ceil(objectives.detectCorruptionDays));
  const named = (name: string) => ({ name: unusedName(database, name), placement });
  const sqlite = database.engine === Engine.Sqlite;
  const log: Protection = sqlite
    ? { mechanism: Mechanism.SqliteStream, ...named("stream"), windowDays }
    : database.engine === Engine.Rds
      ? { mechanism: Mechanism.PointInTimeLog, ...named("log"), managed: true, windowDays }
      : {
          mechanism: Mechanism.PointInTimeLog,
          ...named("log"),
          // A day between base backups, one of which may fail, and one for taking it.
          walRetentionDays: windowDays + 3,
          baseBackupSchedule: DAILY_BASE_BACKUP,
        };
  if (scenario === Scenario.DataCorruption) return [{ change: "add", protection: log }];
  const added: Protection[] = [];
  if (database.protections.some(isStored)) added.push({ mechanism: Mechanism.StoreCopy, ...named("store-copy") });
  added.push(log);
  if (!sqlite) {
    const lagSeconds = ADDED_STANDBY_LAG_SECONDS;
    added.push({ mechanism: Mechanism.Standby, ...named("standby"), placement: serverPlacement, lagSeconds });
  }
  return added.map((protection) => ({ change: "add", protection }));
}

/** A place that outlives the domains: the region of a recovery site that does, else another than the database's. */
function placementOutside(database: DeclaredDatabase, domains: readonly Domain[]): Placement {
  const account = database.placement?.account;
  const site = (database.sites ?? [])
    .filter(({ placement }) => placement?.region !== undefined)
    .filter((other) => survivalOf(other, database, domains).survival === Survival.Survives)
    .sort((a, b) => a.name.localeCompare(b.name))[0];
  const region = domains.includes(Domain.Region)
    ? (site?.placement?.region ?? OTHER_REGION)
    : database.placement?.region;
  return {
    ...(region === undefined ? {} : { region }),
    ...(domains.includes(Domain.Account) ? { account: "another account" } : account === undefined ? {} : { account }),
  };
}

const set = (protection: string, settings: Settings): FixChange => ({ change: "set", protection, settings });

function unusedName(database: DeclaredDatabase, wanted: string): string {
  const used = new Set(database.protections.map(({ name }) => name));
  let name = wanted;
  for (let at = 2; used.has(name); at += 1) name = `${wanted}-${at}`;
  return name;
}

function whyNoFix(scenarioCase: ScenarioCase, best: RecoveryPath | undefined): string {
  const { database, scenario, objectives } = scenarioCase;
  const { rtoMinutes } = objectives.scenarios[scenario];
  const response = (best?.recovery ?? []).filter(({ name }) => RESPONSE_TERMS.has(name));
  const responseMinutes = knownMinutes(response);
  if (response.length > 0 && responseMinutes >= rtoMinutes) {
    const sum = response.map(({ name, minutes }) => `${name} ${numberText(minutes ?? 0)}`).join(" + ");
    return (
      `${sum} = ${numberText(responseMinutes)} min are gone before anything is recovered, of an RTO of ` +
      `${numberText(rtoMinutes)} min: shorten the response, or allow more`
    );
  }
  if (database.placement === undefined && domainsOf({ database, scenario }).length > 0) {
    return "nobody said where the database lives: state its placement, and that of its copies";
  }
  if (database.sizeBytes === undefined) {
    return "the database's size is unknown: state `sizeBytes`, or measure a restore";
  }
  if (best?.verdict === Verdict.Inconclusive) return `state what is unknown: ${best.why.join("; ")}`;
  const largest = largestWithEverything(scenarioCase);
  if (largest !== undefined && largest.sizeBytes < database.sizeBytes) {
    return (
      `with everything that could be added, ${largest.name} brings back ${bytesText(largest.sizeBytes)} in time, and ` +
      `the database has ${bytesText(database.sizeBytes)}: measure a restore, state a faster one, or allow more`
    );
  }
  return "no change to what is declared meets it: state what is unknown, or allow more";
}

/** The way that brings back the most within the RTO once every candidate is made, as far as size decides. */
function largestWithEverything(scenarioCase: ScenarioCase): { name: string; sizeBytes: number } | undefined {
  const database = applyFix(scenarioCase.database, candidateChanges(scenarioCase));
  return recoveryPaths({ ...scenarioCase, database })
    .paths.flatMap(({ name, largestSizeBytes }) =>
      largestSizeBytes === null ? [] : [{ name, sizeBytes: largestSizeBytes }],
    )
    .sort((a, b) => b.sizeBytes - a.sizeBytes || a.name.localeCompare(b.name))[0];
}

/** All ways to take `count` of the items, in their order. */
function* combinations<Item>(items: readonly Item[], count: number, from = 0): Generator<Item[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (let at = from; at <= items.length - count; at += 1) {
    const item = items[at];
    if (item === undefined) continue;
    for (const rest of combinations(items, count - 1, at + 1)) yield [item, ...rest];
  }
}
