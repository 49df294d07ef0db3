import { Framework } from "../frameworks";
import { containerName, containersOf, type PodSpec } from "../inventory/kubernetes-properties";
import { RECOVERY_WORKLOADS, recoveryPodOf } from "../inventory/recovery-cron-jobs";
import { known } from "../inventory/stack-resources";
import { resourceRule } from "../rule";

/** A recovery job holds the database's password and the store's: what it runs as is what a thief of it gets. */
export const podHardening = resourceRule({
  name: "pod-hardening",
  description:
    "A recovery job, or the stream of a log, runs without root, capabilities, a writable root file system, the node's namespaces or a token of the API.",
  severity: "high",
  framework: Framework.SecureBackup,
  remediationSteps:
    "Follow the restricted pod security standard, set readOnlyRootFilesystem, automountServiceAccountToken false, and requests and limits of memory.",
  url: "https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted",
  types: RECOVERY_WORKLOADS,
  checks: (_props, _config, resource) => {
    if (known(() => recoveryPodOf(resource)) === undefined) return [];
    const pod = (): PodSpec => recoveryPodOf(resource)!;
    const containersWhich = (problem: string, isWrong: (at: number) => boolean): string | undefined => {
      const wrong = containersOf(pod()).filter((_container, at) => isWrong(at));
      return wrong.length === 0 ? undefined : `${wrong.map(containerName).join(", ")}: ${problem}`;
    };
    const container = (at: number) => containersOf(pod())[at]!;
    const security = (at: number) => container(at).securityContext ?? {};
    return [
      () =>
        containersWhich(
          "runAsNonRoot is not true",
          (at) => (security(at).runAsNonRoot ?? pod().securityContext?.runAsNonRoot) !== true,
        ),
      () =>
        containersWhich(
          "runAsUser is 0, which is root",
          (at) => (security(at).runAsUser ?? pod().securityContext?.runAsUser) === 0,
        ),
      () =>
        containersWhich(
          "allowPrivilegeEscalation is not false",
          (at) => security(at).allowPrivilegeEscalation !== false,
        ),
      () => containersWhich("privileged is true", (at) => security(at).privileged === true),
      () => containersWhich("readOnlyRootFilesystem is not true", (at) => security(at).readOnlyRootFilesystem !== true),
      () =>
        containersWhich(
          'capabilities.drop is not ["ALL"], or some are added',
          (at) =>
            !(security(at).capabilities?.drop ?? []).includes("ALL") ||
            (security(at).capabilities?.add ?? []).length > 0,
        ),
      () =>
        containersWhich("seccompProfile is not RuntimeDefault or Localhost", (at) => {
          const type = security(at).seccompProfile?.type ?? pod().securityContext?.seccompProfile?.type;
          return type !== "RuntimeDefault" && type !== "Localhost";
        }),
      () =>
        containersWhich(
          "resources.limits.memory is not set, so one dump can take down its node",
          (at) => container(at).resources?.limits?.memory === undefined,
        ),
      () =>
        containersWhich(
          "resources.requests of cpu and memory are not set, so it is the first to be evicted",
          (at) =>
            container(at).resources?.requests?.memory === undefined ||
            container(at).resources?.requests?.cpu === undefined,
        ),
      () =>
        pod().automountServiceAccountToken === false
          ? undefined
          : "automountServiceAccountToken is not false: the job holds a token of the Kubernetes API",
      () => {
        const shared = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((setting) => pod()[setting] === true);
        return shared.length === 0 ? undefined : `${shared.join(", ")} is true: the job is in the node's namespaces`;
      },
      () =>
        (pod().volumes ?? []).some(({ hostPath }) => hostPath !== undefined)
          ? "mounts a path of the node: backups staged there are lost with it and readable on it"
          : undefined,
    ];
  },
});
