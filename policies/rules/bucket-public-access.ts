import { Framework } from "../frameworks";
import { ResourceTypes } from "../inventory/resource-types";
import { stackRule } from "../rule";

const BLOCKS = ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"] as const;

/** Every bucket of a recovery stack: a public log bucket names the backups, a public backup is the database. */
export const bucketPublicAccess = stackRule({
  name: "bucket-public-access",
  description: "Every bucket blocks public access in all four ways.",
  severity: "critical",
  framework: Framework.SecureBackup,
  remediationSteps: `Add a BucketPublicAccessBlock with ${BLOCKS.join(", ")} all true.`,
  url: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html",
  checks: (stack) =>
    stack.ofTypes(ResourceTypes.Bucket).map((bucket) => ({
      urn: bucket.urn,
      check: () => {
        const [block] = stack.naming(ResourceTypes.BucketPublicAccessBlock, "bucket", bucket);
        if (block === undefined) return "has no BucketPublicAccessBlock; expected one with all four settings true";
        const open = BLOCKS.filter((setting) => block.props[setting] !== true);
        return open.length === 0 ? undefined : `${open.join(", ")}: expected true`;
      },
    })),
});
