import { largestGapMinutes, parseSchedule, scheduleProblems } from "../../recovery";
import { Framework } from "../frameworks";
import { declaredDatabases } from "../inventory/declared-databases";
import { type CronJobProps } from "../inventory/kubernetes-properties";
import { CronJobPurpose, cronJobsFor } from "../inventory/recovery-cron-jobs";
import { stackRule } from "../rule";

/** A backup is as old as the largest gap of its schedule, at worst; an average is nobody's data loss. */
export const cronJobSchedule = stackRule<{
  maxGapMinutes: number;
  maxRestoreTestGapMinutes: number;
  maxPointInTimeTestGapMinutes: number;
}>({
  name: "cron-job-schedule",
  description: "Backups and restore tests run at times that Kubernetes understands, as often as promised.",
  severity: "high",
  framework: Framework.AutomaticBackup,
  remediationSteps:
    "Write a schedule of five fields with spec.timeZone and without suspend, whose largest gap is at most maxGapMinutes; set maxGapMinutes to the RPO where dumps alone have to meet it.",
  url: "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/",
  settings: {
    maxGapMinutes: {
      description: "Longest time between two backups: the RPO, or the guide's six hours where a log meets the RPO.",
      type: "integer",
      minimum: 1,
      maximum: 10080,
      default: 360,
    },
    maxRestoreTestGapMinutes: {
      description: "Longest time between two restore tests: a day, and the hour that a clock change adds to it.",
      type: "integer",
      minimum: 60,
      maximum: 10080,
      default: 1500,
    },
    maxPointInTimeTestGapMinutes: {
      description:
        "Longest time between two tests of RDS's own log: a week, and the hour that a clock change adds to it.",
      type: "integer",
      minimum: 60,
      maximum: 44_700,
      default: 10_140,
    },
  },
  checks: (stack, { maxGapMinutes, maxRestoreTestGapMinutes, maxPointInTimeTestGapMinutes }) =>
    [
      { purpose: CronJobPurpose.Backup, most: maxGapMinutes },
      { purpose: CronJobPurpose.RestoreTest, most: maxRestoreTestGapMinutes },
      { purpose: CronJobPurpose.PointInTimeTest, most: maxPointInTimeTestGapMinutes },
    ].flatMap(({ purpose, most }) =>
      cronJobsFor(stack, purpose).map(({ urn, props }) => ({
        urn,
        check: () => {
          // A site that waits has databases that follow another, and none that serves.
          if ((props as CronJobProps).spec?.suspend === true && declaredDatabases(stack).length > 0) {
            return "is suspended, while the stack has a database that serves";
          }
          const { schedule, timeZone } = (props as CronJobProps).spec ?? {};
          if (schedule === undefined) return "has no schedule";
          const problems = scheduleProblems(schedule, timeZone);
          if (problems.length > 0) return problems.join("; ");
          if (timeZone === undefined) {
            return 'spec.timeZone is not set, so the schedule follows the controller\'s clock; expected a name as "Etc/UTC"';
          }
          const gap = largestGapMinutes(parseSchedule(schedule), timeZone);
          return gap > most
            ? `runs up to ${gap} minutes apart (${schedule}, ${timeZone}); expected ${most} minutes or less`
            : undefined;
        },
      })),
    ),
});
