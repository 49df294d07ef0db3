import assert from "node:assert/strict";
import {
  DisasterRecovery,
  type DisasterRecoveryArgs,
  Engine,
  RecoveryAlerts,
  RecoverySite,
  ReplicaDatabase,
} from "../../components";
import { parseJobConfig } from "../../recovery";
import { validJobArgs } from "../support/job-arguments";
import { register, type RegisteredResources } from "../support/registered-resources";

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
    assert.equal(made.ofType("kubernetes:batch/v1:CronJob").length, 4);
  });

  it("tells every job how long its store keeps what it backs up, and of another's store what is known", async () => {
    const told = async (more: Partial<DisasterRecoveryArgs>) => {
      const made = await register(() => void new DisasterRecovery("architect", { ...args, ...more }));
      const configs = made
        .ofType("kubernetes:core/v1:ConfigMap")
        .map(({ inputs }) => (inputs as { data?: Record<string, string> }).data?.["dr.json"])
        .filter((text) => text !== undefined);
      assert.ok(configs.length >= 4, `${configs.length} configurations`);
      return [...new Set(configs.map((text) => JSON.stringify(parseJobConfig(text).config?.retention)))];
    };
    assert.deepEqual(await told({}), ['{"hotDays":30,"archiveDays":90}']);
    assert.deepEqual(await told({ retention: { hotDays: 40 } }), ['{"hotDays":40,"archiveDays":90}']);
    assert.deepEqual(await told({ existingStore: { bucketName: "ours" } }), [undefined]);
    const existingStore = { bucketName: "ours", retention: { hotDays: 35, archiveDays: 0 } };
    assert.deepEqual(await told({ existingStore }), ['{"hotDays":35,"archiveDays":0}']);
    const invalid = { ...args, existingStore: { bucketName: "ours", retention: { hotDays: 0 } } };
    assert.throws(
      () => new DisasterRecovery("architect", invalid),
      /existingStore\.retention\.hotDays: expected a whole/,
    );
  });

  describe("of a server with its log, and of a file that is streamed", () => {
    const oidcProvider = {
      arn: "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC",
      issuerUrl: "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC",
    };
    const notes = {
      name: "notes",
      engine: Engine.Sqlite,
      sizeGib: 1,
      file: { namespace: "notes", claimName: "data-notes-0", pathOnVolume: "notes.db", userId: 1000 },
      stream: { serviceAccountName: "notes" },
    };
    const both: DisasterRecoveryArgs = {
      ...args,
      cluster: { ...args.cluster, oidcProvider },
      databases: [{ ...args.databases![0]!, wal: {} }, notes],
    };

    it("gives each its own jobs, where it is, as whom it is", async () => {
      const made = await register(() => void new DisasterRecovery("dr", both));
      const namespaceOf = (name: string) =>
        (made.inputs("kubernetes:batch/v1:CronJob", name).metadata as { namespace: string }).namespace;
      assert.deepEqual(
        made
          .ofType("kubernetes:batch/v1:CronJob")
          .map(({ name }) => [name, namespaceOf(name)])
          .sort(),
        [
          ["dr-backup", "architect-go"],
          ["dr-backup-notes", "notes"],
          ["dr-prove-architect", "architect-go"],
          ["dr-prove-notes", "architect-go"],
          ["dr-restore-test", "architect-go"],
          ["dr-status", "architect-go"],
          ["dr-stream-test-notes", "architect-go"],
        ],
      );
      assert.deepEqual(
        made.ofType("kubernetes:apps/v1:StatefulSet").map(({ name }) => name),
        ["dr-wal-architect"],
      );
      const trust = made.inputs("aws:iam/role:Role", "dr-identity-backup-writer").assumeRolePolicy as string;
      for (const account of ["dr-backup", "dr-backup-notes", "dr-wal-architect"]) {
        assert.ok(trust.includes(`"aws:RequestTag/kubernetes-service-account":"${account}"`), account);
      }
      // What one of them may, another may not in its place.
      assert.ok(!trust.includes("dr-status") && !trust.includes("dr-restore"));
      const associations = made.ofType("aws:eks/podIdentityAssociation:PodIdentityAssociation");
      assert.equal(associations.length, 3 + 1 + 4 + 1);
      const configOf = (name: string) => {
        const { data } = made.inputs("kubernetes:core/v1:ConfigMap", name) as { data: Record<string, string> };
        return parseJobConfig(data["dr.json"]!).config!;
      };
      assert.deepEqual(
        configOf("dr-backup").databases.map(({ name }) => name),
        ["architect"],
      );
      assert.equal(configOf("dr-backup-notes").databases[0]!.path, "/data/notes.db");
      const alarms = made.ofType("aws:cloudwatch/metricAlarm:MetricAlarm").map(({ name }) => name);
      assert.ok(alarms.includes("dr-alerts-architect-log-age") && alarms.includes("dr-alerts-notes-log-age"));
      // The status has to know that there is a log, to judge its age.
      assert.ok(configOf("dr-status").databases[0]!.wal);
      assert.deepEqual(configOf("dr-status").databases[0]!.wal, configOf("dr-wal-architect").databases[0]!.wal);
    });

    it("needs no backup of servers where there are none", async () => {
      const made = await register(() => void new DisasterRecovery("dr", { ...both, databases: [notes] }));
      const names = made.ofType("kubernetes:batch/v1:CronJob").map(({ name }) => name);
      assert.ok(!names.includes("dr-backup") && names.includes("dr-backup-notes"));
    });

    it("waits asleep in the recovery site, and streams from the copy once its application starts", async () => {
      const { databases, cluster, ...scope } = both;
      const made = await register(
        () =>
          void new RecoverySite("dr", {
            ...scope,
            region: "eu-west-1",
            cluster,
            databases,
            store: { bucketName: "copies" },
          }),
      );
      for (const { name, inputs } of made.ofType("kubernetes:batch/v1:CronJob")) {
        assert.equal((inputs.spec as { suspend: boolean }).suspend, name !== "dr-status", name);
      }
      const [archive] = made.ofType("kubernetes:apps/v1:StatefulSet");
      assert.equal((archive!.inputs.spec as { replicas: number }).replicas, 0);
      const { data } = made.inputs("kubernetes:core/v1:ConfigMap", "dr-stream-notes") as {
        data: Record<string, string>;
      };
      const config = JSON.parse(data["litestream.yml"]!) as {
        dbs: { replicas: { bucket: string; region: string }[] }[];
      };
      assert.deepEqual(
        config.dbs[0]!.replicas.map(({ bucket, region }) => [bucket, region]),
        [["copies", "eu-west-1"]],
      );
    });

    it("names a database's problems by its place among all", () => {
      const databases = [
        { ...args.databases![0]!, wal: { flushSeconds: 0 } },
        { ...notes, file: undefined },
      ];
      const invalid = { ...both, cluster: args.cluster, databases };
      assert.throws(
        () => new DisasterRecovery("dr", invalid),
        (error: Error) => {
          assert.deepEqual(
            error.message
              .split("\n")
              .slice(1)
              .map((line) => line.trim().split(": ")[0]!),
            ["- databases[0].wal.flushSeconds", "- databases[1].file", "- cluster.oidcProvider"],
          );
          return true;
        },
      );
    });
  });
});

