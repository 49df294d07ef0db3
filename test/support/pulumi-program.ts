import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { parse } from "yaml";
import { computedProperties } from "./registered-resources";

/** One registration as the engine gets it. */
export interface Registration {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  readonly custom: boolean;
  /** URN. */
  readonly parent: string;
  readonly protect: boolean;
  readonly retainOnDelete: boolean;
  readonly ignoreChanges: readonly string[];
  /** URN of the provider, without its id. */
  readonly provider: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  /** URNs of the resources that each property was computed from. */
  readonly propertyDependencies: Readonly<Record<string, readonly string[]>>;
}

/** What a run of the program did. */
export interface ProgramRun {
  readonly exitCode: number | null;
  readonly resources: readonly Registration[];
  readonly outputs: Readonly<Record<string, unknown>>;
  /** What the program told the engine and the terminal. */
  readonly log: string;
}

const debugSeverity = 0;
const project = "architect-go";
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const signature = "4dabf18193072939515e22adb298388d";
const secret = "1b47061264138c4ac30d75fd1eb44270";

/** The configuration of a stack file as the engine passes it on: text, and maps as JSON. */
export function stackConfig(stack: string): Record<string, string> {
  const declared = parse(readFileSync("Pulumi.yaml", "utf8")) as { config: Record<string, { default?: string }> };
  const given = parse(readFileSync(`Pulumi.${stack}.yaml`, "utf8")) as { config: Record<string, unknown> };
  const defaults = Object.entries(declared.config).filter(([, { default: value }]) => value !== undefined);
  const config: Record<string, unknown> = {
    ...Object.fromEntries(defaults.map(([key, { default: value }]) => [`${project}:${key}`, value])),
    ...given.config,
  };
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  );
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
  const engine = new RecordingEngine(stack, preview);
  const address = await engine.listen();
  try {
    const { exitCode, output } = await run(stack, config, address, preview);
    return { exitCode, resources: engine.resources, outputs: engine.outputs, log: [...engine.log, output].join("\n") };
  } finally {
    engine.close();
  }
}

function run(stack: string, config: object, address: string, preview: boolean) {
  const runner = join("node_modules", "@pulumi", "pulumi", "cmd", "run");
  const args = [runner, "--project", project, "--stack", stack, "--monitor", address, "--engine", address];
  const child = spawn(process.execPath, [...args, ...(preview ? ["--dry-run"] : []), "index.ts"], {
    env: {
      ...process.env,
      PULUMI_CONFIG: JSON.stringify(config),
      PULUMI_NODEJS_TYPESCRIPT: "true",
      PULUMI_NODEJS_TSCONFIG_PATH: "tsconfig.pulumi.json",
    },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return new Promise<{ exitCode: number | null; output: string }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) => resolve({ exitCode, output }));
  });
}

type Message = { [method: string]: (...values: never[]) => unknown };
interface Call {
  readonly request: Message;
}
type Reply = (error: null, message: unknown) => void;

/** The part of the engine that a program talks to. */
class RecordingEngine {
  readonly resources: Registration[] = [];
  readonly log: string[] = [];
  outputs: Record<string, unknown> = {};
  private readonly server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  private rootUrn = "";

  constructor(
    private readonly stack: string,
    private readonly preview: boolean,
  ) {}

  async listen(): Promise<string> {
    const { ResourceMonitorService } = proto("resource_grpc_pb");
    const { EngineService } = proto("engine_grpc_pb");
    this.server.addService(ResourceMonitorService as grpc.ServiceDefinition, this.monitor());
    this.server.addService(EngineService as grpc.ServiceDefinition, this.engine());
    const port = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    return `127.0.0.1:${port}`;
  }

  close(): void {
    this.server.forceShutdown();
  }

  private monitor(): Record<string, (call: Call, reply: Reply) => void> {
    const messages = proto("resource_pb");
    const providers = proto("provider_pb");
    const empty = () => make(googleEmpty(), {});
    return {
      supportsFeature: ({ request }, reply) =>
        reply(
          null,
          make(messages.SupportsFeatureResponse, {
            setHassupport: ["secrets", "resourceReferences"].includes(request.getId!() as string),
          }),
        ),
      registerResource: ({ request }, reply) => {
        const { urn, id, state } = this.register(request);
        reply(null, make(messages.RegisterResourceResponse, { setUrn: urn, setId: id, setObject: structOf(state) }));
      },
      registerResourceOutputs: ({ request }, reply) => {
        if (request.getUrn!() === this.rootUrn) this.outputs = plain(javaScriptOf(request.getOutputs!())) as never;
        reply(null, empty());
      },
      invoke: ({ request }, reply) => {
        this.log.push(`unexpected invoke of ${request.getTok!() as string}`);
        reply(null, make(providers.InvokeResponse, { setReturn: structOf({}) }));
      },
      signalAndWaitForShutdown: (_call, reply) => reply(null, empty()),
      registerPackage: (_call, reply) => reply(null, make(messages.RegisterPackageResponse, { setRef: "" })),
    };
  }

