import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { Engine, SqliteBackupJob, SqliteReplication, type SqliteReplicationArgs } from "../../components";
import { validJobArgs } from "../support/job-arguments";
import { allows } from "../support/iam-simulation";
import { litestreamProgram } from "../support/litestream";
import { temporaryFolder } from "../support/postgres";
import { register, type RegisteredResources } from "../support/registered-resources";
import { type LocalContainer, localPod, type LocalPod, withoutJson } from "../support/rendered-pod";
import { dr, drJson, finished, startRunner, writeConfig } from "../support/runner";
import { skip } from "../support/skip";
import { sqlite } from "../support/sqlite";
import { waitFor } from "../support/wait-for";

type PodSpec = kubernetes.types.output.core.v1.PodSpec;

const oidcProvider = {
  arn: "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC",
  issuerUrl: "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC",
};
const notes = {
  name: "notes",
  engine: Engine.Sqlite,
  sizeGib: 1,
  file: { claimName: "data-notes-0", pathOnVolume: "notes.db", userId: 1000, groupId: 2000 },
  stream: { serviceAccountName: "notes", flushSeconds: 1 },
};
const bucketArn = "arn:aws:s3:::architect-go-prod-backups";
const dataKeyArn = "arn:aws:kms:eu-central-1:111122223333:key/store";
const args: SqliteReplicationArgs = {
  application: "notes",
  environment: "prod",
  region: "eu-central-1",
  accountId: "111122223333",
  namespace: "notes",
  image: validJobArgs.image,
  storeUrl: validJobArgs.storeUrl,
  bucketArn,
  dataKeyArn,
  database: notes,
  oidcProvider,
};

/** The application's pod, once it is rendered. */
interface Rendered {
  readonly made: RegisteredResources;
  readonly pod: PodSpec;
  readonly podLabels: Record<string, string>;
  readonly annotations: Record<string, string>;
}

async function render(given: SqliteReplicationArgs = args): Promise<Rendered> {
  let parts: pulumi.Output<unknown> | undefined;
  const made = await register(() => {
    const replication = new SqliteReplication("notes-stream", given);
    const pod = replication.podWith({ containers: [{ name: "application", image: "notes" }] });
    parts = pulumi.output({
      pod,
      podLabels: replication.podLabels,
      annotations: replication.serviceAccountAnnotations,
    });
  });
  const rendered = await new Promise<Omit<Rendered, "made">>((resolve) =>
    parts!.apply((known) => resolve(known as Omit<Rendered, "made">)),
  );
  return { made, ...rendered };
}

