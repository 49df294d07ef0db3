import { z } from "zod";
import { parseStoreUrl } from "./store-url";

/** Backups that somebody else's program keeps of a database: counted by `dr plan` and `dr list`, carried out by a person. */
export type OtherBackups =
  | {
      readonly kind: typeof OtherBackupsKind.CloudNativePg;
      /** Where Barman's cloud tools store: what CloudNativePG calls `destinationPath`, as a store URL. */
      readonly store: string;
      /** Their folder in it, which CloudNativePG calls `serverName`. */
      readonly server: string;
    }
  | {
      readonly kind: typeof OtherBackupsKind.AwsBackup;
      /** What AWS Backup backs up. */
      readonly resourceArn: string;
      /** URL of the API. @default AWS's own */
      readonly endpoint?: string;
    };

/** Whose backups are recognised. */
export const OtherBackupsKind = { CloudNativePg: "cloudnative-pg", AwsBackup: "aws-backup" } as const;
export type OtherBackupsKind = (typeof OtherBackupsKind)[keyof typeof OtherBackupsKind];

/** Checks one entry of `otherBackups`. */
export const otherBackupsSchema: z.ZodType<OtherBackups> = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal(OtherBackupsKind.CloudNativePg),
    store: z.string().check((context) => {
      for (const message of parseStoreUrl(context.value).problems) {
        context.issues.push({ code: "custom", input: context.value, message });
      }
    }),
    server: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must be a plain folder name"),
  }),
  z.strictObject({
    kind: z.literal(OtherBackupsKind.AwsBackup),
    resourceArn: z
      .string()
      .regex(/^arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]+:\d{12}:.+$/, "must be the ARN of a resource in a region"),
    endpoint: z.url({ protocol: /^https?$/, error: "must be a URL" }).optional(),
  }),
]);
