import { Framework } from "../frameworks";
import { backupStores } from "../inventory/backup-stores";
import { stackRule } from "../rule";

/** `forceDestroy` empties a bucket, versions included, to delete it. */
export const bucketKept = stackRule({
  name: "bucket-kept",
  description: "No deployment empties a bucket that holds backups.",
  severity: "critical",
  framework: Framework.SecureBackup,
  remediationSteps: "Remove forceDestroy from the bucket.",
  url: "https://www.pulumi.com/registry/packages/aws/api-docs/s3/bucket/",
  checks: (stack) =>
    backupStores(stack).map((bucket) => ({
      urn: bucket.urn,
      check: () =>
        bucket.props.forceDestroy === true
          ? "forceDestroy is true: destroying the stack deletes every backup; expected it to be absent"
          : undefined,
    })),
});
