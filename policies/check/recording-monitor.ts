import type * as Grpc from "@grpc/grpc-js";
import {
  empty,
  grpc,
  isSecret,
  type Message,
  message,
  protocol,
  structOf,
  unknownValue,
  valueOf,
} from "./pulumi-protocol";

/** One registration as the engine gets it. */
export interface RecordedResource {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  /** Whether it is somebody's resource, and not a component that only groups others. */
  readonly custom: boolean;
  /** URN. */
  readonly parent: string;
  readonly protect: boolean;
  readonly retainOnDelete: boolean;
  readonly ignoreChanges: readonly string[];
  /** URN of the provider, without its id; empty for the default one. */
  readonly provider: string;
  /** As on the wire: secrets in their envelope, `unknownValue` for what is not known. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** URNs of the resources that each property was computed from. */
  readonly propertyDependencies: Readonly<Record<string, readonly string[]>>;
}

/** What a provider would answer beyond the inputs; `id` is the resource's own. */
export type Answer = (resource: {
  readonly type: string;
  readonly name: string;
  /** Without the envelopes of secrets. */
  readonly inputs: unknown;
  /** The inputs of its provider, where the program made one. */
  readonly provider?: Readonly<Record<string, unknown>>;
}) => Record<string, unknown>;

/** How the recording is made. */
export interface RecordingOptions {
  readonly project: string;
  readonly stack: string;
  /** What providers compute. What it leaves out is not known in a preview. */
  readonly answer: Answer;
}

type Handler = (call: { readonly request: Message }, reply: (error: null, message: unknown) => void) => void;

const DEBUG_SEVERITY = 0;
const ERROR_SEVERITY = 3;
const STACK_TYPE = "pulumi:pulumi:Stack";
const STACK_REFERENCE_TYPE = "pulumi:pulumi:StackReference";
// What programs ask for without which they send plain values; the rest (transforms, aliases) is not answered here.
const FEATURES = ["secrets", "resourceReferences"];

/**
 * The part of Pulumi's engine that a program talks to. It registers everything, creates nothing, asks nobody, and writes
 * down what only a cloud or another stack could have answered.
 */
export class RecordingMonitor {
  readonly resources: RecordedResource[] = [];
  /** What the program told the engine. */
  readonly log: string[] = [];
  readonly errors: string[] = [];
  /** Full names of the stacks whose outputs it read. */
  readonly stackReferences = new Set<string>();
  /** Functions of providers that it called, and resources that it looked up. */
  readonly lookUps = new Set<string>();
  outputs: Readonly<Record<string, unknown>> = {};
  private readonly server: Grpc.Server = new (grpc().Server)({ "grpc.max_receive_message_length": -1 });
  private rootUrn = "";

  constructor(private readonly options: RecordingOptions) {}

