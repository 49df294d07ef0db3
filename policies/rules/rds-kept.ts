import { Framework } from "../frameworks";
import { type DatabaseInstanceProps } from "../inventory/database-instances";
import { ResourceTypes } from "../inventory/resource-types";
import { known } from "../inventory/stack-resources";
import { resourceRule } from "../rule";

/** What keeps a database from being lost by a deployment or a click. */
export const rdsKept = resourceRule<DatabaseInstanceProps>({
  name: "rds-kept",
  description: "A database cannot be deleted by mistake, and leaves a final snapshot when it is deleted on purpose.",
  severity: "critical",
  framework: Framework.AutomaticBackup,
  remediationSteps: "Set deletionProtection true, skipFinalSnapshot false and a finalSnapshotIdentifier.",
  url: "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DeleteInstance.html",
  types: [...ResourceTypes.DatabaseInstance, ...ResourceTypes.DatabaseCluster],
  remedy: ({ deletionProtection }) => (deletionProtection === true ? undefined : { deletionProtection: true }),
  checks: (props) => [
    () => (props.deletionProtection === true ? undefined : "deletionProtection is not true"),
    () =>
      props.skipFinalSnapshot === true ? "skipFinalSnapshot is true: a deletion leaves nothing behind" : undefined,
    // One that is computed is not known before the update, and is one all the same.
    () =>
      props.skipFinalSnapshot !== true && known(() => props.finalSnapshotIdentifier ?? "") === ""
        ? "finalSnapshotIdentifier is not set, so RDS refuses a deletion until somebody skips the snapshot"
        : undefined,
  ],
});
