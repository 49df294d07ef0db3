import { combineVerdicts, type Outcome, Verdict } from "../../recovery";
import { protectionStrength } from "../evidence/protection-strength";
import { isUnknownValueError, refusingUnknowns } from "../inventory/unknown-value";
import { type JudgedResource, leadsTo, StackResources } from "../inventory/stack-resources";
import { ResourceTypes } from "../inventory/resource-types";
import { acceptedBecause, judgedOutcomes, type ObjectivesConfig } from "../judged-scenarios";
import { type AnalyzedResource, type Analyzer, type Diagnostic } from "./analyzer";
import { type ProgramRecording } from "./program-run";
import { withoutSecrets } from "./recording-monitor";
import { Level, type PackConfig, type RuleInfo } from "./rule-info";

/** The rules whose answer about a stack depends on the stack of its recovery site. */
export const JOINED_RULES: readonly string[] = [
  "objectives-judged",
  "objectives-met",
  "rds-cross-region-copy",
  "rds-managed-password",
  "rds-replica-parity",
];

/** One thing that is wrong, as the JSON of `recovery-check` has it. */
export interface Violation {
  readonly policy: string;
  readonly severity: string;
  readonly enforcementLevel: Level;
  /** Empty when it is about the stack as a whole. */
  readonly urn: string;
  readonly message: string;
}

