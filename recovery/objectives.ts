import { z } from "zod";
import { Scenario, scenarioDescriptions, scenarios } from "./scenario";
import { Severity, severities, severityLevels } from "./severity";

/** How much a part of the system matters (guide, "Critical Paths"). */
export const Tier = { Critical: "CRITICAL", Important: "IMPORTANT", Optional: "OPTIONAL" } as const;
export type Tier = (typeof Tier)[keyof typeof Tier];

/** One critical path and its tier. */
export interface CriticalPath {
  readonly name: string;
  readonly tier: Tier;
  /** Where this path's recovery time is not the overall one, in minutes. @default the overall RTO */
  readonly rtoMinutes?: number;
  /** Where this path's data loss is not the overall one, in minutes. @default the overall RPO */
  readonly rpoMinutes?: number;
  /** What users still get while this path is down. @default nothing is promised */
  readonly degradedMode?: string;
}

/** What one scenario may cost. */
export interface ScenarioObjective {
  /** Longest outage, from the disruption to service, in minutes. */
  readonly rtoMinutes: number;
  /** Most data lost, as time before the disruption, in minutes. */
  readonly rpoMinutes: number;
  readonly severity: Severity;
  /** Why this scenario may take longer or lose more than the overall objective allows. Required when it does. */
  readonly looserBecause?: string;
}

/** The minutes of every recovery that pass before anything is restored. */
export interface ResponseTimes {
  /** From the disruption to a firing alert: metric period, evaluations and `for`, together. @default 3 */
  readonly detectMinutes: number;
  /** From the alert to a person at work. @default 5, the guide's response to a P1 */
  readonly acknowledgeMinutes: number;
  /** From a person at work to the decision what to do: the guide's 1 minute of assessment is less than it takes. @default 2 */
  readonly decideMinutes: number;
}

/** Response times, and where a severity has others. */
export interface Response extends ResponseTimes {
  /** @default none: every severity is answered as fast as a P1 */
  readonly bySeverity?: { readonly [severity in Severity]?: Partial<ResponseTimes> };
}

/** What recovery has to achieve. There is one of these; schedules, alarms, policies and runbooks derive from it. */
export interface Objectives {
  /** Time to recover service (RTO), in minutes. @default 15 */
  readonly rtoMinutes: number;
  /** Maximum acceptable data loss (RPO), in minutes. @default 60 */
  readonly rpoMinutes: number;
  /** Mean time to repair (MTTR), in minutes, measured by the incident log. @default 5, or the RTO where that is shorter */
  readonly mttrMinutes: number;
  /** Mean time between failures (MTBF), in days, measured by the incident log. @default 7 */
  readonly mtbfDays: number;
  /**
   * Days after which silent corruption is certainly noticed: what keeps no data from before it is no protection. @default 7
   */
  readonly detectCorruptionDays: number;
  /** The critical paths, most critical first. @default the guide's four */
  readonly tiers: readonly CriticalPath[];
  readonly scenarios: Readonly<Record<Scenario, ScenarioObjective>>;
  readonly response: Response;
}

/** Objectives as a user states them: what is left out is the guide's. */
export interface ObjectivesOverrides {
  readonly rtoMinutes?: number;
  readonly rpoMinutes?: number;
  readonly mttrMinutes?: number;
  readonly mtbfDays?: number;
  readonly detectCorruptionDays?: number;
  readonly tiers?: readonly CriticalPath[];
  readonly scenarios?: { readonly [scenario in Scenario]?: Partial<ScenarioObjective> };
  readonly response?: Partial<Response>;
}

const responseTimesSchema = {
  detectMinutes: z.number().optional(),
  acknowledgeMinutes: z.number().optional(),
  decideMinutes: z.number().optional(),
};

/** The shape of `ObjectivesOverrides` in a configuration; whether the numbers make sense is `objectiveProblems`. */
export const objectivesOverridesSchema: z.ZodType<ObjectivesOverrides> = z.strictObject({
  rtoMinutes: z.number().optional(),
  rpoMinutes: z.number().optional(),
  mttrMinutes: z.number().optional(),
  mtbfDays: z.number().optional(),
  detectCorruptionDays: z.number().optional(),
  tiers: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        tier: z.enum(Tier),
        rtoMinutes: z.number().optional(),
        rpoMinutes: z.number().optional(),
        degradedMode: z.string().optional(),
      }),
    )
    .optional(),
  scenarios: z
    .partialRecord(
      z.enum(Scenario),
      z.strictObject({
        rtoMinutes: z.number().optional(),
        rpoMinutes: z.number().optional(),
        severity: z.enum(Severity).optional(),
        looserBecause: z.string().min(1).optional(),
      }),
    )
    .optional(),
  response: z
    .strictObject({
      ...responseTimesSchema,
      bySeverity: z.partialRecord(z.enum(Severity), z.strictObject(responseTimesSchema)).optional(),
    })
    .optional(),
});

