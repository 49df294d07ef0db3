import { readFileSync } from "node:fs";
import { basename } from "node:path";
import * as aws from "@pulumi/aws";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { DisasterRecovery, RecoverySite } from "./components";
import { declaredDatabases } from "./components/declared-recovery";
import { readStackConfig, Site, type StackConfig } from "./components/stack-config";
import { assess, assessmentTable, objectivesFrom } from "./recovery";

const config = readStackConfig(new pulumi.Config(), pulumi.getStack());

const { kubeContext, ...clusterArgs } = config.cluster;
// Refuses every account but the one that is meant, and never asks a region other than the stack's own.
const cloud = new aws.Provider("aws", { region: config.region as aws.Region, allowedAccountIds: [config.accountId] });
const cluster = new kubernetes.Provider("cluster", { context: kubeContext });
const opts = { providers: [cloud, cluster] };

/** The region that serves: the store and its copy, the database, the jobs, the alarms. */
function primary({ managedDatabase, store, copies, ...rest }: StackConfig) {
  const recovery = new DisasterRecovery(
    rest.application,
    { ...shared(rest), ...storeArgs(store), recoveryRegion: rest.recoveryRegion, copies, managedDatabase },
    opts,
  );
  const outcomes = assess({
    objectives: objectivesFrom(config.objectives),
    databases: declaredDatabases(config),
    now: new Date(),
  });
  return {
    bucketName: recovery.bucketName,
    storeUrl: recovery.storeUrl,
    // What Pulumi.prod-recovery.yaml asks for.
    replicaBucketName: recovery.replicaBucketName,
    replicaDataKeyArn: recovery.replicaDataKeyArn,
    databaseArn: recovery.databaseArn,
    databaseAddress: recovery.databaseAddress,
    databaseSecretArn: recovery.databaseSecretArn,
    roleArns: recovery.roleArns,
    topicArns: recovery.topicArns,
    // What the stack of an application puts into the pods whose SQLite files are streamed.
    sqlitePods: recovery.sqlitePods,
    assessment: assessmentTable(outcomes, { derivations: "none" }),
  };
}

/** The region that waits: a standby, the same jobs asleep, alarms of its own. It needs nothing of the other region. */
function recoverySite({ managedDatabase, store, ...rest }: StackConfig) {
  const source = managedDatabase?.source;
  const site = new RecoverySite(
    rest.application,
    {
      ...shared(rest),
      store: store.existing!,
      standbyDatabase: managedDatabase && source && { ...managedDatabase, source },
    },
    opts,
  );
  return {
    storeUrl: site.storeUrl,
    databaseAddress: site.databaseAddress,
    roleArns: site.roleArns,
    topicArns: site.topicArns,
    sqlitePods: site.sqlitePods,
    card: site.cardKey,
  };
}

/** What both regions are told alike. */
function shared({ application, environment, region, accountId, image, ...rest }: Omit<StackConfig, "store">) {
  const { databases, backup, restoreTest, proof, pointInTimeTest, alerts } = rest;
  const { rpoMinutes, rtoMinutes } = rest.objectives;
  const objectives = { rpoMinutes, rtoMinutes };
  const runbooks = Object.fromEntries(rest.runbooks.map((file) => [basename(file), readFileSync(file, "utf8")]));
  return {
    application,
    environment,
    region,
    accountId,
    image,
    cluster: clusterArgs,
    objectives,
    databases,
    backup,
    restoreTest,
    proof,
    pointInTimeTest,
    runbooks,
    alerts,
  };
}

function storeArgs({ existing, retention, objectLock, encryption }: StackConfig["store"]) {
  return { existingStore: existing, retention, objectLock, encryption };
}

const outputs: Record<string, unknown> = config.site === Site.Primary ? primary(config) : recoverySite(config);

export = { ...outputs, activeRegion: config.activeRegion };
