import { createRequire } from "node:module";
import type * as Grpc from "@grpc/grpc-js";

// Pulumi's own copies: a message is one only to the protobuf that generated it, and a project has YAML as Pulumi reads it.
const requireOfPulumi = createRequire(require.resolve("@pulumi/pulumi/package.json"));
const load = (name: string): unknown => requireOfPulumi(name);

/** A protobuf message of Pulumi's, whose generated code has no usable types: getters and setters by name. */
export type Message = { [method: string]: (...values: never[]) => unknown };

type MessageClass = new () => Message;

/** The generated classes of one of Pulumi's protocol files, as `resource_pb`. */
export const protocol = (name: string): Readonly<Record<string, unknown>> =>
  load(`@pulumi/pulumi/proto/${name}.js`) as Readonly<Record<string, unknown>>;

/** The gRPC implementation that Pulumi speaks. */
export const grpc = (): typeof Grpc => load("@grpc/grpc-js") as typeof Grpc;

/** A YAML document as JavaScript. @throws Error when it is none */
export function parseYaml(text: string): unknown {
  return (load("js-yaml") as { load: (text: string) => unknown }).load(text);
}

/** A message with these fields set; `ResourcesList: [...]` calls `setResourcesList`. */
export function message(type: unknown, fields: Readonly<Record<string, unknown>> = {}): Message {
  const made = new (type as MessageClass)();
  for (const [name, value] of Object.entries(fields)) made[`set${name}`]!(value as never);
  return made;
}

const googleEmpty = (): unknown => (load("google-protobuf/google/protobuf/empty_pb.js") as { Empty: unknown }).Empty;

/** The message without content. */
export const empty = (): Message => message(googleEmpty());

/** A JavaScript object as the `Struct` in which properties travel; what is undefined is not there. */
export function structOf(value: object): Message {
  const { Struct } = load("google-protobuf/google/protobuf/struct_pb.js") as {
    Struct: { fromJavaScript(value: object): Message };
  };
  return Struct.fromJavaScript(JSON.parse(JSON.stringify(value)) as object);
}

/** The JavaScript object that travelled in a `Struct`. */
export const valueOf = (struct: unknown): Record<string, unknown> =>
  (struct as { toJavaScript(): Record<string, unknown> } | undefined)?.toJavaScript() ?? {};

/** Stands on the wire for a value that is not known before the update. */
export const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const signature = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";

/** Whether a value is a secret on the wire, whose content is in `value`. */
export function isSecret(value: object): value is { readonly value: unknown } {
  return (value as Record<string, unknown>)[signature] === secretSignature;
}
