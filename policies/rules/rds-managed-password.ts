import { Framework } from "../frameworks";
import { type DatabaseInstanceProps } from "../inventory/database-instances";
import { ResourceTypes } from "../inventory/resource-types";
import { leadsTo } from "../inventory/stack-resources";
import { stackRule } from "../rule";

/** RDS refuses the pair, and only when the replica is made. */
export const rdsManagedPassword = stackRule({
  name: "rds-managed-password",
  description: "A database that has replicas does not let RDS manage its password.",
  severity: "medium",
  framework: Framework.Strategy,
  remediationSteps: "Replace manageMasterUserPassword by passwordWo and a secret of one's own.",
  url: "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html",
  checks: (stack) => {
    const instances = stack.ofTypes(ResourceTypes.DatabaseInstance);
    return instances.map((source) => ({
      urn: source.urn,
      check: () => {
        if ((source.props as DatabaseInstanceProps).manageMasterUserPassword !== true) return undefined;
        const replicas = instances.filter(
          (instance) => instance !== source && leadsTo(instance, "replicateSourceDb", source) === true,
        );
        return replicas.length === 0
          ? undefined
          : `manageMasterUserPassword is true, and ${replicas.map(({ name }) => name).join(", ")} replicates it: RDS refuses the pair`;
      },
    }));
  },
});
