import { guideRetention, lifecycleProblems, storageClassTerms } from "../../recovery";
import { Framework } from "../frameworks";
import { backupStores } from "../inventory/backup-stores";
import { bucketLifecycles } from "../inventory/bucket-lifecycles";
import { stackRule } from "../rule";

interface Config {
  hotDays: number;
  archiveDays: number;
  prefix: string;
  smallestTransition: string;
}

/**
 * The arithmetic of a lifecycle: days count from the object's creation, so "30 days in S3, 90 days in Glacier" expires
 * after 120, and on a bucket that keeps versions an expiry alone frees nothing.
 */
export const bucketLifecycle = stackRule<Config>({
  name: "bucket-lifecycle",
  description:
    "The lifecycle of a backup bucket keeps backups as long as promised, archives what it can read in time, and frees the rest.",
  severity: "high",
  framework: Framework.AutomaticBackup,
  remediationSteps:
    "Transition after hotDays, expire after hotDays + archiveDays, expire noncurrent versions, remove expired delete markers and abort incomplete uploads.",
  url: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html",
  settings: {
    hotDays: {
      description: "Days that a backup is at hand.",
      type: "integer",
      minimum: 1,
      maximum: 3650,
      default: guideRetention.hotDays,
    },
    archiveDays: {
      description: "Days that it is in the archive after those; 0 for no archive.",
      type: "integer",
      minimum: 0,
      maximum: 3650,
      default: guideRetention.archiveDays,
    },
    prefix: {
      description: "Prefix of the objects that are kept so long, where the bucket has rules for several.",
      type: "string",
      default: "parts/",
    },
    smallestTransition: {
      description:
        "What transitionDefaultMinimumObjectSize has to be where something is archived; the default of S3 archives nothing below 128 KiB.",
      type: "string",
      enum: ["varies_by_storage_class", "all_storage_classes_128K"],
      default: "varies_by_storage_class",
    },
  },
  checks: (stack, { hotDays, archiveDays, prefix, smallestTransition }) =>
    backupStores(stack).map((bucket) => ({
      urn: bucket.urn,
      check: () => {
        const found = bucketLifecycles(stack, bucket);
        if (found === undefined)
          return "has no BucketLifecycleConfiguration: backups are kept, and paid for, without end";
        const { lifecycles, smallestTransitionSize } = found;
        if (lifecycles.length === 0) return "has a BucketLifecycleConfiguration without a rule in force";
        const own = lifecycles.filter((lifecycle) => lifecycle.prefix === prefix);
        const kept = own.length > 0 ? own : lifecycles.filter((lifecycle) => lifecycle.prefix === "");
        const problems = lifecycles.flatMap((lifecycle) => {
          const unknownClass = lifecycle.transitions.find(({ storageClass }) => !(storageClass in storageClassTerms));
          if (unknownClass !== undefined) return [`${unknownClass.storageClass} is no storage class for backups`];
          const context = kept.includes(lifecycle) ? { retention: { hotDays, archiveDays } } : {};
          return lifecycleProblems(lifecycle, context).map(
            ({ message }) => `${lifecycle.prefix || "whole bucket"}: ${message}`,
          );
        });
        const promisedDays = hotDays + archiveDays;
        for (const { prefix: of, expirationDays = Infinity } of kept) {
          if (expirationDays <= promisedDays) continue;
          const stated = expirationDays === Infinity ? "never expires" : `expires after ${expirationDays} days`;
          problems.push(`${of || "whole bucket"}: ${stated}; expected ${promisedDays}: the rest is paid for in vain`);
        }
        if (kept.length === 0) problems.push(`no rule is about ${prefix} or the whole bucket`);
        const archives = lifecycles.some(({ transitions }) => transitions.length > 0);
        if (archives && smallestTransitionSize !== smallestTransition) {
          problems.push(
            `transitionDefaultMinimumObjectSize is ${smallestTransitionSize}; expected ${smallestTransition}`,
          );
        }
        return problems.length === 0 ? undefined : problems.join("; ");
      },
    })),
});
