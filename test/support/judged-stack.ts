import * as policy from "@pulumi/policy";
import { type Policies, type ResourceValidationArgs, type StackValidationArgs } from "@pulumi/policy";

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

export const urnOf = ({ type, name }: Pick<Fixture, "type" | "name">): string =>
  `urn:pulumi:test::architect-go::${type}::${name}`;

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
  const resources = stack.map(asPolicyResource);
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

function asPolicyResource(fixture: Fixture, _at: number, stack: readonly Fixture[]) {
  const { type, name, props, opts = {}, dependsOn = {} } = fixture;
  const dependency = (other: string) => ({
    urn: urnOf(stack.find((one) => one.name === other) ?? { type: "", name: other }),
  });
  return {
    type,
    name,
    urn: urnOf(fixture),
    props: unknownCheckingProxy(props),
    opts: { protect: false, ignoreChanges: [], aliases: [], additionalSecretOutputs: [], ...opts },
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
