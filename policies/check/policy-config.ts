import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type PolicyConfigJSONSchema } from "@pulumi/policy/schema";
import { Level, type PackConfig, type RuleConfig, type RuleInfo } from "./rule-info";
import { UsageError } from "./usage-error";

type ConfigFile = Readonly<Record<string, string | Readonly<Record<string, unknown>>>>;

/**
 * The configuration of a stack's policies, as `--policy-pack-config` takes it: `prod-recovery` has its own file or else
 * that of `prod`; without any, every default holds.
 */
export function policyConfigFile(folder: string, stack: string): string | undefined {
  const parts = stack.split("-");
  return parts
    .map((_part, at) => join(folder, `${parts.slice(0, parts.length - at).join("-")}.json`))
    .find((path) => existsSync(path));
}

/**
 * Merges a configuration file with the defaults of every rule's schema, as the engine does, and checks it against them.
 *
 * @param path undefined: every default holds
 * @throws UsageError naming every problem
 */
export function readPackConfig(path: string | undefined, rules: readonly RuleInfo[]): PackConfig {
  const file = path === undefined ? {} : readConfigFile(path);
  const problems = packConfigProblems(file, rules).map((problem) => `${path}: ${problem}`);
  if (problems.length > 0) throw new UsageError(problems);
  const { all } = file;
  return Object.fromEntries(
    rules.map(({ name, level, properties }) => {
      const given = file[name] ?? all ?? {};
      const { enforcementLevel, ...settings } = typeof given === "string" ? { enforcementLevel: given } : given;
      const defaults = Object.entries(properties)
        .filter(([, schema]) => schema.default !== undefined)
        .map(([setting, schema]): [string, unknown] => [setting, schema.default]);
      const merged: RuleConfig = {
        level: (enforcementLevel as Level | undefined) ?? level,
        settings: { ...Object.fromEntries(defaults), ...settings },
      };
      return [name, merged];
    }),
  );
}

function readConfigFile(path: string): ConfigFile {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ConfigFile;
  } catch (error) {
    throw new UsageError([`${path} is no JSON: ${error instanceof Error ? error.message : String(error)}`]);
  }
}

/** Everything that the engine would refuse in a configuration file. */
export function packConfigProblems(
  file: ConfigFile,
  rules: readonly Pick<RuleInfo, "name" | "properties">[],
): string[] {
  const levels: readonly string[] = Object.values(Level);
  const levelProblem = (name: string, level: unknown) =>
    levels.includes(level as string)
      ? []
      : [`${name}: ${JSON.stringify(level)} is no level; expected ${levels.join(", ")}`];
  return Object.entries(file).flatMap(([name, given]) => {
    const rule = rules.find((one) => one.name === name);
    if (rule === undefined && name !== "all") return [`${name}: no such rule`];
    if (typeof given === "string") return levelProblem(name, given);
    return Object.entries(given).flatMap(([setting, value]) => {
      if (setting === "enforcementLevel") return levelProblem(name, value);
      const schema = rule?.properties[setting];
      if (schema === undefined) return [`${name}.${setting}: no such setting`];
      return valueProblems(value, schema).map((problem) => `${name}.${setting} ${problem}`);
    });
  });
}

/** What is wrong with a value, by the part of JSON Schema that rules use. */
export function valueProblems(value: unknown, schema: PolicyConfigJSONSchema): string[] {
  const { type, minimum, maximum, pattern, enum: allowed, items, minItems } = schema;
  const isType = {
    integer: Number.isInteger(value),
    number: typeof value === "number",
    string: typeof value === "string",
    boolean: typeof value === "boolean",
    array: Array.isArray(value),
    object: typeof value === "object" && value !== null && !Array.isArray(value),
  }[type as string];
  if (isType !== true) return [`is ${JSON.stringify(value)}; expected ${String(type)}`];
  const problems: string[] = [];
  if (typeof value === "number") {
    if (minimum !== undefined && value < minimum) problems.push(`is ${value}; expected ${minimum} or more`);
    if (maximum !== undefined && value > maximum) problems.push(`is ${value}; expected ${maximum} or less`);
  }
  if (typeof value === "string" && pattern !== undefined && !new RegExp(pattern).test(value)) {
    problems.push(`is ${JSON.stringify(value)}; expected the form ${pattern}`);
  }
  if (allowed !== undefined && !allowed.includes(value as string)) {
    problems.push(`is ${JSON.stringify(value)}; expected one of ${JSON.stringify(allowed)}`);
  }
  if (Array.isArray(value)) {
    if (value.length < (minItems ?? 0)) problems.push(`has ${value.length} items; expected ${minItems} or more`);
    for (const item of value) problems.push(...valueProblems(item, items as PolicyConfigJSONSchema));
  }
  return problems;
}
