import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize } from "node:path";

/** What each folder may import beside itself. Arrows run down only. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  recovery: [],
  components: ["recovery"],
  policies: ["recovery"],
  "job-images": ["recovery"],
  "index.ts": ["components", "recovery"],
};

/** Packages that a folder may import; absent: any. */
const mayUse: Readonly<Record<string, readonly string[]>> = { recovery: ["zod"] };

const importPattern = /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+"([^"]+)"|import\("([^"]+)"\)|require\("([^"]+)"\)/g;

interface Import {
  readonly file: string;
  readonly target: string;
}

function tracked(...patterns: readonly string[]): string[] {
  return execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", ...patterns], {
    encoding: "utf8",
  })
    .split("\n")
    .filter((file) => file !== "");
}

function importsOf(file: string, source = readFileSync(file, "utf8")): Import[] {
  return [...source.matchAll(importPattern)].map((match) => ({ file, target: (match[1] ?? match[2] ?? match[3])! }));
}

/** The first folder of a path, or the file itself at the top. */
const areaOf = (path: string): string => normalize(path).split("/")[0]!;

function violations(imports: readonly Import[]): string[] {
  return imports.flatMap(({ file, target }) => {
    const area = areaOf(file);
    const allowed = mayImport[area];
    if (!allowed) return [];
    if (target.startsWith(".")) {
      const to = areaOf(join(dirname(file), target));
      return to === area || allowed.includes(to) ? [] : [`${file} imports ${target}: ${area} may not import ${to}`];
    }
    const packages = mayUse[area];
    const name = target.startsWith("@") ? target.split("/").slice(0, 2).join("/") : target.split("/")[0]!;
    const isBuiltin = target.startsWith("node:") || builtinModules.includes(name);
    return packages && (isBuiltin || !packages.includes(name))
      ? [`${file} imports ${target}: ${area} may use ${packages.join(", ")} only`]
      : [];
  });
}

/** Circles of files that import each other; types alone make no circle at run time, and still tie two files together. */
function circles(files: readonly string[]): string[] {
  const known = new Set(files);
  const resolve = (file: string, target: string): string | undefined => {
    const path = join(dirname(file), target);
    return [`${path}.ts`, join(path, "index.ts")].find((candidate) => known.has(candidate));
  };
  const graph = new Map(
    files.map((file) => [
      file,
      importsOf(file).flatMap(({ target }) => (target.startsWith(".") ? (resolve(file, target) ?? []) : [])),
    ]),
  );
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) found.push([...path.slice(path.indexOf(file)), file].join(" -> "));
    else if (!done.has(file)) {
      for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    }
  };
  for (const file of files) visit(file, []);
  return found;
}

describe("architecture", () => {
  const sources = tracked("*.ts").filter((file) => !file.startsWith("test/"));

  it("imports run along the arrows only", () => {
    assert.ok(sources.length > 40, "the sources were not found");
    assert.deepEqual(violations(sources.flatMap((file) => importsOf(file))), []);
  });

  it("no files import each other in a circle", () => assert.deepEqual(circles(sources), []));

  it("the check itself sees a wrong import of each kind", () => {
    const wrong: readonly Import[] = [
      { file: "recovery/a.ts", target: "../components/b" },
      { file: "recovery/a.ts", target: "node:fs" },
      { file: "recovery/a.ts", target: "fs" },
      { file: "recovery/a.ts", target: "@pulumi/pulumi" },
      { file: "components/a.ts", target: "../job-images/src/b" },
      { file: "job-images/src/a.ts", target: "../../components/b" },
      { file: "policies/rules/a.ts", target: "../../components/b" },
      { file: "index.ts", target: "./job-images/src/b" },
    ];
    assert.equal(violations(wrong).length, wrong.length);
    assert.deepEqual(
      importsOf("x.ts", `import {\n a,\n} from "./b";\nexport * from "./c";`).map(({ target }) => target),
      ["./b", "./c"],
    );
  });

  it("files are named after what they hold, in kebab-case, and no drawer is among them", () => {
    for (const file of sources) {
      assert.match(file, /^([a-z0-9-]+\/)*[a-z0-9-]+(\.d)?\.ts$/, file);
      assert.doesNotMatch(file, /(^|\/)(util|utils|helper|helpers|common|misc)s?(\/|\.ts|-)/, file);
    }
  });
});
