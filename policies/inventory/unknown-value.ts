import * as proxy from "@pulumi/policy/proxy";

// The declarations do not describe them (they are stripped as internal). The file itself loads nothing else of Pulumi's.
const { UnknownValueError: ErrorClass, unknownCheckingProxy } = proxy as unknown as {
  readonly UnknownValueError: new (sentinel: string, path: readonly string[]) => Error;
  readonly unknownCheckingProxy: <Props extends object>(props: Props) => Props;
};

/** Stands for a text that is not known before the update (@pulumi/policy, proxy). */
const UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Whether reading a property failed because its value is not known before the update. */
export function isUnknownValueError(error: unknown): error is Error {
  return error instanceof ErrorClass;
}

/** Properties as the SDK hands them to a policy: reading what is not known throws. */
export const refusingUnknowns = unknownCheckingProxy;

/** An error that makes a rule one that could not run, for a reason other than an unknown property. */
export function unknownBecause(message: string): Error {
  const error = new ErrorClass(UNKNOWN_TEXT, []);
  error.message = message;
  return error;
}
