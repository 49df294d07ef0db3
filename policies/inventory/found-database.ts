import { type Engine, type Placement, type Protection } from "../../recovery";
import { type ObjectMeta } from "./kubernetes-properties";
import { type JudgedResource } from "./stack-resources";

/** A database that a kind of resource is, before what protects every kind of it is added. */
export interface FoundDatabase {
  readonly resource: JudgedResource;
  /** @default what the resource is called */
  readonly name?: string;
  readonly engine: Engine;
  /** What its resources say of its size; absent when they say nothing. */
  readonly sizeBytes?: number;
  readonly placement: Placement;
  readonly protections: readonly Protection[];
  /** Whether what other stacks may hold of it can exist: RDS replicates nothing of an instance without backups. */
  readonly canBeReplicated: boolean;
}

export const GIB = 1024 ** 3;

/** What people call a resource: the name that it has in the cloud or in the cluster, else its own. */
export function nameOf({ name, props }: JudgedResource): string {
  const { identifier, clusterIdentifier, metadata } = props as {
    readonly identifier?: string;
    readonly clusterIdentifier?: string;
    readonly metadata?: ObjectMeta;
  };
  return identifier ?? clusterIdentifier ?? metadata?.name ?? name;
}

/** The region of a resource: its own, or its provider's. */
export function regionOf({ props, provider }: JudgedResource): string | undefined {
  const region = props.region ?? provider?.props.region;
  return typeof region === "string" ? region : undefined;
}

/** What is in a region, as far as that is known. */
export const placed = (region: string | undefined): Placement => (region === undefined ? {} : { region });

/** One of the zones of a region, told from its others by what is in it. */
export const zoneOf = (region: string | undefined, role: string): Placement =>
  region === undefined ? {} : { zone: `${region} ${role}` };

/** The bytes that a quantity of Kubernetes stands for, as in `20Gi`; undefined when it is none. */
export function quantityBytes(quantity: unknown): number | undefined {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)([KMGT]i?)?$/.exec(String(quantity)) ?? [];
  if (digits === undefined) return undefined;
  const power = "KMGT".indexOf(unit.charAt(0) || "_") + 1;
  return Number(digits) * (unit.endsWith("i") ? 1024 : 1000) ** power;
}
