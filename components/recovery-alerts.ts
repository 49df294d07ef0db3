import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import {
  databaseNamePattern,
  maxRdsLogTestAgeSeconds,
  maxRecoveryPointAgeMinutes,
  maxRestoreTestAgeSeconds,
  scheduleProblems,
  severities,
  Severity,
  severityLevels,
  StatusMetric,
  statusMetricNamespace,
} from "../recovery";
import { ArgumentProblems } from "./argument-problems";
import { expectAccountId, expectRegion, partitionOf } from "./aws-names";
import { type JobObjectivesArgs } from "./job-arguments";
import { markExpectation, markPattern, tagsOf } from "./labels-and-tags";

/** How somebody is told. */
export const SubscriptionProtocol = {
  Email: "email",
  /** A webhook, for instance the CloudWatch integration of PagerDuty or Opsgenie. */
  Https: "https",
  Sms: "sms",
} as const;
export type SubscriptionProtocol = (typeof SubscriptionProtocol)[keyof typeof SubscriptionProtocol];

/** Who is told of alarms of a severity. */
export interface SubscriptionArgs {
  severity: Severity;
  protocol: SubscriptionProtocol;
  /** An address, a URL or a telephone number, as the protocol takes it. */
  endpoint: pulumi.Input<string>;
}

/** A replica in the alarms' region whose lag is watched; one elsewhere is watched there, where its metrics are. */
export interface WatchedReplicaArgs {
  /** Tells the alarms apart; known at preview. */
  name: string;
  identifier: pulumi.Input<string>;
}

/** Existing topics, one for each severity. */
export interface SeverityTopicsArgs {
  p1: pulumi.Input<string>;
  p2: pulumi.Input<string>;
  p3: pulumi.Input<string>;
  p4: pulumi.Input<string>;
}

export interface RecoveryAlertsArgs {
  application: string;
  environment: string;
  /** The region of topics and alarms: the one whose status job publishes. */
  region: string;
  accountId: string;
  /** Names of the databases, as in the job configuration. */
  databases: string[];
  /** Those of them whose log is streamed, by `WalArchive` or by Litestream with a heartbeat. @default none */
  streamedDatabases?: string[];
  /** Those of them whose log, or stream, is restored as often as the backups are (`RestoreTestJob`). @default none */
  testedLogs?: string[];
  /** Those of them whose log RDS restores, once a week (`PointInTimeTestJob`). @default none */
  testedByRds?: string[];
  /** The backups' schedule: how old the newest may be follows from it and from the RPO. */
  backupSchedule: string;
  /** IANA time zone of the schedule. @default "Etc/UTC" */
  backupTimeZone?: string;
  objectives?: JobObjectivesArgs;
  /** @default none */
  replicas?: WatchedReplicaArgs[];
  /** @default nobody: the topics exist, and whoever subscribes is told */
  subscriptions?: SubscriptionArgs[];
  /** Existing topics, which CloudWatch must be allowed to publish to. @default topics and their key are made */
  topics?: SeverityTopicsArgs;
  /**
   * Set for the first deployment, until the first backup and restore test are done: the alarms are there and show what
   * they find, and tell nobody. @default false
   */
  firstDeployment?: boolean;
  /** Tags beside the `recovery.*` set. */
  tags?: Record<string, string>;
}

/**
 * Alarms on what the status job publishes, and the topics that they tell, one for each severity of the guide. An alarm
 * whose metric goes missing fires: the job that never ran, the cluster that is gone and the credentials that expired are
 * all found the same way.
 *
 * No alarm looks at whether a Kubernetes job failed: a job can end well and leave nothing. What it should have left in the
 * store is looked at instead, which finds the job that failed as well:
 *
 * | job | its failure is |
 * |--|--|
 * | backup | no complete recovery point for longer than its schedule's largest gap and an hour, or a suspicious one |
 * | restore test | no evidence for longer than two of its days, or one that did not pass |
 * | restore test of a log or stream, point-in-time test | the same of the log; RDS may miss one of its weeks |
 * | stream of the log | a stored log that ends longer ago than the RPO |
 * | status | nothing published, which fires all of them |
 */