  private engine(): Record<string, (call: Call, reply: Reply) => void> {
    const messages = proto("engine_pb");
    return {
      log: ({ request }, reply) => {
        if (request.getSeverity!() !== debugSeverity) this.log.push(request.getMessage!() as string);
        reply(null, make(googleEmpty(), {}));
      },
      getRootResource: (_call, reply) => reply(null, make(messages.GetRootResourceResponse, { setUrn: this.rootUrn })),
      setRootResource: ({ request }, reply) => {
        this.rootUrn = request.getUrn!() as string;
        reply(null, make(messages.SetRootResourceResponse, {}));
      },
    };
  }

  private register(request: Message) {
    const type = request.getType!() as string;
    const name = request.getName!() as string;
    const parent = request.getParent!() as string;
    const custom = request.getCustom!() as boolean;
    const parentType = parent.split("::")[2];
    const qualifiedType = parent && parent !== this.rootUrn ? `${parentType}$${type}` : type;
    const urn = `urn:pulumi:${this.stack}::${project}::${qualifiedType}::${name}`;
    const wire = javaScriptOf(request.getObject!()) as Record<string, unknown>;
    const inputs = plain(wire) as Record<string, unknown>;
    if (type !== "pulumi:pulumi:Stack") {
      this.resources.push({
        urn,
        type,
        name,
        custom,
        parent,
        protect: request.getProtect!() as boolean,
        retainOnDelete: request.getRetainondelete!() as boolean,
        ignoreChanges: request.getIgnorechangesList!() as string[],
        provider: (request.getProvider!() as string).replace(/::[^:]*$/, ""),
        inputs,
        propertyDependencies: propertyDependenciesOf(request),
      });
    }
    const id = custom && !this.preview ? `${name}-id` : "";
    // The Kubernetes provider names what has no name before it is made.
    const isKnown = !this.preview || type.startsWith("kubernetes:");
    const state = !isKnown ? wire : { ...wire, ...computedProperties({ type, name, inputs }) };
    return { urn, id, state };
  }
}

function propertyDependenciesOf(request: Message): Record<string, readonly string[]> {
  const { propertydependenciesMap } = request.toObject!() as {
    readonly propertydependenciesMap: readonly (readonly [string, { readonly urnsList: readonly string[] }])[];
  };
  return Object.fromEntries(propertydependenciesMap.map(([property, { urnsList }]) => [property, urnsList]));
}

/** A message without its wrappings: a secret is `{ secret: ... }`, what is unknown is `"<unknown>"`. */
function plain(value: unknown): unknown {
  if (value === unknown) return "<unknown>";
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  const fields = value as Record<string, unknown>;
  if (fields[signature] === secret) return { secret: plain(fields.value) };
  return Object.fromEntries(Object.entries(fields).map(([key, inner]) => [key, plain(inner)]));
}

/* eslint-disable @typescript-eslint/no-require-imports -- generated code without usable types */
type Messages = Record<string, unknown>;
const proto = (name: string): Messages => require(`@pulumi/pulumi/proto/${name}.js`) as Messages;
const googleEmpty = (): unknown => (require("google-protobuf/google/protobuf/empty_pb.js") as Messages).Empty;
const struct = (): { fromJavaScript(value: object): unknown } =>
  (require("google-protobuf/google/protobuf/struct_pb.js") as { Struct: never }).Struct;
/* eslint-enable */

const structOf = (value: object): unknown => struct().fromJavaScript(withoutUndefined(value) as object);
const javaScriptOf = (message: unknown): unknown =>
  (message as { toJavaScript(): unknown } | undefined)?.toJavaScript() ?? {};
const withoutUndefined = (value: object): unknown => JSON.parse(JSON.stringify(value));

function make(type: unknown, fields: Record<string, unknown>): unknown {
  const message = new (type as new () => Record<string, (value: unknown) => void>)();
  for (const [setter, value] of Object.entries(fields)) message[setter]!(value);
  return message;
}
