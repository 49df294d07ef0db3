import * as proxy from "@pulumi/policy/proxy";

// The declarations do not describe them (they are stripped as internal). The file itself loads nothing else of Pulumi's.
const { UnknownValueError: ErrorClass, unknownCheckingProxy } = proxy as unknown as {
  readonly UnknownValueError: new (sentinel: string, path: readonly string[]) => Error;
  readonly unknownCheckingProxy: <Props extends object>(props: Props) => Props;
};

/** Whether reading a property failed because its value is not known before the update. */
export function isUnknownValueError(error: unknown): error is Error {
  return error instanceof ErrorClass;
}

/** Properties as the SDK hands them to a policy: reading what is not known throws. */
export const refusingUnknowns = unknownCheckingProxy;
