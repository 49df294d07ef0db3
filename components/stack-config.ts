import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import {
  Engine,
  objectiveProblems,
  objectivesFrom,
  type ObjectivesOverrides,
  objectivesOverridesSchema,
  type OrphanRule,
  ProofLevel,
  Severity,
  StorageClass,
} from "../recovery";
import { type AlertingArgs, type CopiesArgs, type ExistingStoreArgs } from "./disaster-recovery";
import { Encryption, ObjectLockMode } from "./hardened-bucket";
import { type BackupRetentionArgs, type ObjectLockArgs } from "./backup-bucket";
import { type ProtectedDatabaseArgs } from "./job-arguments";
import { IdentityProvider, NetworkPolicyKind } from "./job-network";
import { type ProtectedManagedDatabaseArgs } from "./managed-database";
import { SubscriptionProtocol } from "./recovery-alerts";
import { type ClusterArgs, type JobScheduleArgs } from "./recovery-jobs";
import { type StandbyDatabaseArgs } from "./recovery-site";

/** Which half of the recovery a stack is. */
export const Site = { Primary: "primary", Recovery: "recovery" } as const;
export type Site = (typeof Site)[keyof typeof Site];

/** How the application itself is deployed, which the assessment has to know and this project does not manage. */
export interface WorkloadConfig {
  /** Pods that serve at the same time. */
  readonly replicas: number;
  /** A failed rollout is undone without a person. @default false */
  readonly automaticRollback?: boolean;
  /** Kubernetes calls a rollout failed after this time. @default 600, Kubernetes' own */
  readonly progressDeadlineSeconds?: number;
  /** Connections go through a pooler. @default false */
  readonly pooler?: boolean;
}

/** How a stack keeps its backups. */
export interface StoreConfig {
  readonly encryption?: Encryption;
  readonly retention?: BackupRetentionArgs;
  readonly objectLock?: ObjectLockArgs;
  readonly existing?: ExistingStoreArgs;
}

/** A database as a stack's configuration has it: on a recovery site with the database that it follows. */
export type ManagedDatabaseConfig = ProtectedManagedDatabaseArgs & Partial<Pick<StandbyDatabaseArgs, "source">>;

/** A stack's configuration, as `Pulumi.yaml` declares it. */
export interface StackConfig {
  readonly application: string;
  readonly environment: string;
  readonly site: Site;
  readonly region: string;
  /** Undefined: there is none. */
  readonly recoveryRegion?: string;
  /** Where the application runs now. It records what happened; nothing is promoted or demoted by it. */
  readonly activeRegion: string;
  readonly accountId: string;
  readonly image: string;
  readonly objectives: ObjectivesOverrides;
  /** @default nothing is known of it, and the assessment says so */
  readonly workload?: WorkloadConfig;
  readonly cluster: ClusterArgs & { readonly kubeContext?: string };
  readonly managedDatabase?: ManagedDatabaseConfig;
  readonly databases: ProtectedDatabaseArgs[];
  readonly store: StoreConfig;
  readonly backup: JobScheduleArgs;
  readonly restoreTest: JobScheduleArgs;
  readonly proof: JobScheduleArgs;
  /** @default weekly, on Wednesday at five, where RDS restores a database */
  readonly pointInTimeTest?: JobScheduleArgs;
  readonly alerts: AlertingArgs;
  /** @default nothing besides the store is copied to the recovery region */
  readonly copies?: CopiesArgs;
  /** Files of runbooks to keep in the store, relative to the program. @default none */
  readonly runbooks: readonly string[];
}

