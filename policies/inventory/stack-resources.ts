import { isUnknownValueError } from "./unknown-value";

/** A resource as rules see it. Reading a property that is not known yet throws `UnknownValueError`. */
export interface JudgedResource {
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  readonly props: Readonly<Record<string, unknown>>;
  readonly opts: { readonly ignoreChanges?: readonly string[]; readonly protect?: boolean };
  readonly provider?: { readonly props: Readonly<Record<string, unknown>> };
  /** What each property was computed from; known also where the property's value is not. */
  readonly propertyDependencies: Readonly<Record<string, readonly { readonly urn: string }[]>>;
}

/** The resources of a stack, and which of them belong together. */
export class StackResources {
  private readonly byType = new Map<string, JudgedResource[]>();
  private readonly remembered = new Map<unknown, unknown>();

  constructor(readonly all: readonly JudgedResource[]) {
    for (const resource of all) {
      const others = this.byType.get(resource.type);
      if (others === undefined) this.byType.set(resource.type, [resource]);
      else others.push(resource);
    }
  }

  /** Whether these are the resources of several stacks, as the offline check joins them. */
  get isJoined(): boolean {
    return this.once(StackResources, () => new Set(this.all.map(stackOf)).size > 1);
  }

  /** What `find` returns, found once for a stack: rules ask for the same things for every resource. */
  once<Found>(key: unknown, find: () => Found): Found {
    if (!this.remembered.has(key)) this.remembered.set(key, find());
    return this.remembered.get(key) as Found;
  }

  /** The resources of these types, given by their tokens. */
  ofTypes(types: readonly string[]): readonly JudgedResource[] {
    return this.once(types, () => types.flatMap((type) => this.byType.get(type) ?? []));
  }

  /**
   * The resources of these types whose property names the target.
   *
   * @throws UnknownValueError when none does, and there is one of which nobody can tell yet
   */
  naming(types: readonly string[], property: string, target: JudgedResource): readonly JudgedResource[] {
    const candidates = this.ofTypes(types);
    const found = candidates.filter((candidate) => leadsTo(candidate, property, target) === true);
    const open = candidates.find((candidate) => leadsTo(candidate, property, target) === undefined);
    // Reading it says which property is not known.
    if (found.length === 0 && open !== undefined) void open.props[property];
    return found;
  }
}

/** The name of the stack that a resource belongs to. */
export const stackOf = ({ urn }: Pick<JudgedResource, "urn">): string =>
  urn.split("::", 1)[0]!.slice("urn:pulumi:".length);

/** Whether a property names the target, by what it was computed from or by its value; undefined when it is unknown. */
export function leadsTo(resource: JudgedResource, property: string, target: JudgedResource): boolean | undefined {
  const sources = resource.propertyDependencies[property] ?? [];
  if (sources.some(({ urn }) => urn === target.urn)) return true;
  const { words, isWhole } = remembered(resource, property, () => wordsOf(() => resource.props[property]));
  const identifiers = identifiersOf(target);
  if (words.some((word) => identifiers.some((identifier) => namesExactly(word, identifier)))) return true;
  // What was computed from other resources is not this one's, whatever it turns out to be.
  return isWhole || sources.length > 0 ? false : undefined;
}

/** The texts and numbers in a value, and whether that is all of it: what is unknown is left out. */
export function wordsOf(read: () => unknown): { readonly words: readonly string[]; readonly isWhole: boolean } {
  const words: string[] = [];
  let isWhole = true;
  const collect = (readOne: () => unknown): void => {
    const value = known(readOne);
    if (value === UNKNOWN) isWhole = false;
    else if (typeof value === "object" && value !== null) {
      for (const key of Object.keys(value)) collect(() => (value as Record<string, unknown>)[key]);
    } else if (typeof value === "string") words.push(value);
    else if (value !== undefined && value !== null) words.push(JSON.stringify(value));
  };
  collect(read);
  return { words, isWhole };
}

const IDENTIFIERS = ["id", "arn", "bucket", "identifier", "name", "clusterIdentifier"] as const;

/** What other resources may call this one by. */
export function identifiersOf(resource: JudgedResource): readonly string[] {
  return remembered(resource, IDENTIFIERS, () =>
    IDENTIFIERS.map((property) => known(() => resource.props[property])).filter(
      (value): value is string => typeof value === "string" && value !== "",
    ),
  );
}

const memory = new WeakMap<JudgedResource, Map<unknown, unknown>>();

/** What was found out about a resource once: it never changes, and everything that may belong to it asks again. */
export function remembered<Found>(resource: JudgedResource, key: unknown, find: () => Found): Found {
  const known = memory.get(resource) ?? new Map<unknown, unknown>();
  memory.set(resource, known);
  if (!known.has(key)) known.set(key, find());
  return known.get(key) as Found;
}

/** Whether the name stands in the text, and not as a part of a longer name. */
export function namesExactly(text: string, name: string): boolean {
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const isPart = (character: string | undefined) => character !== undefined && /[A-Za-z0-9_.-]/.test(character);
    if (!isPart(text[at - 1]) && !isPart(text[at + name.length])) return true;
  }
  return false;
}

/** Stands for a value that is not known before the update. */
export const UNKNOWN = Symbol("unknown");

/** What `read` returns, or `UNKNOWN`. */
export function known<Value>(read: () => Value): Value | typeof UNKNOWN {
  try {
    return read();
  } catch (error) {
    if (isUnknownValueError(error)) return UNKNOWN;
    throw error;
  }
}