describe("DisasterRecovery of what RDS restores", () => {
  const network = { subnetIds: ["subnet-1", "subnet-2"], securityGroupIds: ["sg-1"] };
  const managed: DisasterRecoveryArgs = {
    ...args,
    databases: [],
    managedDatabase: {
      name: "architect",
      instanceClass: "db.m7g.large",
      engineVersion: "16",
      allocatedStorageGib: 100,
      databaseName: "architect",
      network,
      cidrs: ["10.0.4.0/24"],
      passwordSecret: { name: "architect-backup", key: "password" },
      rds: { restoreMinutes: 120, test: { subnetGroup: "restore-tests", cidrs: ["10.0.8.0/24"] } },
    },
  };
  const configOf = (made: RegisteredResources, name: string) => {
    const { data } = made.inputs("kubernetes:core/v1:ConfigMap", name) as { data: Record<string, string> };
    return parseJobConfig(data["dr.json"]!).config!;
  };
  const rightsOf = (made: RegisteredResources, owner: string) =>
    made.inputs("aws:iam/rolePolicy:RolePolicy", `dr-identity-${owner}-rds`).policy as string;

  it("[guide 30, 48] fills in what the jobs must know of a database that it makes, and tests and reaps it", async () => {
    const made = await register(() => void new DisasterRecovery("dr", managed));
    for (const name of ["dr-backup", "dr-restore-test", "dr-pitr-test-architect", "dr-reaper", "dr-status"]) {
      assert.deepEqual(
        configOf(made, name).databases[0]!.rds,
        {
          instanceIdentifier: "architect-go-prod-eu-central-1",
          region: "eu-central-1",
          secretArn: "arn:aws:secretsmanager:eu-central-1:111122223333:secret:architect-go/prod/database-AbCdEf",
          restoreMinutes: 120,
          test: { subnetGroup: "restore-tests" },
        },
        name,
      );
    }
    const [restorer, tester] = [rightsOf(made, "restore-reader"), rightsOf(made, "evidence-writer")];
    for (const policy of [restorer, tester]) {
      assert.ok(policy.includes('"arn:aws:rds:eu-central-1:111122223333:db:architect-go-prod-eu-central-1"'));
      assert.ok(policy.includes('"arn:aws:kms:eu-central-1:111122223333:key/dr-database-key"'));
    }
    assert.ok(restorer.includes(":secret:architect-go/prod/database-AbCdEf") && restorer.includes("iam:PassRole"));
    assert.ok(!tester.includes("secretsmanager:") && !restorer.includes("rds:Delete"));
    const alarm = (what: string) =>
      made.inputs("aws:cloudwatch/metricAlarm:MetricAlarm", `dr-alerts-architect-${what}`);
    assert.deepEqual(
      ["point-in-time-test-not-passed", "point-in-time-test-age"].map((what) => {
        const { metricName, threshold, treatMissingData, dimensions } = alarm(what);
        return [metricName, threshold, treatMissingData, dimensions];
      }),
      [
        ["PointInTimeTestNotPassed", 0, "breaching", { Environment: "prod", Database: "architect" }],
        ["PointInTimeTestAgeSeconds", 15 * 86_400, "breaching", { Environment: "prod", Database: "architect" }],
      ],
    );
    const trust = made.inputs("aws:iam/role:Role", "dr-identity-evidence-writer").assumeRolePolicy as string;
    assert.ok(trust.includes(`"aws:RequestTag/kubernetes-service-account":"dr-pitr-test-architect"`));
    assert.ok(!trust.includes("dr-reaper"));
  });

  it("tests and reaps what is named, and only that", async () => {
    const server = { ...args.databases![0]!, engine: Engine.Rds };
    const ledger = { ...server, name: "ledger", rds: { clusterIdentifier: "ledger-prod" } };
    const made = await register(() => void new DisasterRecovery("dr", { ...args, databases: [server, ledger] }));
    const names = made.ofType("kubernetes:batch/v1:CronJob").map(({ name }) => name);
    assert.deepEqual(names.filter((name) => /pitr|reaper/.test(name)).sort(), ["dr-pitr-test-ledger", "dr-reaper"]);
    assert.deepEqual(
      configOf(made, "dr-reaper").databases.map(({ rds }) => rds),
      [{ clusterIdentifier: "ledger-prod", region: "eu-central-1" }],
    );
    const without = await register(() => void new DisasterRecovery("dr", { ...args, databases: [server] }));
    assert.ok(!without.all.some(({ name }) => /pitr|reaper|-rds$/.test(name)));
  });

  it("waits asleep in the recovery site, where the reaper is awake, and is on its card", async () => {
    const { databaseName, ...standby } = managed.managedDatabase!;
    const secretArn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:architect-go/prod/database-AbCdEf";
    const made = await register(
      () =>
        void new RecoverySite("dr", {
          ...{ application: "architect-go", environment: "prod", region: "eu-west-1", accountId: args.accountId },
          cluster: args.cluster,
          image: args.image,
          store: { bucketName: "copies" },
          databaseSecretArn: secretArn,
          standbyDatabase: {
            ...standby,
            databaseName,
            source: {
              identifier: "architect-go-prod-eu-central-1",
              arn: "arn:aws:rds:eu-central-1:111122223333:db:architect-go-prod-eu-central-1",
              region: "eu-central-1",
            },
          },
        }),
    );
    const isAsleep = (name: string) =>
      (made.inputs("kubernetes:batch/v1:CronJob", name).spec as { suspend: boolean }).suspend;
    assert.deepEqual([isAsleep("dr-pitr-test-architect"), isAsleep("dr-reaper")], [true, false]);
    const { rds } = configOf(made, "dr-pitr-test-architect").databases[0]!;
    assert.deepEqual(
      [rds!.instanceIdentifier, rds!.region, rds!.secretArn],
      ["architect-go-prod-eu-west-1", "eu-west-1", secretArn],
    );
    const card = made.inputs("aws:s3/bucketObjectv2:BucketObjectv2", "dr-card").content as string;
    const { cronJobs } = JSON.parse(card) as { cronJobs: Record<string, unknown> };
    assert.deepEqual(
      [cronJobs.pointInTimeTests, cronJobs.reaper],
      [{ architect: "dr-pitr-test-architect" }, "dr-reaper"],
    );
  });

  it("names its problems by its own names", () => {
    const invalid: DisasterRecoveryArgs = {
      ...managed,
      databases: [{ ...args.databases![0]!, name: "other", engine: Engine.Rds, rds: {} }],
      pointInTimeTest: { schedule: "weekly" },
    };
    assert.throws(
      () => new DisasterRecovery("dr", invalid),
      /- databases\[0\]\.rds: expected either.*\n *- pointInTimeTest\.schedule: /s,
    );
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
