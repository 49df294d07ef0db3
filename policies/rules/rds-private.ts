import { Framework } from "../frameworks";
import { type DatabaseInstanceProps } from "../inventory/database-instances";
import { ResourceTypes } from "../inventory/resource-types";
import { resourceRule } from "../rule";

/** Snapshots and replicas inherit the encryption; it cannot be added later. */
export const rdsPrivate = resourceRule<DatabaseInstanceProps>({
  name: "rds-private",
  description: "A database is encrypted and not reachable from the internet.",
  severity: "critical",
  framework: Framework.SecureBackup,
  remediationSteps:
    "Set storageEncrypted true (a restore into a new instance is the way for one that exists) and publiclyAccessible false.",
  url: "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.html",
  types: [...ResourceTypes.DatabaseInstance, ...ResourceTypes.DatabaseCluster],
  checks: (props) => [
    () => (props.storageEncrypted === true ? undefined : "storageEncrypted is not true: neither are its snapshots"),
    () => (props.publiclyAccessible === true ? "publiclyAccessible is true" : undefined),
  ],
});
