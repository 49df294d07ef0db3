/** Type tokens of the resources that rules look at; what older programs register under another name is beside it. */
export const ResourceTypes = {
  Bucket: ["aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"],
  BucketVersioning: ["aws:s3/bucketVersioning:BucketVersioning", "aws:s3/bucketVersioningV2:BucketVersioningV2"],
  BucketEncryption: [
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
  ],
  BucketPublicAccessBlock: ["aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"],
  BucketPolicy: ["aws:s3/bucketPolicy:BucketPolicy"],
  BucketLifecycle: [
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
  ],
  BucketObjectLock: [
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
    "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2",
  ],
  BucketReplication: ["aws:s3/bucketReplicationConfig:BucketReplicationConfig"],
  BucketLogging: ["aws:s3/bucketLogging:BucketLogging", "aws:s3/bucketLoggingV2:BucketLoggingV2"],
  Key: ["aws:kms/key:Key"],
  IdentityPolicy: ["aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy", "aws:iam/userPolicy:UserPolicy"],
  DatabaseInstance: ["aws:rds/instance:Instance"],
  AutomatedBackupsReplication: ["aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication"],
  ParameterGroup: ["aws:rds/parameterGroup:ParameterGroup"],
  MetricAlarm: ["aws:cloudwatch/metricAlarm:MetricAlarm"],
  TopicSubscription: ["aws:sns/topicSubscription:TopicSubscription"],
  Topic: ["aws:sns/topic:Topic"],
  CronJob: ["kubernetes:batch/v1:CronJob", "kubernetes:batch/v1beta1:CronJob"],
  Deployment: ["kubernetes:apps/v1:Deployment"],
  StatefulSet: ["kubernetes:apps/v1:StatefulSet"],
  ConfigMap: ["kubernetes:core/v1:ConfigMap"],
  PodDisruptionBudget: ["kubernetes:policy/v1:PodDisruptionBudget"],
} as const;