export class RecoveryAlerts extends pulumi.ComponentResource {
  /** ARNs of the topics. */
  public readonly p1TopicArn: pulumi.Output<string>;
  public readonly p2TopicArn: pulumi.Output<string>;
  public readonly p3TopicArn: pulumi.Output<string>;
  public readonly p4TopicArn: pulumi.Output<string>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: RecoveryAlertsArgs, opts: pulumi.ComponentResourceOptions = {}) {
    recoveryAlertsProblems(args).throwIfAny("RecoveryAlerts", name);
    super("disaster-recovery:index:RecoveryAlerts", name, args, opts);
    const topics = existingTopics(args.topics) ?? this.topics(name, args);
    for (const [at, { severity, protocol, endpoint }] of (args.subscriptions ?? []).entries()) {
      new aws.sns.TopicSubscription(
        `${name}-${severity.toLowerCase()}-${at + 1}`,
        { topic: topics[severity], region: args.region, protocol, endpoint },
        { parent: this },
      );
    }
    const alarms = [
      ...args.databases.flatMap((database) => statusAlarms(args, database)),
      ...logTestAlarms(args),
      ...logAlarms(args),
      ...lagAlarms(args),
    ];
    for (const alarm of alarms) {
      this.alarm(name, args, alarm, topics);
    }
    this.p1TopicArn = pulumi.output(topics.P1);
    this.p2TopicArn = pulumi.output(topics.P2);
    this.p3TopicArn = pulumi.output(topics.P3);
    this.p4TopicArn = pulumi.output(topics.P4);
    this.registerOutputs({
      p1TopicArn: this.p1TopicArn,
      p2TopicArn: this.p2TopicArn,
      p3TopicArn: this.p3TopicArn,
      p4TopicArn: this.p4TopicArn,
    });
  }

  /** ARNs of the topics, by severity. */
  topicArns(): pulumi.Output<Record<string, string>> {
    return pulumi.all({ P1: this.p1TopicArn, P2: this.p2TopicArn, P3: this.p3TopicArn, P4: this.p4TopicArn });
  }

  private topics(name: string, args: RecoveryAlertsArgs): Topics {
    const { application, environment, region, accountId } = args;
    const tags = tagsFor(args);
    const key = new aws.kms.Key(
      `${name}-key`,
      {
        region,
        description: `Encrypts the alarms of ${application} (${environment}).`,
        enableKeyRotation: true,
        // The key that AWS manages for SNS admits no CloudWatch.
        policy: JSON.stringify(topicKeyPolicy(region, accountId)),
        tags,
      },
      { parent: this },
    );
    const topicOf = (severity: Severity): pulumi.Output<string> => {
      const suffix = severity.toLowerCase();
      const topic = new aws.sns.Topic(
        `${name}-${suffix}`,
        {
          name: `${application}-${environment}-recovery-${suffix}`,
          region,
          displayName: `${severity} ${application} ${environment}`,
          kmsMasterKeyId: key.arn,
          tags,
        },
        { parent: this },
      );
      new aws.sns.TopicPolicy(
        `${name}-${suffix}`,
        {
          arn: topic.arn,
          region,
          policy: topic.arn.apply((arn) => JSON.stringify(topicPolicy(arn, accountId))),
        },
        { parent: this },
      );
      return topic.arn;
    };
    return Object.fromEntries(severities.map((severity) => [severity, topicOf(severity)])) as unknown as Topics;
  }

  private alarm(name: string, args: RecoveryAlertsArgs, alarm: Alarm, topics: Topics): void {
    const { severity, what, meaning, ...metric } = alarm;
    const actions = [topics[severity]];
    new aws.cloudwatch.MetricAlarm(
      `${name}-${what}`,
      {
        ...metric,
        name: `${args.application}-${args.environment}-${what}`,
        region: args.region,
        alarmDescription: `${severity}, answered within ${severityLevels[severity].responseMinutes} minutes: ${meaning}`,
        comparisonOperator: "GreaterThanThreshold",
        statistic: "Maximum",
        period: periodSeconds,
        evaluationPeriods: periods,
        datapointsToAlarm: periods,
        treatMissingData: "breaching",
        actionsEnabled: !(args.firstDeployment ?? false),
        alarmActions: actions,
        okActions: actions,
        tags: tagsFor(args),
      },
      { parent: this },
    );
  }
}

type Topics = Readonly<Record<Severity, pulumi.Input<string>>>;

