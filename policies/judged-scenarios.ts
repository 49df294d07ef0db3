import {
  assess,
  objectiveProblems,
  objectivesFrom,
  type ObjectivesOverrides,
  type Outcome,
  type Verdict,
} from "../recovery";
import { declaredDatabases, type DeclaredFacts } from "./inventory/declared-databases";
import { type StackResources } from "./inventory/stack-resources";
import { type Setting } from "./rule";

/** What has to be met, and what resources do not say. */
export interface ObjectivesConfig {
  objectives: ObjectivesOverrides;
  workload: NonNullable<DeclaredFacts["workload"]>;
  recoverySite: Partial<NonNullable<DeclaredFacts["recoverySite"]>>;
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
  accepted: setting("Scenarios that are not survived, each with the reason why that is accepted."),
};

/** The scenarios of a stack's databases that ended with this verdict, as a violation; undefined when none did. */
export function judgedScenarios(
  stack: StackResources,
  { objectives: overrides, workload, recoverySite, accepted }: ObjectivesConfig,
  verdict: Verdict,
): string | undefined {
  const objectives = objectivesFrom(overrides);
  const problems = objectiveProblems(objectives);
  if (problems.length > 0) return `the objectives contradict themselves: ${problems.join("; ")}`;
  const { region, ...site } = recoverySite;
  const databases = declaredDatabases(stack, {
    workload,
    ...(region === undefined ? {} : { recoverySite: { region, ...site } }),
  });
  const outcomes = assess({ objectives, databases, now: new Date() }).filter(
    (outcome) => outcome.verdict === verdict && !((accepted[outcome.scenario] ?? "").trim() !== ""),
  );
  return outcomes.length === 0 ? undefined : outcomes.map(textOf).join("\n");
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
