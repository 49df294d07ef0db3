import { type Fixture } from "./judged-stack";

const IMAGE = `registry.internal/dr@sha256:${"a".repeat(64)}`;
const ACCOUNT = "111122223333";

const job = (name: string, command: string[], schedule: string, container = "job"): Fixture => ({
  type: "kubernetes:batch/v1:CronJob",
  name,
  props: {
    metadata: { name, namespace: "recovery" },
    spec: {
      schedule,
      timeZone: "Etc/UTC",
      concurrencyPolicy: "Forbid",
      startingDeadlineSeconds: 600,
      suspend: false,
      jobTemplate: {
        spec: {
          activeDeadlineSeconds: 3600,
          backoffLimit: 1,
          ttlSecondsAfterFinished: 86400,
          template: {
            spec: {
              automountServiceAccountToken: false,
              hostNetwork: false,
              securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: "RuntimeDefault" } },
              volumes: [{ name: "scratch", emptyDir: {} }],
              containers: [
                {
                  name: container,
                  image: IMAGE,
                  command,
                  resources: { requests: { cpu: "1", memory: "1Gi" }, limits: { memory: "1Gi" } },
                  securityContext: {
                    allowPrivilegeEscalation: false,
                    privileged: false,
                    readOnlyRootFilesystem: true,
                    capabilities: { drop: ["ALL"] },
                  },
                },
              ],
            },
          },
        },
      },
    },
  },
});

/** The pod of a job, receiving the log of a server instead. What it receives it keeps, which protects nothing by itself. */
const logStream: Fixture = {
  type: "kubernetes:apps/v1:StatefulSet",
  name: "log",
  props: {
    metadata: { name: "log", namespace: "recovery" },
    spec: {
      replicas: 1,
      template: podOf(job("log", ["pg_receivewal", "--slot", "shop", "--directory", "/spool"], "0 0 * * *")),
      volumeClaimTemplates: [{ metadata: { name: "spool" }, spec: { accessModes: ["ReadWriteOnce"] } }],
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
    },
  },
};

function podOf({ props }: Fixture): object {
  return (props as { spec: { jobTemplate: { spec: { template: object } } } }).spec.jobTemplate.spec.template;
}

const bucketOf = (bucket: string) => ({ bucket: [bucket] });

function bucket(name: string): Fixture[] {
  const setting = (kind: string, suffix: string, props: Record<string, unknown>): Fixture => ({
    type: `aws:s3/${kind}:${kind[0]!.toUpperCase()}${kind.slice(1)}`,
    name: `${name}-${suffix}`,
    props: { bucket: `${name}-${ACCOUNT}`, ...props },
    dependsOn: bucketOf(name),
  });
  return [
    {
      type: "aws:s3/bucket:Bucket",
      name,
      props: {
        bucket: `${name}-${ACCOUNT}`,
        region: name === "backups" ? "eu-central-1" : "eu-west-1",
        objectLockEnabled: true,
        forceDestroy: false,
      },
    },
    setting("bucketVersioning", "versioning", { versioningConfiguration: { status: "Enabled" } }),
    setting("bucketServerSideEncryptionConfiguration", "encryption", {
      rules: [
        {
          bucketKeyEnabled: true,
          applyServerSideEncryptionByDefault: { sseAlgorithm: "aws:kms", kmsMasterKeyId: "key" },
        },
      ],
    }),
    setting("bucketPublicAccessBlock", "public-access", {
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    }),
    setting("bucketPolicy", "policy", {
      policy: {
        Statement: [
          {
            Effect: "Deny",
            Principal: "*",
            Action: "s3:*",
            Resource: [`arn:aws:s3:::${name}-${ACCOUNT}`, `arn:aws:s3:::${name}-${ACCOUNT}/*`],
            Condition: { Bool: { "aws:SecureTransport": "false" } },
          },
        ],
      },
    }),
    setting("bucketObjectLockConfiguration", "lock", {
      rule: { defaultRetention: { mode: "GOVERNANCE", days: 14 } },
    }),
    setting("bucketLifecycleConfiguration", "lifecycle", {
      transitionDefaultMinimumObjectSize: "varies_by_storage_class",
      rules: [
        {
          id: "backups",
          status: "Enabled",
          filter: { prefix: "" },
          transitions: [{ days: 30, storageClass: "GLACIER" }],
          expiration: { days: 120 },
          noncurrentVersionExpiration: { noncurrentDays: 30 },
          abortIncompleteMultipartUpload: { daysAfterInitiation: 7 },
        },
        { id: "markers", status: "Enabled", filter: { prefix: "" }, expiration: { expiredObjectDeleteMarker: true } },
      ],
    }),
  ];
}

