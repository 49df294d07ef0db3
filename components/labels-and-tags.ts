/**
 * What every resource is marked with, so that a person at night, a cost report and a policy find all that belongs to
 * the recovery of one application.
 *
 * | AWS tag and Kubernetes label | holds |
 * |--|--|
 * | `recovery.application` | the application that is protected |
 * | `recovery.environment` | the environment, for instance `prod` |
 * | `recovery.component` | the component's type, for instance `backup-job` |
 *
 * Kubernetes objects also carry the recommended `app.kubernetes.io/*` labels, and pods that open a SQLite file
 * `recovery.sqlite/DATABASE: file`.
 */
export interface RecoveryMarks {
  readonly application: string;
  readonly environment: string;
  readonly component: string;
}

/** A name that fits a label, a tag, and the names that are built from it. */
export const markPattern = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

/** What a name must look like, for error messages. */
export const markExpectation = "lower-case letters, digits and dashes, at most 32, as in architect-go";

/** Tags of an AWS resource; a user's own come on top, and cannot replace the `recovery.*` set. */
export function tagsOf(marks: RecoveryMarks, own: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { ...own, ...recoverySet(marks) };
}

/** Labels of a Kubernetes object. */
export function labelsOf(marks: RecoveryMarks, name: string): Record<string, string> {
  return {
    "app.kubernetes.io/name": marks.component,
    "app.kubernetes.io/instance": name,
    "app.kubernetes.io/component": "disaster-recovery",
    "app.kubernetes.io/part-of": marks.application,
    "app.kubernetes.io/managed-by": "pulumi",
    ...recoverySet(marks),
  };
}

function recoverySet({ application, environment, component }: RecoveryMarks): Record<string, string> {
  return {
    "recovery.application": application,
    "recovery.environment": environment,
    "recovery.component": component,
  };
}

/**
 * The label of every pod that opens a SQLite file, the application's own included: what has the file open has to be on
 * one node, and is found by it.
 */
export function sqlitePodLabels(database: string): Record<string, string> {
  return { [`recovery.sqlite/${database}`]: "file" };
}