interface Alarm {
  readonly what: string;
  readonly severity: Severity;
  /** What it means and what to do, for whoever is woken by it. */
  readonly meaning: string;
  readonly namespace: string;
  readonly metricName: string;
  readonly dimensions: Readonly<Record<string, pulumi.Input<string>>>;
  readonly threshold: number;
}

// Three silent or bad periods: one lost run of the status job wakes nobody.
const periodSeconds = 300;
const periods = 3;
const defaultRpoMinutes = 60;

function statusAlarms(args: RecoveryAlertsArgs, database: string): Alarm[] {
  const maxAgeMinutes = maxRecoveryPointAgeMinutes({
    rpoMinutes: args.objectives?.rpoMinutes ?? defaultRpoMinutes,
    schedule: args.backupSchedule,
    timeZone: args.backupTimeZone,
  });
  const common = {
    namespace: statusMetricNamespace,
    dimensions: { Environment: args.environment, Database: database },
  };
  return [
    {
      ...common,
      what: `${database}-recovery-point-age`,
      severity: Severity.P2,
      meaning:
        `the newest complete recovery point of ${database} is older than ${maxAgeMinutes} minutes, or nobody can tell. ` +
        "See `dr status`, then the logs of the backup job; if no status is published, see the status job.",
      metricName: StatusMetric.RecoveryPointAgeSeconds,
      threshold: maxAgeMinutes * 60,
    },
    {
      ...common,
      what: `${database}-backup-not-passed`,
      severity: Severity.P2,
      meaning:
        `the newest backup of ${database} is suspicious: it is empty, shrank, or ended inconclusive. ` +
        "Read its manifest's reasons (`dr list`) before older recovery points expire.",
      metricName: StatusMetric.BackupNotPassed,
      threshold: 0,
    },
    {
      ...common,
      what: `${database}-restore-test-not-passed`,
      severity: Severity.P2,
      meaning:
        `the newest restore test of ${database} did not pass: its backups may not restore. ` +
        "`dr restore-test` says what differed, and which recovery point was the last good one.",
      metricName: StatusMetric.RestoreTestNotPassed,
      threshold: 0,
    },
    {
      ...common,
      what: `${database}-restore-test-age`,
      severity: Severity.P3,
      meaning: `no restore test of ${database} has run for ${maxRestoreTestAgeSeconds / 3600} hours. See its job's logs.`,
      metricName: StatusMetric.RestoreTestAgeSeconds,
      threshold: maxRestoreTestAgeSeconds,
    },
  ];
}

/** A log is used in the worst hour, and its test is not the backups': a dump that restores says nothing of it. */
function logTestAlarms(args: RecoveryAlertsArgs): Alarm[] {
  const { environment, testedLogs = [], testedByRds = [] } = args;
  const tests = [
    ...testedLogs.map((database) => ({ database, maxAge: maxRestoreTestAgeSeconds })),
    ...testedByRds.map((database) => ({ database, maxAge: maxRdsLogTestAgeSeconds })),
  ];
  return tests.flatMap(({ database, maxAge }): Alarm[] => {
    const common = {
      namespace: statusMetricNamespace,
      dimensions: { Environment: environment, Database: database },
    };
    return [
      {
        ...common,
        what: `${database}-point-in-time-test-not-passed`,
        severity: Severity.P2,
        meaning:
          `the newest restore of ${database}'s log did not pass: a moment between two backups may be lost. ` +
          "`dr status` says how it ended, the evidence that it names what differed.",
        metricName: StatusMetric.PointInTimeTestNotPassed,
        threshold: 0,
      },
      {
        ...common,
        what: `${database}-point-in-time-test-age`,
        severity: Severity.P3,
        meaning: `${database}'s log has not been restored for ${maxAge / 86_400} days. See its test's job and its logs.`,
        metricName: StatusMetric.PointInTimeTestAgeSeconds,
        threshold: maxAge,
      },
    ];
  });
}

