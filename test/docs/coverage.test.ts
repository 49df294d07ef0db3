import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";

interface CoverageRow {
  readonly item: number;
  readonly where: readonly string[];
  readonly tests: readonly string[];
}

const notBuilt = "not built yet";

function readRows(text: string): CoverageRow[] {
  return [...text.matchAll(/^\| *(\d+) *\|[^|]*\|([^|]*)\|([^|]*)\|$/gm)].map(([, item, where, tests]) => ({
    item: Number(item),
    where: where!.trim() === notBuilt ? [] : paths(where!),
    tests: paths(tests!),
  }));
}

const paths = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);

/** The items that a test file's titles claim. */
function itemsOf(source: string): Set<number> {
  return new Set([...source.matchAll(/\[guide ([\d, ]+)\]/g)].flatMap((match) => match[1]!.split(",").map(Number)));
}

describe("docs/coverage.md", () => {
  const rows = readRows(readFileSync("docs/coverage.md", "utf8"));

  it("lists the 62 items of the guide, each once", () => {
    assert.deepEqual(
      rows.map(({ item }) => item),
      Array.from({ length: 62 }, (_, index) => index + 1),
    );
  });

  it("names paths that exist, and for everything built a test", () => {
    const problems = rows.flatMap(({ item, where, tests }) => [
      ...[...where, ...tests].filter((path) => !existsSync(path)).map((path) => `${item}: ${path} does not exist`),
      ...(where.length > 0 && tests.length === 0 ? [`${item}: is built, and no test is named`] : []),
      ...(where.length === 0 && tests.length > 0 ? [`${item}: is not built, and a test is named`] : []),
    ]);
    assert.deepEqual(problems, []);
  });

  it("cites tests that carry the item's number in a title", () => {
    const problems = rows.flatMap(({ item, tests }) =>
      tests
        .filter((path) => !itemsOf(readFileSync(path, "utf8")).has(item))
        .map((path) => `${path} has no [guide ${item}]`),
    );
    assert.deepEqual(problems, []);
  });
});
