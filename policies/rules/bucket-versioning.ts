import { Framework } from "../frameworks";
import { backupStores } from "../inventory/backup-stores";
import { ResourceTypes } from "../inventory/resource-types";
import { stackRule } from "../rule";

interface Props {
  readonly versioningConfiguration?: { readonly status?: string };
}

/** Without versions an overwritten or deleted backup is gone, and neither object lock nor replication works. */
export const bucketVersioning = stackRule({
  name: "bucket-versioning",
  description: "A bucket that holds backups keeps versions.",
  severity: "critical",
  framework: Framework.SecureBackup,
  remediationSteps: 'Add a BucketVersioning with versioningConfiguration.status "Enabled".',
  url: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html",
  checks: (stack) =>
    backupStores(stack).map((bucket) => ({
      urn: bucket.urn,
      check: () => {
        const [versioning] = stack.naming(ResourceTypes.BucketVersioning, "bucket", bucket);
        const status =
          (versioning?.props as Props | undefined)?.versioningConfiguration?.status ?? inlineStatus(bucket.props);
        return status === "Enabled"
          ? undefined
          : `versioning is ${status ?? "not configured"}; expected Enabled: an overwritten backup could not be brought back`;
      },
    })),
});

/** The deprecated setting on the bucket itself. */
function inlineStatus({ versioning }: { readonly versioning?: unknown }): string | undefined {
  return (versioning as { readonly enabled?: boolean } | undefined)?.enabled === true ? "Enabled" : undefined;
}
