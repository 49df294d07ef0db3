import assert from "node:assert/strict";
import fc from "fast-check";
import { chooseTable, defaultSideSchema, rowFilterProblem, sideSchemaProblem, tableText } from "../../recovery";

const known = [
  { schema: "app", name: "tasks" },
  { schema: "app", name: "users" },
  { schema: "audit", name: "users" },
  { schema: "app", name: "Case" },
  { schema: "app", name: "case" },
  { schema: "Odd.Schema", name: 'a "b" c' },
];

describe("the table that a person named", () => {
  for (const [word, expected] of [
    ["tasks", "app.tasks"],
    ["TASKS", "app.tasks"],
    ["app.tasks", "app.tasks"],
    ["audit.users", "audit.users"],
    ['app."Case"', 'app."Case"'],
    ['"Odd.Schema"."a ""b"" c"', '"Odd.Schema"."a ""b"" c"'],
  ] as const) {
    it(`${word} is ${expected}`, () => {
      const { table, problem } = chooseTable(word, known);
      assert.equal(problem, undefined);
      assert.equal(tableText(table), expected);
    });
  }
  for (const [word, expected] of [
    ["users", "app.users or audit.users"],
    ["app.case", 'app."Case" or app.case'],
    ["app.tsks", "there is app.tasks"],
    ["public.tasks", "there is app.tasks"],
    ["nothing_like_it", "there is no table nothing_like_it"],
    ["", "is no table name"],
    ["a.b.c", "is no table name"],
    ['"open', "is no table name"],
    ['a"b', "is no table name"],
    ["a.", "is no table name"],
    ["a\0b", "is no table name"],
    ['app.tasks"; DROP TABLE app.tasks; --', "is no table name"],
  ] as const) {
    it(`${JSON.stringify(word)}: ${expected}`, () => {
      const { table, problem } = chooseTable(word, known);
      assert.equal(table, undefined);
      assert.ok(problem.includes(expected), problem);
    });
  }
  it("finds every table by what it is written as", () => {
    const name = fc.string({ minLength: 1, unit: "binary" }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(fc.array(fc.record({ schema: name, name }), { minLength: 1, maxLength: 5 }), (tables) => {
        const quoted = (text: string): string => `"${text.replace(/"/g, '""')}"`;
        const [first] = tables;
        const twice = tables.filter((each) => each.schema === first!.schema && each.name === first!.name).length > 1;
        fc.pre(!twice);
        const { table } = chooseTable(`${quoted(first!.schema)}.${quoted(first!.name)}`, tables);
        assert.deepEqual(table, first);
      }),
    );
  });
});

describe("the schema for recovered rows", () => {
  it("has a name that can be told from every other day's", () => {
    assert.equal(defaultSideSchema(new Date("2026-11-23T14:05:06.789Z")), "recovered_20261123t140506z");
    assert.equal(sideSchemaProblem(defaultSideSchema(new Date())), undefined);
    assert.equal(sideSchemaProblem("Ünïcode with space"), undefined);
  });
  for (const name of ["", " ", "pg_catalog", "PG_toast", "information_schema", "a\nb", "ü".repeat(32)]) {
    it(`is not ${JSON.stringify(name)}`, () => assert.ok(sideSchemaProblem(name) !== undefined));
  }
});

describe("a condition on rows", () => {
  const postgres = { sqlite: false };
  for (const text of [
    "tenant_id = 7",
    "name = 'it''s; -- not a comment ('",
    "(a > 1 AND b IN (1, 2)) OR c IS NULL",
    `"odd ; name" = 1`,
    "id IN (SELECT id FROM app.projects WHERE owner = 7)",
    "tags @> '{x}'::text[] AND a[1] = 2",
  ]) {
    it(`may be ${text}`, () => assert.equal(rowFilterProblem(text, postgres), undefined));
  }
  for (const [text, expected] of [
    ["", "empty"],
    ["1=1; DROP TABLE x", "semicolon"],
    ["1=1) TO PROGRAM 'sh' (", "closes nothing"],
    ["1=1) UNION SELECT (1", "closes nothing"],
    ["(1=1", "never closed"],
    ["name = 'x", "never closed"],
    ["1=1 -- all", "comment"],
    ["1=1 /* all */", "comment"],
    ["name = E'\\''", "backslash"],
    ["name = $$'$$ ) UNION", "double quotes"],
    ["a = 1\0", "control"],
  ] as const) {
    it(`is not ${JSON.stringify(text)}`, () => {
      const problem = rowFilterProblem(text, postgres);
      assert.ok(problem?.includes(expected), problem);
    });
  }
  it("for SQLite has no parameters and no brackets", () => {
    for (const text of ["a = ?", "a = :b", "a = @b", "['] = 1 OR x['] = 1"]) {
      assert.ok(rowFilterProblem(text, { sqlite: true }) !== undefined, text);
    }
  });
});
