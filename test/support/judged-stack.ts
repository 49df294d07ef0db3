import * as policy from "@pulumi/policy";
import { type Policies, type ResourceValidationArgs, type StackValidationArgs } from "@pulumi/policy";

import { StackResources } from "../../policies/inventory/stack-resources";

const { unknownCheckingProxy, UnknownValueError } = policy as unknown as {
  unknownCheckingProxy: (props: object) => Record<string, unknown>;
  UnknownValueError: new () => Error;
};

/** What stands for a text that is not known before the update, on the wire and in the SDK. */
export const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** A resource of a stack that is judged. */
export interface Fixture {
  readonly type: string;
  readonly name: string;
  /** The stack that it is in. @default "test" */
  readonly stack?: string;
  /** Types of the components that it belongs to, outermost first. @default none */
  readonly within?: readonly string[];
  props: Record<string, unknown>;
  opts?: { protect?: boolean; ignoreChanges?: string[] };
  /** Names of the resources that a property was computed from. */
  readonly dependsOn?: Readonly<Record<string, readonly string[]>>;
}

/** What came of one rule. */
export interface Judgement {
  readonly violations: readonly { readonly message: string; readonly urn: string | undefined }[];
  /** Why it could not be judged, where an unknown stood in the way. */
  readonly inconclusive: string | undefined;
}

export const urnOf = ({
  type,
  name,
  stack = "test",
  within = [],
}: Pick<Fixture, "type" | "name" | "stack" | "within">): string =>
  `urn:pulumi:${stack}::architect-go::${[...within, type].join("$")}::${name}`;

/** Judges a stack by one rule, with the arguments and the proxies that the SDK's server gives it. */
export async function judgeBy(
  rule: Policies[number],
  stack: readonly Fixture[],
  config: Record<string, unknown> = {},
): Promise<Judgement> {
  const violations: { message: string; urn: string | undefined }[] = [];
  let inconclusive: string | undefined;
  const run = async (judge: () => unknown): Promise<void> => {
    try {
      await judge();
    } catch (error) {
      if (!(error instanceof UnknownValueError)) throw error;
      inconclusive = [inconclusive, error.message].filter(Boolean).join("; ");
    }
  };
  const common = {
    getConfig: <T>() => config as T,
    stackTags: new Map<string, string>(),
    notApplicable: (): never => {
      throw new Error("not applicable");
    },
  };
  const resources = stack.map((fixture, at) => asPolicyResource(fixture, at, stack));
  const { validateResource, validateStack } = rule as {
    validateResource?: (args: ResourceValidationArgs, report: (message: string) => void) => unknown;
    validateStack?: (args: StackValidationArgs, report: (message: string, urn?: string) => void) => unknown;
  };
  if (validateResource !== undefined) {
    for (const resource of resources) {
      await run(() =>
        validateResource({ ...resource, ...common } as unknown as ResourceValidationArgs, (message) =>
          violations.push({ message, urn: resource.urn }),
        ),
      );
    }
  }
  if (validateStack !== undefined) {
    await run(() =>
      validateStack({ resources, ...common } as unknown as StackValidationArgs, (message, urn) =>
        violations.push({ message, urn }),
      ),
    );
  }
  return { violations, inconclusive };
}

function asPolicyResource(
  fixture: Fixture,
  _at: number,
  stack: readonly Fixture[],
  watched: <Value>(value: Value, path: string) => Value = (value) => value,
) {
  const { type, name, props, opts = {}, dependsOn = {} } = fixture;
  const dependency = (other: string) => ({
    urn: urnOf(stack.find((one) => one.name === other) ?? { type: "", name: other }),
  });
  return {
    type,
    name,
    urn: urnOf(fixture),
    props: unknownCheckingProxy(watched(props, "props")),
    opts: watched({ protect: false, ignoreChanges: [], aliases: [], additionalSecretOutputs: [], ...opts }, "opts"),
    dependencies: [],
    propertyDependencies: Object.fromEntries(
      Object.entries(dependsOn).map(([property, names]) => [property, names.map(dependency)]),
    ),
    isType: (resourceClass: { readonly __pulumiType?: string }) => resourceClass.__pulumiType === type,
    asType: (resourceClass: { readonly __pulumiType?: string }) =>
      resourceClass.__pulumiType === type ? props : undefined,
  };
}

