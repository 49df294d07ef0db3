import { type ChildProcess, spawn } from "node:child_process";
import { dirname, extname, join } from "node:path";
import { grpc, type Message, message, protocol, structOf, valueOf } from "./pulumi-protocol";
import { type RecordedResource } from "./recording-monitor";
import { Level, type PackConfig, type RuleInfo } from "./rule-info";

/** One thing that a rule said. */
export interface Diagnostic {
  readonly policy: string;
  readonly level: Level;
  /** Of the resource, or of the stack where it is about that. */
  readonly urn: string | undefined;
  /** Without the rule's description. */
  readonly message: string;
}

/** A resource as it is handed to a pack. */
export interface AnalyzedResource extends Pick<
  RecordedResource,
  "urn" | "type" | "name" | "parent" | "protect" | "ignoreChanges" | "inputs" | "propertyDependencies"
> {
  readonly provider?: {
    readonly urn: string;
    readonly type: string;
    readonly name: string;
    readonly props: Readonly<Record<string, unknown>>;
  };
}

// In the order of Pulumi's enumerations.
const LEVELS = [Level.Advisory, Level.Mandatory, Level.Disabled, Level.Remediate] as const;
const SEVERITIES = ["unspecified", "low", "medium", "high", "critical"] as const;
const START_SECONDS = 60;

type Client = Readonly<Record<string, unknown>> & { close(): void };

/** The policy pack as a process of its own, spoken to over the interface by which Pulumi's engine speaks to it. */
export class Analyzer {
  private constructor(
    private readonly pack: ChildProcess,
    private readonly client: Client,
  ) {}

