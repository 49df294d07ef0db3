import { type Lifecycle, type LifecycleTransition, type StorageClass } from "../../recovery";
import { ResourceTypes } from "./resource-types";
import { type JudgedResource, type StackResources } from "./stack-resources";

interface Transition {
  readonly days?: number;
  readonly noncurrentDays?: number;
  readonly storageClass?: string;
}

interface LifecycleRule {
  readonly status?: string;
  readonly prefix?: string;
  readonly filter?: { readonly prefix?: string; readonly and?: { readonly prefix?: string } };
  readonly transitions?: readonly Transition[];
  readonly expiration?: { readonly days?: number; readonly expiredObjectDeleteMarker?: boolean };
  readonly noncurrentVersionTransitions?: readonly Transition[];
  readonly noncurrentVersionExpiration?: { readonly noncurrentDays?: number };
  readonly abortIncompleteMultipartUpload?: { readonly daysAfterInitiation?: number };
}

/** A lifecycle of the objects under one prefix; empty for the whole bucket. */
export type PrefixLifecycle = Lifecycle & { readonly prefix: string };

/** What a bucket's lifecycle configuration says. */
export interface BucketLifecycles {
  /** One for each prefix that the configuration keeps, moves or expires objects of. */
  readonly lifecycles: readonly PrefixLifecycle[];
  readonly smallestTransitionSize: string;
}

/** S3's own, under which small dumps never leave STANDARD. */
const DEFAULT_SMALLEST_TRANSITION = "all_storage_classes_128K";

/** The lifecycles of a bucket in the terms of the model; undefined when it has no configuration. */
export function bucketLifecycles(stack: StackResources, bucket: JudgedResource): BucketLifecycles | undefined {
  const [configuration] = stack.naming(ResourceTypes.BucketLifecycle, "bucket", bucket);
  if (configuration === undefined) return undefined;
  const { rules = [], transitionDefaultMinimumObjectSize } = configuration.props as {
    readonly rules?: readonly LifecycleRule[];
    readonly transitionDefaultMinimumObjectSize?: string;
  };
  const enabled = rules.filter(({ status }) => status === "Enabled");
  const prefixes = [...new Set(enabled.filter(isAboutObjects).map(prefixOf))];
  return {
    // A rule of a shorter prefix applies as well: a bucket-wide removal of delete markers serves every prefix.
    lifecycles: prefixes.map((prefix) =>
      mergedLifecycle(
        prefix,
        enabled.filter((rule) => prefix.startsWith(prefixOf(rule))),
      ),
    ),
    smallestTransitionSize: transitionDefaultMinimumObjectSize ?? DEFAULT_SMALLEST_TRANSITION,
  };
}

const prefixOf = ({ filter, prefix }: LifecycleRule): string => filter?.prefix ?? filter?.and?.prefix ?? prefix ?? "";

const isAboutObjects = (rule: LifecycleRule): boolean =>
  (rule.transitions ?? []).length > 0 ||
  rule.expiration?.days !== undefined ||
  rule.noncurrentVersionExpiration !== undefined;

function mergedLifecycle(prefix: string, rules: readonly LifecycleRule[]): PrefixLifecycle {
  // Of two rules on the same objects S3 carries out the earlier one.
  const earliest = (days: readonly (number | undefined)[]): number | undefined => {
    const stated = days.filter((value): value is number => value !== undefined);
    return stated.length === 0 ? undefined : Math.min(...stated);
  };
  const transitions = (read: (rule: LifecycleRule) => readonly Transition[] | undefined): LifecycleTransition[] =>
    rules
      .flatMap((rule) => read(rule) ?? [])
      .map(({ days, noncurrentDays, storageClass }) => ({
        days: days ?? noncurrentDays ?? 0,
        storageClass: storageClass as StorageClass,
      }));
  return {
    prefix,
    transitions: transitions((rule) => rule.transitions),
    noncurrentTransitions: transitions((rule) => rule.noncurrentVersionTransitions),
    expirationDays: earliest(rules.map(({ expiration }) => expiration?.days)),
    noncurrentExpirationDays: earliest(
      rules.map(({ noncurrentVersionExpiration }) => noncurrentVersionExpiration?.noncurrentDays),
    ),
    expiredObjectDeleteMarker: rules.some(({ expiration }) => expiration?.expiredObjectDeleteMarker === true),
    abortIncompleteMultipartDays: earliest(
      rules.map(({ abortIncompleteMultipartUpload }) => abortIncompleteMultipartUpload?.daysAfterInitiation),
    ),
  };
}
