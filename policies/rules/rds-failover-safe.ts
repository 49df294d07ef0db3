import { Framework } from "../frameworks";
import { type DatabaseInstanceProps } from "../inventory/database-instances";
import { ResourceTypes } from "../inventory/resource-types";
import { resourceRule } from "../rule";

/** After a promotion the program still says that the instance is a replica: the next update must not make it one again. */
export const rdsFailoverSafe = resourceRule<DatabaseInstanceProps>({
  name: "rds-failover-safe",
  description: "No deployment promotes, demotes or replaces a database after a failover.",
  severity: "critical",
  framework: Framework.Drift,
  remediationSteps: 'Give the replica the options protect: true and ignoreChanges: ["replicateSourceDb"].',
  url: "https://www.pulumi.com/docs/iac/concepts/resources/options/ignorechanges/",
  types: ResourceTypes.DatabaseInstance,
  checks: (_props, _config, { opts, props }) => [
    () =>
      "replicateSourceDb" in props && !opts.ignoreChanges.includes("replicateSourceDb")
        ? "is a replica and does not ignore changes of replicateSourceDb: an update after its promotion undoes the failover"
        : undefined,
    () => (opts.protect ? undefined : "is not protected: a change that replaces it deletes the database"),
  ],
});