const text = z.string().min(1);
const texts = z.array(text);
const number = z.number();
const keyReference = z.strictObject({ name: text, key: text });
const orphanRule: z.ZodType<OrphanRule> = z.strictObject({
  table: text,
  column: text,
  references: text,
  referencedColumn: text.optional(),
  nullable: z.boolean().optional(),
});
const rdsRestore = {
  restoreMinutes: number.optional(),
  test: z
    .strictObject({
      subnetGroup: text.optional(),
      securityGroupIds: texts.optional(),
      cidrs: texts.optional(),
      ttlMinutes: number.optional(),
    })
    .optional(),
};
const protectedFields = {
  name: text,
  cidrs: texts,
  passwordSecret: keyReference.optional(),
  certificateAuthority: keyReference.optional(),
  proofLevel: z.enum(ProofLevel).optional(),
  orphanRules: z.array(orphanRule).optional(),
};
const retention = z.strictObject({
  hotDays: number.optional(),
  archiveDays: number.optional(),
  archiveClass: z.enum(StorageClass).optional(),
  noncurrentDays: number.optional(),
  logDays: number.optional(),
  evidenceDays: number.optional(),
});
const existingStore = z.strictObject({
  bucketName: text,
  dataKeyArn: text.optional(),
  retention: retention.optional(),
});
const job = z.strictObject({
  schedule: text.optional(),
  timeZone: text.optional(),
  activeDeadlineSeconds: number.optional(),
  resources: z.strictObject({ cpu: text.optional(), cpuLimit: text.optional(), memory: text.optional() }).optional(),
});

// The names and shapes; what the values must satisfy, the components check, in one place for every user of theirs.
const objectSchemas = {
  objectives: objectivesOverridesSchema,
  workload: z
    .strictObject({
      replicas: z.number().int().min(1),
      automaticRollback: z.boolean().optional(),
      progressDeadlineSeconds: number.optional(),
      pooler: z.boolean().optional(),
    })
    .optional(),
  cluster: z.strictObject({
    namespace: text,
    createNamespace: z.boolean().optional(),
    clusterName: text.optional(),
    kubeContext: text.optional(),
    identityProvider: z.enum(IdentityProvider).optional(),
    oidcProvider: z.strictObject({ arn: text, issuerUrl: text }).optional(),
    network: z.strictObject({ kind: z.enum(NetworkPolicyKind).optional(), awsCidrs: texts.optional() }).optional(),
    storageClassName: text.optional(),
    priorityClassName: text.optional(),
  }),
  managedDatabase: z
    .strictObject({
      ...protectedFields,
      identifier: text.optional(),
      instanceClass: text,
      engineVersion: text,
      network: z.strictObject({ subnetIds: texts, securityGroupIds: texts }),
      allocatedStorageGib: number.optional(),
      maxAllocatedStorageGib: number.optional(),
      databaseName: text.optional(),
      username: text.optional(),
      passwordVersion: number.optional(),
      multiAz: z.boolean().optional(),
      backupRetentionDays: number.optional(),
      parameters: z.record(z.string(), z.string()).optional(),
      kmsKeyArn: text.optional(),
      deletionProtection: z.boolean().optional(),
      sizeGib: number.optional(),
      backupUser: text.optional(),
      rds: z.strictObject(rdsRestore).optional(),
      source: z.strictObject({ identifier: text, arn: text, region: text }).optional(),
    })
    .optional(),
  databases: z
    .array(
      z.strictObject({
        ...protectedFields,
        cidrs: texts.optional(),
        engine: z.enum(Engine),
        url: text.optional(),
        standbyUrl: text.optional(),
        sizeGib: number,
        port: number.optional(),
        wal: z
          .strictObject({
            spoolGib: number.optional(),
            flushSeconds: number.optional(),
            baseBackupSchedule: text.optional(),
            incrementalsPerFull: number.optional(),
            slot: text.optional(),
          })
          .optional(),
        rds: z
          .strictObject({
            ...rdsRestore,
            instanceIdentifier: text.optional(),
            clusterIdentifier: text.optional(),
            secretArn: text.optional(),
            secretKeyArn: text.optional(),
            dataKeyArn: text.optional(),
            monitoringRoleArn: text.optional(),
          })
          .optional(),
        file: z
          .strictObject({
            claimName: text,
            pathOnVolume: text,
            mountPath: text.optional(),
            volumeName: text.optional(),
            userId: number,
            groupId: number.optional(),
            namespace: text.optional(),
          })
          .optional(),
        stream: z
          .strictObject({
            flushSeconds: number.optional(),
            serviceAccountName: text.optional(),
            roleName: text.optional(),
            firstDeployment: z.boolean().optional(),
            heartbeat: z.boolean().optional(),
          })
          .optional(),
      }),
    )
    .default([]),
  store: z.strictObject({
    encryption: z.enum(Encryption).optional(),
    retention: retention.optional(),
    objectLock: z
      .strictObject({
        mode: z.enum(ObjectLockMode).optional(),
        days: number.optional(),
        detectCorruptionDays: number.optional(),
      })
      .optional(),
    existing: existingStore.optional(),
  }),
  backup: job,
  restoreTest: job,
  proof: job,
  pointInTimeTest: job.optional(),
  copies: z
    .strictObject({
      images: z.strictObject({ repositoryPrefix: text }).optional(),
      stateBucket: z.strictObject({ bucketName: text, keyArn: text.optional() }).optional(),
    })
    .optional(),
  runbooks: texts.default([]),
  alerts: z.strictObject({
    subscriptions: z
      .array(z.strictObject({ severity: z.enum(Severity), protocol: z.enum(SubscriptionProtocol), endpoint: text }))
      .optional(),
    topics: z.strictObject({ p1: text, p2: text, p3: text, p4: text }).optional(),
    firstDeployment: z.boolean().optional(),
  }),
};
const defaults = { objectives: {}, store: {}, backup: {}, restoreTest: {}, proof: {}, alerts: {} };

