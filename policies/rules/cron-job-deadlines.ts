import { largestGapMinutes, parseSchedule, scheduleProblems } from "../../recovery";
import { Framework } from "../frameworks";
import { type CronJobProps } from "../inventory/kubernetes-properties";
import { CronJobPurpose, purposeOf } from "../inventory/recovery-cron-jobs";
import { ResourceTypes } from "../inventory/resource-types";
import { resourceRule } from "../rule";

type Props = CronJobProps;

/** The controller gives up for ever after 100 missed starts, and a run that hangs keeps all later ones from starting. */
export const cronJobDeadlines = resourceRule<Props, { maxBackoffLimit: number }>({
  name: "cron-job-deadlines",
  description:
    "A recovery job never overlaps itself, starts late rather than not at all, and ends before it is due again.",
  severity: "high",
  framework: Framework.AutomaticBackup,
  remediationSteps:
    "Set concurrencyPolicy Forbid, startingDeadlineSeconds, jobTemplate.spec.activeDeadlineSeconds below the schedule's gap, backoffLimit and ttlSecondsAfterFinished.",
  url: "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-limitations",
  types: ResourceTypes.CronJob,
  settings: {
    maxBackoffLimit: {
      description: "How often a failed run may be repeated.",
      type: "integer",
      minimum: 0,
      maximum: 6,
      default: 2,
    },
  },
  remedy: ({ spec }, _config, resource) =>
    purposeOf(resource) === CronJobPurpose.Other || spec?.concurrencyPolicy === "Forbid"
      ? undefined
      : { spec: { concurrencyPolicy: "Forbid" } },
  checks: (props, { maxBackoffLimit }, resource) => {
    const { spec } = props;
    if (purposeOf(resource) === CronJobPurpose.Other) return [];
    const job = () => spec?.jobTemplate?.spec;
    return [
      () =>
        spec?.concurrencyPolicy === "Forbid"
          ? undefined
          : `concurrencyPolicy is ${spec?.concurrencyPolicy ?? "Allow, its default"}; expected Forbid`,
      () => {
        const seconds = spec?.startingDeadlineSeconds;
        if (seconds === undefined)
          return "startingDeadlineSeconds is not set: 100 missed starts end the schedule for ever";
        // The controller looks every 10 seconds (Kubernetes, CronJob).
        return seconds < 10
          ? `startingDeadlineSeconds is ${seconds}; expected 10 or more, else no run may start`
          : undefined;
      },
      () => {
        const seconds = job()?.activeDeadlineSeconds;
        if (seconds === undefined)
          return "activeDeadlineSeconds is not set: a run that hangs keeps all later ones from starting";
        const { schedule, timeZone } = spec ?? {};
        if (schedule === undefined || scheduleProblems(schedule, timeZone).length > 0) return undefined;
        const gapSeconds = largestGapMinutes(parseSchedule(schedule), timeZone) * 60;
        return seconds >= gapSeconds
          ? `activeDeadlineSeconds is ${seconds}, and the next run is due after ${gapSeconds}; expected less`
          : undefined;
      },
      () => {
        const limit = job()?.backoffLimit;
        return limit === undefined || limit > maxBackoffLimit
          ? `backoffLimit is ${limit ?? "6, its default"}; expected ${maxBackoffLimit} or less`
          : undefined;
      },
      () =>
        job()?.ttlSecondsAfterFinished === undefined
          ? "ttlSecondsAfterFinished is not set: finished jobs, and their volumes, stay"
          : undefined,
    ];
  },
});