/** The same stack with one value replaced; undefined removes it. The path is a property's, with dots. */
export function spoiled(stack: readonly Fixture[], name: string, path: string, value: unknown): Fixture[] {
  const copy = structuredClone(stack) as Fixture[];
  const fixture = copy.find((one) => one.name === name);
  if (fixture === undefined) throw new Error(`there is no ${name} in the stack`);
  const [root, ...rest] = path.split(".");
  const keys = root === "opts" ? [root, ...rest] : ["props", root!, ...rest];
  const last = keys.pop()!;
  let holder = fixture as unknown as Record<string, unknown>;
  for (const key of keys) {
    if (typeof holder[key] !== "object" || holder[key] === null) throw new Error(`${name} has no ${path}`);
    holder = holder[key] as Record<string, unknown>;
  }
  if (value === undefined) delete holder[last];
  else holder[last] = value;
  return copy;
}

/**
 * One stack, to be judged many times with one resource otherwise. A rule is a function of what it reads: one that read
 * nothing of a property on the honest stack answers the same whatever that property is, and is not asked again.
 */
export class PreparedStack {
  private readonly prepared: readonly PolicyResource[];
  /** By rule: what it read, as the position of the resource and the path of the value. */
  private readonly reads = new Map<string, ReadonlySet<string>>();

  constructor(
    private readonly stack: readonly Fixture[],
    private readonly rules: Policies,
    private readonly configs: Readonly<Record<string, Record<string, unknown>>>,
  ) {
    this.prepared = stack.map((fixture, at) => asPolicyResource(fixture, at, stack));
    for (const rule of rules) {
      const read = new Set<string>();
      const watched = stack.map((fixture, at) =>
        asPolicyResource(fixture, at, stack, (value, root) =>
          watching(value, root, (path) => read.add(`${at} ${path}`)),
        ),
      );
      this.isViolated(rule, watched, watched);
      this.reads.set(rule.name, read);
    }
  }

  /** Names of the rules that find a violation on the stack as it is. */
  violated(): string[] {
    return this.rules.filter((rule) => this.isViolated(rule, this.prepared, this.prepared)).map(({ name }) => name);
  }

  /**
   * Names of the rules that find a violation once a resource is replaced, or taken away.
   *
   * @param read what a rule must have read to be able to tell, as paths: the value, or what tells that it is there
   */
  violatedWith(name: string, replacement: Fixture | undefined, read: readonly string[]): string[] {
    const at = this.stack.findIndex((one) => one.name === name);
    if (at < 0) return [];
    const own = replacement === undefined ? [] : [asPolicyResource(replacement, at, this.stack)];
    const resources = [...this.prepared.slice(0, at), ...own, ...this.prepared.slice(at + 1)];
    const mayTell = ({ name: rule }: Policies[number]) =>
      replacement === undefined || read.some((path) => this.reads.get(rule)!.has(`${at} ${path}`));
    return this.rules.filter((rule) => mayTell(rule) && this.isViolated(rule, own, resources)).map((rule) => rule.name);
  }

  private isViolated(rule: Policies[number], own: readonly object[], resources: readonly object[]): boolean {
    const { validateResource, validateStack } = rule as {
      validateResource?: (args: object, report: () => void) => unknown;
      validateStack?: (args: object, report: () => void) => unknown;
    };
    let found = false;
    const report = () => void (found = true);
    const getConfig = () => this.configs[rule.name] ?? {};
    try {
      for (const resource of own) {
        void validateResource?.(
          Object.defineProperty(Object.create(resource) as object, "getConfig", { value: getConfig }),
          report,
        );
      }
      void validateStack?.({ resources, getConfig }, report);
    } catch (error) {
      if (!(error instanceof UnknownValueError)) throw error;
    }
    return found;
  }
}

type PolicyResource = ReturnType<typeof asPolicyResource>;

/** The value with every read of it told, by its path; `path.*` when somebody asks which names there are. */
function watching<Value>(value: Value, path: string, read: (path: string) => void): Value {
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get: (target, key) => {
      const inner: unknown = Reflect.get(target, key);
      if (typeof key !== "string" || typeof inner === "function") return inner;
      const name = Array.isArray(target) && key === "length" ? "*" : key;
      read(`${path}.${name}`);
      return watching(inner, `${path}.${key}`, read);
    },
    has: (target, key) => (read(`${path}.${String(key)}`), Reflect.has(target, key)),
    ownKeys: (target) => (read(`${path}.*`), Reflect.ownKeys(target)),
  });
}

/** The resources of a stack as rules see them. */
export const stackOfFixtures = (stack: readonly Fixture[]): StackResources =>
  new StackResources(stack.map((fixture, at) => asPolicyResource(fixture, at, stack)));
