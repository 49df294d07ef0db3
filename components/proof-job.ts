import * as pulumi from "@pulumi/pulumi";
import { RecoveryJob } from "../recovery";
import { type ArgumentProblems } from "./argument-problems";
import { hardenedCronJob, type JobKind, jobProblems, jobTiming } from "./hardened-cron-job";
import { allEngines, type JobArgs, jobConfigText, type ProtectedDatabaseArgs } from "./job-arguments";

/** Once a week, on the morning of a day on which people are there. */
export const defaultProofSchedule = "0 5 * * 2";

export interface ProofJobArgs extends JobArgs {
  /** One database: its newest recovery point is what is sabotaged. */
  databases: ProtectedDatabaseArgs[];
  /** Cron schedule as Kubernetes reads it. @default weekly, on Tuesday at five */
  schedule?: string;
}

const kind: JobKind = {
  job: RecoveryJob.Prove,
  engines: allEngines,
  component: "ProofJob",
  schedule: defaultProofSchedule,
  command: ["prove", "--json"],
  resources: { cpu: "1", cpuLimit: "4", memory: "3Gi" },
  // A proof is repeated where its pod was lost, not until it passes.
  retries: 0,
  sharedMemory: "1Gi",
};

/**
 * Puts the restore test itself to the test, once a week: `dr prove` spoils copies of the newest recovery point in a store
 * of its own and requires that the restore test catches each of them. What it works on is a copy; like the restore test
 * it holds no password and reaches no database.
 */
export class ProofJob extends pulumi.ComponentResource {
  /** Name of the CronJob: `kubectl create job --from=cronjob/NAME` runs it now. */
  public readonly cronJobName: pulumi.Output<string>;
  public readonly serviceAccountName: pulumi.Output<string>;
  /** The schedule in force, moved within its hour. */
  public readonly schedule: pulumi.Output<string>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: ProofJobArgs, opts: pulumi.ComponentResourceOptions = {}) {
    proofJobProblems(name, args).throwIfAny("ProofJob", name);
    super("disaster-recovery:index:ProofJob", name, args, opts);
    const timing = jobTiming(kind, name, args);
    const config = jobConfigText(kind.job, args, undefined);
    const made = hardenedCronJob(name, kind, args, timing, config, { parent: this });
    this.cronJobName = made.cronJob.metadata.name;
    this.serviceAccountName = made.serviceAccount.metadata.name;
    this.schedule = pulumi.output(timing.schedule);
    this.registerOutputs({
      cronJobName: this.cronJobName,
      serviceAccountName: this.serviceAccountName,
      schedule: this.schedule,
    });
  }
}

/** Everything that is wrong with the arguments. */
export function proofJobProblems(name: string, args: ProofJobArgs): ArgumentProblems {
  const problems = jobProblems(kind, name, args);
  if (args.databases.length > 1) {
    problems.add("databases", `expected one, got ${args.databases.length}: without an ID \`dr prove\` takes one`);
  }
  return problems;
}
