import { Framework } from "../frameworks";
import { containerName, containersOf } from "../inventory/kubernetes-properties";
import { RECOVERY_WORKLOADS, recoveryPodOf } from "../inventory/recovery-cron-jobs";
import { resourceRule } from "../rule";

/** A tag may be another image tomorrow, with another pg_dump, and nobody would know which one made the backup. */
export const pinnedImage = resourceRule({
  name: "pinned-image",
  description: "A recovery job, or the stream of a log, runs an image pinned by its digest.",
  severity: "high",
  framework: Framework.Deployment,
  remediationSteps: "Name the image as registry/name@sha256:..., as `docker buildx imagetools inspect` prints it.",
  url: "https://kubernetes.io/docs/concepts/containers/images/#image-names",
  types: RECOVERY_WORKLOADS,
  checks: (_props, _config, resource) => [
    () => {
      const pod = recoveryPodOf(resource);
      if (pod === undefined) return undefined;
      const containers = containersOf(pod);
      if (containers.length === 0) return "has no container";
      const loose = containers.filter(({ image = "" }) => !/^[^\s@]+@sha256:[0-9a-f]{64}$/.test(image));
      return loose.length === 0
        ? undefined
        : `${loose.map((container) => `${containerName(container)} runs ${container.image ?? "no image"}`).join("; ")}; expected name@sha256:...`;
    },
  ],
});
