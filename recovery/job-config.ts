import { z } from "zod";
import { parseDocument } from "./parse-document";
import { ProofLevel } from "./evidence";
import { SigningKeyKind } from "./identity";
import { Engine, longestChain } from "./manifest";
import { objectiveProblems, objectivesFrom, type ObjectivesOverrides, objectivesOverridesSchema } from "./objectives";
import { type OtherBackups, otherBackupsSchema } from "./other-backups";
import { parsePostgresUrl } from "./postgres-url";
import { type RdsSettings, rdsSettingsSchema } from "./rds-settings";
import { scheduleProblems } from "./schedule";
import { databaseNamePattern } from "./store-layout";
import { parseStoreUrl } from "./store-url";

/** How a dump is taken, so that the backup never becomes the outage. */
export interface BackupSettings {
  /** Cron schedule in force; written into every manifest. */
  readonly schedule?: string;
  /** IANA time zone of the schedule. @default "Etc/UTC" */
  readonly timeZone?: string;
  /** Longest wait for a table's lock before the dump gives up. @default 30 */
  readonly lockWaitSeconds?: number;
  /** Abort the dump once it has made another session (a migration) wait for this long. @default 20 */
  readonly maxBlockingSeconds?: number;
  /** Read no faster than this from the database, in bytes per second; absent: as fast as it comes. */
  readonly maxBytesPerSecond?: number;
  /**
   * Largest share of its rows or size that a database may have lost since its previous backup; beyond it the backup
   * ends inconclusive. @default 0.5
   */
  readonly maxShrinkShare?: number;
  /** zstd's level. @default 3 */
  readonly compressionLevel?: number;
  /**
   * How many incremental base backups may follow each full one. Only for engine `postgres`, 17 and newer with
   * `summarize_wal`; a restore then fetches the full one and each of them. @default 0: every base backup is a full one
   */
  readonly incrementalsPerFull?: number;
}

/** How deep a restored copy is compared. */
export interface ProofSettings {
  /** @default "auto": `content` up to `contentUpToBytes`, a sample by key hash above */
  readonly level?: "auto" | ProofLevel;
  /** @default 20 GiB */
  readonly contentUpToBytes?: number;
  /** About how many rows of each table the sample by key hash takes. @default 1000 */
  readonly sampleRows?: number;
}

/** One foreign-key-like rule that holds in the application but is not declared in the database. */
export interface OrphanRule {
  /** The table whose rows must have a parent, `schema.table` or `table`. */
  readonly table: string;
  readonly column: string;
  readonly references: string;
  /** @default "id" */
  readonly referencedColumn?: string;
  /** A row with no value in the column is a violation of its own. @default false */
  readonly nullable?: boolean;
}

/** Consistency checks run against every restored copy. */
export interface CheckSettings {
  /** Rules beside the foreign keys that the database declares, which are always checked. */
  readonly orphans?: readonly OrphanRule[];
}

/** The heartbeat that measures how much a restore would lose. */
export interface CanarySettings {
  /** How often a heartbeat is committed. @default 30 */
  readonly canarySeconds?: number;
}

/**
 * The write-ahead log of a self-managed PostgreSQL server, which `dr stream` brings into the store so that any moment can
 * be recovered (PostgreSQL documentation, "Continuous Archiving and Point-in-Time Recovery").
 */
export interface WalSettings {
  /** Absolute path of the folder for log that is not in the store yet; on a volume that outlives the pod. */
  readonly spool: string;
  /** The replication slot. @default `dr_` and the database's name, with underscores */
  readonly slot?: string;
  /** Longest time that a committed change stays out of the store. @default 60 */
  readonly flushSeconds?: number;
  /** With so much in the spool no more is received; the slot then keeps the log on the primary. @default 10 GiB */
  readonly maxSpoolBytes?: number;
  /** Cron schedule of the base backups that `dr stream` takes, in the backup's time zone. @default "0 1 * * *" */
  readonly baseBackupSchedule?: string;
}

/** One database to protect. */
export interface DatabaseConfig {
  /** Its name in the store, in evidence and in alarms: lower-case letters, digits and dashes. */
  readonly name: string;
  readonly engine: Engine;
  /** `postgresql://user@host:port/database`, without a password. For `postgres` and `rds`. */
  readonly url?: string;
  /** A standby of the same database to read dumps from, as a URL of the same form. */
  readonly standbyUrl?: string;
  /** Absolute path of the database file. For `sqlite`. */
  readonly path?: string;
  /** File that holds the password; its final line break is dropped. */
  readonly passwordFile?: string;
  /** Environment variable that holds the password. */
  readonly passwordEnv?: string;
  /** Role and password file that `dr prepare` connects with, when the backup role may not create things. */
  readonly adminUrl?: string;
  readonly adminPasswordFile?: string;
  readonly backup?: BackupSettings;
  readonly proof?: ProofSettings;
  readonly checks?: CheckSettings;
  readonly canary?: CanarySettings;
  /** Only for engine `postgres`: RDS keeps its own log. @default no log: what came after the last backup is lost */
  readonly wal?: WalSettings;
  /** Only for engine `rds`. @default only dumps: RDS's own backups are not looked at */
  readonly rds?: RdsSettings;
  /** Backups of it that other programs keep. @default none */
  readonly otherBackups?: readonly OtherBackups[];
}