/** The log that is not in the store is what would be lost; a stream that stalls may also fill the disk of its server. */
function logAlarms(args: RecoveryAlertsArgs): Alarm[] {
  const rpoMinutes = args.objectives?.rpoMinutes ?? defaultRpoMinutes;
  return (args.streamedDatabases ?? []).map((database) => ({
    what: `${database}-log-age`,
    severity: Severity.P2,
    meaning:
      `the stored log of ${database} ends more than ${rpoMinutes} minutes ago, has a hole, or nobody can tell. ` +
      "See the logs of its stream and its heartbeat, then `dr doctor`: until it goes on, a server's slot keeps the log on its disk.",
    namespace: statusMetricNamespace,
    dimensions: { Environment: args.environment, Database: database },
    metricName: StatusMetric.LogAgeSeconds,
    threshold: rpoMinutes * 60,
  }));
}

/** A replica may lag by as much as may be lost. */
function lagAlarms(args: RecoveryAlertsArgs): Alarm[] {
  const rpoMinutes = args.objectives?.rpoMinutes ?? defaultRpoMinutes;
  return (args.replicas ?? []).map(({ name, identifier }) => ({
    what: `${name}-replica-lag`,
    severity: Severity.P2,
    meaning:
      `the replica ${name} is more than ${rpoMinutes} minutes behind, or gone: ` +
      "a failover now would lose more than the RPO allows.",
    namespace: "AWS/RDS",
    metricName: "ReplicaLag",
    dimensions: { DBInstanceIdentifier: identifier },
    threshold: rpoMinutes * 60,
  }));
}

/** Who may publish to a topic: alarms of this account, over TLS. */
export function topicPolicy(topicArn: string, accountId: string): object {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "Alarms",
        Effect: "Allow",
        Principal: { Service: "cloudwatch.amazonaws.com" },
        Action: "sns:Publish",
        Resource: topicArn,
        Condition: { StringEquals: { "aws:SourceAccount": accountId } },
      },
      {
        Sid: "PlainText",
        Effect: "Deny",
        Principal: "*",
        Action: "sns:Publish",
        Resource: topicArn,
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ],
  };
}

/** Who may use the topics' key: the account's administrators, and its alarms for what they publish. */
export function topicKeyPolicy(region: string, accountId: string): object {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "Account",
        Effect: "Allow",
        Principal: { AWS: `arn:${partitionOf(region)}:iam::${accountId}:root` },
        Action: "kms:*",
        Resource: "*",
      },
      {
        Sid: "Alarms",
        Effect: "Allow",
        Principal: { Service: "cloudwatch.amazonaws.com" },
        Action: ["kms:Decrypt", "kms:GenerateDataKey*"],
        Resource: "*",
        Condition: { StringEquals: { "aws:SourceAccount": accountId } },
      },
    ],
  };
}

function existingTopics(args: SeverityTopicsArgs | undefined): Topics | undefined {
  return args && { P1: args.p1, P2: args.p2, P3: args.p3, P4: args.p4 };
}

function tagsFor({ application, environment, tags }: RecoveryAlertsArgs): Record<string, string> {
  return tagsOf({ application, environment, component: "recovery-alerts" }, tags);
}

/** Everything that is wrong with the arguments. */
export function recoveryAlertsProblems(args: RecoveryAlertsArgs): ArgumentProblems {
  const problems = new ArgumentProblems();
  problems.expect(markPattern.test(args.application), "application", markExpectation, args.application);
  problems.expect(markPattern.test(args.environment), "environment", markExpectation, args.environment);
  expectRegion(problems, "region", args.region);
  expectAccountId(problems, "accountId", args.accountId);
  problems.expect(args.databases.length > 0, "databases", "at least one database", args.databases);
  args.databases.forEach((database, at) =>
    problems.expect(databaseNamePattern.test(database), `databases[${at}]`, "a database's name", database),
  );
  args.streamedDatabases?.forEach((database, at) =>
    problems.expect(args.databases.includes(database), `streamedDatabases[${at}]`, "one of databases", database),
  );
  for (const field of ["testedLogs", "testedByRds"] as const) {
    args[field]?.forEach((database, at) =>
      problems.expect(args.databases.includes(database), `${field}[${at}]`, "one of databases", database),
    );
  }
  for (const problem of scheduleProblems(args.backupSchedule, args.backupTimeZone)) {
    problems.add("backupSchedule", problem);
  }
  args.subscriptions?.forEach(({ severity, protocol }, at) => {
    problems.expectOneOf(`subscriptions[${at}].severity`, severity, Severity);
    problems.expectOneOf(`subscriptions[${at}].protocol`, protocol, SubscriptionProtocol);
  });
  return problems;
}
