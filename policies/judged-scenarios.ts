import {
  assess,
  Mechanism,
  objectiveProblems,
  objectivesFrom,
  type ObjectivesOverrides,
  type Outcome,
  Scenario,
  Verdict,
} from "../recovery";
import { declaredDatabases, type DeclaredFacts } from "./inventory/declared-databases";
import { failedOverDatabases } from "./inventory/failed-over-databases";
import { type StackResources } from "./inventory/stack-resources";
import { type Setting } from "./rule";

/** What has to be met, and what resources do not say. */
export interface ObjectivesConfig {
  objectives: ObjectivesOverrides;
  workload: NonNullable<DeclaredFacts["workload"]>;
  recoverySite: Partial<NonNullable<DeclaredFacts["recoverySite"]>>;
  databaseSizesGib: Readonly<Record<string, number>>;
  accepted: Readonly<Record<string, string>>;
}

const setting = <Value>(description: string): Setting<Value> => ({ description, type: "object", default: {} as never });

/** The settings of the rules that judge objectives. */
export const objectiveSettings: { readonly [Name in keyof ObjectivesConfig]: Setting<ObjectivesConfig[Name]> } = {
  objectives: setting(
    "What differs from the guide's objectives, as in the job configuration, with looserBecause where it is looser.",
  ),
  workload: setting("How the application is deployed: replicas, automaticRollback, progressDeadlineSeconds, pooler."),
  recoverySite: setting("What the other region's stack holds: region, standbyLagMinutes, pointInTimeDays."),
  databaseSizesGib: setting("Sizes of databases in GiB by name, where their resources do not say them."),
  accepted: setting("Scenarios that are not survived, each with the reason why that is accepted."),
};

/** What the databases of a stack would lose in each scenario, or why nobody can tell. */
export type Judgement =
  | { readonly outcomes: readonly Outcome[]; readonly problems?: undefined }
  | { readonly outcomes?: undefined; readonly problems: readonly string[] };

/**
 * Assesses the databases of a stack by the configuration of the rules that judge objectives.
 *
 * @throws UnknownValueError when a value that counts is not known before the update
 */
export function judgedOutcomes(stack: StackResources, config: ObjectivesConfig): Judgement {
  const { objectives: overrides, workload, recoverySite, databaseSizesGib } = config;
  const objectives = objectivesFrom(overrides);
  const problems = objectiveProblems(objectives);
  if (problems.length > 0) return { problems };
  const { region, ...site } = recoverySite;
  const databases = declaredDatabases(stack, {
    workload,
    databaseSizesGib,
    ...(region === undefined ? {} : { recoverySite: { region, ...site } }),
  });
  const input = JSON.stringify({ objectives, databases });
  // Two rules ask for the same of one stack, and no evidence makes the answer depend on the time.
  if (latest?.input !== input) latest = { input, outcomes: assess({ objectives, databases, now: new Date() }) };
  return { outcomes: latest.outcomes };
}

let latest: { readonly input: string; readonly outcomes: readonly Outcome[] } | undefined;

/** Why it is accepted that a scenario is not survived; undefined when it is not. */
export function acceptedBecause(
  { scenario }: Pick<Outcome, "scenario">,
  { accepted }: Pick<ObjectivesConfig, "accepted">,
): string | undefined {
  return accepted[scenario]?.trim() || undefined;
}

/** The scenarios of a stack's databases that ended with this verdict, as a violation; undefined when none did. */
export function judgedScenarios(stack: StackResources, config: ObjectivesConfig, verdict: Verdict): string | undefined {
  const { outcomes, problems } = judgedOutcomes(stack, config);
  if (problems !== undefined) return `the objectives contradict themselves: ${problems.join("; ")}`;
  const found = outcomes.filter(
    (outcome) =>
      outcome.verdict === verdict && acceptedBecause(outcome, config) === undefined && !awaitsRegion(stack, outcome),
  );
  return found.length === 0 ? undefined : found.map(textOf).join("\n");
}

/** Whether only a region that failed could have helped: then a refusal would stop the work that brings it back. */
function awaitsRegion(stack: StackResources, { database, scenario }: Outcome): boolean {
  return scenario === Scenario.RegionalFailure && failedOverDatabases(stack).has(database);
}

