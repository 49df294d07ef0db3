import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import * as grpc from "@grpc/grpc-js";
import { rules } from "../../policies/rules";
import { type Fixture, spoiled, unknownValue, urnOf } from "../support/judged-stack";
import { rawRecoveryStack } from "../support/raw-recovery-stack";

/* eslint-disable @typescript-eslint/no-require-imports -- generated code without usable types */
type Setters = Record<string, (...values: unknown[]) => unknown>;
type Messages = Record<string, new () => Setters>;
const messages = require("@pulumi/pulumi/proto/analyzer_pb.js") as Messages;
const { AnalyzerClient } = require("@pulumi/pulumi/proto/analyzer_grpc_pb.js") as {
  AnalyzerClient: new (address: string, credentials: unknown) => Record<string, unknown> & { close(): void };
};
const { Struct } = require("google-protobuf/google/protobuf/struct_pb.js") as {
  Struct: { fromJavaScript(value: object): unknown };
};
const { Empty } = require("google-protobuf/google/protobuf/empty_pb.js") as Messages;
/* eslint-enable */

interface Diagnostic {
  readonly policyname: string;
  readonly message: string;
  readonly enforcementlevel: number;
  readonly urn: string;
}

const ADVISORY = 0;
const MANDATORY = 1;

const make = (type: string, fields: Record<string, unknown>): Setters => {
  const message = new messages[type]!();
  for (const [name, value] of Object.entries(fields)) message[`set${name}`]!(value);
  return message;
};

const optionsOf = ({ opts = {} }: Fixture): Setters =>
  make("AnalyzerResourceOptions", {
    Protect: opts.protect ?? false,
    IgnorechangesList: opts.ignoreChanges ?? [],
    // Without it the server asks for a newer CLI.
    Customtimeouts: new (
      messages.AnalyzerResourceOptions as unknown as { CustomTimeouts: new () => Setters }
    ).CustomTimeouts(),
  });

describe("the policy pack over the analyzer's own interface", function () {
  this.timeout(60_000);
  let pack: ChildProcess;
  let client: Record<string, unknown> & { close(): void };

  const call = (method: string, request: unknown): Promise<Setters> =>
    new Promise((resolve, reject) => {
      const send = client[method] as (request: unknown, reply: (error: Error | null, answer: Setters) => void) => void;
      send.call(client, request, (error, answer) => (error ? reject(error) : resolve(answer)));
    });

  const diagnosticsOf = (answer: Setters): Diagnostic[] =>
    (answer.toObject!() as { diagnosticsList: Diagnostic[] }).diagnosticsList;

  /** What `pulumi preview` asks of a pack: each resource, and then the stack. */
  async function analyze(stack: readonly Fixture[]): Promise<Diagnostic[]> {
    const found: Diagnostic[] = [];
    for (const resource of stack) {
      const { type, name, props } = resource;
      const request = make("AnalyzeRequest", {
        Type: type,
        Name: name,
        Urn: urnOf(resource),
        Properties: Struct.fromJavaScript(props),
        Options: optionsOf(resource),
      });
      found.push(...diagnosticsOf(await call("analyze", request)));
    }
    const resources = stack.map((resource) => {
      const { type, name, props, dependsOn = {} } = resource;
      const message = make("AnalyzerResource", {
        Type: type,
        Name: name,
        Urn: urnOf(resource),
        Properties: Struct.fromJavaScript(props),
        Options: optionsOf(resource),
      });
      const map = message.getPropertydependenciesMap!() as Map<string, unknown>;
      for (const [property, names] of Object.entries(dependsOn)) {
        const urns = names.map((other) => urnOf(stack.find((one) => one.name === other)!));
        map.set(property, make("AnalyzerPropertyDependencies", { UrnsList: urns }));
      }
      return message;
    });
    found.push(...diagnosticsOf(await call("analyzeStack", make("AnalyzeStackRequest", { ResourcesList: resources }))));
    return found;
  }

  before(async () => {
    pack = spawn(process.execPath, ["-r", require.resolve("tsx/cjs"), "index.ts"], { cwd: "policies" });
    const port = await new Promise<string>((resolve, reject) => {
      let output = "";
      pack.stdout!.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        const [, found] = /^(\d+)\s/.exec(output) ?? [];
        if (found !== undefined) resolve(found);
      });
      let errors = "";
      pack.stderr!.on("data", (chunk: Buffer) => (errors += chunk.toString()));
      pack.once("exit", (code) => reject(new Error(`the pack ended with ${code}: ${errors}`)));
    });
    client = new AnalyzerClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  });

  after(() => {
    client?.close();
    pack?.kill();
  });

  it("serves every rule", async () => {
    const info = (await call("getAnalyzerInfo", new Empty!())).toObject!() as { policiesList: { name: string }[] };
    assert.deepEqual(info.policiesList.map(({ name }) => name).sort(), rules.map(({ name }) => name).sort());
  });

  it("with no defaults applied, finds nothing on an honest stack but what nobody has said", async () => {
    const found = await analyze(rawRecoveryStack());
    assert.deepEqual(
      found.map(({ policyname, enforcementlevel }) => [policyname, enforcementlevel]),
      [
        ["objectives-met", MANDATORY],
        ["plan-reviewed", MANDATORY],
      ],
    );
    // How the application is deployed, and that the guide's 15 minutes are too few for RDS.
    assert.match(found[0]!.message, /pod-crash[\s\S]*data-corruption/);
  });

  it("refuses a spoiled resource and a spoiled stack", async () => {
    const stack = spoiled(
      spoiled(rawRecoveryStack(), "database", "backupRetentionPeriod", undefined),
      "backups-versioning",
      "versioningConfiguration.status",
      "Suspended",
    );
    const found = (await analyze(stack)).filter(
      ({ policyname }) => !["plan-reviewed", "objectives-met"].includes(policyname),
    );
    assert.deepEqual(found.map(({ policyname }) => policyname).sort(), ["bucket-versioning", "rds-backup-window"]);
    assert.ok(found.every(({ enforcementlevel }) => enforcementlevel === MANDATORY));
    assert.ok(found.some(({ message }) => message.includes("backupRetentionPeriod is 0 days; expected 7 or more")));
  });

  it("says of an unknown that it could not judge, and still refuses what it can", async () => {
    const stack = spoiled(
      spoiled(rawRecoveryStack(), "database", "storageEncrypted", unknownValue),
      "database",
      "publiclyAccessible",
      true,
    );
    const found = (await analyze(stack)).filter(({ policyname }) => policyname === "rds-private");
    assert.deepEqual(found.map(({ enforcementlevel }) => enforcementlevel).sort(), [ADVISORY, MANDATORY]);
    assert.ok(found.some(({ message }) => /storageEncrypted can't be known during preview/.test(message)));
  });
});