describe("SqliteReplication", () => {
  it("[guide 12] restores before the application starts, streams beside it, and ends after it", async () => {
    const { pod } = await render();
    const [restore, stream] = pod.initContainers;
    assert.deepEqual(restore!.command, [
      "litestream",
      "restore",
      "-config",
      "/etc/litestream/litestream.yml",
      "-no-expand-env",
      "-if-db-not-exists",
      "/data/notes.db",
    ]);
    assert.equal(restore!.restartPolicy, undefined);
    assert.equal(stream!.restartPolicy, "Always");
    assert.equal(stream!.command[1], "replicate");
    for (const container of pod.initContainers) {
      assert.equal(container.securityContext.runAsUser, 1000);
      assert.equal(container.securityContext.runAsGroup, 2000);
      assert.equal(container.securityContext.readOnlyRootFilesystem, true);
      assert.equal(container.image, args.image);
    }
    assert.deepEqual(
      pod.containers.map(({ name }) => name),
      ["application"],
    );
  });

  it("commits heartbeats beside the application, so that its stream never looks old by night, unless told not to", async function () {
    this.timeout(60_000);
    const { made, pod } = await render({ ...args, storeUrl: `file://${temporaryFolder()}` });
    const local = localPod(made, pod, { claims: { data: () => undefined } });
    const heartbeat = local.initContainers.find(({ name }) => name === "notes-heartbeat")!;
    assert.equal(pod.initContainers.find(({ name }) => name === heartbeat.name)!.restartPolicy, "Always");
    const file = local.here("/data/notes.db");
    const start = () => startRunner(withoutJson(heartbeat), heartbeat.env);
    // The application makes its file when it starts, and somebody prepares it: until then it is waited for.
    const early = start();
    let said = "";
    early.stderr!.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await waitFor("the heartbeat to say what it waits for", 20, () => said.includes("no heartbeat"));
    assert.equal(early.exitCode, null);
    early.kill("SIGTERM");
    await finished(early);
    sqlite(file, "PRAGMA journal_mode = WAL; CREATE TABLE note (id INTEGER PRIMARY KEY)");
    const prepared = await dr(["prepare", "notes", "--config", heartbeat.env.DR_CONFIG!]);
    assert.equal(prepared.exitCode, 0, prepared.stdout);
    const beating = start();
    await waitFor("a heartbeat", 20, () => sqlite(file, "SELECT at FROM dr_canary") !== "");
    beating.kill("SIGTERM");
    await finished(beating);
    const without = await render({
      ...args,
      database: { ...notes, stream: { ...notes.stream, heartbeat: false } },
    });
    assert.deepEqual(
      without.pod.initContainers.map(({ name }) => name),
      ["notes-restore", "notes-stream"],
    );
  });

  it("says that there is no stream yet only where it is told so", async () => {
    const { pod } = await render({
      ...args,
      database: { ...notes, stream: { ...notes.stream, firstDeployment: true } },
    });
    assert.ok(pod.initContainers[0]!.command.includes("-if-replica-exists"));
    assert.ok(!(await render()).pod.initContainers[0]!.command.includes("-if-replica-exists"));
  });

  it("gives the pods of one service account a role that may read and add its own stream, and nothing else", async () => {
    const { made, annotations } = await render();
    const role = made.inputs("aws:iam/role:Role", "notes-stream");
    assert.equal(annotations["eks.amazonaws.com/role-arn"], `arn:aws:iam::111122223333:role/${String(role.name)}`);
    const trust = JSON.parse(role.assumeRolePolicy as string) as { Statement: [{ Condition: object }] };
    assert.deepEqual(trust.Statement[0].Condition, {
      StringEquals: {
        "oidc.eks.eu-central-1.amazonaws.com/id/ABC:sub": "system:serviceaccount:notes:notes",
        "oidc.eks.eu-central-1.amazonaws.com/id/ABC:aud": "sts.amazonaws.com",
      },
    });
    const { policy } = made.inputs("aws:iam/rolePolicy:RolePolicy", "notes-stream") as { policy: string };
    const may = (action: string, resource: string, context: Record<string, string> = {}) =>
      allows({
        principal: "arn:aws:iam::111122223333:role/notes",
        action,
        resource,
        identityPolicy: JSON.parse(policy) as object,
        context,
      });
    const own = `${bucketArn}/wal/notes/generations/1/wal/00000000_00000000.wal.lz4`;
    for (const action of ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"]) assert.ok(await may(action, own));
    assert.ok(await may("s3:ListBucket", bucketArn, { "s3:prefix": "wal/notes/generations/" }));
    for (const action of ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention", "s3:PutObjectAcl"]) {
      assert.ok(!(await may(action, own)), action);
    }
    for (const key of [
      "wal/notes-archive/x",
      "wal/architect/x",
      "parts/notes/x",
      "catalog/notes/x",
      "evidence/notes/x",
    ]) {
      for (const action of ["s3:PutObject", "s3:GetObject"])
        assert.ok(!(await may(action, `${bucketArn}/${key}`)), key);
    }
    assert.ok(!(await may("s3:ListBucket", bucketArn, { "s3:prefix": "" })));
    // The simulator drops encryption contexts.
    const { Statement } = JSON.parse(policy) as { Statement: { Sid: string; Condition: object }[] };
    assert.deepEqual(Statement.find(({ Sid }) => Sid === "DataKey")!.Condition, {
      StringEquals: { "kms:ViaService": "s3.eu-central-1.amazonaws.com" },
      StringLike: { "kms:EncryptionContext:aws:s3:arn": [bucketArn, `${bucketArn}/*`] },
    });
  });

  it("gives the rights to the role that the pods have, where they have one", async () => {
    const { made, annotations } = await render({
      ...args,
      oidcProvider: undefined,
      database: { ...notes, stream: { roleName: "notes-application" } },
    });
    assert.deepEqual(made.ofType("aws:iam/role:Role"), []);
    assert.equal(made.inputs("aws:iam/rolePolicy:RolePolicy", "notes-stream").role, "notes-application");
    assert.deepEqual(annotations, {});
  });

  it("has its pods and the backups of the file find each other, on one node", async () => {
    const { pod, podLabels } = await render();
    const { file, ...rest } = notes;
    const made = await register(
      () =>
        void new SqliteBackupJob("notes-backup", {
          ...validJobArgs,
          namespace: "notes",
          databases: [{ ...rest, file, stream: undefined }],
        }),
    );
    const { template } = (
      made.inputs("kubernetes:batch/v1:CronJob", "notes-backup") as unknown as kubernetes.types.output.batch.v1.CronJob
    ).spec.jobTemplate.spec;
    const [rule] = template.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution;
    assert.deepEqual(rule!.labelSelector.matchLabels, podLabels);
    // Where no pod of the application runs, the backup satisfies its own rule.
    for (const [label, value] of Object.entries(podLabels)) assert.equal(template.metadata.labels[label], value);
    assert.ok(!("requiredDuringSchedulingIgnoredDuringExecution" in pod.affinity.podAffinity), "it would never start");
    assert.deepEqual(template.spec.securityContext, {
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 2000,
      fsGroup: 2000,
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    });
    const data = template.spec.volumes.find(({ name }) => name === "data");
    assert.deepEqual(data!.persistentVolumeClaim, { claimName: "data-notes-0" });
    const mount = template.spec.containers[0]!.volumeMounts.find(({ name }) => name === "data");
    assert.deepEqual(mount, { name: "data", mountPath: "/data" }, "even a reader writes beside the file");
  });

  it("names every invalid argument in one message, and registers nothing", async () => {
    const made = await register(() =>
      assert.throws(
        () =>
          new SqliteReplication("notes-stream", {
            ...args,
            image: "dr:latest",
            oidcProvider: undefined,
            database: {
              ...notes,
              url: "postgresql://db/notes",
              file: { ...notes.file, pathOnVolume: "../notes.db", mountPath: "data", userId: 0 },
              stream: { serviceAccountName: "notes", roleName: "notes", flushSeconds: 0 },
            },
          }),
        (error: Error) => {
          for (const text of [
            "image: expected an image pinned by digest",
            "database.url: does not belong to engine sqlite",
            "database.file.pathOnVolume: expected a path on the volume",
            "database.file.mountPath: expected an absolute path",
            "database.file.userId: expected a whole number of 1 or more, got 0",
            "database.stream: expected either serviceAccountName or roleName",
            "database.stream.flushSeconds: expected a whole number of 1 or more, got 0",
            "oidcProvider: is missing",
          ]) {
            assert.ok(error.message.includes(text), `${text}\nis not in\n${error.message}`);
          }
          return true;
        },
      ),
    );
    assert.deepEqual(made.all, []);
  });

  describe("run as it is rendered, by Litestream itself", function () {
    this.timeout(60_000);
    let program: string;
    let store: string;
    let pod: LocalPod;
    let file: string;
    const running = new Set<ChildProcess>();

    before(async function () {
      const found = litestreamProgram();
      if (found === undefined) skip(this, "litestream is not installed (in PATH, or named by DR_LITESTREAM)");
      program = found;
      store = join(temporaryFolder(), "store");
      mkdirSync(store);
      const { made, pod: rendered } = await render({ ...args, storeUrl: `file://${store}` });
      pod = localPod(made, rendered, { claims: { data: () => undefined } });
      file = pod.here("/data/notes.db");
    });
    after(() => running.forEach((child) => child.kill("SIGKILL")));

    const restore = () => run(pod.initContainers[0]!);
    const run = ({ command }: LocalContainer) => spawnSync(program, command.slice(1), { encoding: "utf8" });

    it("[guide 12, 32] does not start without a stream, streams, and brings a lost file back", async () => {
      const first = restore();
      assert.equal(first.status, 1, "an empty database would have streamed in the real one's place");
      assert.match(first.stderr + first.stdout, /no matching backups found/);
      assert.ok(!existsSync(file));

      sqlite(
        file,
        "PRAGMA journal_mode = WAL; CREATE TABLE note (id INTEGER PRIMARY KEY); INSERT INTO note VALUES (1)",
      );
      const child = spawn(program, pod.initContainers[1]!.command.slice(1), { stdio: "ignore" });
      running.add(child);
      await waitFor("the stream", 20, () => existsSync(join(store, "wal", "notes", "generations")));
      sqlite(file, "INSERT INTO note VALUES (2)");
      const exited = once(child, "exit");
      // The pod ends: the application first, then the sidecar, which sends what is left.
      child.kill("SIGTERM");
      await exited;
      for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });

      assert.equal(restore().status, 0);
      assert.equal(sqlite(file, "SELECT count(*) FROM note"), "2");
      sqlite(file, "INSERT INTO note VALUES (3)");
      assert.equal(restore().status, 0);
      assert.equal(sqlite(file, "SELECT count(*) FROM note"), "3", "a file that is there is not touched");
    });

    it("writes where the runner reads it: the restore test finds the stream", async () => {
      const database = { name: "notes", engine: "sqlite", path: "/data/notes.db" };
      const config = writeConfig(temporaryFolder(), { store: `file://${store}`, databases: [database] });
      const words = ["restore-test", "--from-stream", "--config", config];
      const { json, stdout } = await drJson<{ checks: { name: string; verdict: string }[] }>(words, {
        DR_LITESTREAM: program,
      });
      const verdicts = Object.fromEntries(json.checks.map(({ name, verdict }) => [name, verdict]));
      assert.equal(verdicts.stream, "pass", stdout);
      assert.equal(verdicts.integrity, "pass", stdout);
    });
  });
});