const schema: z.ZodType<StackConfig> = z
  .object({
    application: text,
    environment: text,
    site: z.enum(Site).default(Site.Primary),
    region: text,
    recoveryRegion: text.optional(),
    activeRegion: text,
    accountId: text,
    image: text,
    ...objectSchemas,
  })
  .check(({ value, issues }) => {
    const refuse = (path: string[], message: string) => issues.push({ code: "custom", input: value, path, message });
    for (const problem of objectiveProblems(objectivesFrom(value.objectives))) refuse(["objectives"], problem);
    if (value.activeRegion !== value.region && value.activeRegion !== value.recoveryRegion) {
      refuse(["activeRegion"], `expected region or recoveryRegion, got ${value.activeRegion}`);
    }
    if (value.site === Site.Primary) {
      if (value.copies && !value.recoveryRegion) refuse(["copies"], "has nowhere to go: name the recoveryRegion");
      if (value.managedDatabase?.source) refuse(["managedDatabase", "source"], "belongs to a recovery site alone");
      return;
    }
    if (value.copies) refuse(["copies"], "belongs to the stack of the region that serves");
    if (!value.store.existing) refuse(["store", "existing"], "is missing: name the store's copy in this region");
    if (value.managedDatabase && !value.managedDatabase.source) {
      refuse(["managedDatabase", "source"], "is missing: name the database that this one follows");
    }
  });

const scalarKeys = [
  "application",
  "environment",
  "site",
  "region",
  "recoveryRegion",
  "activeRegion",
  "accountId",
  "image",
] as const;

/**
 * Reads a stack's configuration. The engine has filled in the defaults of `Pulumi.yaml` by then; where no engine runs,
 * the same defaults hold here.
 *
 * @throws RunError naming every problem, which the CLI prints without a stack trace
 */
export function readStackConfig(config: pulumi.Config, stack: string): StackConfig {
  const problems: string[] = [];
  const objectOf = (key: string): unknown => {
    try {
      return config.getObject(key);
    } catch {
      problems.push(`${key}: expected a map or a list, got text that is not JSON`);
      return undefined;
    }
  };
  const scalars: { readonly [key in (typeof scalarKeys)[number]]?: string } = Object.fromEntries(
    scalarKeys.map((key) => [key, config.get(key) || undefined]),
  );
  const objects = Object.fromEntries(Object.keys(objectSchemas).map((key) => [key, objectOf(key)]));
  const given = {
    ...scalars,
    application: scalars.application ?? "architect-go",
    environment: scalars.environment ?? stack,
    activeRegion: scalars.activeRegion ?? scalars.region,
    ...defaults,
    ...Object.fromEntries(Object.entries(objects).filter(([, value]) => value !== undefined)),
  };
  const parsed = schema.safeParse(given);
  if (parsed.success && problems.length === 0) return parsed.data;
  for (const { path, message } of parsed.error?.issues ?? []) problems.push(`${path.join(".")}: ${message}`);
  const list = problems.map((problem) => `  - ${problem}`).join("\n");
  throw new pulumi.RunError(`The configuration of stack ${stack} is not valid:\n${list}`);
}
