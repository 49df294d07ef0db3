import { spawn } from "node:child_process";
import { type ResourceValidationPolicy, type StackValidationPolicy } from "@pulumi/policy";
import { refusingUnknowns } from "../policies/inventory/unknown-value";
import { rules } from "../policies/rules";
import { type Contest } from "./rounds";

const RESOURCES = 2000;
const RULES_BUDGET_SECONDS = 1;
const CHECK_BUDGET_SECONDS = 10;

interface Resource {
  readonly type: string;
  readonly name: string;
  readonly urn: string;
  readonly props: Record<string, unknown>;
  readonly propertyDependencies: Readonly<Record<string, readonly { readonly urn: string }[]>>;
}

const urnOf = (type: string, name: string): string => `urn:pulumi:bench::bench::${type}::${name}`;

function resource(type: string, name: string, props: object, dependsOn: Record<string, Resource> = {}): Resource {
  return {
    type,
    name,
    urn: urnOf(type, name),
    props: { ...props },
    propertyDependencies: Object.fromEntries(Object.entries(dependsOn).map(([key, one]) => [key, [{ urn: one.urn }]])),
  };
}

/** What an honest stack says of its application. */
const WORKLOAD = { replicas: 3, automaticRollback: true, progressDeadlineSeconds: 120, pooler: true };
const OBJECTIVES = {
  objectives: { scenarios: { "data-corruption": { rtoMinutes: 60, looserBecause: "RDS makes a new instance" } } },
  workload: WORKLOAD,
  recoverySite: { region: "eu-west-1", standbyLagMinutes: 30, pointInTimeDays: 14 },
};
const CONFIGS: Readonly<Record<string, object>> = { "objectives-met": OBJECTIVES, "objectives-judged": OBJECTIVES };

const RESOURCES_OF_ONE = 40;

/** One application with its store, jobs, database, alarms and workload, among what every application has. */
function application(at: number): Resource[] {
  const name = `shop-${at}`;
  const bucketName = `${name}-backups`;
  const bucket = resource("aws:s3/bucket:Bucket", `${name}-backups`, { bucket: bucketName, region: "eu-central-1" });
  const setting = (kind: string, props: object): Resource =>
    resource(
      `aws:s3/${kind}:${kind[0]!.toUpperCase()}${kind.slice(1)}`,
      `${name}-${kind}`,
      { bucket: bucketName, ...props },
      { bucket },
    );
  const topic = resource("aws:sns/topic:Topic", `${name}-p2`, { name: `${name}-p2` });
  const job = (purpose: string, command: string[], schedule: string): Resource =>
    resource("kubernetes:batch/v1:CronJob", `${name}-${purpose}`, {
      metadata: { name: `${name}-${purpose}`, namespace: name },
      spec: {
        schedule,
        timeZone: "Etc/UTC",
        concurrencyPolicy: "Forbid",
        jobTemplate: { spec: { template: { spec: { containers: [{ name: "job", image: "dr", command }] } } } },
      },
    });
  const policy = JSON.stringify({
    Statement: [{ Effect: "Allow", Action: ["s3:PutObject"], Resource: `arn:aws:s3:::${bucketName}/*` }],
  });
  const alarm = (metricName: string): Resource =>
    resource(
      "aws:cloudwatch/metricAlarm:MetricAlarm",
      `${name}-${metricName}`,
      { metricName, namespace: "Recovery", treatMissingData: "breaching", alarmActions: ["topic"] },
      { alarmActions: topic },
    );
  const labels = { app: name };
  const others = Array.from({ length: 20 }, (_one, other) =>
    resource("kubernetes:core/v1:Service", `${name}-${other}`, { metadata: { name: `${name}-${other}`, labels } }),
  );
  return [
    ...others,
    bucket,
    setting("bucketVersioning", { versioningConfiguration: { status: "Enabled" } }),
    setting("bucketServerSideEncryptionConfiguration", { rules: [] }),
    setting("bucketPublicAccessBlock", { blockPublicAcls: true }),
    setting("bucketPolicy", { policy: '{"Statement":[]}' }),
    setting("bucketObjectLockConfiguration", { rule: { defaultRetention: { mode: "GOVERNANCE", days: 14 } } }),
    setting("bucketLifecycleConfiguration", { rules: [{ status: "Enabled", expiration: { days: 120 } }] }),
    resource("aws:kms/key:Key", `${name}-key`, { enableKeyRotation: true }),
    resource("aws:iam/rolePolicy:RolePolicy", `${name}-writer`, { policy }, { policy: bucket }),
    job("backup", ["dr", "backup", name], "7 */6 * * *"),
    job("restore-test", ["dr", "restore-test", name], "0 3 * * *"),
    resource("aws:rds/instance:Instance", `${name}-database`, {
      identifier: name,
      region: "eu-central-1",
      allocatedStorage: 20,
      backupRetentionPeriod: 14,
      multiAz: true,
    }),
    resource("aws:rds/parameterGroup:ParameterGroup", `${name}-parameters`, { family: "postgres16", parameters: [] }),
    topic,
    resource("aws:sns/topicSubscription:TopicSubscription", `${name}-pager`, { endpoint: "x" }, { topic }),
    alarm("RecoveryPointAgeSeconds"),
    alarm("RestoreTestNotPassed"),
    resource("kubernetes:apps/v1:Deployment", name, {
      metadata: { name, namespace: name },
      spec: { replicas: 3, template: { metadata: { labels }, spec: { containers: [{ name, image: name }] } } },
    }),
    resource("kubernetes:policy/v1:PodDisruptionBudget", name, {
      metadata: { namespace: name },
      spec: { selector: { matchLabels: labels } },
    }),
    resource("kubernetes:core/v1:ConfigMap", name, { data: { "dr.json": `{"store":"s3://${bucketName}"}` } }),
  ];
}