/**
 * What a failed-over recovery site does not survive until it has a site of its own.
 *
 * @returns an advisory, or undefined when nothing is
 */
export function awaitedRegion(stack: StackResources, config: ObjectivesConfig): string | undefined {
  const { outcomes } = judgedOutcomes(stack, config);
  const found = (outcomes ?? []).filter(
    (outcome) =>
      outcome.verdict === Verdict.Fail &&
      acceptedBecause(outcome, config) === undefined &&
      awaitsRegion(stack, outcome),
  );
  if (found.length === 0) return undefined;
  return `failed over: re-protect it as soon as a region is there. ${found.map(textOf).join("\n")}`;
}

/**
 * What a judgement of one stack takes on trust: the facts of a recovery site in a stack that is not at hand.
 *
 * @returns an advisory, or undefined when nothing is
 */
export function unseenSite(stack: StackResources, { recoverySite, accepted }: ObjectivesConfig): string | undefined {
  const { region, standbyLagMinutes, pointInTimeDays } = recoverySite;
  const isTaken = acceptedBecause({ scenario: Scenario.RegionalFailure }, { accepted }) !== undefined;
  if (region === undefined || stack.isJoined || isTaken || declaredDatabases(stack).length === 0) return undefined;
  const facts = [
    ...(standbyLagMinutes === undefined ? [] : [`a standby at most ${standbyLagMinutes} min behind`]),
    ...(pointInTimeDays === undefined ? [] : [`point-in-time recovery over ${pointInTimeDays} days`]),
  ];
  if (facts.length === 0) return undefined;
  return (
    `inconclusive: ${Scenario.RegionalFailure} is judged by what recoverySite says of ${region} (${facts.join(", ")}), ` +
    "and its stack was not looked at: give both stacks to recovery-check"
  );
}

/** Where the facts of a recovery site promise more than its stack has, both stacks being at hand. */
export function misstatedSite(stack: StackResources, { recoverySite }: ObjectivesConfig): string | undefined {
  const { region, standbyLagMinutes, pointInTimeDays } = recoverySite;
  if (region === undefined || !stack.isJoined) return undefined;
  const there = declaredDatabases(stack, { recoverySite: { region } })
    .flatMap(({ protections }) => protections)
    .filter((protection) => "placement" in protection && protection.placement?.region === region);
  const lags = there.flatMap((one) => (one.mechanism === Mechanism.Standby ? [(one.lagSeconds ?? Infinity) / 60] : []));
  const windows = there.flatMap((one) => (one.mechanism === Mechanism.PointInTimeLog ? [one.windowDays ?? 0] : []));
  const problems = [
    ...(standbyLagMinutes !== undefined && !lags.some((lag) => lag <= standbyLagMinutes)
      ? [`standbyLagMinutes is ${standbyLagMinutes}, and there ${stated(lags, "min", "no standby")}`]
      : []),
    ...(pointInTimeDays !== undefined && !windows.some((days) => days >= pointInTimeDays)
      ? [`pointInTimeDays is ${pointInTimeDays}, and there ${stated(windows, "days", "no point-in-time recovery")}`]
      : []),
  ];
  return problems.length === 0 ? undefined : `recoverySite says more of ${region} than it has: ${problems.join("; ")}`;
}

function stated(values: readonly number[], unit: string, none: string): string {
  if (values.length === 0) return `is ${none}`;
  return `is ${values.map((value) => (value === Infinity ? "no bound" : `${value} ${unit}`)).join(", ")}`;
}

function textOf({ database, scenario, rpoMinutes, rtoMinutes, objective, why, fix }: Outcome): string {
  const minutes = (value: number | null) => (value === null ? "unknown" : `${Math.round(value * 10) / 10} min`);
  const change = fix?.text ?? (fix?.noFixBecause === undefined ? [] : [`none: ${fix.noFixBecause}`]);
  return (
    `${database}, ${scenario}: loses ${minutes(rpoMinutes)} (RPO ${objective.rpoMinutes} min), takes ` +
    `${minutes(rtoMinutes)} (RTO ${objective.rtoMinutes} min). ${why.join("; ")}.` +
    (change.length === 0 ? "" : ` Smallest change: ${change.join("; ")}.`)
  );
}
