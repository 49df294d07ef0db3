import { Framework } from "../frameworks";
import { backupStores, isCopiedTo } from "../inventory/backup-stores";
import { ResourceTypes } from "../inventory/resource-types";
import { type JudgedResource, type StackResources } from "../inventory/stack-resources";
import { stackRule } from "../rule";

interface ReplicationProps {
  readonly rules?: readonly { readonly status?: string; readonly destination?: { readonly account?: string } }[];
}

interface LockProps {
  readonly rule?: { readonly defaultRetention?: { readonly mode?: string } };
}

/** An advisory: whoever administers the account can lift a governance lock, delete the keys, and close the account. */
export const copyOutOfReach = stackRule({
  name: "copy-out-of-reach",
  description: "Of every backup there is a copy that the administrators of its account cannot destroy.",
  enforcementLevel: "advisory",
  severity: "high",
  framework: Framework.SecureBackup,
  remediationSteps:
    "Replicate to a bucket of another account (destination.account), or lock a copy in COMPLIANCE mode, or copy to a locked vault of AWS Backup.",
  url: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html#object-lock-retention-modes",
  checks: (stack) => {
    const stores = backupStores(stack);
    const sources = stores.filter((store) => !stores.some((other) => isCopiedTo(stack, other, store)));
    return sources.map((store) => ({
      urn: store.urn,
      check: () => {
        const copies = stores.filter((other) => isCopiedTo(stack, store, other));
        const isSafe =
          [store, ...copies].some((one) => lockMode(stack, one) === "COMPLIANCE") ||
          isCopiedToOtherAccount(stack, store);
        return isSafe
          ? undefined
          : "an administrator of its account can destroy it and every copy: none is in another account or locked in COMPLIANCE mode";
      },
    }));
  },
});

function lockMode(stack: StackResources, store: JudgedResource): string | undefined {
  const [lock] = stack.naming(ResourceTypes.BucketObjectLock, "bucket", store);
  return (lock?.props as LockProps | undefined)?.rule?.defaultRetention?.mode;
}

function isCopiedToOtherAccount(stack: StackResources, store: JudgedResource): boolean {
  return stack
    .naming(ResourceTypes.BucketReplication, "bucket", store)
    .some(({ props }) =>
      ((props as ReplicationProps).rules ?? []).some(
        ({ status, destination }) => status === "Enabled" && (destination?.account ?? "") !== "",
      ),
    );
}