/** Seconds that every rule together takes over a stack of 2,000 resources. */
function judge(): number {
  const stack = Array.from({ length: RESOURCES / RESOURCES_OF_ONE }, (_one, at) => application(at)).flat();
  const opts = { protect: true, ignoreChanges: [] };
  const start = performance.now();
  for (const rule of rules) {
    const { validateResource } = rule as ResourceValidationPolicy;
    const common = { opts, getConfig: () => CONFIGS[rule.name] ?? {} };
    const { validateStack } = rule as StackValidationPolicy;
    // Each rule gets its own view, as the SDK's server gives it.
    const resources = stack.map((one) => ({ ...one, ...common, props: refusingUnknowns(one.props) }));
    if (typeof validateResource === "function") {
      for (const one of resources) void validateResource(one as never, () => undefined);
    }
    void validateStack?.({ ...common, resources } as never, () => undefined);
  }
  return (performance.now() - start) / 1000;
}

/** Seconds of `recovery-check staging prod` from a cold start. */
function check(): Promise<number> {
  const start = performance.now();
  const args = ["-r", "tsx/cjs", "policies/check/cli.ts", "staging", "prod"];
  const child = spawn(process.execPath, args, { stdio: "ignore" });
  return new Promise((done, reject) => {
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? done((performance.now() - start) / 1000) : reject(new Error(`recovery-check ended with ${code}`)),
    );
  });
}

/** The policy pack against the time that it may take; the baseline is that time. */
export const policyContests: readonly Contest[] = [
  {
    name: `every rule on a stack of ${RESOURCES} resources, against ${RULES_BUDGET_SECONDS} s`,
    bar: 1,
    baseline: () => Promise.resolve(RULES_BUDGET_SECONDS),
    ours: () => Promise.resolve(judge()),
  },
  {
    name: `recovery-check staging prod from a cold start, against ${CHECK_BUDGET_SECONDS} s`,
    bar: 1,
    baseline: () => Promise.resolve(CHECK_BUDGET_SECONDS),
    ours: check,
  },
];
