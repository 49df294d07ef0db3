import { Framework } from "../frameworks";
import { type WorkloadProps } from "../inventory/kubernetes-properties";
import { ResourceTypes } from "../inventory/resource-types";
import { stackRule } from "../rule";

interface BudgetProps {
  readonly metadata?: { readonly namespace?: string };
  readonly spec?: { readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> } };
}

/** A node that is drained takes every pod on it along, unless somebody counts. */
export const disruptionBudget = stackRule({
  name: "disruption-budget",
  description: "A Deployment of several pods has a disruption budget.",
  severity: "medium",
  framework: Framework.FaultIsolation,
  remediationSteps: "Add a PodDisruptionBudget whose selector matches the Deployment's pods.",
  url: "https://kubernetes.io/docs/tasks/run-application/configure-pdb/",
  checks: (stack) =>
    stack.ofTypes(ResourceTypes.Deployment).map(({ urn, props }) => ({
      urn,
      check: () => {
        const { metadata, spec } = props as WorkloadProps;
        if ((spec?.replicas ?? 1) < 2) return undefined;
        const labels = spec?.template?.metadata?.labels ?? {};
        const isCovered = stack.ofTypes(ResourceTypes.PodDisruptionBudget).some((budget) => {
          const own = budget.props as BudgetProps;
          const selected = Object.entries(own.spec?.selector?.matchLabels ?? {});
          return (
            (own.metadata?.namespace ?? "default") === (metadata?.namespace ?? "default") &&
            selected.length > 0 &&
            selected.every(([label, value]) => labels[label] === value)
          );
        });
        return isCovered ? undefined : "no PodDisruptionBudget selects its pods: a drained node may take all of them";
      },
    })),
});
