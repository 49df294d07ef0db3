import assert from "node:assert/strict";
import fc from "fast-check";
import {
  clusterDifferences,
  clusterSettings,
  decideClusterRestore,
  decideInstanceRestore,
  instanceDifferences,
  instanceLaterSettings,
  instanceSettings,
  type RdsInstance,
  type RdsRestoreChoice,
  remainingSteps,
  restoredFromTag,
  ThrowAwayTag,
} from "../../recovery";
import { describedCluster, describedInstance, describedMember } from "../support/described-rds";

const at = new Date("2026-11-23T14:05:00Z");
const recovery: RdsRestoreChoice = {
  point: { kind: "time", at },
  purpose: { kind: "recovery" },
  identifier: "architect-restored",
};
const restoreTest: RdsRestoreChoice = {
  ...recovery,
  purpose: {
    kind: "restore-test",
    database: "architect",
    environment: "prod",
    expiresAt: new Date("2026-11-23T20:00:00Z"),
    subnetGroup: "restore-tests",
    securityGroupIds: ["sg-test"],
  },
};

describe("the restore of an RDS instance", () => {
  it("[guide 30] names everything that RDS would reset in silence", () => {
    const { request } = decideInstanceRestore(describedInstance, recovery);
    assert.deepEqual(request?.from, {
      SourceDBInstanceIdentifier: "architect-prod",
      TargetDBInstanceIdentifier: "architect-restored",
      RestoreTime: at,
    });
    assert.deepEqual(request?.settings, {
      Port: 5433,
      DBSubnetGroupName: "architect-private",
      VpcSecurityGroupIds: ["sg-1", "sg-2"],
      DeletionProtection: true,
      EnableIAMDatabaseAuthentication: true,
      EnableCloudwatchLogsExports: ["postgresql", "upgrade"],
      CopyTagsToSnapshot: true,
      BackupRetentionPeriod: 14,
      PreferredBackupWindow: "02:00-02:30",
      StorageType: "gp3",
      Iops: 12000,
      NetworkType: "IPV4",
      EngineLifecycleSupport: "open-source-rds-extended-support-disabled",
      PubliclyAccessible: false,
      DBInstanceClass: "db.r6g.large",
      MultiAZ: true,
      DBParameterGroupName: "architect-pg15",
      OptionGroupName: "architect-options",
      AutoMinorVersionUpgrade: false,
      LicenseModel: "postgresql-license",
      AllocatedStorage: 500,
      StorageThroughput: 500,
      DedicatedLogVolume: false,
      CACertificateIdentifier: "rds-ca-rsa4096-g1",
    });
    assert.deepEqual(request?.later, {
      PreferredMaintenanceWindow: "sun:03:00-sun:03:30",
      MonitoringInterval: 30,
      MonitoringRoleArn: "arn:aws:iam::111122223333:role/rds-monitoring",
      EnablePerformanceInsights: true,
      PerformanceInsightsKMSKeyId: "arn:aws:kms:eu-central-1:111122223333:key/insights",
      PerformanceInsightsRetentionPeriod: 93,
      MaxAllocatedStorage: 1000,
    });
    assert.deepEqual(
      request?.tags,
      [
        { Key: "application", Value: "architect-go" },
        { Key: restoredFromTag, Value: "architect-prod" },
      ],
      "nobody's throw-away tags",
    );
  });

  it("takes a snapshot and the newest moment as well", () => {
    const fromOf = (point: RdsRestoreChoice["point"]) =>
      decideInstanceRestore(describedInstance, { ...recovery, point }).request?.from;
    assert.deepEqual(fromOf({ kind: "snapshot", snapshotIdentifier: "rds:architect-prod-1" }), {
      DBSnapshotIdentifier: "rds:architect-prod-1",
      DBInstanceIdentifier: "architect-restored",
    });
    assert.deepEqual(fromOf({ kind: "latest" }), {
      SourceDBInstanceIdentifier: "architect-prod",
      TargetDBInstanceIdentifier: "architect-restored",
      UseLatestRestorableTime: true,
    });
  });

  it("leaves a gp3 volume below 400 GiB its fixed performance, which RDS describes and refuses to be asked for", () => {
    const small = { ...describedInstance, AllocatedStorage: 100, Iops: 3000, StorageThroughput: 125 };
    const { settings } = decideInstanceRestore(small, recovery).request!;
    assert.deepEqual([settings.Iops, settings.StorageThroughput, settings.StorageType], [undefined, undefined, "gp3"]);
  });

  it("leaves no judged setting to a default of RDS: it is carried over, or the restore is refused by name", () => {
    const all = Object.keys(describedInstance) as (keyof RdsInstance)[];
    fc.assert(
      fc.property(fc.subarray(all), fc.boolean(), (described, isTest) => {
        const source = Object.fromEntries(described.map((name) => [name, describedInstance[name]])) as RdsInstance;
        const { request, problems } = decideInstanceRestore(source, isTest ? restoreTest : recovery);
        for (const [name, { of, always }] of Object.entries(instanceSettings)) {
          const isUnknown = of(source) === undefined;
          if (always && isUnknown)
            assert.ok(
              problems?.some((problem) => problem.startsWith(name)),
              name,
            );
          else if (request && !isUnknown) assert.ok(name in request.settings, name);
        }
        if (request && !isTest) {
          for (const [name, { of }] of Object.entries(instanceLaterSettings)) {
            assert.equal(name in request.later, of(source) !== undefined, name);
          }
        }
      }),
    );
  });

  it("for a test it is alone, in one zone, deletable, and carries the throw-away's tags and no others", () => {
    const { request } = decideInstanceRestore(describedInstance, restoreTest);
    const { settings, tags, later } = request!;
    assert.deepEqual(
      [settings.MultiAZ, settings.DeletionProtection, settings.PubliclyAccessible, settings.DBSubnetGroupName],
      [false, false, false, "restore-tests"],
    );
    assert.deepEqual(settings.VpcSecurityGroupIds, ["sg-test"]);
    assert.deepEqual(tags.map(({ Key }) => Key).sort(), Object.values(ThrowAwayTag).sort());
    assert.deepEqual(later, {});
    assert.equal(settings.DBInstanceClass, describedInstance.DBInstanceClass, "else its time would say nothing");
  });

  for (const [what, more, expected] of [
    ["the source's own name", { identifier: "architect-prod" }, /is the source itself/],
    ["a name that RDS refuses", { identifier: "Architect_1" }, /identifier: expected/],
    ["a moment that is none", { point: { kind: "time", at: new Date(NaN) } }, /no moment/],
    [
      "a test without an end",
      { purpose: { ...restoreTest.purpose, expiresAt: new Date(NaN) } as RdsRestoreChoice["purpose"] },
      /nobody would ever delete/,
    ],
  ] as const) {
    it(`refuses ${what}`, () =>
      assert.match(
        decideInstanceRestore(describedInstance, { ...recovery, ...(more as object) }).problems!.join(),
        expected,
      ));
  }

  it("what RDS made of it is compared setting by setting", () => {
    const { request } = decideInstanceRestore(describedInstance, recovery);
    const restored: RdsInstance = { ...describedInstance, TagList: [...request!.tags] };
    assert.deepEqual(instanceDifferences(request!, describedInstance, restored), []);
    const reset: RdsInstance = {
      ...restored,
      VpcSecurityGroups: [{ VpcSecurityGroupId: "sg-default" }],
      DBParameterGroups: [{ DBParameterGroupName: "default.postgres15" }],
      MultiAZ: false,
      DeletionProtection: false,
      PerformanceInsightsEnabled: false,
      KmsKeyId: "arn:aws:kms:eu-central-1:111122223333:key/other",
      TagList: [],
    };
    const named = instanceDifferences(request!, describedInstance, reset).map((line) => line.split(" is ")[0]);
    assert.deepEqual(named.sort(), [
      "DBParameterGroupName",
      "DeletionProtection",
      "EnablePerformanceInsights",
      "KmsKeyId",
      "MultiAZ",
      "PerformanceInsightsKMSKeyId",
      "PerformanceInsightsRetentionPeriod",
      "VpcSecurityGroupIds",
      "tag application",
      "tag recovery:restored-from",
    ]);
  });

  it("says what no restore brings along", () => {
    const steps = remainingSteps(
      {
        ...describedInstance,
        AssociatedRoles: [{ RoleArn: "arn:aws:iam::111122223333:role/import", FeatureName: "s3Import" }],
        ReadReplicaDBInstanceIdentifiers: ["architect-replica"],
      },
      "architect-restored",
    );
    assert.match(
      steps[0]!,
      /add-role-to-db-instance --db-instance-identifier architect-restored .*--feature-name s3Import/,
    );
    assert.match(steps[1]!, /architect-replica still follows the old database/);
  });
});

