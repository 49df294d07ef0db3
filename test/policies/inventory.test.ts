import assert from "node:assert/strict";
import { declaredDatabases, type DeclaredFacts } from "../../policies/inventory/declared-databases";
import { fiveFields } from "../../policies/inventory/aws-backup";
import { assess, objectivesFrom, Scenario } from "../../recovery";
import { type Fixture, spoiled, stackOfFixtures, unknownValue } from "../support/judged-stack";

const REGION = "eu-central-1";
const bucket: Fixture = {
  type: "aws:s3/bucket:Bucket",
  name: "backups",
  props: { bucket: "acme-backups", region: REGION },
};

const cloudNativePg: Fixture[] = [
  bucket,
  {
    type: "kubernetes:postgresql.cnpg.io/v1:Cluster",
    name: "orders",
    props: {
      metadata: { name: "orders", namespace: "shop" },
      spec: {
        instances: 3,
        minSyncReplicas: 1,
        storage: { size: "20Gi" },
        backup: { barmanObjectStore: { destinationPath: "s3://acme-backups/orders" }, retentionPolicy: "30d" },
      },
    },
  },
  {
    type: "kubernetes:postgresql.cnpg.io/v1:ScheduledBackup",
    name: "orders-daily",
    props: {
      metadata: { name: "orders-daily", namespace: "shop" },
      spec: { schedule: "0 0 2 * * *", suspend: false, cluster: { name: "orders" } },
    },
  },
];

const aurora: Fixture[] = [
  {
    type: "aws:rds/cluster:Cluster",
    name: "ledger",
    props: { clusterIdentifier: "ledger", region: REGION, backupRetentionPeriod: 14 },
  },
  ...["one", "two"].map((name) => ({
    type: "aws:rds/clusterInstance:ClusterInstance",
    name,
    props: { clusterIdentifier: "ledger" },
    dependsOn: { clusterIdentifier: ["ledger"] },
  })),
  {
    type: "aws:rds/cluster:Cluster",
    name: "ledger-west",
    props: {
      clusterIdentifier: "ledger-west",
      region: "eu-west-1",
      replicationSourceIdentifier: "arn:aws:rds:eu-central-1:111122223333:cluster:ledger",
    },
  },
  {
    type: "aws:cloudwatch/metricAlarm:MetricAlarm",
    name: "lag",
    props: { metricName: "AuroraReplicaLag", threshold: 60_000, dimensions: { DBClusterIdentifier: "ledger-west" } },
  },
];

const awsBackup: Fixture[] = [
  {
    type: "aws:rds/instance:Instance",
    name: "main",
    props: { identifier: "main", region: REGION, allocatedStorage: 10 },
  },
  {
    type: "aws:backup/plan:Plan",
    name: "daily",
    props: {
      region: REGION,
      rules: [
        {
          ruleName: "hourly",
          schedule: "cron(0 * ? * * *)",
          enableContinuousBackup: true,
          lifecycle: { deleteAfter: 21 },
          copyActions: [{ destinationVaultArn: "arn:aws:backup:eu-west-1:111122223333:backup-vault:copy" }],
        },
      ],
    },
  },
  {
    type: "aws:backup/selection:Selection",
    name: "databases",
    props: { planId: "daily-id", resources: ["arn:aws:rds:*:*:db:ma*"] },
    dependsOn: { planId: ["daily"] },
  },
];

const litestream: Fixture[] = [
  bucket,
  {
    type: "kubernetes:apps/v1:StatefulSet",
    name: "notes",
    props: {
      metadata: { name: "notes" },
      spec: {
        replicas: 1,
        template: {
          spec: {
            containers: [
              { image: "litestream/litestream:0.5", args: ["replicate", "/data/n.db", "s3://acme-backups/n"] },
            ],
          },
        },
        volumeClaimTemplates: [
          { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } },
        ],
      },
    },
  },
];

