import { Framework } from "../frameworks";
import { type Container, type WorkloadProps } from "../inventory/kubernetes-properties";
import { ResourceTypes } from "../inventory/resource-types";
import { streamsSqlite } from "../inventory/sqlite-databases";
import { resourceRule } from "../rule";

const RESTORE = /\blitestream\b.*\brestore\b|\bdr restore\b/i;

const wordsOf = ({ command = [], args = [], image = "" }: Container): string => [image, ...command, ...args].join(" ");

/** Whether a container restores a streamed file. */
export const restoresStream = (container: Container): boolean => RESTORE.test(wordsOf(container));

/** An application that finds an empty volume makes an empty database, and the stream carries on with that. */
export const sqliteRestoredFirst = resourceRule<WorkloadProps>({
  name: "sqlite-restored-first",
  description: "A workload whose SQLite file is streamed restores a missing file before the application starts.",
  severity: "high",
  framework: Framework.Strategy,
  remediationSteps:
    "Add an init container that runs litestream restore -if-db-not-exists before the application (SqliteReplication).",
  url: "https://litestream.io/reference/restore/",
  types: [...ResourceTypes.Deployment, ...ResourceTypes.StatefulSet],
  checks: (props) => [
    () => {
      if (!streamsSqlite(props)) return undefined;
      const before = props.spec?.template?.spec?.initContainers ?? [];
      return before.some(restoresStream)
        ? undefined
        : "no init container restores the file: on an empty volume an empty database is streamed in the real one's place";
    },
  ],
});
