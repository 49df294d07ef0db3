import { Framework } from "../frameworks";
import { backupStores, isCopiedTo } from "../inventory/backup-stores";
import { ResourceTypes } from "../inventory/resource-types";
import { type JudgedResource, known, type StackResources } from "../inventory/stack-resources";
import { stackRule } from "../rule";

interface Props {
  readonly rules?: readonly {
    readonly status?: string;
    readonly destination?: {
      readonly bucket?: string;
      readonly encryptionConfiguration?: { readonly replicaKmsKeyId?: string };
      readonly replicationTime?: { readonly status?: string; readonly time?: { readonly minutes?: number } };
    };
    readonly deleteMarkerReplication?: { readonly status?: string };
    readonly sourceSelectionCriteria?: { readonly sseKmsEncryptedObjects?: { readonly status?: string } };
    readonly filter?: { readonly prefix?: string; readonly and?: { readonly prefix?: string } };
    readonly prefix?: string;
  }[];
}

/** A bucket is in one region, and goes with it. */
export const bucketReplication = stackRule<{ required: boolean; maxMinutes: number }>({
  name: "bucket-replication",
  description: "A bucket that holds backups is copied to another one, in time, and deletions are not.",
  severity: "high",
  framework: Framework.Strategy,
  remediationSteps:
    "Add a BucketReplicationConfig to a bucket in another region, with replicationTime of 15 minutes and without delete markers; set required to false where the loss of the region is accepted.",
  url: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication.html",
  settings: {
    required: {
      description: "Whether the loss of the region has to be survived.",
      type: "boolean",
      default: true,
    },
    maxMinutes: {
      description: "Minutes after which a backup has to be in the copy; S3 promises 15 and nothing else.",
      type: "integer",
      minimum: 15,
      maximum: 1440,
      default: 15,
    },
  },
  checks: (stack, { required, maxMinutes }) => {
    const stores = backupStores(stack);
    const sources = stores.filter((bucket) => !stores.some((other) => isCopiedTo(stack, other, bucket)));
    return sources.map((bucket) => ({
      urn: bucket.urn,
      check: () => {
        const [replication] = stack.naming(ResourceTypes.BucketReplication, "bucket", bucket);
        if (replication === undefined) return required ? "is copied nowhere: it is lost with its region" : undefined;
        const rules = (replication.props as Props).rules ?? [];
        const inForce = rules.filter(({ status }) => status === "Enabled");
        if (inForce.length === 0) return "has a BucketReplicationConfig without a rule in force";
        const isEncrypted = usesKms(stack, bucket);
        const problems = inForce.flatMap(({ destination, deleteMarkerReplication, sourceSelectionCriteria }) => {
          const { encryptionConfiguration } = destination ?? {};
          // A key that is computed is not known before the update, and is one all the same.
          const hasKey = known(() => encryptionConfiguration?.replicaKmsKeyId ?? "") !== "";
          const takesEncrypted = sourceSelectionCriteria?.sseKmsEncryptedObjects?.status === "Enabled";
          const minutes = destination?.replicationTime?.time?.minutes;
          const isTimed = destination?.replicationTime?.status === "Enabled" && minutes !== undefined;
          return [
            ...(isTimed && minutes <= maxMinutes
              ? []
              : [
                  `replicationTime is ${isTimed ? `${minutes} minutes` : "not enabled"}; expected ${maxMinutes} minutes or less`,
                ]),
            ...(isEncrypted && !(takesEncrypted && hasKey)
              ? ["what KMS encrypted is not copied: set sseKmsEncryptedObjects and replicaKmsKeyId"]
              : []),
            ...(deleteMarkerReplication?.status === "Enabled"
              ? ["deletions here are copied: they hide the copy too"]
              : []),
          ];
        });
        const prefixes = inForce.map(({ filter, prefix }) => filter?.prefix ?? filter?.and?.prefix ?? prefix ?? "");
        const isWhole = prefixes.includes("");
        if (!isWhole) problems.push(`only ${prefixes.join(", ")} is copied; expected the whole bucket`);
        return problems.length === 0 ? undefined : problems.join("; ");
      },
    }));
  },
});

function usesKms(stack: StackResources, bucket: JudgedResource): boolean {
  const [encryption] = stack.naming(ResourceTypes.BucketEncryption, "bucket", bucket);
  const { rules = [] } = (encryption?.props ?? {}) as {
    readonly rules?: readonly { readonly applyServerSideEncryptionByDefault?: { readonly sseAlgorithm?: string } }[];
  };
  return rules.some(({ applyServerSideEncryptionByDefault: by }) => by?.sseAlgorithm?.startsWith("aws:kms") === true);
}
