import * as policy from "@pulumi/policy";

// @pulumi/policy exports both, and its declarations do not describe them (they are stripped as internal).
const { UnknownValueError: ErrorClass } = policy as unknown as {
  readonly UnknownValueError: new (sentinel: string, path: readonly string[]) => Error;
};

/** Whether reading a property failed because its value is not known before the update. */
export function isUnknownValueError(error: unknown): error is Error {
  return error instanceof ErrorClass;
}