  /**
   * Starts the pack of this package.
   *
   * @throws Error with what the pack printed, when it does not start
   */
  static async start(): Promise<Analyzer> {
    // Compiled as this file is, or not.
    const folder = dirname(__dirname);
    const extension = extname(__filename);
    const loader = extension === ".ts" ? ["-r", require.resolve("tsx/cjs")] : [];
    const pack = spawn(process.execPath, [...loader, join(folder, `index${extension}`)], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const port = await portOf(pack);
    const { AnalyzerClient } = protocol("analyzer_grpc_pb") as unknown as {
      AnalyzerClient: new (address: string, credentials: unknown, options: object) => Client;
    };
    const options = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
    return new Analyzer(pack, new AnalyzerClient(`127.0.0.1:${port}`, grpc().credentials.createInsecure(), options));
  }

  close(): void {
    this.client.close();
    this.pack.kill();
  }

  /** The rules that the pack serves. */
  async rules(): Promise<RuleInfo[]> {
    const answer = await this.call("getAnalyzerInfo", message(emptyRequest()));
    return (answer.getPoliciesList!() as Message[]).map((policy) => ({
      name: policy.getName!() as string,
      description: policy.getDescription!() as string,
      level: LEVELS[policy.getEnforcementlevel!() as number]!,
      severity: SEVERITIES[policy.getSeverity!() as number]!,
      remediationSteps: policy.getRemediationSteps!() as string,
      url: policy.getUrl!() as string,
      properties: valueOf(
        (policy.getConfigschema!() as Message | undefined)?.getProperties!(),
      ) as RuleInfo["properties"],
    }));
  }

  /** Tells the pack its configuration, for everything that follows. */
  async configure(config: PackConfig): Promise<void> {
    const messages = protocol("analyzer_pb");
    const request = message(messages.ConfigureAnalyzerRequest);
    const map = request.getPolicyconfigMap!() as Map<string, Message>;
    for (const [name, { level, settings }] of Object.entries(config)) {
      const fields = { Enforcementlevel: LEVELS.indexOf(level), Properties: structOf(settings) };
      map.set(name, message(messages.PolicyConfig, fields));
    }
    await this.call("configure", request);
  }

  /** What the pack says to each resource by itself. */
  async analyze(resources: readonly AnalyzedResource[]): Promise<Diagnostic[]> {
    const messages = protocol("analyzer_pb");
    const answers = await Promise.all(
      resources.map(async (resource) => {
        const answer = await this.call("analyze", message(messages.AnalyzeRequest, fieldsOf(resource)));
        return diagnosticsOf(answer).map((found) => ({ ...found, urn: found.urn ?? resource.urn }));
      }),
    );
    return answers.flat();
  }

  /** What the pack says to the resources together. */
  async analyzeStack(resources: readonly AnalyzedResource[]): Promise<Diagnostic[]> {
    const messages = protocol("analyzer_pb");
    const list = resources.map((resource) => {
      const made = message(messages.AnalyzerResource, { ...fieldsOf(resource), Parent: resource.parent });
      const map = made.getPropertydependenciesMap!() as Map<string, Message>;
      for (const [property, urns] of Object.entries(resource.propertyDependencies)) {
        map.set(property, message(messages.AnalyzerPropertyDependencies, { UrnsList: urns }));
      }
      return made;
    });
    return diagnosticsOf(
      await this.call("analyzeStack", message(messages.AnalyzeStackRequest, { ResourcesList: list })),
    );
  }

  /** The properties that the pack would put in place of a resource's, by the rules that may remediate. */
  async remediate(resource: AnalyzedResource): Promise<{ policy: string; properties: Record<string, unknown> }[]> {
    const messages = protocol("analyzer_pb");
    const answer = await this.call("remediate", message(messages.AnalyzeRequest, fieldsOf(resource)));
    return (answer.getRemediationsList!() as Message[]).map((one) => ({
      policy: one.getPolicyname!() as string,
      properties: valueOf(one.getProperties!()),
    }));
  }

  private call(method: string, request: Message): Promise<Message> {
    return new Promise((resolve, reject) => {
      const send = this.client[method] as (
        request: Message,
        reply: (error: Error | null, answer: Message) => void,
      ) => void;
      send.call(this.client, request, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  }
}

const emptyRequest = (): unknown =>
  (protocol("analyzer_grpc_pb").AnalyzerService as { getAnalyzerInfo: { requestType: unknown } }).getAnalyzerInfo
    .requestType;

function fieldsOf({ type, name, urn, inputs, protect, ignoreChanges, parent, provider }: AnalyzedResource) {
  const messages = protocol("analyzer_pb");
  const options = message(messages.AnalyzerResourceOptions, {
    Protect: protect,
    IgnorechangesList: ignoreChanges,
    Parent: parent,
    // Without it a pack asks for a newer CLI.
    Customtimeouts: message((messages.AnalyzerResourceOptions as { CustomTimeouts: unknown }).CustomTimeouts),
  });
  const providerFields = provider && {
    Type: provider.type,
    Name: provider.name,
    Urn: provider.urn,
    Properties: structOf(provider.props),
  };
  return {
    Type: type,
    Name: name,
    Urn: urn,
    Properties: structOf(inputs),
    Options: options,
    ...(providerFields && { Provider: message(messages.AnalyzerProviderResource, providerFields) }),
  };
}

function diagnosticsOf(answer: Message): Diagnostic[] {
  return (answer.getDiagnosticsList!() as Message[]).map((one) => {
    const description = one.getDescription!() as string;
    const text = one.getMessage!() as string;
    return {
      policy: one.getPolicyname!() as string,
      level: LEVELS[one.getEnforcementlevel!() as number]!,
      urn: (one.getUrn!() as string) || undefined,
      // The SDK puts the description before what the rule says.
      message: text.startsWith(`${description}\n`) ? text.slice(description.length + 1) : text,
    };
  });
}

/** The port, which is the first line that a pack prints. */
function portOf(pack: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = "";
    let errors = "";
    const fail = (why: string) => reject(new Error(`the policy pack ${why}: ${errors || output}`));
    const deadline = setTimeout(() => {
      pack.kill();
      fail(`did not start within ${START_SECONDS} seconds`);
    }, START_SECONDS * 1000);
    pack.stdout!.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const [, port] = /^(\d+)\s/.exec(output) ?? [];
      if (port === undefined) return;
      clearTimeout(deadline);
      resolve(Number(port));
    });
    pack.stderr!.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    pack.once("error", (error) => fail(`could not be started (${error.message})`));
    pack.once("exit", (code) => {
      clearTimeout(deadline);
      fail(`ended with ${code}`);
    });
  });
}