const declared = (stack: readonly Fixture[], facts: DeclaredFacts = {}) =>
  declaredDatabases(stackOfFixtures(stack), facts);

/** What a stack loses and how it recovers, by scenario: `verdict: loss by protection`. */
function answers(stack: readonly Fixture[], facts: DeclaredFacts = {}): Partial<Record<Scenario, string>> {
  const objectives = objectivesFrom({ rtoMinutes: 60, rpoMinutes: 60 });
  const outcomes = assess({ objectives, databases: declared(stack, facts), now: new Date() });
  const dataScenarios: readonly Scenario[] = [
    Scenario.DataCorruption,
    Scenario.CompleteOutage,
    Scenario.RegionalFailure,
  ];
  return Object.fromEntries(
    outcomes
      .filter(({ scenario }) => dataScenarios.includes(scenario))
      .map(({ scenario, by, rpoMinutes, verdict }) => [
        scenario,
        `${verdict}: ${by === null ? "nothing" : `${Math.round(rpoMinutes! * 10) / 10} min by ${by}`}`,
      ]),
  );
}

/** A server elsewhere, whose log a pod of the stack brings into its store, with the dumps of the same server. */
const streamedLog: Fixture[] = [
  bucket,
  {
    type: "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    name: "lifecycle",
    props: {
      bucket: "acme-backups",
      rules: [{ status: "Enabled", filter: { prefix: "wal/" }, expiration: { days: 14 } }],
    },
    dependsOn: { bucket: ["backups"] },
  },
  {
    type: "kubernetes:core/v1:ConfigMap",
    name: "stream-config",
    props: {
      data: {
        "dr.json": JSON.stringify({
          store: "s3://acme-backups?region=eu-central-1",
          databases: [{ name: "orders", wal: { flushSeconds: 30, baseBackupSchedule: "0 1 * * *" } }],
        }),
      },
    },
  },
  {
    type: "kubernetes:apps/v1:StatefulSet",
    name: "orders-wal",
    props: {
      metadata: { name: "orders-wal" },
      spec: { replicas: 1, template: { spec: { containers: [{ command: ["dr", "stream", "orders"] }] } } },
    },
    dependsOn: { spec: ["stream-config"] },
  },
];