/** The replication slot of a database's log. */
export function walSlotName(database: Pick<DatabaseConfig, "name" | "wal">): string {
  return database.wal?.slot ?? `dr_${database.name.replace(/-/g, "_")}`;
}

/**
 * The key that vouches for evidence. One that no backup writer can use: whoever steals the writer's identity could else
 * vouch for what it wrote itself. Exactly one of the two.
 */
export interface SignatureSettings {
  /** PEM file of an Ed25519 key: a private one signs and checks, a public one checks (`openssl genpkey -algorithm ed25519`). */
  readonly keyFile?: string;
  /** ARN of a KMS key. */
  readonly kmsKeyArn?: string;
  /** @default "asymmetric" */
  readonly kmsKeyKind?: SigningKeyKind;
}

/** How many days parts are kept, counted from their creation. */
export interface RetentionSettings {
  readonly hotDays: number;
  /** Days in the archive after those. @default 0 */
  readonly archiveDays?: number;
}

/** The one file that a job reads: what components write into the ConfigMap, and what `dr --config` takes. */
export interface JobConfig {
  /** `file:///directory` or `s3://bucket/prefix?...`. */
  readonly store: string;
  readonly databases: readonly DatabaseConfig[];
  /** The environment's name in evidence. @default "local" */
  readonly environment?: string;
  /** What has to be met; what is left out is the guide's. */
  readonly objectives?: ObjectivesOverrides;
  /**
   * How long the bucket's lifecycle keeps parts, so that an expired recovery point is told from a destroyed one. Jobs
   * delete nothing. @default parts are never expected to go
   */
  readonly retention?: RetentionSettings;
  /** @default evidence is not signed, and nobody vouches for any recovery point */
  readonly signature?: SignatureSettings;
}

/** The defaults of everything optional, in one place: the program, the docs and the schema all read them here. */
export const jobConfigDefaults = {
  environment: "local",
  timeZone: "Etc/UTC",
  lockWaitSeconds: 30,
  maxBlockingSeconds: 20,
  maxShrinkShare: 0.5,
  compressionLevel: 3,
  incrementalsPerFull: 0,
  proofLevel: "auto",
  contentUpToBytes: 20 * 1024 ** 3,
  sampleRows: 1000,
  canarySeconds: 30,
  walFlushSeconds: 60,
  maxSpoolBytes: 10 * 1024 ** 3,
  baseBackupSchedule: "0 1 * * *",
} as const;

const seconds = z.number().int().min(1);

