import type * as Grpc from "@grpc/grpc-js";
import { withoutSecrets } from "../../policies/check/recording-monitor";
import { empty, grpc, type Message, message, protocol, structOf, valueOf } from "../../policies/check/pulumi-protocol";
import { computedProperties } from "./registered-resources";

/** What the engine had a provider do to one resource. */
export interface ProviderCall {
  readonly verb: "create" | "update" | "delete";
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

type Properties = Record<string, unknown>;

/**
 * Changes that the AWS provider answers with a new resource, for the types of which a test cares whether it is one
 * (Terraform AWS provider, `ForceNew` of aws_db_instance, aws_s3_bucket and aws_kms_key; `region` replaces everything).
 */
const replacedBy: Readonly<Record<string, readonly string[]>> = {
  "aws:rds/instance:Instance": [
    "availabilityZone",
    "characterSetName",
    "dbName",
    "engine",
    "kmsKeyId",
    "restoreToPointInTime",
    "snapshotIdentifier",
    "storageEncrypted",
    "timezone",
    "username",
  ],
  "aws:s3/bucket:Bucket": ["bucket", "objectLockEnabled"],
  "aws:kms/key:Key": ["multiRegion", "keyUsage", "customerMasterKeySpec"],
};

/**
 * Stand-ins for the providers of AWS, Kubernetes and random, in which nothing is made: the CLI and its engine are real,
 * the cloud is a map in memory. The engine finds them by `PULUMI_DEBUG_PROVIDERS`.
 */
export class StandInProviders {
  /** Since the last `forget`. */
  calls: ProviderCall[] = [];
  /** What the cloud has, by id. */
  readonly world = new Map<string, { readonly type: string; readonly state: Properties }>();
  private readonly servers: Grpc.Server[] = [];
  private readonly addresses: string[] = [];
  private made = 0;

  static async start(): Promise<StandInProviders> {
    const providers = new StandInProviders();
    for (const name of ["aws", "kubernetes", "random"]) await providers.serve(name);
    return providers;
  }

  /** For the CLI's environment. */
  get debugProviders(): string {
    return this.addresses.join(",");
  }

  forget(): void {
    this.calls = [];
  }

  close(): void {
    for (const server of this.servers) server.forceShutdown();
  }

  private async serve(provider: string): Promise<void> {
    const messages = protocol("provider_pb") as Record<string, never>;
    const plugin = protocol("plugin_pb");
    type Handler = (call: { readonly request: Message }, reply: (error: unknown, message?: unknown) => void) => void;
    const nameOf = (request: Message): { type: string; name: string } => {
      const [, , qualified, name] = (request.getUrn!() as string).split("::");
      return { type: qualified!.split("$").at(-1)!, name: name! };
    };
    const record = (verb: ProviderCall["verb"], request: Message, inputs: Properties): void => {
      this.calls.push({ verb, ...nameOf(request), inputs });
    };
    const echo: Handler = ({ request }, reply) =>
      reply(null, message(messages.CheckResponse, { Inputs: request.getNews!() }));
    const handlers: Record<string, Handler> = {
      getPluginInfo: (_call, reply) => reply(null, message(plugin.PluginInfo, { Version: "1.0.0" })),
      getSchema: (_call, reply) => reply(null, message(messages.GetSchemaResponse, { Schema: "{}" })),
      checkConfig: echo,
      diffConfig: (_call, reply) => reply(null, message(messages.DiffResponse, { Changes: 1 })),
      configure: (_call, reply) =>
        reply(
          null,
          // The engine keeps what is secret from a provider that does not ask, and marks its outputs by the inputs.
          message(messages.ConfigureResponse, { Supportspreview: true }),
        ),
      check: echo,
      diff: ({ request }, reply) => {
        const { type } = nameOf(request);
        // The engine has put the old values of ignored properties among the new ones.
        const [old, wanted] = [valueOf(request.getOldInputs!()), valueOf(request.getNews!())];
        const changed = changedProperties(old, wanted);
        const replaces = changed.filter(
          (property) => (type.startsWith("aws:") && property === "region") || replacedBy[type]?.includes(property),
        );
        reply(
          null,
          message(messages.DiffResponse, {
            Changes: changed.length > 0 ? 2 : 1,
            DiffsList: changed,
            ReplacesList: replaces,
          }),
        );
      },
      create: ({ request }, reply) => {
        const { type, name } = nameOf(request);
        const inputs = withoutSecrets(valueOf(request.getProperties!())) as Properties;
        const preview = request.getPreview!() as boolean;
        // A provider knows in a preview what it decides itself, as the name that Kubernetes' provider gives.
        const known = !preview || provider === "kubernetes";
        const state = { ...inputs, ...(known ? computedProperties({ type, name, inputs }) : {}) };
        const id = preview ? "" : `${name}-${++this.made}`;
        if (!preview) {
          record("create", request, inputs);
          this.world.set(id, { type, state });
        }
        reply(null, message(messages.CreateResponse, { Id: id, Properties: structOf(state) }));
      },
      read: ({ request }, reply) => {
        const id = request.getId!() as string;
        const state: Properties = this.world.get(id)?.state ?? {};
        const inputs = readBack(valueOf(request.getInputs!()), state);
        reply(null, message(messages.ReadResponse, { Id: id, Properties: structOf(state), Inputs: structOf(inputs) }));
      },
      update: ({ request }, reply) => {
        const { type, name } = nameOf(request);
        const inputs = withoutSecrets(valueOf(request.getNews!())) as Properties;
        const state = { ...inputs, ...computedProperties({ type, name, inputs }) };
        if (!(request.getPreview!() as boolean)) {
          record("update", request, inputs);
          this.world.set(request.getId!() as string, { type, state });
        }
        reply(null, message(messages.UpdateResponse, { Properties: structOf(state) }));
      },
      delete: ({ request }, reply) => {
        record("delete", request, valueOf(request.getProperties!()));
        this.world.delete(request.getId!() as string);
        reply(null, empty());
      },
      cancel: (_call, reply) => reply(null, empty()),
      attach: (_call, reply) => reply(null, empty()),
    };
    const server = new (grpc().Server)({ "grpc.max_receive_message_length": -1 });
    const { ResourceProviderService: service } = protocol("provider_grpc_pb");
    server.addService(service as Grpc.ServiceDefinition, handlers as Grpc.UntypedServiceImplementation);
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", grpc().ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    this.servers.push(server);
    this.addresses.push(`${provider}:${port}`);
  }
}

/** What was given, as it is now: real providers read inputs back from what they find, and leave out what is gone. */
function readBack(given: Properties, found: Properties): Properties {
  const isMap = (value: unknown): value is Properties =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  return Object.fromEntries(
    Object.entries(given)
      .filter(([key]) => key in found)
      .map(([key, value]) => [key, isMap(value) && isMap(found[key]) ? readBack(value, found[key]) : found[key]]),
  );
}

function changedProperties(old: Properties, wanted: Properties): string[] {
  return [...new Set([...Object.keys(old), ...Object.keys(wanted)])].filter(
    (property) =>
      !property.startsWith("__") && JSON.stringify(sorted(old[property])) !== JSON.stringify(sorted(wanted[property])),
  );
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
