import { existsSync, readFileSync } from "node:fs";
import { canonicalJson } from "../../recovery";
import { CronJobPurpose, cronJobsFor, isSuspended } from "../inventory/recovery-cron-jobs";
import { ResourceTypes } from "../inventory/resource-types";
import { type StackResources } from "../inventory/stack-resources";
import { type ProtectionStrength, protectionStrength, weakerThan } from "./protection-strength";

/** What was deployed of one stack, as `recovery-check --record` writes it. */
export interface DeployedStack {
  readonly recordedAt: string;
  readonly strength: ProtectionStrength;
  /** URNs of the databases that followed another one. */
  readonly replicas: readonly string[];
  /** URNs of the jobs that waited for a failover. */
  readonly asleep: readonly string[];
  /** What was deployed before, newest first, so that going back to it is known as that. */
  readonly earlier: readonly ProtectionStrength[];
}

/** The file of what is deployed, by the name of the stack. */
export interface DeployedProtection {
  readonly formatVersion: 1;
  readonly stacks: Readonly<Record<string, DeployedStack>>;
}

/** What a change is to the protection of what is deployed. */
export const ChangeKind = {
  /** Nobody said what is deployed. */
  Unknown: "unknown",
  /** Nothing is deployed yet. */
  First: "first deployment",
  /** A standby became a database of its own, or a site that waited runs. */
  Failover: "failover",
  /** Back to a state that was deployed before. */
  Rollback: "rollback",
  /** Protects less, or has more to lose. */
  Weaker: "weaker",
  /** Anything else: it protects as much, or more. */
  Safe: "safe",
} as const;
export type ChangeKind = (typeof ChangeKind)[keyof typeof ChangeKind];

const EARLIER_STATES = 20;

/**
 * Reads the file of what is deployed.
 *
 * @throws Error when it is there and is not such a file
 */
export function readDeployed(path: string): DeployedProtection | undefined {
  if (!existsSync(path)) return undefined;
  const { formatVersion, stacks } = JSON.parse(readFileSync(path, "utf8")) as Partial<DeployedProtection>;
  if (formatVersion !== 1 || typeof stacks !== "object") {
    throw new Error(`${path} is not what recovery-check --record writes: expected formatVersion 1 and stacks`);
  }
  return { formatVersion, stacks };
}

/** A stack as it is now, to be compared with later; what was recorded before becomes its history. */
export function deployedStack(stack: StackResources, before: DeployedStack | undefined, now: Date): DeployedStack {
  const strength = protectionStrength(stack);
  const earlier = before === undefined ? [] : [before.strength, ...before.earlier];
  return {
    recordedAt: now.toISOString(),
    strength,
    replicas: replicasOf(stack),
    asleep: asleepIn(stack),
    earlier: earlier.filter((one) => !isSame(one, strength)).slice(0, EARLIER_STATES),
  };
}

/** What this state of a stack is to what is deployed, and which facts say so. */
export function changeOf(
  stack: StackResources,
  deployed: DeployedStack | undefined,
): { readonly kind: ChangeKind; readonly facts: readonly string[] } {
  if (deployed === undefined) return { kind: ChangeKind.First, facts: [] };
  const strength = protectionStrength(stack);
  const facts = [
    ...weakerThan(strength.strictness, deployed.strength.strictness),
    ...weakerThan(strength.extent, deployed.strength.extent),
  ];
  if (facts.length === 0) return { kind: ChangeKind.Safe, facts };
  const [replicas, asleep] = [replicasOf(stack), asleepIn(stack)];
  const isThere = (urn: string) => stack.all.some((resource) => resource.urn === urn);
  const promoted = deployed.replicas.filter((urn) => isThere(urn) && !replicas.includes(urn));
  const woken = deployed.asleep.filter((urn) => isThere(urn) && !asleep.includes(urn));
  if (promoted.length + woken.length > 0) return { kind: ChangeKind.Failover, facts };
  if (deployed.earlier.some((one) => isSame(one, strength))) return { kind: ChangeKind.Rollback, facts };
  return { kind: ChangeKind.Weaker, facts };
}

const isSame = (one: ProtectionStrength, other: ProtectionStrength): boolean =>
  canonicalJson(one) === canonicalJson(other);

function replicasOf(stack: StackResources): string[] {
  return stack
    .ofTypes(ResourceTypes.DatabaseInstance)
    .filter(
      ({ props, propertyDependencies }) =>
        (propertyDependencies.replicateSourceDb ?? []).length > 0 || (props.replicateSourceDb ?? "") !== "",
    )
    .map(({ urn }) => urn);
}

function asleepIn(stack: StackResources): string[] {
  return cronJobsFor(stack, CronJobPurpose.Backup)
    .filter(isSuspended)
    .map(({ urn }) => urn);
}