const instance = (name: string, props: Record<string, unknown>): Fixture => ({
  type: "aws:rds/instance:Instance",
  name,
  props: {
    identifier: name,
    region: name === "replica" ? "eu-west-1" : "eu-central-1",
    allocatedStorage: 20,
    storageEncrypted: true,
    publiclyAccessible: false,
    multiAz: true,
    backupRetentionPeriod: 14,
    deletionProtection: true,
    skipFinalSnapshot: false,
    finalSnapshotIdentifier: `${name}-final`,
    parameterGroupName: `${name}-parameters`,
    ...props,
  },
  opts: { protect: true, ignoreChanges: ["replicateSourceDb"] },
  dependsOn: { parameterGroupName: [`${name}-parameters`], replicateSourceDb: name === "replica" ? ["database"] : [] },
});

const parameters = (name: string): Fixture => ({
  type: "aws:rds/parameterGroup:ParameterGroup",
  name,
  props: { name, family: "postgres16", parameters: [{ name: "rds.force_ssl", value: "1" }] },
});

const container = (image: string) => ({
  name: "app",
  image,
  readinessProbe: { periodSeconds: 5 },
  livenessProbe: { periodSeconds: 10 },
});

/** Everything that the pack judges, of raw resources alone, with nothing wrong in it. */
export function rawRecoveryStack(): Fixture[] {
  return [
    ...bucket("backups"),
    ...bucket("backups-copy"),
    {
      type: "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
      name: "replication",
      props: {
        bucket: `backups-${ACCOUNT}`,
        rules: [
          {
            status: "Enabled",
            deleteMarkerReplication: { status: "Disabled" },
            filter: { prefix: "" },
            sourceSelectionCriteria: { sseKmsEncryptedObjects: { status: "Enabled" } },
            destination: {
              account: "444455556666",
              encryptionConfiguration: { replicaKmsKeyId: "arn:aws:kms:eu-west-1:444455556666:key/copy" },
              bucket: `arn:aws:s3:::backups-copy-${ACCOUNT}`,
              replicationTime: { status: "Enabled", time: { minutes: 15 } },
            },
          },
        ],
      },
      dependsOn: { bucket: ["backups"], rules: ["backups-copy"] },
    },
    {
      type: "aws:kms/key:Key",
      name: "key",
      props: { enableKeyRotation: true, deletionWindowInDays: 30, isEnabled: true },
    },
    {
      type: "aws:iam/rolePolicy:RolePolicy",
      name: "writer",
      props: {
        policy: {
          Statement: [{ Effect: "Allow", Action: ["s3:PutObject"], Resource: `arn:aws:s3:::backups-${ACCOUNT}/*` }],
        },
      },
    },
    job("backup", ["pg_dump", "-Fd"], "7 */6 * * *"),
    job("restore-test", ["pg_restore"], "0 3 * * *"),
    job("point-in-time-test", ["dr", "restore-test", "--from-stream"], "0 5 * * 3", "point-in-time-test"),
    job("drill", ["dr", "drill"], "0 9 * * 5"),
    instance("database", { manageMasterUserPassword: false }),
    instance("replica", { replicateSourceDb: `arn:aws:rds:eu-central-1:${ACCOUNT}:db:database` }),
    parameters("database-parameters"),
    parameters("replica-parameters"),
    {
      type: "kubernetes:apps/v1:Deployment",
      name: "app",
      props: {
        metadata: { name: "app", namespace: "app" },
        spec: {
          replicas: 3,
          revisionHistoryLimit: 5,
          progressDeadlineSeconds: 120,
          template: { metadata: { labels: { app: "app" } }, spec: { containers: [container("app")] } },
        },
      },
    },
    {
      type: "kubernetes:policy/v1:PodDisruptionBudget",
      name: "budget",
      props: {
        metadata: { namespace: "app" },
        spec: { minAvailable: 2, selector: { matchLabels: { app: "app" } } },
      },
    },
    {
      type: "kubernetes:apps/v1:Deployment",
      name: "notes",
      props: {
        metadata: { name: "notes", namespace: "app" },
        spec: {
          replicas: 1,
          progressDeadlineSeconds: 120,
          strategy: { type: "Recreate" },
          template: { spec: { containers: [{ ...container("notes"), args: ["--sqlite", "/data/notes"] }] } },
        },
      },
    },
    {
      type: "kubernetes:apps/v1:StatefulSet",
      name: "ledger",
      props: {
        spec: {
          replicas: 1,
          template: { spec: { containers: [{ ...container("litestream/litestream") }] } },
          volumeClaimTemplates: [{ spec: { accessModes: ["ReadWriteOnce"] } }],
        },
      },
    },
    logStream,
    {
      type: "aws:kms/key:Key",
      name: "alarm-key",
      props: {
        enableKeyRotation: true,
        deletionWindowInDays: 30,
        policy: {
          Statement: [
            { Effect: "Allow", Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: "kms:*" },
            {
              Effect: "Allow",
              Principal: { Service: ["cloudwatch.amazonaws.com"] },
              Action: ["kms:Decrypt", "kms:GenerateDataKey*"],
            },
          ],
        },
      },
    },
    {
      type: "aws:sns/topic:Topic",
      name: "p2",
      props: { name: "p2", kmsMasterKeyId: "alarm-key" },
      dependsOn: { kmsMasterKeyId: ["alarm-key"] },
    },
    {
      type: "aws:sns/topicPolicy:TopicPolicy",
      name: "p2-policy",
      props: {
        arn: `arn:aws:sns:eu-central-1:${ACCOUNT}:p2`,
        policy: JSON.stringify({
          Statement: { Effect: "Allow", Principal: { Service: "cloudwatch.amazonaws.com" }, Action: "SNS:Publish" },
        }),
      },
      dependsOn: { arn: ["p2"] },
    },
    {
      type: "aws:sns/topicSubscription:TopicSubscription",
      name: "pager",
      props: {
        topic: `arn:aws:sns:eu-central-1:${ACCOUNT}:p2`,
        protocol: "https",
        endpoint: "https://pager.internal/p2",
      },
      dependsOn: { topic: ["p2"] },
    },
    {
      type: "aws:cloudwatch/metricAlarm:MetricAlarm",
      name: "backup-age",
      props: {
        metricName: "BackupAgeSeconds",
        comparisonOperator: "GreaterThanThreshold",
        threshold: 25_200,
        namespace: "Recovery",
        alarmDescription: "P2: the newest backup is too old. Read the logs of the backup job first.",
        treatMissingData: "breaching",
        actionsEnabled: true,
        alarmActions: [`arn:aws:sns:eu-central-1:${ACCOUNT}:p2`],
      },
      dependsOn: { alarmActions: ["p2"] },
    },
    {
      type: "aws:cloudwatch/metricAlarm:MetricAlarm",
      name: "log-age",
      props: {
        metricName: "LogAgeSeconds",
        namespace: "Recovery",
        alarmDescription: "P2: the stored log is too old. Read the logs of its receiver, and free its slot.",
        treatMissingData: "breaching",
        actionsEnabled: true,
        alarmActions: [`arn:aws:sns:eu-central-1:${ACCOUNT}:p2`],
      },
      dependsOn: { alarmActions: ["p2"] },
    },
    {
      type: "aws:cloudwatch/metricAlarm:MetricAlarm",
      name: "restore-test-failed",
      props: {
        metricName: "RestoreTestNotPassed",
        namespace: "Recovery",
        alarmDescription: "P2: the newest restore test failed or never ran. Read its log, then test an older backup.",
        treatMissingData: "breaching",
        actionsEnabled: true,
        alarmActions: [`arn:aws:sns:eu-central-1:${ACCOUNT}:p2`],
      },
      dependsOn: { alarmActions: ["p2"] },
    },
    {
      type: "aws:cloudwatch/metricAlarm:MetricAlarm",
      name: "point-in-time-test-failed",
      props: {
        metricName: "PointInTimeTestNotPassed",
        namespace: "Recovery",
        alarmDescription: "P2: the newest restore of the log failed or never ran. Read its log, and free its slot.",
        treatMissingData: "breaching",
        actionsEnabled: true,
        alarmActions: [`arn:aws:sns:eu-central-1:${ACCOUNT}:p2`],
      },
      dependsOn: { alarmActions: ["p2"] },
    },
    {
      type: "aws:cloudwatch/metricAlarm:MetricAlarm",
      name: "replica-lag",
      props: {
        metricName: "ReplicaLag",
        namespace: "AWS/RDS",
        dimensions: { DBInstanceIdentifier: "replica" },
        threshold: 900,
        alarmDescription: "P2: the replica is behind. A failover now would lose more than the RPO allows.",
        treatMissingData: "breaching",
        alarmActions: [`arn:aws:sns:eu-central-1:${ACCOUNT}:p2`],
      },
      dependsOn: { alarmActions: ["p2"], dimensions: ["replica"] },
    },
  ];
}
