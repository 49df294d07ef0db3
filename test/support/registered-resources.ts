import * as pulumi from "@pulumi/pulumi";

/** One resource that a program registered, with the options that Pulumi's mocks do not see. */
export interface RegisteredResource {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly options: pulumi.CustomResourceOptions;
}

/** Everything that a program registered, by name: the order of registration is not stable. */
export class RegisteredResources {
  constructor(readonly all: readonly RegisteredResource[]) {}

  ofType(type: string): readonly RegisteredResource[] {
    return this.all.filter((resource) => resource.type === type);
  }

  /** The one resource of this type and name. */
  get(type: string, name: string): RegisteredResource {
    const found = this.all.filter((resource) => resource.type === type && resource.name === name);
    if (found.length !== 1) {
      const names = this.ofType(type).map((resource) => resource.name);
      throw new Error(`expected one ${type} ${name}, found ${found.length}; there are: ${names.join(", ") || "none"}`);
    }
    return found[0]!;
  }

  /** The inputs of the one resource of this type and name. */
  inputs(type: string, name: string): Readonly<Record<string, unknown>> {
    return this.get(type, name).inputs;
  }
}

const accountId = "111122223333";

/**
 * Runs a program against mocks that answer as AWS and Kubernetes would, and returns what it registered.
 *
 * @param preview outputs are unknown, as in `pulumi preview` of a new stack
 */
export async function register(program: () => void, { preview = false } = {}): Promise<RegisteredResources> {
  const inputs: { type: string; name: string; inputs: Record<string, unknown> }[] = [];
  const options = new Map<string, pulumi.CustomResourceOptions>();
  await pulumi.runtime.setMocks(
    {
      newResource(args) {
        inputs.push({ type: args.type, name: args.name, inputs: args.inputs as Record<string, unknown> });
        return { id: `${args.name}-id`, state: { ...(args.inputs as object), ...computedProperties(args) } };
      },
      call: (args) => args.inputs as Record<string, unknown>,
    },
    "architect-go",
    "test",
    preview,
  );
  await pulumi.runtime.runInPulumiStack(() => {
    pulumi.runtime.registerStackTransformation(({ type, name, opts }) => {
      options.set(`${type} ${name}`, opts);
      return undefined;
    });
    program();
    return Promise.resolve();
  });
  await pulumi.runtime.disconnect();
  return new RegisteredResources(
    inputs
      .filter(({ type }) => type !== "pulumi:pulumi:Stack")
      .map((resource) => ({ ...resource, options: options.get(`${resource.type} ${resource.name}`) ?? {} })),
  );
}

/** The computed properties that the components read, as AWS and Kubernetes would answer. */
export function computedProperties(resource: {
  readonly type: string;
  readonly name: string;
  readonly inputs: unknown;
}): Record<string, unknown> {
  const { type, name, inputs } = resource;
  const given = inputs as Record<string, string>;
  const region = given.region ?? "eu-central-1";
  switch (type) {
    case "aws:s3/bucket:Bucket":
      return { arn: `arn:aws:s3:::${given.bucket}` };
    case "aws:kms/key:Key":
      return { arn: `arn:aws:kms:${region}:${accountId}:key/${name}`, keyId: name };
    case "aws:iam/role:Role":
      return { name: given.name ?? name, arn: `arn:aws:iam::${accountId}:role/${given.name ?? name}` };
    case "aws:sns/topic:Topic":
      return { arn: `arn:aws:sns:${region}:${accountId}:${given.name ?? name}` };
    case "aws:rds/instance:Instance":
      return {
        arn: `arn:aws:rds:${region}:${accountId}:db:${given.identifier}`,
        address: `${given.identifier}.abc.${region}.rds.amazonaws.com`,
        port: 5432,
      };
    case "aws:rds/parameterGroup:ParameterGroup":
    case "aws:rds/subnetGroup:SubnetGroup":
      return { name };
    case "aws:secretsmanager/secret:Secret":
      return { arn: `arn:aws:secretsmanager:${region}:${accountId}:secret:${given.name ?? name}-AbCdEf` };
    case "random:index/randomId:RandomId":
      return { hex: "0a1b2c3d" };
    case "random:index/randomPassword:RandomPassword":
      return { result: "0123456789abcdefghijklmnopqrstuv" };
    case "kubernetes:core/v1:ServiceAccount":
    case "kubernetes:core/v1:ConfigMap":
      return { metadata: { name, ...(inputs as { metadata?: object }).metadata } };
    default:
      return {};
  }
}
