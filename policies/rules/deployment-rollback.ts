import { Framework } from "../frameworks";
import { containerName, type WorkloadProps } from "../inventory/kubernetes-properties";
import { ResourceTypes } from "../inventory/resource-types";
import { resourceRule } from "../rule";

// Kubernetes' own.
const DEFAULTS = { revisionHistoryLimit: 10, progressDeadlineSeconds: 600 } as const;

/** A bad version is noticed by probes, called failed by the deadline and undone from the history. */
export const deploymentRollback = resourceRule<WorkloadProps, { maxProgressDeadlineSeconds: number }>({
  name: "deployment-rollback",
  description: "A bad deployment is noticed soon and can be undone.",
  severity: "high",
  framework: Framework.Healing,
  remediationSteps:
    "Give every container a readinessProbe and a livenessProbe, keep revisionHistoryLimit at 2 or more, and lower progressDeadlineSeconds.",
  url: "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment",
  types: ResourceTypes.Deployment,
  settings: {
    maxProgressDeadlineSeconds: {
      description: "When a rollout has to be called failed: most of the guide's five minutes for a deployment failure.",
      type: "integer",
      minimum: 30,
      maximum: 3600,
      default: 180,
    },
  },
  checks: ({ spec }, { maxProgressDeadlineSeconds }) => [
    ...(["readinessProbe", "livenessProbe"] as const).map((probe) => () => {
      const without = (spec?.template?.spec?.containers ?? []).filter((container) => container[probe] === undefined);
      return without.length === 0 ? undefined : `${without.map(containerName).join(", ")}: no ${probe}`;
    }),
    () => {
      const limit = spec?.revisionHistoryLimit ?? DEFAULTS.revisionHistoryLimit;
      return limit < 2
        ? `revisionHistoryLimit is ${limit}; expected 2 or more: there is no version to go back to`
        : undefined;
    },
    () => {
      const seconds = spec?.progressDeadlineSeconds ?? DEFAULTS.progressDeadlineSeconds;
      return seconds > maxProgressDeadlineSeconds
        ? `progressDeadlineSeconds is ${seconds}; expected ${maxProgressDeadlineSeconds} or less`
        : undefined;
    },
  ],
});
