import { type Fixture } from "./judged-stack";

/** One thing that a mutant has otherwise. */
export interface Mutant {
  readonly type: string;
  readonly resource: string;
  /** Property path with dots; list positions as `*`, JSON in a text as part of the path. Empty for the whole resource. */
  readonly path: string;
  readonly kind: string;
  readonly fixture: Fixture | undefined;
  /** What a rule must have read of the resource to be able to notice, as `props.rules.0.status` and `props.rules.*`. */
  readonly noticedBy: readonly string[];
}

type Path = readonly (string | number)[];

const OPPOSITES: Readonly<Record<string, string>> = {
  Enabled: "Disabled",
  Disabled: "Enabled",
  Allow: "Deny",
  Deny: "Allow",
  Forbid: "Allow",
  breaching: "missing",
  notBreaching: "breaching",
  "aws:kms": "AES256",
};

/** The ways to spoil one value: removed, weakened in either direction, zeroed, flipped, widened, an example's. */
function spoilers(value: unknown): readonly (readonly [kind: string, value: unknown])[] {
  const removed = ["removed", undefined] as const;
  if (typeof value === "boolean") return [removed, ["flipped", !value]];
  if (typeof value === "number") {
    return [removed, ["zeroed", 0], ["halved", Math.floor(value / 2)], ["doubled", value * 2 + 1]];
  }
  if (typeof value !== "string") return [];
  const opposite = OPPOSITES[value];
  const [service] = /^[a-z0-9]+(?=:[A-Z][A-Za-z]+\*?$)/.exec(value) ?? [];
  return [
    removed,
    ["emptied", ""],
    opposite === undefined ? ["changed", `${value}-x`] : ["flipped", opposite],
    ...(service === undefined ? [] : [["widened", `${service}:*`] as const]),
    ...(/^https?:|@/.test(value) ? [["an example", "https://example.com/nobody@example.com"] as const] : []),
  ];
}

/** Every leaf of a value; a text that is JSON has leaves of its own, which are read by reading the text. */
function* leavesOf(
  value: unknown,
  path: Path = [],
  text?: Path,
): Generator<{ path: Path; value: unknown; text?: Path }> {
  const inner = typeof value === "string" ? jsonOf(value) : value;
  if (typeof inner !== "object" || inner === null) yield { path, value, ...(text && { text }) };
  else {
    const within = text ?? (typeof value === "string" ? path : undefined);
    for (const [key, one] of Object.entries(inner)) {
      yield* leavesOf(one, [...path, Array.isArray(inner) ? Number(key) : key], within);
    }
  }
}

function jsonOf(text: string): unknown {
  if (!/^\s*[{[]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The value with another one at the path; undefined takes it away, from a list its item. */
function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by;
  if (typeof value === "string") return JSON.stringify(replaced(JSON.parse(value), [key, ...rest], by));
  const inner = replaced((value as Record<string | number, unknown>)[key], rest, by);
  if (Array.isArray(value)) {
    const list = value.map((one, at) => (at === key ? inner : (one as unknown)));
    return inner === undefined ? list.filter((_one, at) => at !== key) : list;
  }
  const copy = { ...(value as Record<string | number, unknown>), [key]: inner };
  if (inner === undefined) delete copy[key];
  return copy;
}

/** What nobody sets because it is wrong. */
const ADDED: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "aws:s3/bucket:Bucket": { forceDestroy: true },
  "aws:rds/instance:Instance": { manageMasterUserPassword: true },
};

/** Every stack that differs from an honest one in one value, in one option, or by one resource that is not there. */
export function* infrastructureMutants(stack: readonly Fixture[]): Generator<Mutant> {
  for (const fixture of stack) {
    const { type, name: resource, props, opts = {}, dependsOn = {} } = fixture;
    const mutant = (path: string, kind: string, mutated: Fixture | undefined, ...noticedBy: string[]): Mutant => ({
      type,
      resource,
      path,
      kind,
      fixture: mutated,
      noticedBy,
    });
    yield mutant("", "removed", undefined);
    if (opts.protect === true) {
      yield mutant("opts.protect", "flipped", { ...fixture, opts: { ...opts, protect: false } }, "opts.protect");
    }
    if ((opts.ignoreChanges ?? []).length > 0) {
      const heedless = { ...fixture, opts: { ...opts, ignoreChanges: [] } };
      yield mutant("opts.ignoreChanges", "removed", heedless, "opts.ignoreChanges");
    }
    for (const [property, value] of Object.entries(ADDED[type] ?? {})) {
      yield mutant(property, "added", { ...fixture, props: { ...props, [property]: value } }, `props.${property}`);
    }
    for (const { path, value, text } of leavesOf(props)) {
      const [property] = path as [string];
      const read = ["props", ...(text ?? path)];
      // A text that replaces a computed one is computed from nothing.
      const { [property]: sources, ...others } = dependsOn;
      const isComputed = sources !== undefined && typeof value === "string";
      for (const [kind, by] of spoilers(value)) {
        const mutated = replaced(props, path, by) as Fixture["props"];
        yield mutant(
          path.map((key) => (typeof key === "number" ? "*" : key)).join("."),
          kind,
          { ...fixture, props: mutated, dependsOn: isComputed ? others : dependsOn },
          read.join("."),
          [...read.slice(0, -1), "*"].join("."),
        );
      }
    }
  }
}
