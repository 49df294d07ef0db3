import { renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type DeployedProtection, deployedStack, readDeployed } from "../evidence/deployed-protection";
import { Analyzer } from "./analyzer";
import { analyzedResources, judgeStacks, type JudgedStack, type RecordedStack, stackResources } from "./judged-stacks";
import { policyConfigFile, readPackConfig } from "./policy-config";
import { type ProgramRecording, runProgram } from "./program-run";
import { type Report } from "./report";
import { type PackConfig, type RuleInfo } from "./rule-info";
import { readStackFiles, type StackFile } from "./stack-file";
import { UsageError } from "./usage-error";
import { Verdict } from "../../recovery";

/** What is checked. */
export interface CheckRequest {
  /** The folder of `Pulumi.yaml`. */
  readonly directory: string;
  readonly stacks: readonly string[];
  /** Folder of the policies' configurations, one file an environment. @default "policies/config" of the program */
  readonly configFolder?: string;
  /** What `dr evidence pull` printed. @default what the configuration says */
  readonly evidenceFile?: string;
  /** What is deployed, to compare with. @default what the configuration says */
  readonly deployedFile?: string;
  /** Where to write that these stacks are what is deployed. @default nowhere */
  readonly recordFile?: string;
}

/**
 * Runs the program once for each stack, all at the same time, and judges what it registers by the pack.
 *
 * @throws UsageError naming every problem of the stacks' files and of the policies' configurations
 */
export async function check(request: CheckRequest): Promise<Report> {
  const { directory, stacks, configFolder = join(directory, "policies", "config") } = request;
  const files = readStackFiles(directory, stacks);
  const running = files.map((file) =>
    file.environments.length > 0 ? Promise.resolve(undefined) : runProgram(file.program),
  );
  // The pack starts while the programs run.
  const starting = files.every(({ environments }) => environments.length > 0) ? undefined : Analyzer.start();
  // Whatever fails first, the others' failures are of no more interest, and must not end the process.
  for (const one of [starting, ...running]) one?.catch(() => undefined);
  try {
    const analyzer = await starting;
    const rules = (await analyzer?.rules()) ?? [];
    const recordings = await Promise.all(running);
    const configs = files.map(({ program }) => triedPackConfig(policyConfigFile(configFolder, program.stack), rules));
    const problems = [...configs.flatMap((config) => config.problems), ...refusals(files, recordings)];
    if (analyzer !== undefined && problems.length > 0) throw new UsageError([...new Set(problems)]);
    const blind = files.flatMap((file, at) => unjudgedStack(file, recordings[at]) ?? []);
    const recorded = files.flatMap((file, at): RecordedStack[] => {
      const recording = recordings[at];
      if (recording === undefined || recording.exitCode !== 0 || recording.resources.length === 0) return [];
      const { path, program } = file;
      const config = withFiles(configs[at]!.config, request);
      return [{ stack: program.stack, path, recording, config, defaultProviders: defaultProviders(program.config) }];
    });
    const judged = [...blind, ...(analyzer === undefined ? [] : await judgeStacks(analyzer, rules, recorded))];
    if (request.recordFile !== undefined) recordDeployed(request.recordFile, recorded);
    return { rules, stacks: stacks.map((stack) => judged.find((one) => one.stack === stack)!) };
  } finally {
    await starting?.then(
      (analyzer) => analyzer.close(),
      () => undefined,
    );
  }
}

const EVIDENCE_RULES = ["evidence-gate", "evidence-standing"];

/** The configuration with the files that this run was given. */
function withFiles(config: PackConfig, { evidenceFile, deployedFile }: CheckRequest): PackConfig {
  const files = {
    ...(evidenceFile === undefined ? {} : { evidenceFile: resolve(evidenceFile) }),
    ...(deployedFile === undefined ? {} : { deployedFile: resolve(deployedFile) }),
  };
  const changed = Object.entries(config)
    .filter(([name]) => EVIDENCE_RULES.includes(name))
    .map(([name, rule]) => [name, { ...rule, settings: { ...rule.settings, ...files } }] as const);
  return { ...config, ...Object.fromEntries(changed) };
}

/** Writes the stacks into the file of what is deployed, and leaves the others in it. */
function recordDeployed(path: string, recorded: readonly RecordedStack[]): void {
  const before = readDeployed(path)?.stacks ?? {};
  const own = recorded.map((one) => {
    const resources = stackResources(analyzedResources(one));
    return [one.stack, deployedStack(resources, before[one.stack], new Date())] as const;
  });
  const after: DeployedProtection = { formatVersion: 1, stacks: { ...before, ...Object.fromEntries(own) } };
  // Whoever reads it meanwhile finds the old one or the new one.
  writeFileSync(`${path}.new`, `${JSON.stringify(after, undefined, 2)}\n`);
  renameSync(`${path}.new`, path);
}

function triedPackConfig(
  path: string | undefined,
  rules: readonly RuleInfo[],
): { config: PackConfig; problems: readonly string[] } {
  try {
    return { config: readPackConfig(path, rules), problems: [] };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { config: {}, problems: error.problems };
  }
}

// How the runner begins what it says of an exception; what a program refuses by itself (`RunError`) comes as it is.
const EXCEPTION = /^Running program '.*' failed with an unhandled exception/;

/** A program that refuses its configuration was asked wrongly, and says itself what is wrong. */
function refusals(files: readonly StackFile[], recordings: readonly (ProgramRecording | undefined)[]): string[] {
  return recordings.flatMap((recording, at) => {
    if (recording === undefined || recording.exitCode === 0 || isBlind(recording)) return [];
    const refused = recording.errors.filter((error) => error !== "" && !EXCEPTION.test(error));
    return refused.length < recording.errors.length ? [] : refused.map((error) => `${files[at]!.path}: ${error}`);
  });
}

/** Whether a program did without something that it asked for, which may be why it failed. */
const isBlind = ({ stackReferences, lookUps }: ProgramRecording): boolean =>
  stackReferences.length + lookUps.length > 0;

/** Why a stack cannot be judged at all; undefined when it can. */
function unjudgedStack(
  { path, program, environments }: StackFile,
  recording?: ProgramRecording,
): JudgedStack | undefined {
  const reasons =
    recording === undefined
      ? environments.map((name) => `the values of the environment ${name} are not known here`)
      : recording.exitCode !== 0
        ? [
            ...recording.errors,
            ...recording.stackReferences.map((name) => `it reads outputs of stack ${name}, which is not known here`),
            ...recording.lookUps.map((name) => `it asks the cloud for ${name}, which is not known here`),
          ]
        : recording.resources.length === 0
          ? ["the program registered nothing"]
          : undefined;
  if (reasons === undefined) return undefined;
  return {
    stack: program.stack,
    path,
    verdict: Verdict.Inconclusive,
    violations: [],
    unjudged: reasons,
    assessment: [],
    resources: 0,
  };
}

/** What the engine gives to a package's default provider: the configuration under the package's name. */
function defaultProviders(config: Readonly<Record<string, string>>): Record<string, Record<string, string>> {
  const providers: Record<string, Record<string, string>> = {};
  for (const [key, value] of Object.entries(config)) {
    const [packageName = "", name = ""] = key.split(":");
    (providers[packageName] ??= {})[name] = value;
  }
  return providers;
}