// The scenarios whose time in the guide is the overall RTO itself, so that they move with it.
const AT_OVERALL_RTO: ReadonlySet<Scenario> = new Set([Scenario.DataCorruption, Scenario.CompleteOutage]);

const REGION_LOOSER_BECAUSE = "the guide allows 30 minutes to switch to the backup region";

/**
 * The objectives with the guide's values for what is not stated.
 *
 * A scenario without numbers of its own follows the overall ones: data corruption and a complete outage get the overall
 * RTO, the smaller incidents the guide's shorter times (never more than the overall RTO), a lost region the guide's 30
 * minutes or the overall RTO where that is longer; each gets the overall RPO.
 */
export function objectivesFrom(overrides: ObjectivesOverrides = {}): Objectives {
  const rtoMinutes = overrides.rtoMinutes ?? 15;
  const rpoMinutes = overrides.rpoMinutes ?? 60;
  const ofScenario = (scenario: Scenario): ScenarioObjective => {
    const stated = overrides.scenarios?.[scenario];
    const objective: ScenarioObjective = {
      rtoMinutes: stated?.rtoMinutes ?? defaultRtoMinutes(scenario, rtoMinutes),
      rpoMinutes: stated?.rpoMinutes ?? rpoMinutes,
      severity: stated?.severity ?? scenarioDescriptions[scenario].severity,
    };
    if (stated?.looserBecause !== undefined) return { ...objective, looserBecause: stated.looserBecause };
    const isGuidesException = scenario === Scenario.RegionalFailure && stated?.rtoMinutes === undefined;
    return isGuidesException && objective.rtoMinutes > rtoMinutes
      ? { ...objective, looserBecause: REGION_LOOSER_BECAUSE }
      : objective;
  };
  return {
    rtoMinutes,
    rpoMinutes,
    mttrMinutes: overrides.mttrMinutes ?? Math.min(5, rtoMinutes),
    mtbfDays: overrides.mtbfDays ?? 7,
    detectCorruptionDays: overrides.detectCorruptionDays ?? 7,
    tiers: overrides.tiers ?? guideCriticalPaths,
    scenarios: Object.fromEntries(scenarios.map((scenario) => [scenario, ofScenario(scenario)])) as Record<
      Scenario,
      ScenarioObjective
    >,
    response: {
      detectMinutes: overrides.response?.detectMinutes ?? defaultResponseTimes.detectMinutes,
      acknowledgeMinutes: overrides.response?.acknowledgeMinutes ?? defaultResponseTimes.acknowledgeMinutes,
      decideMinutes: overrides.response?.decideMinutes ?? defaultResponseTimes.decideMinutes,
      ...(overrides.response?.bySeverity === undefined ? {} : { bySeverity: overrides.response.bySeverity }),
    },
  };
}

/** What is assumed of the response where nobody states it. */
export const defaultResponseTimes: ResponseTimes = { detectMinutes: 3, acknowledgeMinutes: 5, decideMinutes: 2 };

const guideCriticalPaths: readonly CriticalPath[] = [
  { name: "database", tier: Tier.Critical },
  { name: "application", tier: Tier.Critical },
  { name: "cache", tier: Tier.Important },
  { name: "integrations", tier: Tier.Optional },
];

function defaultRtoMinutes(scenario: Scenario, overallRtoMinutes: number): number {
  if (AT_OVERALL_RTO.has(scenario)) return overallRtoMinutes;
  const guide = scenarioDescriptions[scenario].rtoMinutes;
  return scenario === Scenario.RegionalFailure
    ? Math.max(guide, overallRtoMinutes)
    : Math.min(guide, overallRtoMinutes);
}

/** The response times that count for an incident of this severity. */
export function responseTimesFor(response: Response, severity: Severity): ResponseTimes {
  const own = response.bySeverity?.[severity];
  return {
    detectMinutes: own?.detectMinutes ?? response.detectMinutes,
    acknowledgeMinutes: own?.acknowledgeMinutes ?? response.acknowledgeMinutes,
    decideMinutes: own?.decideMinutes ?? response.decideMinutes,
  };
}

/** The availability that MTBF and MTTR together promise, from 0 to 1 (the guide's 7 days and 5 minutes: 0.9995). */
export function impliedAvailability({ mtbfDays, mttrMinutes }: Pick<Objectives, "mtbfDays" | "mttrMinutes">): number {
  const upMinutes = mtbfDays * 1440;
  return upMinutes / (upMinutes + mttrMinutes);
}

/** Everything that is wrong with the objectives: impossible numbers, and objectives that contradict each other. */
export function objectiveProblems(objectives: Objectives): string[] {
  return [...impossibleObjectives(objectives), ...contradictoryObjectives(objectives)];
}

