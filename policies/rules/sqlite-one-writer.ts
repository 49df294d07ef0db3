import { Framework } from "../frameworks";
import { type WorkloadProps } from "../inventory/kubernetes-properties";
import { ResourceTypes } from "../inventory/resource-types";
import { usesSqlite } from "../inventory/sqlite-databases";
import { resourceRule } from "../rule";

/** A SQLite file has one writer; a second pod with the same volume corrupts it, and a rolling update starts one. */
export const sqliteOneWriter = resourceRule<WorkloadProps>({
  name: "sqlite-one-writer",
  description: "A workload that keeps its data in SQLite runs one pod at a time.",
  severity: "critical",
  framework: Framework.Strategy,
  remediationSteps:
    'Set replicas 1 and strategy.type "Recreate", or use a StatefulSet of one, with a ReadWriteOnce volume.',
  url: "https://www.sqlite.org/howtocorrupt.html",
  types: [...ResourceTypes.Deployment, ...ResourceTypes.StatefulSet],
  checks: (props, _config, { type }) => [
    () => {
      if (!usesSqlite(props)) return undefined;
      const replicas = props.spec?.replicas ?? 1;
      return replicas > 1 ? `replicas is ${replicas}; expected 1: a SQLite file has one writer` : undefined;
    },
    () => {
      if (!usesSqlite(props) || type !== ResourceTypes.Deployment[0]) return undefined;
      const strategy = props.spec?.strategy?.type ?? "RollingUpdate, its default";
      return strategy === "Recreate"
        ? undefined
        : `strategy.type is ${strategy}; expected Recreate: an update would run two writers`;
    },
    () => {
      const shared = (props.spec?.volumeClaimTemplates ?? []).filter(({ spec }) =>
        (spec?.accessModes ?? []).includes("ReadWriteMany"),
      );
      return usesSqlite(props) && shared.length > 0
        ? "its volume is ReadWriteMany; expected ReadWriteOnce: file locks do not hold over a network"
        : undefined;
    },
  ],
});
