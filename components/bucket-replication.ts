import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { partitionOf } from "./aws-names";
import { replicaKeyActions, throughS3 } from "./replication-key-use";

/** Where a bucket's objects are copied to, and from where. */
export interface ReplicationSettings {
  readonly source: {
    /** @default an existing bucket of that name */
    bucket?: aws.s3.Bucket;
    bucketName: string;
    bucketArn: string;
    region: string;
    keyArn?: pulumi.Input<string>;
  };
  readonly destination: {
    bucketName: string;
    bucketArn: string;
    region: string;
    keyArn?: pulumi.Input<string>;
    /** The account that owns the destination, where it is another one. */
    otherAccountId?: string;
  };
  readonly accountId: string;
  readonly alarmTopicArns: pulumi.Input<string>[];
  readonly tags: Record<string, string>;
}

/** S3 promises 99.9 % of objects within 15 minutes, and accepts no other number (replication time control). */
const replicationMinutes = 15;
const ruleId = "recovery-region";

/**
 * Copies every new object to a bucket in another region within 15 minutes, with alarms for what failed and what is late.
 * Delete markers are not copied: a deletion here must not hide the copy there.
 */
export function replicateBucket(
  name: string,
  settings: ReplicationSettings,
  opts: pulumi.CustomResourceOptions,
  dependsOn: pulumi.Resource[],
): void {
  const { source, destination, accountId, tags } = settings;
  const role = new aws.iam.Role(
    `${name}-replication`,
    {
      description: `S3 copies ${source.bucketName} to ${destination.bucketName}.`,
      assumeRolePolicy: JSON.stringify(replicationTrust(source.bucketArn, accountId)),
      tags,
    },
    opts,
  );
  const rights = new aws.iam.RolePolicy(
    `${name}-replication`,
    {
      role: role.name,
      policy: pulumi
        .all([source.keyArn, destination.keyArn])
        .apply(([sourceKeyArn, destinationKeyArn]) =>
          JSON.stringify(replicationPolicy(settings, sourceKeyArn, destinationKeyArn)),
        ),
    },
    opts,
  );
  const { otherAccountId } = destination;
  new aws.s3.BucketReplicationConfig(
    `${name}-replication`,
    {
      bucket: source.bucket?.bucket ?? source.bucketName,
      region: source.region,
      role: role.arn,
      rules: [
        {
          id: ruleId,
          status: "Enabled",
          priority: 1,
          filter: { prefix: "" },
          deleteMarkerReplication: { status: "Disabled" },
          ...(source.keyArn === undefined
            ? {}
            : { sourceSelectionCriteria: { sseKmsEncryptedObjects: { status: "Enabled" } } }),
          destination: {
            bucket: destination.bucketArn,
            replicationTime: { status: "Enabled", time: { minutes: replicationMinutes } },
            metrics: { status: "Enabled", eventThreshold: { minutes: replicationMinutes } },
            ...(destination.keyArn === undefined
              ? {}
              : { encryptionConfiguration: { replicaKmsKeyId: destination.keyArn } }),
            ...(otherAccountId === undefined
              ? {}
              : { account: otherAccountId, accessControlTranslation: { owner: "Destination" } }),
          },
        },
      ],
    },
    { ...opts, dependsOn: [...dependsOn, rights] },
  );
  replicationAlarms(name, settings, opts);
}

function replicationAlarms(name: string, settings: ReplicationSettings, opts: pulumi.CustomResourceOptions): void {
  const { source, destination, alarmTopicArns, tags } = settings;
  const common = {
    region: source.region,
    namespace: "AWS/S3",
    dimensions: { SourceBucket: source.bucketName, DestinationBucket: destination.bucketName, RuleId: ruleId },
    comparisonOperator: "GreaterThanThreshold",
    alarmActions: alarmTopicArns,
    okActions: alarmTopicArns,
    tags,
  };
  new aws.cloudwatch.MetricAlarm(
    `${name}-replication-failed`,
    {
      ...common,
      alarmDescription:
        `P2: objects in ${source.bucketName} were not copied to ${destination.bucketName}, and S3 does not retry them. ` +
        "Find the cause (key policy, bucket policy, role), then copy them with S3 Batch Replication.",
      metricName: "OperationsFailedReplication",
      statistic: "Sum",
      period: 300,
      evaluationPeriods: 1,
      threshold: 0,
      // S3 reports failures only where there are some.
      treatMissingData: "notBreaching",
    },
    opts,
  );
  new aws.cloudwatch.MetricAlarm(
    `${name}-replication-late`,
    {
      ...common,
      alarmDescription:
        `P3: copies of ${source.bucketName} in ${destination.bucketName} are more than ${replicationMinutes} minutes ` +
        "behind: a regional failure now would lose the newest of them.",
      metricName: "ReplicationLatency",
      statistic: "Maximum",
      period: 60,
      evaluationPeriods: 5,
      threshold: replicationMinutes * 60,
      treatMissingData: "notBreaching",
    },
    opts,
  );
}

/** Who may take the replication role: S3, for this bucket of this account. */
export function replicationTrust(bucketArn: string, accountId: string): object {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: "s3.amazonaws.com" },
        Action: "sts:AssumeRole",
        Condition: { StringEquals: { "aws:SourceAccount": accountId }, ArnLike: { "aws:SourceArn": bucketArn } },
      },
    ],
  };
}

/**
 * What the replication role may do (S3 User Guide, "Setting up permissions for live replication"): read versions here,
 * add them there. It has no right to replicate deletions.
 */
export function replicationPolicy(
  { source, destination }: Record<"source" | "destination", { bucketArn: string; region: string }>,
  sourceKeyArn: string | undefined,
  destinationKeyArn: string | undefined,
): object {
  const allow = (Action: string[], Resource: string, Condition?: object) => ({
    Effect: "Allow",
    Action,
    Resource,
    ...(Condition === undefined ? {} : { Condition }),
  });
  return {
    Version: "2012-10-17",
    Statement: [
      allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], source.bucketArn),
      allow(
        [
          "s3:GetObjectVersionForReplication",
          "s3:GetObjectVersionAcl",
          "s3:GetObjectVersionTagging",
          "s3:GetObjectRetention",
          "s3:GetObjectLegalHold",
        ],
        `${source.bucketArn}/*`,
      ),
      allow(
        ["s3:ReplicateObject", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"],
        `${destination.bucketArn}/*`,
      ),
      ...(sourceKeyArn === undefined
        ? []
        : [allow(["kms:Decrypt"], sourceKeyArn, throughS3(source.region, source.bucketArn))]),
      ...(destinationKeyArn === undefined
        ? []
        : [allow(replicaKeyActions, destinationKeyArn, throughS3(destination.region, destination.bucketArn))]),
    ],
  };
}

/** The ARN of a bucket. */
export function bucketArnOf(bucketName: string, region: string): string {
  return `arn:${partitionOf(region)}:s3:::${bucketName}`;
}
