import { objectLockProblems } from "../../recovery";
import { Framework } from "../frameworks";
import { bucketLifecycles } from "../inventory/bucket-lifecycles";
import { backupStores } from "../inventory/backup-stores";
import { ResourceTypes } from "../inventory/resource-types";
import { type StackResources, type JudgedResource } from "../inventory/stack-resources";
import { stackRule } from "../rule";

interface Props {
  readonly rule?: {
    readonly defaultRetention?: { readonly mode?: string; readonly days?: number; readonly years?: number };
  };
}

const DAYS_PER_YEAR = 365;

/** Whoever breaks in deletes the backups first; an error does it unasked. */
export const bucketObjectLock = stackRule<{ detectCorruptionDays: number }>({
  name: "bucket-object-lock",
  description: "Backups cannot be deleted before silent corruption is noticed, and can be once they expire.",
  severity: "high",
  framework: Framework.SecureBackup,
  remediationSteps:
    "Create the bucket with objectLockEnabled and add a BucketObjectLockConfiguration with a default retention of at least detectCorruptionDays and at most the retention.",
  url: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html",
  settings: {
    detectCorruptionDays: {
      description: "Days after which silent corruption is certainly noticed.",
      type: "integer",
      minimum: 1,
      maximum: 365,
      default: 7,
    },
  },
  checks: (stack, { detectCorruptionDays }) =>
    backupStores(stack).map((bucket) => ({
      urn: bucket.urn,
      check: () => {
        const [lock] = stack.naming(ResourceTypes.BucketObjectLock, "bucket", bucket);
        const { mode, days, years } = (lock?.props as Props | undefined)?.rule?.defaultRetention ?? {};
        const lockDays = days ?? (years === undefined ? undefined : years * DAYS_PER_YEAR);
        if (bucket.props.objectLockEnabled !== true) {
          return `objectLockEnabled is not set; expected true, and a default retention of ${detectCorruptionDays} days or more`;
        }
        if (lockDays === undefined) return `has no default retention; expected ${detectCorruptionDays} days or more`;
        if (mode !== "GOVERNANCE" && mode !== "COMPLIANCE") {
          return `the lock's mode is ${String(mode)}; expected GOVERNANCE or COMPLIANCE`;
        }
        const problems = objectLockProblems({
          lockDays,
          detectCorruptionDays,
          retentionDays: longestRetentionDays(stack, bucket),
        });
        return problems.length === 0 ? undefined : problems.join("; ");
      },
    })),
});

/** What is never expired is kept longer than every lock. */
function longestRetentionDays(stack: StackResources, bucket: JudgedResource): number {
  const days = (bucketLifecycles(stack, bucket)?.lifecycles ?? [])
    .map(({ expirationDays }) => expirationDays)
    .filter((value): value is number => value !== undefined);
  return days.length === 0 ? Infinity : Math.max(...days);
}
