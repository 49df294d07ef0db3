import { type CronJobProps, containersOf, type PodSpec, type WorkloadProps } from "./kubernetes-properties";
import { streamsLog } from "./log-streams";
import { ResourceTypes } from "./resource-types";
import { type JudgedResource, known, remembered, type StackResources, UNKNOWN } from "./stack-resources";

/** What a CronJob is there for. */
export const CronJobPurpose = {
  Backup: "backup",
  RestoreTest: "restore-test",
  /** RDS restores its own log into an instance, which costs money: weekly, where a restore test is daily. */
  PointInTimeTest: "point-in-time-test",
  Drill: "drill",
  /** Watches the others, or cleans up after them. */
  Status: "status",
  Other: "other",
} as const;
export type CronJobPurpose = (typeof CronJobPurpose)[keyof typeof CronJobPurpose];

const RESTORE_TEST = /\brestore[-_ ]?(test|check|drill)|\bpg_restore\b|\blitestream restore\b|\bbarman.*recover\b/i;
// The test of a SQLite file's stream has the same command, and costs nothing.
const POINT_IN_TIME_TEST = /^point-in-time-test$/;
const STATUS = /\bdr (status|doctor|verify|prove|probe|reap)\b/i;
const DRILL = /\bdr drill\b|\bdrill\b/i;
const BACKUP =
  /\bdr (backup|stream)\b|\bpg_dump(all)?\b|\bpg_basebackup\b|\bpgbackrest\b|\bwal-g\b|\bbarman\b|\blitestream\b|\bmysqldump\b|\bVACUUM INTO\b|\.backup\b|\bbackups?\b/i;

/** What a CronJob does, by its commands, and by its name where those say nothing. */
export function purposeOf({ name, props }: Pick<JudgedResource, "name" | "props">): CronJobPurpose {
  const { metadata, spec } = props as CronJobProps;
  const containers = known(() => containersOf(spec?.jobTemplate?.spec?.template?.spec));
  const commands = known(() =>
    (containers === UNKNOWN ? [] : containers)
      .flatMap(({ command = [], args = [] }) => [...command, ...args])
      .join(" "),
  );
  const byCommand = commands === UNKNOWN ? CronJobPurpose.Other : purposeIn(commands);
  if (byCommand === CronJobPurpose.RestoreTest && containers !== UNKNOWN) {
    const isOfRds = known(() => containers.some(({ name = "" }) => POINT_IN_TIME_TEST.test(name)));
    if (isOfRds === true) return CronJobPurpose.PointInTimeTest;
  }
  return byCommand === CronJobPurpose.Other ? purposeIn(`${metadata?.name ?? ""} ${name}`) : byCommand;
}

function purposeIn(text: string): CronJobPurpose {
  if (RESTORE_TEST.test(text)) return CronJobPurpose.RestoreTest;
  if (DRILL.test(text)) return CronJobPurpose.Drill;
  if (STATUS.test(text)) return CronJobPurpose.Status;
  return BACKUP.test(text) ? CronJobPurpose.Backup : CronJobPurpose.Other;
}

const FROM_STREAM = /\bdr restore-test\b.*--from-stream\b/;

/** Whether a restore test of ours restores a stream, instead of a backup. */
export function restoresStream({ props }: Pick<JudgedResource, "props">): boolean {
  const { spec } = props as CronJobProps;
  const words = containersOf(spec?.jobTemplate?.spec?.template?.spec).flatMap(({ command = [], args = [] }) => [
    ...command,
    ...args,
  ]);
  return FROM_STREAM.test(words.join(" "));
}

/** The CronJobs of a stack that are there for this. */
export function cronJobsFor(stack: StackResources, purpose: CronJobPurpose): readonly JudgedResource[] {
  const purposes = stack.once(cronJobsFor, () =>
    stack.ofTypes(ResourceTypes.CronJob).map((cronJob) => ({
      cronJob,
      is: remembered(cronJob, purposeOf, () => purposeOf(cronJob)),
    })),
  );
  return purposes.filter(({ is }) => is === purpose).map(({ cronJob }) => cronJob);
}

/** The pod that a job of a recovery, or the stream of a log, runs in; undefined of whatever is none of either. */
export function recoveryPodOf(resource: Pick<JudgedResource, "type" | "name" | "props">): PodSpec | undefined {
  if (!(ResourceTypes.CronJob as readonly string[]).includes(resource.type)) {
    return streamsLog(resource) ? ((resource.props as WorkloadProps).spec?.template?.spec ?? {}) : undefined;
  }
  if (purposeOf(resource) === CronJobPurpose.Other) return undefined;
  return (resource.props as CronJobProps).spec?.jobTemplate?.spec?.template?.spec ?? {};
}

/** What may run such a pod. */
export const RECOVERY_WORKLOADS = [...ResourceTypes.CronJob, ...ResourceTypes.StatefulSet, ...ResourceTypes.Deployment];

/** Whether a CronJob is installed and does not run, as on a site that waits. */
export const isSuspended = ({ props }: JudgedResource): boolean => (props as CronJobProps).spec?.suspend === true;
