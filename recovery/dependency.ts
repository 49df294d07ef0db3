import { type Domain, type Placed, type Placement, survivalOf, Survival } from "./placement";

/** What a recovery needs besides the data. */
export const DependencyKind = {
  Key: "key",
  Image: "image",
  Secret: "secret",
  Dns: "dns",
  Role: "role",
  State: "state",
  Runbook: "runbook",
  Contacts: "contacts",
} as const;
export type DependencyKind = (typeof DependencyKind)[keyof typeof DependencyKind];

/** One thing that a recovery cannot do without: the image it runs, the secret it reads, the people it calls. */
export interface RecoveryDependency {
  readonly kind: DependencyKind;
  readonly name: string;
  /** Every place that has it. None: nobody said, and then it is unknown whether it is there when it is needed. */
  readonly placements: readonly Placement[];
}

/** What stops a recovery, and what may. */
export interface Blockers {
  readonly stops: readonly string[];
  readonly unknown: readonly string[];
}

/** The dependencies that live only inside the failed domains, and those of which nobody said where they live. */
export function blockersOf(
  dependencies: readonly RecoveryDependency[],
  primary: Placed,
  domains: readonly Domain[],
): Blockers {
  if (domains.length === 0) return { stops: [], unknown: [] };
  const stops: string[] = [];
  const unknown: string[] = [];
  for (const { kind, name, placements } of dependencies) {
    const findings = placements.map((placement) => survivalOf({ placement }, primary, domains));
    if (findings.some(({ survival }) => survival === Survival.Survives)) continue;
    const undecided = findings.find(({ survival }) => survival === Survival.Unknown);
    if (placements.length === 0) unknown.push(`${kind} ${name}: nobody said where it lives`);
    else if (undecided !== undefined) unknown.push(`${kind} ${name}: ${undecided.why}`);
    else stops.push(`${kind} ${name}: ${findings[0]?.why ?? ""}`);
  }
  return { stops: stops.sort(), unknown: unknown.sort() };
}
