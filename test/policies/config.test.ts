import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type PolicyConfigJSONSchema } from "@pulumi/policy/schema";
import { rules } from "../../policies/rules";

type Config = Record<string, string | Record<string, unknown>>;

const read = (name: string): Config => JSON.parse(readFileSync(`policies/config/${name}.json`, "utf8")) as Config;
const LEVELS = ["advisory", "mandatory", "remediate", "disabled"];

/** What the engine would refuse in a value, by the part of JSON Schema that the rules use. */
function problems(value: unknown, schema: PolicyConfigJSONSchema): string[] {
  const { type, minimum, maximum, pattern, enum: allowed, items, minItems } = schema;
  const found: string[] = [];
  const isType = {
    integer: Number.isInteger(value),
    number: typeof value === "number",
    string: typeof value === "string",
    boolean: typeof value === "boolean",
    array: Array.isArray(value),
    object: typeof value === "object" && value !== null && !Array.isArray(value),
  }[type as string];
  if (isType !== true) found.push(`is no ${String(type)}`);
  if (typeof value === "number" && minimum !== undefined && value < minimum) found.push(`is below ${minimum}`);
  if (typeof value === "number" && maximum !== undefined && value > maximum) found.push(`is above ${maximum}`);
  if (typeof value === "string" && pattern !== undefined && !new RegExp(pattern).test(value))
    found.push("has another form");
  if (allowed !== undefined && !allowed.includes(value as string)) found.push("is none of the values");
  if (Array.isArray(value)) {
    if (value.length < (minItems ?? 0)) found.push("is too short");
    for (const item of value) found.push(...problems(item, items as PolicyConfigJSONSchema));
  }
  return found;
}

function configProblems(config: Config): string[] {
  return Object.entries(config).flatMap(([name, settings]) => {
    const rule = rules.find((one) => one.name === name);
    if (rule === undefined && name !== "all") return [`${name}: no such rule`];
    if (typeof settings === "string") return LEVELS.includes(settings) ? [] : [`${name}: ${settings} is no level`];
    return Object.entries(settings).flatMap(([setting, value]) => {
      if (setting === "enforcementLevel") return LEVELS.includes(value as string) ? [] : [`${name}: no such level`];
      const schema = rule?.configSchema?.properties[setting];
      if (schema === undefined) return [`${name}.${setting}: no such setting`];
      return problems(value, schema).map((problem) => `${name}.${setting} ${problem}`);
    });
  });
}

describe("the configuration of the policy pack", () => {
  for (const name of ["staging", "prod"]) {
    it(`${name}.json is what the rules' schemas allow`, () => assert.deepEqual(configProblems(read(name)), []));
  }

  it("a wrong name, level, type or bound would be found", () => {
    assert.deepEqual(
      configProblems({
        "no-such-rule": "mandatory",
        "kms-key": { minDeletionWindowDays: 6, other: 1 },
        "rds-kept": "harsh",
        "rds-multi-az": { required: "yes" },
        "plan-reviewed": { nextReview: "soon" },
      }),
      [
        "no-such-rule: no such rule",
        "kms-key.minDeletionWindowDays is below 7",
        "kms-key.other: no such setting",
        "rds-kept: harsh is no level",
        "rds-multi-az.required is no boolean",
        "plan-reviewed.nextReview has another form",
      ],
    );
  });

  it("every default is within its own bounds", () => {
    for (const rule of rules) {
      for (const [setting, schema] of Object.entries(rule.configSchema?.properties ?? {})) {
        assert.deepEqual(problems(schema.default, schema), [], `${rule.name}.${setting}`);
      }
    }
  });

  it("prod is at least as strict as staging", () => {
    const [staging, prod] = [read("staging"), read("prod")] as Record<string, Record<string, unknown>>[];
    for (const [name, settings] of Object.entries(staging!)) {
      for (const [setting, value] of Object.entries(settings)) {
        const inProd =
          prod![name]?.[setting] ??
          rules.find((rule) => rule.name === name)!.configSchema!.properties[setting]!.default;
        if (typeof value === "number") assert.ok((inProd as number) >= value, `${name}.${setting}`);
        if (typeof value === "boolean") assert.ok(inProd === true || !value, `${name}.${setting}`);
      }
    }
  });
});
