import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { packConfigProblems, valueProblems } from "../../policies/check/policy-config";
import { rules } from "../../policies/rules";

type Config = Record<string, string | Record<string, unknown>>;

const read = (name: string): Config => JSON.parse(readFileSync(`policies/config/${name}.json`, "utf8")) as Config;

const declared = rules.map(({ name, configSchema }) => ({ name, properties: configSchema?.properties ?? {} }));
const configProblems = (config: Config): string[] => packConfigProblems(config, declared);

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
        "kms-key.minDeletionWindowDays is 6; expected 7 or more",
        "kms-key.other: no such setting",
        'rds-kept: "harsh" is no level; expected advisory, mandatory, disabled, remediate',
        'rds-multi-az.required is "yes"; expected boolean',
        'plan-reviewed.nextReview is "soon"; expected the form ^([0-9]{4}-[0-9]{2}-[0-9]{2})?$',
      ],
    );
  });

  it("every default is within its own bounds", () => {
    for (const rule of rules) {
      for (const [setting, schema] of Object.entries(rule.configSchema?.properties ?? {})) {
        assert.deepEqual(valueProblems(schema.default, schema), [], `${rule.name}.${setting}`);
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
