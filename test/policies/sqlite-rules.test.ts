import assert from "node:assert/strict";
import { rules } from "../../policies/rules";
import { judgeBy, spoiled, unknownValue } from "../support/judged-stack";
import { SPOILED_STREAMED_FILES, streamedFileStack } from "../support/streamed-file-stack";

describe("the rules of SQLite files that are streamed", () => {
  const names = [...new Set(SPOILED_STREAMED_FILES.map(([name]) => name))];
  const ruleNamed = (name: string) => rules.find((rule) => rule.name === name)!;

  for (const name of names) {
    it(`[guide 12] ${name} finds nothing wrong with an honest stack`, async () => {
      assert.deepEqual(await judgeBy(ruleNamed(name), streamedFileStack), { violations: [], inconclusive: undefined });
    });
  }

  for (const [name, resource, path, values, message] of SPOILED_STREAMED_FILES) {
    it(`${name} refuses ${resource} with another ${path}`, async () => {
      for (const value of values) {
        const { violations } = await judgeBy(ruleNamed(name), spoiled(streamedFileStack, resource, path, value));
        assert.ok(violations.length > 0, `${JSON.stringify(value)} passed`);
        for (const { message: said, urn } of violations) {
          assert.match(said, message);
          assert.match(urn!, /^urn:pulumi:/);
        }
      }
    });

    it(`${name} does not pass ${resource} while its ${path} is unknown`, async () => {
      const { violations, inconclusive } = await judgeBy(
        ruleNamed(name),
        spoiled(streamedFileStack, resource, path, unknownValue),
      );
      assert.ok(violations.length > 0 || inconclusive !== undefined, "it passed");
    });
  }
});