const databaseSchema = z
  .strictObject({
    name: z
      .string()
      .regex(databaseNamePattern, "must be lower-case letters, digits and dashes, at most 40, as in `architect`"),
    engine: z.enum(Engine, `must be one of ${Object.values(Engine).join(", ")}`),
    url: z.string().optional(),
    standbyUrl: z.string().optional(),
    path: z.string().optional(),
    passwordFile: z.string().min(1).optional(),
    passwordEnv: z.string().min(1).optional(),
    adminUrl: z.string().optional(),
    adminPasswordFile: z.string().min(1).optional(),
    backup: z
      .strictObject({
        schedule: z.string().optional(),
        timeZone: z.string().optional(),
        lockWaitSeconds: seconds.optional(),
        maxBlockingSeconds: seconds.optional(),
        maxBytesPerSecond: z.number().int().min(1024).optional(),
        maxShrinkShare: z.number().min(0).max(1).optional(),
        compressionLevel: z.number().int().min(1).max(19).optional(),
        incrementalsPerFull: z.number().int().min(0).max(longestChain).optional(),
      })
      .optional(),
    proof: z
      .strictObject({
        level: z.enum({ auto: "auto", ...ProofLevel }).optional(),
        contentUpToBytes: z.number().int().min(0).optional(),
        sampleRows: z.number().int().min(1).optional(),
      })
      .optional(),
    checks: z
      .strictObject({
        orphans: z
          .array(
            z.strictObject({
              table: z.string().min(1),
              column: z.string().min(1),
              references: z.string().min(1),
              referencedColumn: z.string().min(1).optional(),
              nullable: z.boolean().optional(),
            }),
          )
          .optional(),
      })
      .optional(),
    canary: z.strictObject({ canarySeconds: seconds.optional() }).optional(),
    wal: z
      .strictObject({
        spool: z.string().startsWith("/", "must be an absolute path"),
        slot: z
          .string()
          .regex(/^[a-z0-9_]{1,63}$/, "must be lower-case letters, digits and underscores, at most 63")
          .optional(),
        flushSeconds: seconds.optional(),
        maxSpoolBytes: z
          .number()
          .int()
          .min(64 * 1024 ** 2)
          .optional(),
        baseBackupSchedule: z.string().optional(),
      })
      .optional(),
    rds: rdsSettingsSchema.optional(),
    otherBackups: z.array(otherBackupsSchema).optional(),
  })
  .check((context) => {
    const database = context.value;
    const refuse = (path: PropertyKey[], message: string): void => {
      context.issues.push({ code: "custom", input: database, path, message });
    };
    if (database.engine === Engine.Sqlite) {
      if (database.path === undefined)
        refuse(["path"], "is missing: engine sqlite needs the path of the database file");
      else if (!database.path.startsWith("/"))
        refuse(["path"], `must be absolute, got ${JSON.stringify(database.path)}`);
      if (database.url !== undefined) refuse(["url"], "does not belong to engine sqlite: use path");
    } else {
      if (database.url === undefined)
        refuse(["url"], `is missing: engine ${database.engine} needs postgresql://user@host/database`);
      if (database.path !== undefined) refuse(["path"], `does not belong to engine ${database.engine}: use url`);
    }
    for (const field of ["url", "standbyUrl", "adminUrl"] as const) {
      const url = database[field];
      if (url === undefined || (field === "url" && database.engine === Engine.Sqlite)) continue;
      for (const problem of parsePostgresUrl(url).problems) refuse([field], problem);
    }
    const { schedule, timeZone } = database.backup ?? {};
    if (schedule !== undefined) {
      for (const problem of scheduleProblems(schedule, timeZone)) refuse(["backup", "schedule"], problem);
    }
    const { wal } = database;
    if (database.backup?.incrementalsPerFull !== undefined && database.engine !== Engine.Postgres) {
      refuse(
        ["backup", "incrementalsPerFull"],
        `does not belong to engine ${database.engine}: only a self-managed PostgreSQL server has base backups`,
      );
    }
    if (wal !== undefined && database.engine !== Engine.Postgres) {
      refuse(
        ["wal"],
        `does not belong to engine ${database.engine}: only a self-managed PostgreSQL server has a log to stream`,
      );
    }
    if (database.rds !== undefined && database.engine !== Engine.Rds) {
      refuse(["rds"], `does not belong to engine ${database.engine}: only engine rds has an instance or cluster`);
    }
    if (wal?.baseBackupSchedule !== undefined) {
      for (const problem of scheduleProblems(wal.baseBackupSchedule, timeZone)) {
        refuse(["wal", "baseBackupSchedule"], problem);
      }
    }
    if (database.passwordFile !== undefined && database.passwordEnv !== undefined) {
      refuse(["passwordFile"], "and passwordEnv are both given: name one of them");
    }
  });

const configSchema = z.strictObject({
  store: z.string().check((context) => {
    for (const problem of parseStoreUrl(context.value).problems) {
      context.issues.push({ code: "custom", input: context.value, message: problem });
    }
  }),
  databases: z
    .array(databaseSchema)
    .min(1, "must name at least one database")
    .check((context) => {
      const seen = new Set<string>();
      context.value.forEach((database, index) => {
        if (seen.has(database.name)) {
          context.issues.push({
            code: "custom",
            input: context.value,
            path: [index, "name"],
            message: `${database.name} is used twice: recovery points of two databases would mix`,
          });
        }
        seen.add(database.name);
      });
    }),
  environment: z.string().min(1).optional(),
  retention: z
    .strictObject({ hotDays: z.number().int().min(1), archiveDays: z.number().int().min(0).optional() })
    .optional(),
  signature: z
    .strictObject({
      keyFile: z.string().min(1).optional(),
      kmsKeyArn: z
        .string()
        .regex(/^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:(key|alias)\/.+$/, "must be the ARN of a KMS key")
        .optional(),
      kmsKeyKind: z.enum(SigningKeyKind).optional(),
    })
    .check((context) => {
      const { keyFile, kmsKeyArn, kmsKeyKind } = context.value;
      const refuse = (message: string): void =>
        void context.issues.push({ code: "custom", input: context.value, message });
      if ((keyFile === undefined) === (kmsKeyArn === undefined)) refuse("must name either keyFile or kmsKeyArn");
      if (kmsKeyKind !== undefined && kmsKeyArn === undefined) refuse("kmsKeyKind is of no use without kmsKeyArn");
    })
    .optional(),
  objectives: objectivesOverridesSchema
    .check((context) => {
      for (const message of objectiveProblems(objectivesFrom(context.value))) {
        context.issues.push({ code: "custom", input: context.value, message });
      }
    })
    .optional(),
});

const typedSchema: z.ZodType<JobConfig> = configSchema;

/** A job configuration, or every problem with it. */
export type ParsedJobConfig =
  | { readonly config: JobConfig; readonly problems?: undefined }
  | { readonly config?: undefined; readonly problems: readonly string[] };

/** Reads a job configuration. All problems are named at once, each with the path of the field it is about. */
export function parseJobConfig(text: string): ParsedJobConfig {
  const { value: config, problems } = parseDocument(text, typedSchema, "the file");
  return config ? { config } : { problems };
}

/** JSON Schema (draft 2020-12) of the job configuration, for editors and CI. */
export function jobConfigJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, { io: "input" });
}
