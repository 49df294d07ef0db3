import { type DatabaseInstanceProps } from "./database-instances";
import { nameOf } from "./found-database";
import { ResourceTypes } from "./resource-types";
import { type StackResources } from "./stack-resources";

// In a URN, the type of a resource stands behind those of what it belongs to.
const OF_A_RECOVERY_SITE = "disaster-recovery:index:RecoverySite$";

/**
 * The databases of a recovery site that follow nobody any more: such a site makes none but standbys, so it has been
 * promoted and serves. Nothing can have a copy in the region that failed, and no deployment can be asked for one.
 *
 * @returns their names, as `declaredDatabases` has them
 */
export function failedOverDatabases(stack: StackResources): ReadonlySet<string> {
  return stack.once(failedOverDatabases, () => {
    const promoted = stack
      .ofTypes(ResourceTypes.DatabaseInstance)
      .filter(({ urn }) => urn.includes(OF_A_RECOVERY_SITE))
      .filter(({ props, propertyDependencies }) => {
        const isFollowing = (propertyDependencies.replicateSourceDb ?? []).length > 0;
        return !isFollowing && ((props as DatabaseInstanceProps).replicateSourceDb ?? "") === "";
      });
    return new Set(promoted.map(nameOf));
  });
}
