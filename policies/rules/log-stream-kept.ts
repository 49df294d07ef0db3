import { Framework } from "../frameworks";
import { type WorkloadProps } from "../inventory/kubernetes-properties";
import { streamsLog } from "../inventory/log-streams";
import { ResourceTypes } from "../inventory/resource-types";
import { resourceRule } from "../rule";

/** What was received and not stored yet is nowhere else; a second reader of its slot gets nothing. */
export const logStreamKept = resourceRule<WorkloadProps>({
  name: "log-stream-kept",
  description:
    "A stream of a log runs in one pod at a time, and keeps what is not stored yet on a volume that outlives it.",
  severity: "high",
  framework: Framework.Strategy,
  remediationSteps:
    "Use a StatefulSet with replicas 1 and a volume claim template that is retained (WalArchive), or a Deployment with Recreate and a claim.",
  url: "https://www.postgresql.org/docs/current/app-pgreceivewal.html",
  types: [...ResourceTypes.StatefulSet, ...ResourceTypes.Deployment],
  checks: (props, _config, resource) => {
    if (!streamsLog(resource)) return [];
    return [
      () => {
        const replicas = props.spec?.replicas ?? 1;
        return replicas > 1 ? `replicas is ${replicas}; expected 1: a replication slot has one reader` : undefined;
      },
      () => {
        if (resource.type !== ResourceTypes.Deployment[0]) return undefined;
        const strategy = props.spec?.strategy?.type ?? "RollingUpdate, its default";
        return strategy === "Recreate"
          ? undefined
          : `strategy.type is ${strategy}; expected Recreate: an update would run two readers of one slot`;
      },
      () => {
        const claims = (props.spec?.template?.spec?.volumes ?? []).filter(
          ({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined,
        );
        return (props.spec?.volumeClaimTemplates ?? []).length + claims.length > 0
          ? undefined
          : "has no volume claim: log that was received and is not stored yet is lost with the pod";
      },
      () => {
        const { whenDeleted, whenScaled } = props.spec?.persistentVolumeClaimRetentionPolicy ?? {};
        const deleting = Object.entries({ whenDeleted, whenScaled }).filter(([, what]) => what === "Delete");
        return deleting.length === 0
          ? undefined
          : `persistentVolumeClaimRetentionPolicy.${deleting[0]![0]} is Delete; expected Retain: the spool goes with the pod`;
      },
    ];
  },
});
