import { Framework } from "../frameworks";
import { type PodSpec, type PodTemplate, type WorkloadProps } from "../inventory/kubernetes-properties";
import { CronJobPurpose, cronJobsFor, recoveryPodOf } from "../inventory/recovery-cron-jobs";
import { ResourceTypes } from "../inventory/resource-types";
import { type JudgedResource, type StackResources } from "../inventory/stack-resources";
import { stackRule } from "../rule";

/** Two nodes cannot mount a ReadWriteOnce volume: a backup that lands on another one waits, and fails, or keeps the application from starting. */
export const sqliteBackupBeside = stackRule({
  name: "sqlite-backup-beside",
  description: "A backup that mounts an application's volume runs on its node, as its user, and can write.",
  severity: "high",
  framework: Framework.AutomaticBackup,
  remediationSteps:
    "Give the application's pods and the backup one label, require pod affinity by it, run as the application's user and mount the volume writable (SqliteBackupJob).",
  url: "https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity",
  checks: (stack) =>
    cronJobsFor(stack, CronJobPurpose.Backup)
      .filter((job) => claimsOf(recoveryPodOf(job)).length > 0)
      .flatMap((job) => {
        const pod = (): PodSpec => recoveryPodOf(job) ?? {};
        return [
          { urn: job.urn, check: () => colocationProblem(stack, job, pod()) },
          { urn: job.urn, check: () => writingProblem(pod()) },
        ];
      }),
});

const claimsOf = (pod: PodSpec | undefined): readonly string[] =>
  (pod?.volumes ?? []).flatMap(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? []);

function colocationProblem(stack: StackResources, job: JudgedResource, pod: PodSpec): string | undefined {
  const owners = ownersOf(stack, job, claimsOf(pod));
  const rules = pod.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const wanted = rules
    .filter(({ topologyKey }) => topologyKey === "kubernetes.io/hostname")
    .map(({ labelSelector }) => Object.entries(labelSelector?.matchLabels ?? {}));
  if (wanted.length === 0) {
    return "mounts an application's volume, and no required pod affinity brings it to that application's node";
  }
  const missed = owners.filter(({ template }) =>
    wanted.every((labels) => !labels.every(([label, value]) => template?.metadata?.labels?.[label] === value)),
  );
  if (missed.length > 0) return `its pod affinity selects no pod of ${missed[0]!.name}, which has the same volume`;
  const user = pod.securityContext?.runAsUser;
  const other = owners.find(({ template }) => {
    const owner = template?.spec?.securityContext?.runAsUser;
    return owner !== undefined && owner !== user;
  });
  return other === undefined
    ? undefined
    : `runs as user ${user ?? "of its image"}, and ${other.name} as ${other.template?.spec?.securityContext?.runAsUser}: its files beside the database lock that out`;
}

interface Owner {
  readonly name: string;
  readonly template: PodTemplate | undefined;
}

/** The workloads of the stack, in the job's namespace, that mount one of the claims, by name or by a template. */
function ownersOf(stack: StackResources, job: JudgedResource, claims: readonly string[]): Owner[] {
  const namespaceOf = ({ props }: JudgedResource) => (props as WorkloadProps).metadata?.namespace ?? "default";
  return stack
    .ofTypes([...ResourceTypes.Deployment, ...ResourceTypes.StatefulSet])
    .filter((workload) => namespaceOf(workload) === namespaceOf(job))
    .filter((workload) => {
      const { metadata, spec } = workload.props as WorkloadProps;
      const templates = (spec?.volumeClaimTemplates ?? []).map(
        (template) => `${template.metadata?.name ?? ""}-${metadata?.name ?? workload.name}-`,
      );
      const own = claimsOf(spec?.template?.spec);
      return claims.some((claim) => own.includes(claim) || templates.some((prefix) => claim.startsWith(prefix)));
    })
    .map((workload) => ({ name: workload.name, template: (workload.props as WorkloadProps).spec?.template }));
}

function writingProblem(pod: PodSpec): string | undefined {
  const claimed = (pod.volumes ?? []).filter(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined);
  const readOnly = claimed.filter(
    ({ name, persistentVolumeClaim }) =>
      persistentVolumeClaim?.readOnly === true ||
      (pod.containers ?? []).some(({ volumeMounts = [] }) =>
        volumeMounts.some((mount) => mount.name === name && mount.readOnly === true),
      ),
  );
  return readOnly.length === 0
    ? undefined
    : `mounts ${readOnly[0]!.name ?? "the volume"} read-only: even a reader of a database in WAL mode writes beside it`;
}
