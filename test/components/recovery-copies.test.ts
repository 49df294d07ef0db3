import assert from "node:assert/strict";
import { DisasterRecovery, type DisasterRecoveryArgs, Engine, RecoveryCopies, RecoverySite } from "../../components";
import { declaredDatabases } from "../../components/declared-recovery";
import { type StackConfig } from "../../components/stack-config";
import { assess, objectivesFrom, Scenario } from "../../recovery";
import { validJobArgs } from "../support/job-arguments";
import { register } from "../support/registered-resources";

const scope = {
  application: "architect-go",
  environment: "prod",
  region: "eu-central-1",
  recoveryRegion: "eu-west-1",
  accountId: "111122223333",
};
const copies = { images: { repositoryPrefix: "disaster-recovery" }, stateBucket: { bucketName: "pulumi-state" } };
const args: DisasterRecoveryArgs = {
  ...scope,
  cluster: { namespace: "architect-go", clusterName: "prod" },
  image: validJobArgs.image,
  databases: validJobArgs.databases,
};

describe("RecoveryCopies", () => {
  it("[guide 59] has the registry copy the image, and S3 the state, to a private bucket that is kept", async () => {
    const made = await register(() => void new RecoveryCopies("copies", { ...scope, ...copies }));
    assert.deepEqual(made.inputs("aws:ecr/replicationConfiguration:ReplicationConfiguration", "copies-images"), {
      region: "eu-central-1",
      replicationConfiguration: {
        rules: [
          {
            destinations: [{ region: "eu-west-1", registryId: "111122223333" }],
            repositoryFilters: [{ filter: "disaster-recovery", filterType: "PREFIX_MATCH" }],
          },
        ],
      },
    });
    const { inputs, options } = made.get("aws:s3/bucket:Bucket", "copies-state");
    assert.equal(inputs.region, "eu-west-1");
    assert.equal(inputs.forceDestroy, undefined);
    assert.ok(options.protect && options.retainOnDelete);
    const replication = made.inputs(
      "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
      "copies-state-replication",
    );
    assert.equal(replication.bucket, "pulumi-state");
    assert.equal(replication.region, "eu-central-1");
    const access = made.inputs("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "copies-state-public-access");
    assert.ok(
      access.blockPublicAcls && access.blockPublicPolicy && access.ignorePublicAcls && access.restrictPublicBuckets,
    );
  });

  it("makes only what is asked for, and refuses copies that have nowhere to go", async () => {
    const made = await register(() => void new DisasterRecovery("dr", { ...args, copies: { images: copies.images } }));
    assert.equal(made.ofType("aws:ecr/replicationConfiguration:ReplicationConfiguration").length, 1);
    assert.ok(made.ofType("aws:s3/bucket:Bucket").every(({ name }) => !name.includes("state")));
    const nowhere = { ...args, recoveryRegion: undefined, copies };
    assert.throws(() => new DisasterRecovery("dr", nowhere), /copies: has nowhere to go/);
    const wrong = { ...args, copies: { images: { repositoryPrefix: "" }, stateBucket: { bucketName: "No" } } };
    assert.throws(
      () => new DisasterRecovery("dr", wrong),
      /copies.images.repositoryPrefix: [\s\S]*copies.stateBucket.bucketName: /,
    );
  });

  it("[guide 59] keeps runbooks in the store, under the region that they are for", async () => {
    const runbooks = { "regional-failure.md": "# Regional failure" };
    const made = await register(() => {
      new DisasterRecovery("dr", { ...args, runbooks });
      const site = {
        ...args,
        region: "eu-west-1",
        recoveryRegion: undefined,
        store: { bucketName: "copies" },
        runbooks,
      };
      new RecoverySite("site", site);
    });
    const keys = made.ofType("aws:s3/bucketObjectv2:BucketObjectv2").map(({ inputs, options }) => {
      assert.ok(options.retainOnDelete);
      return inputs.key;
    });
    assert.deepEqual(keys.sort(), [
      "runbooks/eu-central-1/regional-failure.md",
      "runbooks/eu-west-1/recovery-site.json",
      "runbooks/eu-west-1/regional-failure.md",
    ]);
    assert.throws(
      () => new DisasterRecovery("dr", { ...args, runbooks: { "../x": "" } }),
      /runbooks\.\.\.\/x: expected/,
    );
  });

  it("refuses a recovery site whose image is in the registry of the region that fails", () => {
    const image = validJobArgs.image.replace("registry.example.com", "111122223333.dkr.ecr.eu-central-1.amazonaws.com");
    const site = { ...args, region: "eu-west-1", image, store: { bucketName: "copies" } };
    assert.throws(() => new RecoverySite("dr", site), /image: is in the registry of eu-central-1/);
  });
});

describe("what a primary stack declares", () => {
  const image = validJobArgs.image.replace("registry.example.com", "111122223333.dkr.ecr.eu-central-1.amazonaws.com");
  const notes = {
    name: "notes",
    engine: Engine.Sqlite,
    sizeGib: 1,
    file: { claimName: "data-notes-0", pathOnVolume: "notes.db", userId: 1000 },
    stream: { serviceAccountName: "notes" },
  };
  const config: StackConfig = {
    ...scope,
    site: "primary",
    activeRegion: "eu-central-1",
    image,
    objectives: {},
    cluster: { namespace: "n", clusterName: "prod" },
    databases: [{ ...validJobArgs.databases[0]!, sizeGib: 1, wal: { flushSeconds: 30 } }, notes],
    store: {},
    backup: {},
    restoreTest: {},
    proof: {},
    alerts: {},
    runbooks: [],
    copies,
  };
  const outcome = (given: StackConfig, database: string, scenario: Scenario) =>
    assess({ objectives: objectivesFrom(), databases: declaredDatabases(given), now: new Date() }).find(
      (one) => one.database === database && one.scenario === scenario,
    )!;

  it("[guide 3, 30] counts the log of a server and the stream of a file with the time until they are stored", () => {
    const log = outcome(config, "architect", Scenario.CompleteOutage);
    assert.deepEqual([log.by, log.rpoMinutes], ["log", 0.5]);
    const stream = outcome(config, "notes", Scenario.CompleteOutage);
    assert.equal(stream.by, "stream");
    assert.equal(Math.round(stream.rpoMinutes! * 60), 10);
    const without = { ...config, databases: config.databases.map(({ wal: _wal, stream: _stream, ...rest }) => rest) };
    assert.equal(outcome(without, "architect", Scenario.CompleteOutage).by, "dump");
    assert.equal(outcome(without, "notes", Scenario.CompleteOutage).by, "dump");
    // The copy carries them too.
    assert.match(outcome(config, "notes", Scenario.RegionalFailure).by!, /stream via store copy/);
  });

  it("[guide 59] lists what lives only in the region that fails", () => {
    const stops = (given: StackConfig) => JSON.stringify(outcome(given, "notes", Scenario.RegionalFailure));
    assert.doesNotMatch(stops(config), /job image/);
    assert.match(stops({ ...config, copies: { stateBucket: copies.stateBucket } }), /image job image/);
    // In a registry of which nobody knows where it is.
    assert.match(stops({ ...config, image: validJobArgs.image }), /job image: nobody said where it lives/);
  });
});
