import * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { type Engine, ExitCode, jobDeadlines, parseSchedule, scheduleProblems, spreadSchedule } from "../recovery";
import { ArgumentProblems } from "./argument-problems";
import { hardenedPod, podMetadata, type PodPlacement, podSurroundings, type PodWork } from "./hardened-pod";
import { expectPodArguments, type JobArgs } from "./job-arguments";

/** What makes one job different from the others. */
export interface JobKind extends PodWork {
  /** The component's type, as in `BackupJob`. */
  readonly component: string;
  /** Which databases it is for. */
  readonly engines: readonly Engine[];
  /** When it runs unless told otherwise. */
  readonly schedule: string;
  /** How often a run that failed is tried again; 2 and 3 never are. */
  readonly retries: number;
}

/** When a job runs, and when it is given up. */
export interface JobTiming {
  /** The schedule in force: the one asked for, moved within its hour. */
  readonly schedule: string;
  readonly timeZone: string;
  readonly startingDeadlineSeconds: number;
  readonly activeDeadlineSeconds: number;
}

/** What a hardened job consists of. */
export interface HardenedCronJob {
  readonly cronJob: kubernetes.batch.v1.CronJob;
  readonly serviceAccount: kubernetes.core.v1.ServiceAccount;
}

const keptSeconds = 3 * 24 * 3600;

/** A schedule that a job reads about and does not run by. */
export interface OtherSchedule {
  readonly propertyPath: string;
  readonly expression: string;
  readonly timeZone?: string;
}

/** Everything that is wrong with a job's arguments. */
export function jobProblems(kind: JobKind, name: string, args: JobArgs, other?: OtherSchedule): ArgumentProblems {
  const problems = new ArgumentProblems();
  const schedule = args.schedule ?? kind.schedule;
  expectPodArguments(problems, name, args, kind.engines);
  for (const problem of scheduleProblems(schedule, args.timeZone)) problems.add("schedule", problem);
  if (other !== undefined) {
    for (const problem of scheduleProblems(other.expression, other.timeZone)) problems.add(other.propertyPath, problem);
  }
  problems.expectInteger("activeDeadlineSeconds", args.activeDeadlineSeconds, 1);
  if (scheduleProblems(schedule).length > 0) return problems;
  const { intervalSeconds } = jobDeadlines(parseSchedule(schedule));
  if ((args.activeDeadlineSeconds ?? 0) >= intervalSeconds) {
    problems.add(
      "activeDeadlineSeconds",
      `expected less than ${intervalSeconds}, after which the next run is due, got ${args.activeDeadlineSeconds}`,
    );
  }
  return problems;
}

/** When a job with nothing wrong with it runs. */
export function jobTiming(kind: JobKind, name: string, args: JobArgs): JobTiming {
  const schedule = spreadSchedule(args.schedule ?? kind.schedule, `${args.application}/${args.environment}/${name}`);
  const { startingDeadlineSeconds, activeDeadlineSeconds } = jobDeadlines(parseSchedule(schedule));
  return {
    schedule,
    timeZone: args.timeZone ?? "Etc/UTC",
    startingDeadlineSeconds,
    activeDeadlineSeconds: args.activeDeadlineSeconds ?? activeDeadlineSeconds,
  };
}

/** A CronJob that runs `dr`, with its own service account, configuration and network policy. */
export function hardenedCronJob(
  name: string,
  kind: JobKind,
  args: JobArgs,
  timing: JobTiming,
  config: pulumi.Output<string>,
  opts: pulumi.CustomResourceOptions,
  placement: PodPlacement = {},
): HardenedCronJob {
  const surroundings = podSurroundings(name, `${kind.job}-job`, kind.job, args, config, opts);
  const { metadata, labels, serviceAccount } = surroundings;
  const cronJob = new kubernetes.batch.v1.CronJob(
    name,
    {
      metadata,
      spec: {
        schedule: timing.schedule,
        timeZone: timing.timeZone,
        concurrencyPolicy: "Forbid",
        startingDeadlineSeconds: timing.startingDeadlineSeconds,
        suspend: args.suspend ?? false,
        successfulJobsHistoryLimit: 3,
        failedJobsHistoryLimit: 5,
        jobTemplate: {
          metadata: { labels },
          spec: {
            activeDeadlineSeconds: timing.activeDeadlineSeconds,
            backoffLimit: kind.retries,
            ttlSecondsAfterFinished: keptSeconds,
            podFailurePolicy: podFailurePolicy(kind.job),
            template: {
              metadata: podMetadata(surroundings, placement),
              spec: { ...hardenedPod(kind, args, surroundings, placement), restartPolicy: "Never" },
            },
          },
        },
      },
    },
    {
      ...opts,
      dependsOn: surroundings.dependsOn,
      // Installed asleep, woken by a failover: no later `up` may put it to sleep again.
      ignoreChanges: args.suspend === true ? ["spec.suspend"] : [],
    },
  );
  return { cronJob, serviceAccount };
}

/**
 * What becomes of a run by its exit code: repeating a wrong configuration (2) or a judgement that could not be made (3)
 * cannot help, and a pod that lost its node has not failed.
 */
function podFailurePolicy(container: string): kubernetes.types.input.batch.v1.PodFailurePolicy {
  return {
    rules: [
      { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
      {
        action: "FailJob",
        onExitCodes: { containerName: container, operator: "In", values: [ExitCode.Usage, ExitCode.Inconclusive] },
      },
    ],
  };
}
