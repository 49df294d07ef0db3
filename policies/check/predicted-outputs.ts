import { type Answer } from "./recording-monitor";

// Nobody knows the account here, and no rule asks for it.
const ACCOUNT = "000000000000";

/**
 * What AWS and Kubernetes will certainly answer in form: names, and ARNs made of them, so that policies written around an
 * ARN can be read before anything exists. Whatever cannot be told from the inputs stays unknown.
 */
export const predictedOutputs: Answer = ({ type, name, inputs, provider }) => {
  const given = inputs as Readonly<Record<string, unknown>>;
  const text = (property: string, fallback: string): string =>
    typeof given[property] === "string" ? given[property] : fallback;
  // Pulumi names what has no name by its own, with seven random digits.
  const named = (property = "name") => text(property, `${name}-0000000`);
  const region = text("region", typeof provider?.region === "string" ? provider.region : "unknown-region");
  const arn = (service: string, resource: string) => `arn:aws:${service}:${region}:${ACCOUNT}:${resource}`;
  switch (type) {
    case "aws:s3/bucket:Bucket":
    case "aws:s3/bucketV2:BucketV2": {
      const bucket = named("bucket");
      return { bucket, id: bucket, arn: `arn:aws:s3:::${bucket}` };
    }
    case "aws:kms/key:Key":
      return { keyId: name, id: name, arn: arn("kms", `key/${name}`) };
    case "aws:iam/role:Role":
      return { name: named(), id: named(), arn: `arn:aws:iam::${ACCOUNT}:role/${named()}` };
    case "aws:sns/topic:Topic":
      return { name: named(), id: arn("sns", named()), arn: arn("sns", named()) };
    case "aws:rds/instance:Instance": {
      const identifier = named("identifier");
      const address = `${identifier}.000000000000.${region}.rds.amazonaws.com`;
      return { identifier, arn: arn("rds", `db:${identifier}`), address, port: given.port ?? 5432 };
    }
    case "aws:rds/cluster:Cluster": {
      const clusterIdentifier = named("clusterIdentifier");
      return { clusterIdentifier, id: clusterIdentifier, arn: arn("rds", `cluster:${clusterIdentifier}`) };
    }
    case "aws:rds/parameterGroup:ParameterGroup":
    case "aws:rds/subnetGroup:SubnetGroup":
      return { name: named(), id: named() };
    case "aws:backup/vault:Vault":
      return { name: named(), id: named(), arn: arn("backup", `backup-vault:${named()}`) };
    case "aws:secretsmanager/secret:Secret":
      return {
        name: named(),
        id: arn("secretsmanager", `secret:${named()}`),
        arn: arn("secretsmanager", `secret:${named()}`),
      };
    default:
      return type.startsWith("kubernetes:") ? namedByKubernetes(name, given) : {};
  }
};

/** The Kubernetes provider names what has no name before it is made, and so in a preview. */
function namedByKubernetes(name: string, { metadata }: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return typeof metadata === "string" ? {} : { metadata: { name, ...(metadata as object | undefined) } };
}
