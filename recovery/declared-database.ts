import { type RecoveryDependency } from "./dependency";
import { TargetClass } from "./evidence";
import { Engine } from "./manifest";
import { type Domain, type Placed } from "./placement";
import { type Protection } from "./protection";
import { type Scenario } from "./scenario";

/** A place to recover to when the database's own is gone. */
export interface RecoverySite extends Placed {
  readonly name: string;
  /** Whether the database and the application can run there now, or within `startMinutes`. Without it a site is only a name. */
  readonly compute: boolean;
  /** Until its compute serves. @default 5 */
  readonly startMinutes?: number;
}

/** How a disruption becomes an alert. */
export interface Detection {
  /** How often the metric is written, in seconds. */
  readonly periodSeconds: number;
  /** How many bad periods in a row raise the alarm. */
  readonly evaluationPeriods: number;
  /** How long the alert then waits (`for`), in seconds. @default 0 */
  readonly forSeconds?: number;
}

/** One database as it is declared: everything that the assessment may know before anything is deployed. */
export interface DeclaredDatabase extends Placed {
  /** Its name in the job configuration, in evidence and in outcomes. */
  readonly name: string;
  readonly engine: Engine;
  /** As evidence records name it. @default "local" */
  readonly environment?: string;
  /** Size on the source's disk. @default that of the newest run of this environment, else unknown */
  readonly sizeBytes?: number;
  readonly protections: readonly Protection[];
  /** @default none: what takes the database's own place cannot be recovered from */
  readonly sites?: readonly RecoverySite[];
  /** What every recovery of it needs. @default none */
  readonly dependencies?: readonly RecoveryDependency[];
  /** @default the response times of the objectives */
  readonly detection?: Detection;
  /** Where a scenario takes more, or less, than `failedDomains` says. */
  readonly failedDomains?: { readonly [scenario in Scenario]?: readonly Domain[] };
}

/** Minutes from the disruption to the alert that these settings allow at worst. */
export function detectionMinutes({ periodSeconds, evaluationPeriods, forSeconds = 0 }: Detection): number {
  return (periodSeconds * evaluationPeriods + forSeconds) / 60;
}

/** What a real recovery of this engine restores into. */
export function recoveryTargetClass(engine: Engine): TargetClass {
  if (engine === Engine.Rds) return TargetClass.Rds;
  return engine === Engine.Sqlite ? TargetClass.File : TargetClass.DurableServer;
}

const WHOLE_NUMBERS: ReadonlySet<string> = new Set([
  "failedRuns",
  "count",
  "revisionHistoryLimit",
  "evaluationPeriods",
  "incrementalsPerFull",
]);

/**
 * Everything in a declaration that no assessment can be made of: impossible numbers, and names that are not unique, so
 * that an outcome or a fix would not say what it is about.
 */
export function declarationProblems(databases: readonly DeclaredDatabase[]): string[] {
  const problems = repeated(databases).map((name) => `database ${name} is declared more than once`);
  for (const { name, sizeBytes, protections, sites = [], dependencies = [], detection = {} } of databases) {
    problems.push(...numberProblems(name, { sizeBytes }), ...numberProblems(`${name}.detection`, detection));
    for (const [label, named] of Object.entries({ protections, sites, dependencies })) {
      problems.push(...repeated(named).map((again) => `${name}.${label}: ${again} is declared more than once`));
    }
    for (const part of [...protections, ...sites]) problems.push(...numberProblems(`${name}.${part.name}`, part));
  }
  return problems;
}

function numberProblems(path: string, part: object): string[] {
  return Object.entries(part).flatMap(([field, value]) => {
    if (typeof value !== "number") return [];
    const problem = (expected: string) => [`${path}.${field}: expected ${expected}, got ${value}`];
    if (field.endsWith("PerSecond")) return value > 0 ? [] : problem("a number above 0");
    if (WHOLE_NUMBERS.has(field))
      return Number.isInteger(value) && value >= 0 ? [] : problem("a whole number of 0 or more");
    return value >= 0 ? [] : problem("a number of 0 or more");
  });
}

function repeated(items: readonly { readonly name: string }[]): string[] {
  const names = items.map(({ name }) => name);
  return [...new Set(names.filter((name, at) => names.indexOf(name) !== at))];
}
