import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ProgramRequest } from "./program-run";
import { parseYaml, unknownValue } from "./pulumi-protocol";
import { UsageError } from "./usage-error";

/** A stack as its files describe it. */
export interface StackFile {
  readonly program: ProgramRequest;
  /** Environments of Pulumi ESC that it imports, whose values nobody knows here. */
  readonly environments: readonly string[];
  /** Path of the stack's file, for reports. */
  readonly path: string;
}

interface ProjectFile {
  readonly name?: string;
  readonly main?: string;
  readonly stackConfigDir?: string;
  readonly runtime?:
    | string
    | { readonly name?: string; readonly options?: { readonly typescript?: boolean; readonly tsconfig?: string } };
  readonly config?: Readonly<Record<string, unknown>>;
}

/**
 * Reads `Pulumi.yaml` and the files of these stacks, and merges the project's defaults into each as the engine does.
 * Encrypted values become unknown secrets.
 *
 * @throws UsageError naming every problem of every file
 */
export function readStackFiles(directory: string, stacks: readonly string[]): StackFile[] {
  const project = readYaml(projectPath(directory)) as ProjectFile;
  const problems = projectProblems(project, directory);
  const files: StackFile[] = [];
  for (const stack of stacks) {
    try {
      files.push(readStackFile(directory, project, stack));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new UsageError(problems);
  return files;
}

function projectPath(directory: string): string {
  const found = ["Pulumi.yaml", "Pulumi.yml"].map((name) => join(directory, name)).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new UsageError([`${directory} has no Pulumi.yaml: name the folder of a Pulumi program with --program`]);
}

function projectProblems({ name, runtime }: ProjectFile, directory: string): string[] {
  const runtimeName = typeof runtime === "string" ? runtime : runtime?.name;
  return [
    ...(typeof name === "string" ? [] : [`${directory}/Pulumi.yaml: name is missing`]),
    ...(runtimeName === "nodejs"
      ? []
      : [`${directory}/Pulumi.yaml: runtime is ${runtimeName ?? "missing"}; only nodejs programs can be run here`]),
  ];
}

function readStackFile(directory: string, project: ProjectFile, stack: string): StackFile {
  const { name = "", main, runtime, stackConfigDir = "" } = project;
  const path = join(directory, stackConfigDir, `Pulumi.${stack}.yaml`);
  if (!existsSync(path)) throw new UsageError([`${path}: there is no such stack`]);
  const { config: given = {}, environment } = readYaml(path) as {
    readonly config?: Readonly<Record<string, unknown>> | null;
    readonly environment?: unknown;
  };
  const secretKeys: string[] = [];
  const config: Record<string, string> = {};
  const set = (key: string, value: unknown): void => {
    const full = key.includes(":") ? key : `${name}:${key}`;
    if (hasSecure(value)) secretKeys.push(full);
    const plain = withoutSecure(value);
    config[full] = typeof plain === "string" ? plain : JSON.stringify(plain);
  };
  const declared = Object.entries(project.config ?? {});
  for (const [key, declaration] of declared) {
    const value = projectValue(declaration);
    if (value !== undefined) set(key, value);
  }
  for (const [key, value] of Object.entries(given ?? {})) set(key, value);
  const missing = declared
    .map(([key]) => (key.includes(":") ? key : `${name}:${key}`))
    .filter((key) => key.startsWith(`${name}:`) && !(key in config));
  // An imported environment may have them.
  const environments = environmentsOf(environment);
  if (missing.length > 0 && environments.length === 0) {
    throw new UsageError(missing.map((key) => `${path}: ${key} is missing, and Pulumi.yaml has no default for it`));
  }
  const options = typeof runtime === "object" ? (runtime.options ?? {}) : {};
  return {
    path,
    environments,
    program: {
      directory,
      project: name,
      stack,
      config,
      secretKeys,
      ...(main === undefined ? {} : { main }),
      ...(options.typescript === undefined ? {} : { typescript: options.typescript }),
      ...(options.tsconfig === undefined ? {} : { tsconfig: options.tsconfig }),
    },
  };
}

/** The value that a project gives a key: stated, or the default of its declaration. */
function projectValue(declaration: unknown): unknown {
  if (typeof declaration !== "object" || declaration === null) return declaration;
  const { value, default: fallback } = declaration as { readonly value?: unknown; readonly default?: unknown };
  return value ?? fallback;
}

function environmentsOf(environment: unknown): string[] {
  const imports = Array.isArray(environment)
    ? (environment as unknown[])
    : ((environment as { readonly imports?: unknown[] } | undefined | null)?.imports ?? []);
  return imports.map((one) => (typeof one === "string" ? one : Object.keys(one as object).join(", ")));
}

const isSecure = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).join() === "secure";

function hasSecure(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return isSecure(value) || Object.values(value).some(hasSecure);
}

function withoutSecure(value: unknown): unknown {
  if (isSecure(value)) return unknownValue;
  if (Array.isArray(value)) return value.map(withoutSecure);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutSecure(inner)]));
}

function readYaml(path: string): unknown {
  try {
    return parseYaml(readFileSync(path, "utf8")) ?? {};
  } catch (error) {
    throw new UsageError([`${path} is no YAML: ${error instanceof Error ? error.message : String(error)}`]);
  }
}
