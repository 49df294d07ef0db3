import { z } from "zod";
import { rdsIdentifierPattern } from "./rds-description";

/** Where restore tests make their throw-away copies. */
export interface RdsTestSettings {
  /** @default the source's; one without a way to the application is better */
  readonly subnetGroup?: string;
  /** The runner must reach the copy through them. @default the source's */
  readonly securityGroupIds?: readonly string[];
  /** When a copy that nobody deleted is forgotten and `dr reap` deletes it, in minutes. @default 360 */
  readonly ttlMinutes?: number;
}

/** The RDS instance or Aurora cluster behind a database: with it, RDS's own backups are sources of a recovery. */
export interface RdsSettings {
  /** Exactly one of the two. */
  readonly instanceIdentifier?: string;
  readonly clusterIdentifier?: string;
  readonly region: string;
  /** URL of the API. @default AWS's own; a test server otherwise */
  readonly endpoint?: string;
  /** The secret that tells clients where the database is. @default none: whoever recovers points them to the copy */
  readonly secretArn?: string;
  /** Longest wait for a restored copy to be available, in minutes. @default 180 */
  readonly restoreMinutes?: number;
  /** What the names of recovered copies may begin with, as the policy of whoever restores says. @default the source's and a dash */
  readonly copyPrefixes?: readonly string[];
  readonly test?: RdsTestSettings;
}

export const rdsSettingsDefaults = { restoreMinutes: 180, ttlMinutes: 360 } as const;

const identifier = z
  .string()
  .regex(rdsIdentifierPattern, "must be an RDS identifier: lower-case letters, digits and single dashes, at most 63");
const minutes = z.number().int().min(1);

/** Checks `rds` of a database. */
export const rdsSettingsSchema: z.ZodType<RdsSettings> = z
  .strictObject({
    instanceIdentifier: identifier.optional(),
    clusterIdentifier: identifier.optional(),
    region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "must be a region, as in eu-central-1"),
    endpoint: z.url({ protocol: /^https?$/, error: "must be a URL, as in http://127.0.0.1:5000" }).optional(),
    secretArn: z
      .string()
      .regex(/^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+$/, "must be the ARN of a secret")
      .optional(),
    restoreMinutes: minutes.optional(),
    copyPrefixes: z
      .array(z.string().regex(/^[a-z][a-z0-9-]*$/, "must be the beginning of an RDS identifier, as in architect-"))
      .min(1)
      .optional(),
    test: z
      .strictObject({
        subnetGroup: z.string().min(1).optional(),
        securityGroupIds: z
          .array(z.string().regex(/^sg-[0-9a-z-]+$/, "must be a security group's id"))
          .min(1)
          .optional(),
        ttlMinutes: minutes.optional(),
      })
      .optional(),
  })
  .check((context) => {
    const { instanceIdentifier, clusterIdentifier, restoreMinutes, test } = context.value;
    const refuse = (path: PropertyKey[], message: string): void =>
      void context.issues.push({ code: "custom", input: context.value, path, message });
    if ((instanceIdentifier === undefined) === (clusterIdentifier === undefined)) {
      refuse([], "must name either instanceIdentifier or clusterIdentifier");
    }
    const [wait, life] = [
      restoreMinutes ?? rdsSettingsDefaults.restoreMinutes,
      test?.ttlMinutes ?? rdsSettingsDefaults.ttlMinutes,
    ];
    if (life <= wait) {
      refuse(
        ["test", "ttlMinutes"],
        `must be more than restoreMinutes: a copy that lives ${life} minutes could be deleted while its restore of up to ${wait} is under way`,
      );
    }
  });