describe("the restore of an Aurora cluster", () => {
  const members = [
    describedMember("architect-aurora-1", "db.r6g.xlarge"),
    describedMember("architect-aurora-2", "db.r6g.large"),
  ];

  it("names the cluster's settings and makes instances of the old ones' classes, the writer first", () => {
    const { request } = decideClusterRestore(describedCluster, members, recovery);
    assert.deepEqual(request?.from, {
      SourceDBClusterIdentifier: "architect-aurora",
      DBClusterIdentifier: "architect-restored",
      RestoreType: "full-copy",
      RestoreToTime: at,
    });
    assert.deepEqual(
      request?.members.map(({ DBInstanceIdentifier, settings }) => [DBInstanceIdentifier, settings.DBInstanceClass]),
      [
        ["architect-restored-1", "db.r6g.xlarge"],
        ["architect-restored-2", "db.r6g.large"],
      ],
    );
    assert.equal(request?.settings.KmsKeyId, describedCluster.KmsKeyId);
    assert.deepEqual(request?.settings.ServerlessV2ScalingConfiguration, { MinCapacity: 0.5, MaxCapacity: 8 });
    assert.deepEqual(request?.later, { EnableHttpEndpoint: true });
    for (const [name, { of, always }] of Object.entries(clusterSettings)) {
      if (always) assert.ok(name in request.settings, name);
      else assert.equal(name in request.settings, of(describedCluster) !== undefined, name);
    }
    for (const { tags } of [request, ...request.members]) {
      assert.deepEqual(tags.at(-1), { Key: restoredFromTag, Value: "architect-aurora" });
    }
    const restored = { ...describedCluster, TagList: [...request.tags] };
    assert.deepEqual(clusterDifferences(request, describedCluster, restored), []);
    assert.match(
      clusterDifferences(request, describedCluster, {
        ...describedCluster,
        DBClusterParameterGroup: "default",
      }).join(),
      /DBClusterParameterGroupName/,
    );
  });

  it("for a test has one instance, with the tags on both", () => {
    const { request } = decideClusterRestore(describedCluster, members, restoreTest);
    assert.equal(request?.members.length, 1);
    assert.deepEqual(request?.members[0]?.tags, request?.tags);
    assert.deepEqual(request?.members[0]?.settings, {
      DBInstanceClass: "db.r6g.xlarge",
      DBParameterGroupName: "architect-member15",
      PubliclyAccessible: false,
      AutoMinorVersionUpgrade: true,
      CACertificateIdentifier: "rds-ca-rsa4096-g1",
    });
  });

  it("is refused when nobody knows of which class an instance must be", () => {
    assert.match(decideClusterRestore(describedCluster, [], recovery).problems!.join(), /no instance/);
  });
});
