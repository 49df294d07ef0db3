import { Framework } from "../frameworks";
import { backupStores } from "../inventory/backup-stores";
import { ResourceTypes } from "../inventory/resource-types";
import { known } from "../inventory/stack-resources";
import { stackRule } from "../rule";

interface Props {
  readonly rules?: readonly {
    readonly bucketKeyEnabled?: boolean;
    readonly applyServerSideEncryptionByDefault?: { readonly sseAlgorithm?: string; readonly kmsMasterKeyId?: string };
  }[];
}

/** A backup is a copy of everything: who reads the bucket reads the database. */
export const bucketEncryption = stackRule<{ algorithms: string[] }>({
  name: "bucket-encryption",
  description: "A bucket that holds backups is encrypted with a customer-managed KMS key.",
  severity: "high",
  framework: Framework.SecureBackup,
  remediationSteps:
    "Add a BucketServerSideEncryptionConfiguration with sseAlgorithm aws:kms and bucketKeyEnabled, or allow AES256 in algorithms.",
  url: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html",
  settings: {
    algorithms: {
      description: "Server-side encryption algorithms that are good enough.",
      type: "array",
      items: { type: "string", enum: ["AES256", "aws:kms", "aws:kms:dsse"] },
      minItems: 1,
      default: ["aws:kms", "aws:kms:dsse"],
    },
  },
  checks: (stack, { algorithms }) =>
    backupStores(stack).map((bucket) => ({
      urn: bucket.urn,
      check: () => {
        const [configuration] = stack.naming(ResourceTypes.BucketEncryption, "bucket", bucket);
        const rules = ((configuration ?? { props: {} }).props as Props).rules ?? [];
        const [rule] = rules;
        const algorithm = rule?.applyServerSideEncryptionByDefault?.sseAlgorithm;
        if (algorithm === undefined) {
          return `no encryption is configured, so it is S3's own AES256; expected ${algorithms.join(" or ")}`;
        }
        if (!algorithms.includes(algorithm)) return `is encrypted by ${algorithm}; expected ${algorithms.join(" or ")}`;
        const byDefault = rule?.applyServerSideEncryptionByDefault;
        // A key that is computed is not known before the update, and is one all the same.
        if (algorithm !== "AES256" && known(() => byDefault?.kmsMasterKeyId ?? "") === "") {
          return "kmsMasterKeyId is not set, so it is AWS's own key, whose policy nobody can tighten or share";
        }
        return algorithm === "aws:kms" && rule?.bucketKeyEnabled !== true
          ? "bucketKeyEnabled is not set: every object costs a call of KMS, and its limit throttles a restore of many"
          : undefined;
      },
    })),
});
