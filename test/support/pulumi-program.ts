import { type RecordedResource } from "../../policies/check/recording-monitor";
import { runProgram as run } from "../../policies/check/program-run";
import { isSecret, unknownValue } from "../../policies/check/pulumi-protocol";
import { readStackFiles } from "../../policies/check/stack-file";
import { computedProperties } from "./registered-resources";

/** One registration, with secrets as `{ secret: ... }` and what is unknown as `"<unknown>"`. */
export type Registration = RecordedResource;

/** What a run of the program did. */
export interface ProgramRun {
  readonly exitCode: number | null;
  readonly resources: readonly Registration[];
  readonly outputs: Readonly<Record<string, unknown>>;
  /** What the program told the engine and the terminal. */
  readonly log: string;
}

/** The configuration of a stack file as the engine passes it on: text, and maps as JSON. */
export function stackConfig(stack: string): Readonly<Record<string, string>> {
  return readStackFiles(".", [stack])[0]!.program.config;
}

const updates = new Map<string, Promise<ProgramRun>>();

/** An update of a shipped stack as it is: run once for all the tests that look at it. */
export function shippedStack(stack: string): Promise<ProgramRun> {
  const run = updates.get(stack) ?? runProgram(stack, stackConfig(stack));
  updates.set(stack, run);
  return run;
}

const previews = new Map<string, Promise<ProgramRun>>();

/** The configuration after a failover, where the stack has a region to fail over to. */
const failedOver = (stack: string): Record<string, string> =>
  stack === "staging" ? {} : { "architect-go:activeRegion": "eu-west-1" };

/** A first preview of a shipped stack after a failover, run once for all the tests that look at it. */
export function failedOverPreview(stack: string): Promise<ProgramRun> {
  const run =
    previews.get(stack) ?? runProgram(stack, { ...stackConfig(stack), ...failedOver(stack) }, { preview: true });
  previews.set(stack, run);
  return run;
}

/**
 * Runs `index.ts` by Pulumi's own program runner, as the CLI does, against an engine that records what is registered and
 * answers as AWS and Kubernetes would.
 *
 * @param preview nothing computed is known, as before the first `up`
 */
export async function runProgram(
  stack: string,
  config: Readonly<Record<string, string>>,
  { preview = false } = {},
): Promise<ProgramRun> {
  const [file] = readStackFiles(".", [stack]);
  const { exitCode, resources, outputs, log, lookUps } = await run(
    { ...file!.program, config },
    {
      preview,
      answer: (resource) => {
        // The Kubernetes provider names what has no name before it is made.
        const isKnown = !preview || resource.type.startsWith("kubernetes:");
        return isKnown ? { ...computedProperties(resource), ...(preview ? {} : { id: `${resource.name}-id` }) } : {};
      },
    },
  );
  return {
    exitCode,
    resources: resources.map((resource) => ({ ...resource, inputs: plain(resource.inputs) as Registration["inputs"] })),
    outputs: plain(outputs) as Record<string, unknown>,
    log: [...log, ...lookUps.map((name) => `unexpected invoke of ${name}`)].join("\n"),
  };
}

/** A message without its wrappings. */
function plain(value: unknown): unknown {
  if (value === unknownValue) return "<unknown>";
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  if (isSecret(value)) return { secret: plain(value.value) };
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}
