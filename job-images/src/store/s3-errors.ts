import { type StoreLocation } from "../../../recovery";
import { StoreError } from "./object-store";

/** Where an S3 store is. */
export type S3Location = Extract<StoreLocation, { kind: "s3" }>;

/** What the SDK puts on its errors. */
interface SdkError extends Error {
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number };
}

/** The HTTP status of an answer that was an error. */
export function statusOf(error: unknown): number | undefined {
  return (error as SdkError | undefined)?.$metadata?.httpStatusCode;
}

/** How often a request was sent before it ended in this error. */
export function attemptsOf(error: unknown): number {
  return (error as SdkError | undefined)?.$metadata?.attempts ?? 1;
}

/** The credentials ran out while they were in use: newer ones may be there by now. */
export function isExpiredCredentials(error: unknown): boolean {
  return ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"].includes((error as Error).name);
}

const isAbort = (error: unknown): boolean => (error as Error).name === "AbortError";

/** Tells what an S3 call ran into: which call, on what, why, and what to do. Aborts and our own errors stay themselves. */
export function explainS3Error(error: unknown, doing: string, location: S3Location): unknown {
  if (!(error instanceof Error) || isAbort(error) || error instanceof StoreError) return error;
  const { code, $metadata } = error as SdkError;
  if ($metadata === undefined && code === undefined && error.name !== "CredentialsProviderError") return error;
  const advice = adviceFor(error, location);
  const attempts = $metadata?.attempts ?? 1;
  const times = attempts > 1 ? ` after ${attempts} attempts` : "";
  const status = $metadata?.httpStatusCode === undefined ? "" : `, HTTP ${$metadata.httpStatusCode}`;
  const answer = `${error.name}${status}: ${error.message}`;
  return new StoreError(`Cannot ${doing} in s3://${location.bucket}${times}: ${advice} (${answer})`, { cause: error });
}

function adviceFor(error: SdkError, { bucket, endpoint, region, expectedBucketOwner }: S3Location): string {
  const host = endpoint ?? "AWS S3";
  if (["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"].includes(error.code ?? "")) {
    return `${host} cannot be reached; check the endpoint, DNS and the network policy.`;
  }
  switch (error.name) {
    case "NoSuchBucket":
      return `there is no bucket ${bucket}; check its name and region${region ? ` (${region} is asked)` : ""}.`;
    case "CredentialsProviderError":
      return "no AWS credentials were found; give the pod its identity, or set a profile or AWS_ACCESS_KEY_ID.";
    case "ExpiredToken":
    case "ExpiredTokenException":
    case "TokenRefreshRequired":
      return "the credentials have expired, and no newer ones were found; renew them.";
    case "InvalidAccessKeyId":
    case "SignatureDoesNotMatch":
      return "the credentials are wrong; check the access key and its secret.";
    case "RequestTimeTooSkewed":
      return "this machine's clock is wrong; set it (S3 allows 15 minutes).";
    case "PermanentRedirect":
    case "AuthorizationHeaderMalformed":
    case "IllegalLocationConstraintException":
      return `the bucket is in another region${region ? ` than ${region}` : ""}; put ?region=... into the store's URL.`;
    case "InvalidObjectState":
      return "it lies in an archive and must be retrieved first (aws s3api restore-object).";
    case "SlowDown":
    case "ServiceUnavailable":
      return "the server asks to slow down; try again later.";
  }
  if (error.$metadata?.httpStatusCode === 403) {
    const owner = expectedBucketOwner ? `, or the bucket is not owned by ${expectedBucketOwner}` : "";
    return `this identity may not${owner}; compare its IAM policy and the bucket policy with what the identity needs.`;
  }
  return `${host} refused or broke off.`;
}
