import {
  type $Command,
  S3Client,
  type S3ClientConfig,
  type S3ClientResolvedConfig,
  type ServiceInputTypes,
  type ServiceOutputTypes,
} from "@aws-sdk/client-s3";
import "../aws-sdk-notice";
import { isExpiredCredentials, type S3Location } from "./s3-errors";

/** What a store over S3 can be told beside its URL. */
export interface S3Options {
  /** @default the SDK's default chain */
  readonly credentials?: S3ClientConfig["credentials"];
  /** A profile of the shared AWS configuration, for whoever works with two identities. */
  readonly profile?: string;
  /** A request that moves no byte for this long is broken off and tried again. @default 60 */
  readonly idleTimeoutSeconds?: number;
  /** How often a request is sent before it counts as failed. @default 8, which is about a minute */
  readonly maxAttempts?: number;
  /** Objects above this size are sent in parts; AWS takes no less than 5 MiB. @default 8 MiB */
  readonly smallestPartBytes?: number;
  /** Says what went wrong beside the work itself. @default process.emitWarning */
  readonly warn?: (message: string) => void;
}

/** A command of the S3 client. */
type Command<Input extends ServiceInputTypes, Output extends ServiceOutputTypes> = $Command<
  Input,
  Output,
  S3ClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes
>;

/**
 * Sends commands to S3: with retries and exponential backoff by the SDK, and with fresh credentials when the ones in use
 * expire in the middle of an upload (by itself the SDK looks for new ones only at the time that the old ones told).
 */
export class S3Sender {
  private clients: S3Client[];

  constructor(
    private readonly location: S3Location,
    private readonly options: S3Options = {},
  ) {
    this.clients = [this.connect()];
  }

  private connect(): S3Client {
    const { endpoint, region, pathStyle } = this.location;
    const { credentials, profile, idleTimeoutSeconds = 60, maxAttempts = 8 } = this.options;
    return new S3Client({
      // Servers other than AWS seldom care, and the SDK insists on one.
      region: region ?? (endpoint === undefined ? undefined : (process.env.AWS_REGION ?? "us-east-1")),
      endpoint,
      forcePathStyle: pathStyle,
      followRegionRedirects: endpoint === undefined,
      credentials,
      profile,
      maxAttempts,
      // We compute the checksums, in native code and of the kind that the server knows. The SDK's own trailers make
      // some S3-compatible servers refuse the request and others store them as a part of the object.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      requestHandler: { connectionTimeout: 10_000, socketTimeout: idleTimeoutSeconds * 1000 },
    });
  }

  async send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    command: Command<Input, Output>,
    abortSignal?: AbortSignal,
  ): Promise<Output> {
    const client = this.clients[0]!;
    try {
      return await client.send(command, { abortSignal });
    } catch (error) {
      // The SDK corrects its clock by what the server says, and tries again only the request by which it found out.
      const isSkewed = (error as Error).name === "RequestTimeTooSkewed";
      if (!isExpiredCredentials(error) && !isSkewed) throw error;
      // Several parts may find out at once; the first one connects for all. The old client may still be at work.
      if (!isSkewed && client === this.clients[0]) this.clients.unshift(this.connect());
      return this.clients[0]!.send(command, { abortSignal });
    }
  }

  /** Says what went wrong beside the work itself. */
  warn(message: string): void {
    (this.options.warn ?? process.emitWarning)(message);
  }

  close(): void {
    for (const client of this.clients) client.destroy();
  }
}
