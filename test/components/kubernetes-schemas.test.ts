import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as kubernetes from "@pulumi/kubernetes";
import {
  BackupJob,
  Engine,
  IdentityProvider,
  PointInTimeTestJob,
  ProofJob,
  ReaperJob,
  RestoreTestJob,
  SqliteBackupJob,
  SqliteReplication,
  StatusJob,
  WalArchive,
} from "../../components";
import { isInstalled } from "../support/installed";
import { restoredByRds, validJobArgs as args } from "../support/job-arguments";
import { temporaryFolder } from "../support/postgres";
import { register } from "../support/registered-resources";
import { skip } from "../support/skip";

/** Checks manifests against Kubernetes' own OpenAPI schemas; a field that a version does not know is refused. */
function validate(version: string, manifests: readonly object[]): { exitCode: number | null; output: string } {
  const file = join(temporaryFolder(), "manifests.yaml");
  writeFileSync(file, manifests.map((manifest) => JSON.stringify(manifest)).join("\n---\n"));
  const run = spawnSync("kubernetes-validate", ["--strict", "-k", version, file], { encoding: "utf8" });
  return { exitCode: run.status, output: run.stdout + run.stderr };
}

describe("the Kubernetes objects that the components make", function () {
  this.timeout(60_000);
  let manifests: readonly Record<string, unknown>[] = [];

  before(async function () {
    if (!isInstalled("kubernetes-validate")) {
      skip(this, "kubernetes-validate is not installed (pip install kubernetes-validate)");
    }
    const irsa = { identityProvider: IdentityProvider.Irsa, roleArn: "arn:aws:iam::111122223333:role/backup" };
    const ca = { name: "rds-ca", key: "global-bundle.pem" };
    const databases = [{ ...args.databases[0]!, certificateAuthority: ca }];
    const notes = {
      name: "notes",
      engine: Engine.Sqlite,
      sizeGib: 1,
      file: { claimName: "data-notes-0", pathOnVolume: "notes.db", userId: 1000 },
      stream: { roleName: "notes" },
    };
    const placed = { priorityClassName: "high", storageClassName: "gp3", nodeSelector: { pool: "jobs" } };
    const made = await register(() => {
      new BackupJob("backup", args);
      new BackupJob("backup-with-everything", { ...args, ...irsa, ...placed, databases, suspend: true });
      new RestoreTestJob("restore-test", args);
      new StatusJob("status", { ...args, backupSchedule: "0 */6 * * *" });
      new ProofJob("prove", args);
      new PointInTimeTestJob("pitr-test", restoredByRds(args));
      new ReaperJob("reaper", restoredByRds(args));
      new SqliteBackupJob("notes-backup", { ...args, databases: [notes] });
      new WalArchive("wal", { ...args, ...placed, databases: [{ ...args.databases[0]!, wal: {} }] });
      const stream = new SqliteReplication("notes-stream", {
        ...args,
        accountId: "111122223333",
        bucketArn: "arn:aws:s3:::backups",
        database: notes,
      });
      // The application is somebody else's; what its pod is given has to fit into it.
      new kubernetes.apps.v1.StatefulSet("notes", {
        metadata: { name: "notes" },
        spec: {
          serviceName: "notes",
          selector: { matchLabels: { app: "notes" } },
          template: {
            metadata: { labels: { app: "notes", ...stream.podLabels } },
            spec: stream.podWith({ containers: [{ name: "notes", image: "notes" }] }),
          },
        },
      });
    });
    manifests = made.all
      .filter(({ type }) => type.startsWith("kubernetes:"))
      .map(({ name, inputs }) => ({
        ...inputs,
        // The provider names what has no name.
        metadata: { name, ...(inputs.metadata as object) },
      }));
    assert.equal(manifests.length, 38);
  });

  for (const version of ["1.31.0", "1.35.0"]) {
    it(`are valid for Kubernetes ${version}`, () => {
      const { exitCode, output } = validate(version, manifests);
      assert.equal(exitCode, 0, output);
    });

    it(`would not be valid for Kubernetes ${version} with one wrong field`, () => {
      const text = JSON.stringify(manifests).replaceAll('"concurrencyPolicy"', '"concurencyPolicy"');
      assert.notEqual(validate(version, JSON.parse(text) as object[]).exitCode, 0);
    });
  }
});
