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
