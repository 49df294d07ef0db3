import {
  type Policy,
  type ResourceValidationArgs,
  type ResourceValidationPolicy,
  type StackValidationPolicy,
} from "@pulumi/policy";
import { type PolicyConfigJSONSchema } from "@pulumi/policy/schema";
import { StackResources } from "./inventory/stack-resources";
import { isUnknownValueError } from "./inventory/unknown-value";

/** One setting of a rule: its schema, with the default that holds where nobody configures it. */
export interface Setting<Value> extends PolicyConfigJSONSchema {
  readonly description: string;
  readonly default: Value & PolicyConfigJSONSchema["default"];
}

type Settings<Config> = { readonly [Name in keyof Config]: Setting<Config[Name]> };

/** What every rule says about itself. */
export interface RuleText extends Policy {
  readonly severity: NonNullable<Policy["severity"]>;
  readonly framework: NonNullable<Policy["framework"]>;
  readonly remediationSteps: string;
  readonly url: string;
}

/** Looks at one thing and returns what is wrong with it, with numbers and the smallest fix; undefined when it is right. */
export type Check = () => string | undefined;

/** A check of one resource of a stack; without `urn` it is about the stack as a whole. */
export interface StackCheck {
  readonly urn?: string;
  readonly check: Check;
}

interface ResourceRule<Props, Config extends object> extends RuleText {
  /** Type tokens of the resources that it judges; all others are none of its business. */
  readonly types: readonly string[];
  readonly settings?: Settings<Config>;
  readonly checks: (props: Props, config: Config, resource: ResourceValidationArgs) => readonly Check[];
  /**
   * What to set where the rule is enforced by `remediate`: only what replaces nothing and loses nothing. Undefined where
   * there is nothing to set. @default the rule remediates nothing
   */
  readonly remedy?: (props: Props, config: Config, resource: ResourceValidationArgs) => object | undefined;
}

interface StackRule<Config extends object> extends RuleText {
  readonly settings?: Settings<Config>;
  readonly checks: (stack: StackResources, config: Config) => readonly StackCheck[];
}

/** A rule that judges each resource by what it says itself. */
export function resourceRule<Props = never, Config extends object = object>(
  rule: ResourceRule<Props, Config>,
): ResourceValidationPolicy {
  const { types, settings, checks, remedy, ...text } = rule;
  return {
    enforcementLevel: "mandatory",
    ...text,
    ...schemaOf(settings),
    ...(remedy && {
      remediateResource: (args) => {
        if (!types.includes(args.type)) return undefined;
        const changes = remedy(args.props as Props, configured(settings, args.getConfig()), args);
        return changes && assigned(args.props, changes);
      },
    }),
    validateResource: (args, reportViolation) => {
      if (!types.includes(args.type)) return;
      const config = configured(settings, args.getConfig());
      judge(
        () => checks(args.props as Props, config, args).map((check) => ({ check })),
        (message) => reportViolation(message),
      );
    },
  };
}

/** A rule that judges resources by what other resources of the stack say of them. */
export function stackRule<Config extends object = object>(rule: StackRule<Config>): StackValidationPolicy {
  const { settings, checks, ...text } = rule;
  return {
    enforcementLevel: "mandatory",
    ...text,
    ...schemaOf(settings),
    validateStack: (args, reportViolation) => {
      const config = configured(settings, args.getConfig());
      judge(() => checks(new StackResources(args.resources), config), reportViolation);
    },
  };
}

/** Sets values where they are, so that what is unknown or secret beside them is not touched. */
function assigned(target: Record<string, unknown>, changes: object): Record<string, unknown> {
  for (const [name, value] of Object.entries(changes) as [string, unknown][]) {
    const isNested = typeof value === "object" && value !== null && typeof target[name] === "object";
    if (isNested) assigned(target[name] as Record<string, unknown>, value);
    else target[name] = value;
  }
  return target;
}

/**
 * Runs every check, so that one that meets an unknown hides no other. What is unknown is thrown at the end: Pulumi then
 * reports the rule as one that could not run, which is not a pass.
 */
function judge(checks: () => readonly StackCheck[], report: (message: string, urn?: string) => void): void {
  const unknowns: Error[] = [];
  for (const { check, urn } of checks()) {
    try {
      const violation = check();
      if (violation !== undefined) report(violation, urn);
    } catch (error) {
      if (!isUnknownValueError(error)) throw error;
      if (urn !== undefined) error.message = `${urn.split("::").at(-1)}: ${error.message}`;
      unknowns.push(error);
    }
  }
  const [first, ...others] = unknowns;
  if (first === undefined) return;
  first.message = [first, ...others].map(({ message }) => message).join("; ");
  throw first;
}

function schemaOf<Config>(settings: Settings<Config> | undefined): Pick<Policy, "configSchema"> {
  return settings === undefined ? {} : { configSchema: { properties: { ...settings } } };
}

/** Pulumi's engine fills in a schema's defaults, its SDK does not: a default that is only in the schema may be absent. */
function configured<Config extends object>(settings: Settings<Config> | undefined, given: Partial<Config>): Config {
  const entries = Object.entries<Setting<unknown>>(settings ?? {});
  const defaults = Object.fromEntries(entries.map(([name, setting]) => [name, setting.default]));
  const stated = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(stated) } as Config;
}
