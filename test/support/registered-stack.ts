import { unknownValue } from "../../policies/check/pulumi-protocol";
import { type Fixture } from "./judged-stack";
import { failedOverPreview, runProgram, shippedStack, stackConfig } from "./pulumi-program";

/**
 * What the program registers for a shipped stack, as a stack to judge; secrets are values to a policy.
 *
 * @param more configuration beside what the stack's file says
 */
export async function registeredStack(
  stack: string,
  { preview = false, more }: { preview?: boolean; more?: Readonly<Record<string, string>> } = {},
): Promise<Fixture[]> {
  const { exitCode, log, resources } = await (more
    ? runProgram(stack, { ...stackConfig(stack), ...more }, { preview })
    : preview
      ? failedOverPreview(stack)
      : shippedStack(stack));
  if (exitCode !== 0) throw new Error(log);
  const nameOf = new Map(resources.map(({ urn, type, name }) => [urn, `${type} ${name}`]));
  return resources.map(({ urn, type, name, inputs, protect, ignoreChanges, propertyDependencies }) => ({
    type,
    name: `${type} ${name}`,
    within: urn.split("::")[2]!.split("$").slice(0, -1),
    props: plain(inputs) as Record<string, unknown>,
    opts: { protect, ignoreChanges: [...ignoreChanges] },
    dependsOn: Object.fromEntries(
      Object.entries(propertyDependencies).map(([property, urns]) => [
        property,
        urns.map((urn) => nameOf.get(urn) ?? urn),
      ]),
    ),
  }));
}

function plain(value: unknown): unknown {
  if (value === "<unknown>") return unknownValue;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value);
  if (fields.length === 1 && fields[0]![0] === "secret") return plain(fields[0]![1]);
  return Object.fromEntries(fields.map(([key, inner]) => [key, plain(inner)]));
}