  /** Starts to listen on loopback, and returns the address. */
  async listen(): Promise<string> {
    const services = [
      [protocol("resource_grpc_pb").ResourceMonitorService, this.monitor()],
      [protocol("engine_grpc_pb").EngineService, this.engine()],
    ] as const;
    for (const [service, handlers] of services) this.server.addService(service as Grpc.ServiceDefinition, handlers);
    const port = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync("127.0.0.1:0", grpc().ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    return `127.0.0.1:${port}`;
  }

  close(): void {
    this.server.forceShutdown();
  }

  private monitor(): Record<string, Handler> {
    const messages = protocol("resource_pb");
    const providers = protocol("provider_pb");
    const lookUp =
      (answer: unknown): Handler =>
      ({ request }, reply) => {
        this.lookUps.add(request.getTok!() as string);
        reply(null, message(answer, { Return: structOf({}) }));
      };
    return {
      supportsFeature: ({ request }, reply) =>
        reply(
          null,
          message(messages.SupportsFeatureResponse, { Hassupport: FEATURES.includes(request.getId!() as never) }),
        ),
      registerResource: ({ request }, reply) => {
        const { urn, id, state } = this.register(request);
        reply(null, message(messages.RegisterResourceResponse, { Urn: urn, Id: id, Object: structOf(state) }));
      },
      readResource: ({ request }, reply) => {
        const { urn, state } = this.read(request);
        reply(null, message(messages.ReadResourceResponse, { Urn: urn, Properties: structOf(state) }));
      },
      registerResourceOutputs: ({ request }, reply) => {
        if (request.getUrn!() === this.rootUrn) this.outputs = valueOf(request.getOutputs!());
        reply(null, empty());
      },
      invoke: lookUp(providers.InvokeResponse),
      call: lookUp(providers.CallResponse),
      signalAndWaitForShutdown: (_call, reply) => reply(null, empty()),
      registerPackage: (_call, reply) => reply(null, message(messages.RegisterPackageResponse, { Ref: "" })),
    };
  }

  private engine(): Record<string, Handler> {
    const messages = protocol("engine_pb");
    return {
      log: ({ request }, reply) => {
        const severity = request.getSeverity!() as number;
        const text = request.getMessage!() as string;
        if (severity !== DEBUG_SEVERITY) this.log.push(text);
        if (severity === ERROR_SEVERITY) this.errors.push(text);
        reply(null, empty());
      },
      getRootResource: (_call, reply) => reply(null, message(messages.GetRootResourceResponse, { Urn: this.rootUrn })),
      setRootResource: ({ request }, reply) => {
        this.rootUrn = request.getUrn!() as string;
        reply(null, message(messages.SetRootResourceResponse));
      },
    };
  }

  private urnOf(type: string, name: string, parent: string): string {
    const parentType = parent.split("::")[2];
    const qualifiedType = parent !== "" && parent !== this.rootUrn ? `${parentType}$${type}` : type;
    return `urn:pulumi:${this.options.stack}::${this.options.project}::${qualifiedType}::${name}`;
  }

  private register(request: Message) {
    const type = request.getType!() as string;
    const name = request.getName!() as string;
    const parent = request.getParent!() as string;
    const custom = request.getCustom!() as boolean;
    const urn = this.urnOf(type, name, parent);
    const inputs = withWholeUnknowns(valueOf(request.getObject!())) as Record<string, unknown>;
    if (type !== STACK_TYPE) {
      this.resources.push({
        urn,
        type,
        name,
        custom,
        parent,
        protect: request.getProtect!() as boolean,
        retainOnDelete: request.getRetainondelete!() as boolean,
        ignoreChanges: request.getIgnorechangesList!() as string[],
        provider: withoutId(request.getProvider!() as string),
        inputs,
        propertyDependencies: propertyDependenciesOf(request),
      });
    }
    const provider = withoutId(request.getProvider!() as string);
    const made = this.resources.find((resource) => resource.urn === provider);
    const { id = "", ...computed } = this.options.answer({
      type,
      name,
      inputs: withoutSecrets(inputs),
      ...(made === undefined ? {} : { provider: made.inputs }),
    });
    return { urn, id: custom ? id : "", state: { ...inputs, ...computed } };
  }

  private read(request: Message) {
    const type = request.getType!() as string;
    const name = request.getName!() as string;
    const urn = this.urnOf(type, name, request.getParent!() as string);
    const inputs = valueOf(request.getProperties!());
    if (type !== STACK_REFERENCE_TYPE) {
      this.lookUps.add(`${type} ${request.getId!() as string}`);
      return { urn, state: inputs };
    }
    this.stackReferences.add(String(inputs.name ?? request.getId!()));
    return { urn, state: { ...inputs, outputs: unknownValue, secretOutputNames: unknownValue } };
  }
}

/** The URN of a provider's reference. */
const withoutId = (reference: string): string => reference.replace(/::[^:]*$/, "");

/** What was put together with an unknown is one as a whole, as in `"postgresql://" + password`. */
function withWholeUnknowns(value: unknown): unknown {
  if (typeof value === "string") return value.includes(unknownValue) ? unknownValue : value;
  if (Array.isArray(value)) return value.map(withWholeUnknowns);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withWholeUnknowns(inner)]));
}

/** Values without the envelopes of secrets: a policy sees what is in them. */
export function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (value === null || typeof value !== "object") return value;
  if (isSecret(value)) return withoutSecrets(value.value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutSecrets(inner)]));
}

function propertyDependenciesOf(request: Message): Record<string, readonly string[]> {
  const { propertydependenciesMap } = request.toObject!() as {
    readonly propertydependenciesMap: readonly (readonly [string, { readonly urnsList: readonly string[] }])[];
  };
  return Object.fromEntries(propertydependenciesMap.map(([property, { urnsList }]) => [property, urnsList]));
}