describe("what protects the databases of a stack", () => {
  it("CloudNativePG: the archived log of a cluster with base backups, and its standbys", () => {
    assert.deepEqual(answers(cloudNativePg), {
      "data-corruption": "pass: 5 min by log of orders",
      // The standbys are in the cluster that fails.
      "complete-outage": "pass: 5 min by log of orders",
      // Nobody said in which region the cluster is.
      "regional-failure": "inconclusive: 5 min by log of orders",
    });
    const [database] = declared(cloudNativePg);
    assert.equal(database!.sizeBytes, 20 * 1024 ** 3);
    assert.deepEqual(
      database!.protections.map(({ mechanism }) => mechanism),
      ["point-in-time-log", "standby"],
    );
  });

  it("CloudNativePG: a log without a base backup is none, nor is one that is suspended or of another cluster", () => {
    for (const [path, value] of [
      ["spec.suspend", true],
      ["spec.cluster.name", "other"],
      ["metadata.namespace", "elsewhere"],
    ] as const) {
      const [database] = declared(spoiled(cloudNativePg, "orders-daily", path, value));
      assert.deepEqual(
        database!.protections.map(({ mechanism }) => mechanism),
        ["standby"],
        path,
      );
    }
    const follower = spoiled(cloudNativePg, "orders", "spec.replica", { enabled: true });
    assert.deepEqual(declared(follower), []);
  });

  it("Aurora: its own window, a second server in another zone, and a cluster in another region", () => {
    const facts = { databaseSizesGib: { ledger: 20 }, recoverySite: { region: "eu-west-1" } };
    assert.deepEqual(answers(aurora, facts), {
      "data-corruption": "pass: 5 min by Aurora point in time of ledger",
      "complete-outage": "pass: 0 min by Aurora replica of ledger",
      "regional-failure": "pass: 1 min by replica ledger-west",
    });
    const alone = aurora.filter(({ name }) => name !== "two");
    assert.equal(answers(alone, facts)["complete-outage"], "pass: 1 min by replica ledger-west");
  });

  it("AWS Backup: logs, snapshots by its own kind of schedule, and copies elsewhere, of what a plan selects", () => {
    const facts = { recoverySite: { region: "eu-west-1" } };
    assert.deepEqual(answers(awsBackup, facts), {
      "data-corruption": "pass: 5 min by log by daily hourly",
      "complete-outage": "pass: 5 min by log by daily hourly",
      "regional-failure": "fail: 140.6 min by snapshot by daily hourly via copy 1 by daily hourly",
    });
    for (const pattern of ["arn:aws:rds:*:*:db:other", "arn:aws:rds:*:*:cluster:*", "arn:aws:dynamodb:*:*:table/*"]) {
      const [database] = declared(spoiled(awsBackup, "databases", "resources", [pattern]));
      assert.deepEqual(database!.protections, [], pattern);
    }
    assert.equal(declared(spoiled(awsBackup, "databases", "resources", ["*"]))[0]!.protections.length, 3);
  });

  it("AWS Backup: a schedule of six fields as Kubernetes writes it", () => {
    assert.equal(fiveFields("cron(0 5 ? * * *)"), "0 5 * * *");
    assert.equal(fiveFields("cron(30 1 ? * 1,7 *)"), "30 1 * * SUN,SAT");
    assert.equal(fiveFields("cron(0 3 1 * ? *)"), "0 3 1 * *");
    for (const other of ["cron(0 3 L * ? *)", "cron(0 3 1 * ? 2027)", "rate(1 day)", "cron(0 3 ? * 6#3 *)", ""]) {
      assert.equal(fiveFields(other), undefined, other);
    }
  });

  it("Litestream: the stream of a SQLite file to the store that its arguments name", () => {
    assert.equal(answers(litestream)["complete-outage"], "pass: 0.2 min by stream of notes");
    const elsewhere = spoiled(litestream, "notes", "spec.template.spec.containers.0.args", [
      "replicate",
      "s3://other/n",
    ]);
    assert.deepEqual(declared(elsewhere)[0]!.protections[0]!.mechanism, "sqlite-stream");
    assert.ok(!("placement" in declared(elsewhere)[0]!.protections[0]!), "nobody knows where that store is");
    assert.deepEqual(declared(spoiled(litestream, "notes", "spec.template.spec.containers.0.args", ["databases"])), []);
  });

  it("Litestream: how soon and how far back, from the file that its sidecar is given", () => {
    const config = {
      "litestream.yml": "snapshot-interval: 6h\nsync-interval: 1s\nretention: 876000h\nbucket: acme-backups",
    };
    const configMap = {
      type: "kubernetes:core/v1:ConfigMap",
      name: "c",
      props: { metadata: { name: "c" }, data: config },
    };
    const pod = {
      initContainers: [{ image: "dr", command: ["litestream", "replicate"], restartPolicy: "Always" }],
      volumes: [{ name: "config", configMap: { name: "c" } }],
    };
    const [, notes] = spoiled(litestream, "notes", "spec.template.spec", pod);
    const lifecycle = streamedLog[1]!;
    const [database] = declared([bucket, notes!, lifecycle, configMap]);
    const [stream] = database!.protections;
    assert.deepEqual(stream, {
      mechanism: "sqlite-stream",
      name: "stream of notes",
      flushSeconds: 1,
      windowDays: 13,
      placement: { region: REGION },
    });
    assert.throws(() =>
      declared([bucket, notes!, { ...configMap, props: { metadata: { name: "c" }, data: unknownValue } }]),
    );
  });

  it("a streamed log with incremental base backups: its window is counted from full one to full one", () => {
    const text = JSON.stringify({
      store: "s3://acme-backups?region=eu-central-1",
      databases: [{ name: "orders", wal: {}, backup: { incrementalsPerFull: 9 } }],
    });
    const incremental = streamedLog.map((resource) =>
      resource.name === "stream-config" ? { ...resource, props: { data: { "dr.json": text } } } : resource,
    );
    const log = declared(incremental)[0]!.protections[0] as { incrementalsPerFull?: number };
    assert.equal(log.incrementalsPerFull, 9);
    // 14 days of log, 11 days between two full ones of which one failed: damage is noticed after 7 days.
    assert.match(answers(incremental, { databaseSizesGib: { orders: 1 } })["data-corruption"]!, /^fail/);
  });

  it("a streamed log: by the name and the times of the configuration that the stream is given", () => {
    const [database] = declared(streamedLog);
    assert.equal(database!.name, "orders");
    assert.deepEqual(database!.protections, [
      {
        mechanism: "point-in-time-log",
        name: "log of orders",
        flushSeconds: 30,
        baseBackupSchedule: "0 1 * * *",
        walRetentionDays: 14,
        placement: { region: REGION },
      },
    ]);
    assert.equal(
      answers(streamedLog, { databaseSizesGib: { orders: 1 } })["data-corruption"],
      "pass: 0.5 min by log of orders",
    );
    // A receiver that keeps what it receives is no store; one that waits for a failover protects nothing yet.
    const commands = "spec.template.spec.containers.0.command";
    assert.deepEqual(declared(spoiled(streamedLog, "orders-wal", commands, ["pg_receivewal"])), []);
    assert.deepEqual(declared(spoiled(streamedLog, "orders-wal", "spec.replicas", 0)), []);
  });

  it("a dump is tied to one of several databases by the configuration that its job is given", () => {
    const job = (name: string, config: string): Fixture => ({
      type: "kubernetes:batch/v1:CronJob",
      name,
      props: {
        metadata: { name },
        spec: {
          schedule: "0 */6 * * *",
          jobTemplate: { spec: { template: { spec: { containers: [{ command: ["dr", "backup"] }] } } } },
        },
      },
      dependsOn: { spec: [config] },
    });
    const [, , config, wal] = streamedLog;
    const other = {
      ...config!,
      name: "other-config",
      props: { data: { "dr.json": '{"databases":[{"name":"other"}]}' } },
    };
    const { props } = spoiled([wal!], "orders-wal", "spec.template.spec.containers.0.command", [
      "dr",
      "stream",
      "other",
    ])[0]!;
    const second = { ...wal!, name: "other-wal", props, dependsOn: { spec: ["other-config"] } };
    const databases = declared([...streamedLog, other, second, job("a", "stream-config"), job("b", "other-config")]);
    assert.deepEqual(
      databases.map(({ name, protections }) => [name, protections.map((protection) => protection.name)]),
      [
        ["orders", ["log of orders", "dump by a"]],
        ["other", ["log of other", "dump by b"]],
      ],
    );
    // A log that is added protects the same database, and is not another one.
    const dumped = declared([bucket, config!, other, job("a", "stream-config"), job("b", "other-config")]);
    assert.deepEqual(
      dumped.map(({ name, protections }) => [name, protections.map((protection) => protection.name)]),
      [
        ["orders", ["dump by a"]],
        ["other", ["dump by b"]],
      ],
    );
  });

  it("an unknown that counts is thrown, and not read as absent", () => {
    for (const [stack, name, path] of [
      [streamedLog, "stream-config", "data"],
      [cloudNativePg, "orders", "spec.backup"],
      [aurora, "ledger", "backupRetentionPeriod"],
      [awsBackup, "daily", "rules"],
    ] as const) {
      assert.throws(() => declared(spoiled(stack, name, path, unknownValue)), /can't be known during preview/, path);
    }
  });
});
