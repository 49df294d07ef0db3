import { Framework } from "../frameworks";
import { type WorkloadProps } from "../inventory/kubernetes-properties";
import { ResourceTypes } from "../inventory/resource-types";
import { streamsSqlite } from "../inventory/sqlite-databases";
import { resourceRule } from "../rule";
import { restoresStream } from "./sqlite-restored-first";

/** Right for the first start, and for no other: later a stream that is not found is a wrong bucket or a lost store. */
export const sqliteFailsClosed = resourceRule<WorkloadProps>({
  name: "sqlite-fails-closed",
  description: "A workload whose SQLite file is streamed does not start when its stream cannot be found.",
  severity: "medium",
  enforcementLevel: "advisory",
  framework: Framework.Strategy,
  remediationSteps:
    "Remove -if-replica-exists from the restore once the first start has streamed (stream.firstDeployment of SqliteReplication).",
  url: "https://litestream.io/reference/restore/",
  types: [...ResourceTypes.Deployment, ...ResourceTypes.StatefulSet],
  checks: (props) => [
    () => {
      if (!streamsSqlite(props)) return undefined;
      const open = (props.spec?.template?.spec?.initContainers ?? [])
        .filter(restoresStream)
        .some(({ command = [], args = [] }) => [...command, ...args].join(" ").includes("-if-replica-exists"));
      return open
        ? "its restore has -if-replica-exists, which is for the first start: a stream that is not found starts an empty database"
        : undefined;
    },
  ],
});
