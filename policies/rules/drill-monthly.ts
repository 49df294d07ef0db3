import { largestGapMinutes, maxDrillAgeSeconds, parseSchedule, scheduleProblems } from "../../recovery";
import { Framework } from "../frameworks";
import { type CronJobProps } from "../inventory/kubernetes-properties";
import { CronJobPurpose, cronJobsFor, isSuspended } from "../inventory/recovery-cron-jobs";
import { stackRule } from "../rule";

/** A plan that nobody has carried out is a hope. */
export const drillMonthly = stackRule<{ maxGapMinutes: number }>({
  name: "drill-monthly",
  description: "Where backups run, a drill of the recovery runs every month.",
  severity: "high",
  framework: Framework.TestRecovery,
  remediationSteps:
    "Add a CronJob that runs dr drill on the last Friday of the month: every Friday in its schedule, and the guard in its command.",
  url: "https://docs.aws.amazon.com/wellarchitected/latest/reliability-pillar/rel_planning_for_recovery_dr_tested.html",
  settings: {
    maxGapMinutes: {
      description: "Longest time between two drills: the last Fridays of two months are at most five weeks apart.",
      type: "integer",
      minimum: 1440,
      maximum: 525600,
      default: maxDrillAgeSeconds / 60,
    },
  },
  checks: (stack, { maxGapMinutes }) => {
    const backups = cronJobsFor(stack, CronJobPurpose.Backup).filter((job) => !isSuspended(job));
    if (backups.length === 0) return [];
    const drills = cronJobsFor(stack, CronJobPurpose.Drill).filter((job) => !isSuspended(job));
    if (drills.length === 0)
      return [{ check: () => "no CronJob drills the recovery, so nobody knows how long it takes" }];
    return drills.map(({ urn, props }) => ({
      urn,
      check: () => {
        const { schedule = "", timeZone } = (props as CronJobProps).spec ?? {};
        const problems = scheduleProblems(schedule, timeZone);
        if (problems.length > 0) return problems.join("; ");
        const gap = largestGapMinutes(parseSchedule(schedule), timeZone);
        return gap > maxGapMinutes
          ? `runs up to ${gap} minutes apart (${schedule}); expected ${maxGapMinutes} minutes or less`
          : undefined;
      },
    }));
  },
});
