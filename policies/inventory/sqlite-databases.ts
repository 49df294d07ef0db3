import { Engine, Mechanism } from "../../recovery";
import { backupStores } from "./backup-stores";
import { type FoundDatabase, nameOf, placed, quantityBytes, regionOf } from "./found-database";
import { type Container, containersOf, type WorkloadProps } from "./kubernetes-properties";
import { ResourceTypes } from "./resource-types";
import { identifiersOf, type JudgedResource, namesExactly, type StackResources } from "./stack-resources";

const SQLITE = /sqlite|litestream|\.db\b/i;
const STREAM = /\blitestream\b.*\breplicate\b/i;

const textOf = ({ image = "", command = [], args = [], env = [] }: Container): string =>
  [image, ...command, ...args, ...env.map(({ value = "" }) => value)].join(" ");

/** Whether a workload keeps its data in SQLite, by its images, commands and environment. */
export function usesSqlite({ spec }: WorkloadProps): boolean {
  return containersOf(spec?.template?.spec).some((container) => SQLITE.test(textOf(container)));
}

/** The workloads of a stack whose SQLite file Litestream streams to a store. */
export function sqliteDatabases(stack: StackResources): FoundDatabase[] {
  return stack.ofTypes([...ResourceTypes.Deployment, ...ResourceTypes.StatefulSet]).flatMap((workload) => {
    const { spec } = workload.props as WorkloadProps;
    const streams = containersOf(spec?.template?.spec)
      .map(textOf)
      .filter((text) => STREAM.test(text));
    if (streams.length === 0) return [];
    const store = storeOf(stack, streams.join(" "));
    const sizeBytes = quantityBytes(spec?.volumeClaimTemplates?.[0]?.spec?.resources?.requests?.storage);
    return {
      resource: workload,
      engine: Engine.Sqlite,
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      placement: { ...placed(regionOf(workload)), server: nameOf(workload), cluster: "its cluster" },
      canBeReplicated: true,
      protections: [
        {
          mechanism: Mechanism.SqliteStream,
          name: `stream of ${nameOf(workload)}`,
          ...(store === undefined ? {} : { placement: placed(regionOf(store)) }),
        },
      ],
    };
  });
}

/** The store that a stream's own words name. */
function storeOf(stack: StackResources, text: string): JudgedResource | undefined {
  return backupStores(stack).find((bucket) =>
    identifiersOf(bucket).some((identifier) => namesExactly(text, identifier)),
  );
}
