import assert from "node:assert/strict";
import type * as kubernetes from "@pulumi/kubernetes";
import { Engine, WalArchive, type WalArchiveArgs } from "../../components";
import { jobConfigDefaults, parseJobConfig } from "../../recovery";
import { validJobArgs } from "../support/job-arguments";
import { register } from "../support/registered-resources";

type StatefulSet = Required<kubernetes.types.output.apps.v1.StatefulSet>;
type NetworkPolicy = kubernetes.types.output.networking.v1.NetworkPolicy;

const [architect] = validJobArgs.databases;
const args: WalArchiveArgs = { ...validJobArgs, databases: [{ ...architect!, wal: {} }] };

async function make(given: WalArchiveArgs = args, options = {}) {
  const made = await register(() => void new WalArchive("architect-wal", given), options);
  const set = made.get("kubernetes:apps/v1:StatefulSet", "architect-wal");
  return { made, options: set.options, spec: (set.inputs as unknown as StatefulSet).spec };
}

describe("WalArchive", () => {
  it("[guide 30] streams in one pod and never two, with a spool that outlives it", async () => {
    const { spec, made } = await make();
    assert.equal(spec.replicas, 1);
    const pod = spec.template.spec;
    assert.deepEqual(pod.containers[0]!.command, ["dr", "stream", "architect"]);
    assert.deepEqual(spec.persistentVolumeClaimRetentionPolicy, { whenDeleted: "Retain", whenScaled: "Retain" });
    const [claim] = spec.volumeClaimTemplates;
    assert.deepEqual(claim!.spec.accessModes, ["ReadWriteOnce"]);
    assert.equal(claim!.spec.resources.requests.storage, "12Gi");
    const mount = pod.containers[0]!.volumeMounts.find(({ name }) => name === claim!.metadata.name);
    const { data } = made.inputs("kubernetes:core/v1:ConfigMap", "architect-wal") as { data: Record<string, string> };
    const { config, problems } = parseJobConfig(data["dr.json"]!);
    assert.equal(problems, undefined);
    const [database] = config.databases;
    assert.ok(database!.wal!.spool.startsWith(`${mount!.mountPath}/`));
    // The runner stops receiving before the volume is full.
    assert.ok(database!.wal!.maxSpoolBytes! < 0.9 * 12 * 1024 ** 3);
    assert.match(database!.wal!.baseBackupSchedule!, /^\d+ 1 \* \* \*$/);
    assert.equal(database!.passwordFile, "/var/run/dr/passwords/architect/password");
    assert.equal(jobConfigDefaults.walFlushSeconds, 60);
  });

  it("[guide 30] passes on how many incremental base backups may follow a full one", async () => {
    const databases = [{ ...architect!, wal: { incrementalsPerFull: 6 } }];
    const { made } = await make({ ...args, databases, timeZone: "Europe/Berlin" });
    const { data } = made.inputs("kubernetes:core/v1:ConfigMap", "architect-wal") as { data: Record<string, string> };
    const [database] = parseJobConfig(data["dr.json"]!).config!.databases;
    assert.deepEqual(database!.backup, { timeZone: "Europe/Berlin", incrementalsPerFull: 6 });
  });

  it("has the rights of a backup, and no others", async () => {
    const { spec, made } = await make();
    const pod = spec.template.spec;
    assert.equal(pod.securityContext.runAsNonRoot, true);
    assert.equal(pod.automountServiceAccountToken, false);
    assert.equal(pod.containers[0]!.securityContext.readOnlyRootFilesystem, true);
    assert.equal(spec.template.metadata.annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"], "false");
    for (const [label, value] of Object.entries(spec.selector.matchLabels)) {
      assert.equal(spec.template.metadata.labels[label], value);
    }
    const policy = made.inputs(
      "kubernetes:networking.k8s.io/v1:NetworkPolicy",
      "architect-wal",
    ) as unknown as NetworkPolicy;
    assert.deepEqual(policy.spec.podSelector.matchLabels, spec.selector.matchLabels);
    const ports = policy.spec.egress.flatMap((rule) => rule.ports.map(({ port }) => port));
    assert.deepEqual([...new Set(ports)], [53, 5432, 80, 443]);
  });

  it("waits where the site waits, and is not put to sleep again", async () => {
    const { spec, options } = await make({ ...args, suspend: true });
    assert.equal(spec.replicas, 0);
    assert.deepEqual(options.ignoreChanges, ["spec.replicas"]);
    assert.equal((await make(args, { preview: true })).spec.replicas, 1);
  });

  it("names every invalid argument in one message, and registers nothing", async () => {
    const wal = { spoolGib: 0, flushSeconds: 0, baseBackupSchedule: "0 0 * * 7", incrementalsPerFull: 65 };
    const databases = [
      { ...architect!, wal },
      { ...architect!, name: "second", engine: Engine.Rds, wal: {} },
    ];
    const made = await register(() =>
      assert.throws(
        () => new WalArchive("architect-wal", { ...args, image: "dr:latest", timeZone: "Mars", databases }),
        (error: Error) => {
          for (const text of [
            "image: expected an image pinned by digest",
            "databases[0].wal.spoolGib: expected a whole number of 1 or more, got 0",
            "databases[0].wal.flushSeconds: expected a whole number of 1 or more, got 0",
            "databases[0].wal.baseBackupSchedule: ",
            "databases[0].wal.incrementalsPerFull: expected at most 64, got 65",
            "databases[1].wal: does not belong to engine rds",
            "databases[1].engine: expected postgres",
            "databases: expected one, got 2",
            'timeZone: time zone "Mars"',
          ]) {
            assert.ok(error.message.includes(text), `${text}\nis not in\n${error.message}`);
          }
          return true;
        },
      ),
    );
    assert.deepEqual(made.all, []);
    assert.throws(() => new WalArchive("architect-wal", validJobArgs), /databases\[0\].wal: is missing/);
  });
});