/** The numbers of the objectives that cannot be: negative ones, NaN, an RTO of nothing. */
export function impossibleObjectives(objectives: Objectives): string[] {
  const problems: string[] = [];
  const check = (path: string, value: number | undefined, accepts: (value: number) => boolean, expected: string) => {
    if (value !== undefined && !(Number.isFinite(value) && accepts(value))) {
      problems.push(`${path}: expected ${expected}, got ${String(value)}`);
    }
  };
  const positive = (path: string, value: number | undefined) =>
    check(path, value, (value) => value > 0, "a number above 0");
  const notNegative = (path: string, value: number | undefined) =>
    check(path, value, (value) => value >= 0, "a number of 0 or more");

  positive("rtoMinutes", objectives.rtoMinutes);
  notNegative("rpoMinutes", objectives.rpoMinutes);
  positive("mttrMinutes", objectives.mttrMinutes);
  positive("mtbfDays", objectives.mtbfDays);
  notNegative("detectCorruptionDays", objectives.detectCorruptionDays);
  for (const [at, path] of objectives.tiers.entries()) {
    positive(`tiers[${at}].rtoMinutes`, path.rtoMinutes);
    notNegative(`tiers[${at}].rpoMinutes`, path.rpoMinutes);
  }
  for (const scenario of scenarios) {
    positive(`scenarios.${scenario}.rtoMinutes`, objectives.scenarios[scenario].rtoMinutes);
    notNegative(`scenarios.${scenario}.rpoMinutes`, objectives.scenarios[scenario].rpoMinutes);
  }
  const { bySeverity, ...response } = objectives.response;
  for (const [path, times] of [
    ["response", response],
    ...severities.map((severity) => [`response.bySeverity.${severity}`, bySeverity?.[severity]] as const),
  ] as const) {
    notNegative(`${path}.detectMinutes`, times?.detectMinutes);
    notNegative(`${path}.acknowledgeMinutes`, times?.acknowledgeMinutes);
    notNegative(`${path}.decideMinutes`, times?.decideMinutes);
  }
  return problems;
}

function contradictoryObjectives(objectives: Objectives): string[] {
  const { rtoMinutes, rpoMinutes, mttrMinutes, tiers, response } = objectives;
  const problems: string[] = [];
  if (mttrMinutes > rtoMinutes) {
    problems.push(
      `mttrMinutes: ${mttrMinutes} is above rtoMinutes ${rtoMinutes}; a mean repair cannot take longer than the ` +
        "longest one allowed",
    );
  }
  const names = tiers.map(({ name }) => name);
  for (const name of new Set(names.filter((name, at) => names.indexOf(name) !== at))) {
    problems.push(`tiers: "${name}" is listed more than once`);
  }
  for (const scenario of scenarios) {
    const own = objectives.scenarios[scenario];
    if (own.looserBecause !== undefined) continue;
    for (const [objective, ownMinutes, overall] of [
      ["rtoMinutes", own.rtoMinutes, rtoMinutes],
      ["rpoMinutes", own.rpoMinutes, rpoMinutes],
    ] as const) {
      if (ownMinutes > overall) {
        problems.push(
          `scenarios.${scenario}.${objective}: ${ownMinutes} is looser than the overall ${objective} ${overall}; ` +
            `lower it, or say why in scenarios.${scenario}.looserBecause`,
        );
      }
    }
  }
  for (const severity of severities) {
    const { acknowledgeMinutes } = responseTimesFor(response, severity);
    const { responseMinutes } = severityLevels[severity];
    if (acknowledgeMinutes > responseMinutes) {
      problems.push(
        `response: ${severity} is acknowledged after ${acknowledgeMinutes} minutes, but the severity table allows ` +
          `${responseMinutes}`,
      );
    }
  }
  return problems;
}

/** What a reader of the objectives should know that is not wrong: where the guide's own numbers pull apart. */
export function objectiveNotes(objectives: Objectives): string[] {
  const notes = scenarios.flatMap((scenario) => {
    const { rtoMinutes, rpoMinutes, looserBecause } = objectives.scenarios[scenario];
    if (looserBecause === undefined) return [];
    const looser = [
      ...(rtoMinutes > objectives.rtoMinutes ? [`RTO ${rtoMinutes} min against ${objectives.rtoMinutes}`] : []),
      ...(rpoMinutes > objectives.rpoMinutes ? [`RPO ${rpoMinutes} min against ${objectives.rpoMinutes}`] : []),
    ];
    return looser.length === 0
      ? []
      : [`${scenario} is looser than the overall objective (${looser.join(", ")}): ${looserBecause}`];
  });
  const percent = (impliedAvailability(objectives) * 100).toFixed(2);
  notes.push(
    `MTBF ${objectives.mtbfDays} d and MTTR ${objectives.mttrMinutes} min imply ${percent} % availability; both are ` +
      "measured from the incident log, not derived from the set-up",
  );
  return notes;
}