/** What is known of one stack after its program ran. */
export interface RecordedStack {
  readonly stack: string;
  readonly path: string;
  readonly recording: ProgramRecording;
  readonly config: PackConfig;
  /** Region and the like of providers that the program does not make itself, by package. */
  readonly defaultProviders: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The judgement of one stack. */
export interface JudgedStack {
  readonly stack: string;
  /** The stack's file. */
  readonly path: string;
  readonly verdict: Verdict;
  readonly violations: readonly Violation[];
  /** Why something could not be judged. */
  readonly unjudged: readonly string[];
  readonly assessment: readonly AssessedScenario[];
  readonly resources: number;
}

/** One row of the assessment. */
export interface AssessedScenario extends Outcome {
  /** Why its loss is a risk that is taken, where a configuration says so. */
  readonly accepted?: string;
}

/**
 * Judges stacks by the pack, each by itself; the objectives of a stack whose recovery site is among the stacks are judged
 * from the resources of both.
 */
export async function judgeStacks(
  analyzer: Analyzer,
  rules: readonly RuleInfo[],
  stacks: readonly RecordedStack[],
): Promise<JudgedStack[]> {
  const analyzed = stacks.map((stack) => ({ ...stack, resources: analyzedResources(stack) }));
  const judged: JudgedStack[] = [];
  // One after the other: the pack has one configuration at a time.
  for (const stack of analyzed) {
    const config = withFloor(stack.config, analyzed);
    const sites = analyzed.filter((other) => other !== stack && follows(other.resources, stack.resources));
    const site = sites.flatMap(({ resources }) => resources);
    judged.push(await judgeStack(analyzer, rules, { ...stack, config }, site));
  }
  return judged;
}

async function judgeStack(
  analyzer: Analyzer,
  rules: readonly RuleInfo[],
  stack: RecordedStack & { readonly resources: readonly AnalyzedResource[] },
  site: readonly AnalyzedResource[],
): Promise<JudgedStack> {
  const { config, recording, resources } = stack;
  await analyzer.configure(config);
  const diagnostics = [...(await analyzer.analyze(resources)), ...(await analyzer.analyzeStack(resources))];
  const isJoined = ({ policy }: Diagnostic) => JOINED_RULES.includes(policy);
  const all =
    site.length === 0
      ? diagnostics
      : [
          ...diagnostics.filter((one) => !isJoined(one)),
          ...(await analyzer.analyzeStack([...resources, ...site])).filter(isJoined),
        ];
  // The SDK says so at the advisory level, whatever the rule's own.
  const isUnjudged = ({ message }: Diagnostic) => message.startsWith("can't run policy ");
  const violations = all
    .filter((one) => !isUnjudged(one))
    .map(({ policy, level, urn = "", message }): Violation => {
      const { severity = "unspecified" } = rules.find(({ name }) => name === policy) ?? {};
      return { policy, severity, enforcementLevel: level, urn, message };
    });
  const { assessment, unknown } = assessmentOf([...resources, ...site], config);
  const unjudged = [
    ...all
      .filter((one) => isUnjudged(one) && config[one.policy]?.level !== Level.Advisory)
      .map(({ policy, urn, message }) => `${policy}: ${urn === undefined ? "" : `${nameOf(urn)}: `}${message}`),
    ...recording.stackReferences.map((name) => `outputs of stack ${name} are read, which is not known here`),
    ...recording.lookUps.map((name) => `${name} is asked of the cloud, which is not known here`),
    ...unknown,
  ];
  return {
    stack: stack.stack,
    path: stack.path,
    verdict: verdictOf(violations, unjudged, assessment, config),
    violations,
    unjudged,
    assessment,
    resources: resources.length,
  };
}

const nameOf = (urn: string): string => urn.split("::").slice(-2).join(" ");

function verdictOf(
  violations: readonly Violation[],
  unjudged: readonly string[],
  assessment: readonly AssessedScenario[],
  config: PackConfig,
): Verdict {
  const isOpen = ({ verdict, accepted }: AssessedScenario) =>
    verdict === Verdict.Inconclusive && accepted === undefined;
  return combineVerdicts([
    violations.some(({ enforcementLevel }) => enforcementLevel === Level.Mandatory) ? Verdict.Fail : Verdict.Pass,
    unjudged.length > 0 ? Verdict.Inconclusive : Verdict.Pass,
    config["objectives-met"]?.level !== Level.Disabled && assessment.some(isOpen) ? Verdict.Inconclusive : Verdict.Pass,
  ]);
}

const REHEARSAL_RULE = "as-strict-as";

/** Where the stack that another must be as strict as is at hand, its resources count, and not what is said of them. */
function withFloor(
  config: PackConfig,
  stacks: readonly { readonly stack: string; readonly resources: readonly AnalyzedResource[] }[],
): PackConfig {
  const rule = config[REHEARSAL_RULE];
  const rehearsal = stacks.find(({ stack }) => stack === rule?.settings.than);
  if (rule === undefined || rehearsal === undefined) return config;
  const floor = protectionStrength(stackResources(rehearsal.resources)).strictness;
  return { ...config, [REHEARSAL_RULE]: { ...rule, settings: { ...rule.settings, floor } } };
}

/** The resources of one or several recorded stacks as rules see them. */
export const stackResources = (resources: readonly AnalyzedResource[]): StackResources =>
  new StackResources(resources.map(asJudged));

function assessmentOf(
  resources: readonly AnalyzedResource[],
  config: PackConfig,
): { assessment: readonly AssessedScenario[]; unknown: readonly string[] } {
  const settings = config["objectives-met"]?.settings as unknown as ObjectivesConfig | undefined;
  if (settings === undefined) return { assessment: [], unknown: [] };
  try {
    const { outcomes = [] } = judgedOutcomes(stackResources(resources), settings);
    const assessment = outcomes.map((outcome): AssessedScenario => {
      const accepted = acceptedBecause(outcome, settings);
      return accepted === undefined || outcome.verdict === Verdict.Pass ? outcome : { ...outcome, accepted };
    });
    return { assessment, unknown: [] };
  } catch (error) {
    if (!isUnknownValueError(error)) throw error;
    return { assessment: [], unknown: [`assessment: ${error.message}`] };
  }
}

/** Whether a database of one stack replicates one of the other: then the one is the other's recovery site. */
function follows(site: readonly AnalyzedResource[], primary: readonly AnalyzedResource[]): boolean {
  const databases = (resources: readonly AnalyzedResource[]) =>
    resources.filter(({ type }) => (ResourceTypes.DatabaseInstance as readonly string[]).includes(type)).map(asJudged);
  const sources = databases(primary);
  return databases(site).some((replica) =>
    sources.some((source) => leadsTo(replica, "replicateSourceDb", source) === true),
  );
}

function asJudged(resource: AnalyzedResource): JudgedResource {
  const { type, name, urn, inputs, protect, ignoreChanges, provider, propertyDependencies } = resource;
  return {
    type,
    name,
    urn,
    props: refusingUnknowns(withoutSecrets(inputs) as Record<string, unknown>),
    opts: { protect, ignoreChanges },
    ...(provider === undefined ? {} : { provider: { props: refusingUnknowns(provider.props) } }),
    propertyDependencies: Object.fromEntries(
      Object.entries(propertyDependencies).map(([property, urns]) => [property, urns.map((one) => ({ urn: one }))]),
    ),
  };
}

/** The resources with their providers: those that the program made, or the default one of the package. */
export function analyzedResources({ recording, defaultProviders, stack }: RecordedStack): AnalyzedResource[] {
  const byUrn = new Map(recording.resources.map((resource) => [resource.urn, resource]));
  return recording.resources.map((resource) => {
    const { provider, ...rest } = resource;
    const made = byUrn.get(provider);
    const [packageName = ""] = resource.type.split(":");
    const props = made === undefined ? defaultProviders[packageName] : (withoutSecrets(made.inputs) as object);
    if (!resource.custom || props === undefined) return rest;
    const type = `pulumi:providers:${packageName}`;
    const name = made?.name ?? "default";
    const urn = made?.urn ?? `urn:pulumi:${stack}::default::${type}::default`;
    return { ...rest, provider: { urn, type, name, props: { ...props } } };
  });
}
