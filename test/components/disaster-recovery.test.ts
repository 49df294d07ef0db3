import assert from "node:assert/strict";
import { DisasterRecovery, type DisasterRecoveryArgs, RecoveryAlerts, ReplicaDatabase } from "../../components";
import { validJobArgs } from "../support/job-arguments";
import { register } from "../support/registered-resources";

const args: DisasterRecoveryArgs = {
  application: "architect-go",
  environment: "prod",
  region: "eu-central-1",
  accountId: "111122223333",
  cluster: { namespace: "architect-go", clusterName: "prod" },
  image: validJobArgs.image,
  databases: validJobArgs.databases,
};

describe("DisasterRecovery", () => {
  it("names the invalid arguments of all its parts at once, by its own names, and registers nothing", async () => {
    const invalid: DisasterRecoveryArgs = {
      ...args,
      region: "nowhere",
      image: "dr:latest",
      cluster: { namespace: "architect-go" },
      retention: { hotDays: 0 },
      backup: { schedule: "0 0 * * 7" },
      restoreTest: { activeDeadlineSeconds: 100_000 },
      managedDatabase: {
        name: "second",
        cidrs: ["10.0.5.0/24"],
        instanceClass: "large",
        engineVersion: "16",
        databaseName: "second",
        allocatedStorageGib: 20,
        backupRetentionDays: 0,
        network: { subnetIds: [], securityGroupIds: [] },
      },
    };
    const made = await register(() =>
      assert.throws(
        () => new DisasterRecovery("architect", invalid),
        (error: Error) => {
          for (const text of [
            'DisasterRecovery "architect": ',
            "- region: ",
            "- image: ",
            "- cluster.clusterName: ",
            "- retention.hotDays: ",
            "- backup.schedule: ",
            "- restoreTest.activeDeadlineSeconds: ",
            "- managedDatabase.instanceClass: ",
            "- managedDatabase.backupRetentionDays: expected a whole number from 1 to 35, got 0",
          ]) {
            assert.ok(error.message.includes(text), `${text}\nis not in\n${error.message}`);
          }
          assert.equal(error.message.split("- region: ").length, 2, "the same problem is named twice");
          return true;
        },
      ),
    );
    assert.deepEqual(made.all, []);
  });

  it("works with a store, topics and databases that exist", async () => {
    const topic = "arn:aws:sns:eu-central-1:111122223333:ours";
    const made = await register(
      () =>
        void new DisasterRecovery("architect", {
          ...args,
          existingStore: { bucketName: "ours" },
          alerts: { topics: { p1: topic, p2: topic, p3: topic, p4: topic } },
        }),
    );
    for (const type of [
      "aws:s3/bucket:Bucket",
      "aws:sns/topic:Topic",
      "aws:rds/instance:Instance",
      "aws:kms/key:Key",
    ]) {
      assert.equal(made.ofType(type).length, 0, type);
    }
    assert.equal(made.ofType("kubernetes:batch/v1:CronJob").length, 3);
  });
});

describe("RecoveryAlerts", () => {
  it("[guide 22, 41, 43] fires on silence, says the severity and what to do, and holds its tongue at first", async () => {
    const scope = {
      application: "architect-go",
      environment: "prod",
      region: "eu-central-1",
      accountId: args.accountId,
    };
    const made = await register(() => {
      const common = { ...scope, databases: ["architect"], backupSchedule: "0 */6 * * *" };
      new RecoveryAlerts("alerts", { ...common, replicas: [{ name: "standby", identifier: "architect-eu-west-1" }] });
      new RecoveryAlerts("first", { ...common, firstDeployment: true });
    });
    const alarms = made.ofType("aws:cloudwatch/metricAlarm:MetricAlarm");
    assert.equal(alarms.length, 9);
    for (const { name, inputs } of alarms) {
      assert.equal(inputs.treatMissingData, "breaching");
      assert.match(inputs.alarmDescription as string, /^P[1-4], answered within \d+ minutes: /);
      assert.equal((inputs.alarmActions as string[]).length, 1);
      assert.equal(inputs.actionsEnabled, name.startsWith("alerts"));
    }
    const age = made.inputs("aws:cloudwatch/metricAlarm:MetricAlarm", "alerts-architect-recovery-point-age");
    // Six hours between two backups, and an hour for one to run.
    assert.equal(age.threshold, 7 * 3600);
  });
});

describe("ReplicaDatabase", () => {
  it("[guide 51] replicates to the recovery region under a key of that region, snapshots and log included", async () => {
    const network = { subnetIds: ["subnet-1", "subnet-2"], securityGroupIds: ["sg-1"] };
    const made = await register(
      () =>
        void new ReplicaDatabase("database", {
          application: "architect-go",
          environment: "prod",
          region: "eu-central-1",
          instanceClass: "db.m7g.large",
          engineVersion: "16",
          allocatedStorageGib: 100,
          databaseName: "architect",
          parameters: { log_min_duration_statement: "1000" },
          network,
          localReplicas: 1,
          regionalReplica: { region: "eu-west-1", network },
        }),
    );
    const instance = (name: string) => made.inputs("aws:rds/instance:Instance", name);
    assert.deepEqual(
      made
        .ofType("aws:rds/instance:Instance")
        .map(({ inputs }) => [inputs.identifier, inputs.region])
        .sort(),
      [
        ["architect-go-prod-eu-central-1", "eu-central-1"],
        ["architect-go-prod-eu-central-1-replica-1", "eu-central-1"],
        ["architect-go-prod-eu-west-1", "eu-west-1"],
      ],
    );
    assert.match(instance("database-eu-west-1").kmsKeyId as string, /^arn:aws:kms:eu-west-1:/);
    assert.match(instance("database-eu-west-1").replicateSourceDb as string, /:db:architect-go-prod-eu-central-1$/);
    const groups = made.ofType("aws:rds/parameterGroup:ParameterGroup").map(({ inputs }) => inputs.parameters);
    assert.equal(groups.length, 2);
    assert.deepEqual(groups[0], groups[1]);
    assert.deepEqual((groups[0] as object[])[0], { name: "rds.force_ssl", value: "1" });
    const backups = made.ofType("aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication");
    assert.deepEqual(
      backups.map(({ inputs }) => inputs.region),
      ["eu-west-1"],
    );
    const secret = made.inputs("aws:secretsmanager/secret:Secret", "database-secret");
    assert.deepEqual(secret.replicas, [{ region: "eu-west-1" }]);
  });
});
