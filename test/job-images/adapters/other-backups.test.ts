import assert from "node:assert/strict";
import { join } from "node:path";
import { writeBarmanFolder } from "../../support/barman-folder";
import { motoCredentials } from "../../support/moto-rds";
import { temporaryFolder } from "../../support/postgres";
import { RdsStandIn } from "../../support/rds-stand-in";
import { drJson, writeConfig } from "../../support/runner";

const resourceArn = "arn:aws:rds:eu-central-1:111122223333:db:architect-prod";
const recoveryPointArn = "arn:aws:rds:eu-central-1:111122223333:snapshot:awsbackup:job-1";
const info = [
  "backup_label=None",
  "begin_offset=40",
  "begin_time=2026-11-23 01:00:00.000000+00:00",
  "begin_wal=000000010000000000000005",
  "end_time=2026-11-23 01:05:00.000000+00:00",
  "end_wal=000000010000000000000006",
  "error=None",
  "size=2000000000",
  "status=DONE",
  "systemid=7444444444444444444",
  "timeline=1",
  "xlog_segment_size=16777216",
].join("\n");

interface Source {
  readonly engine: string;
  readonly id: string;
  readonly usable: boolean;
  readonly lossSeconds: number | null;
  readonly recoverySeconds: number | null;
  readonly why: string;
}

describe("backups that other programs keep", function () {
  this.timeout(60_000);
  let standIn: RdsStandIn;
  let config: string;
  const ask = <Answer>(args: readonly string[]) => drJson<Answer>([...args, "--config", config], motoCredentials);

  before(async () => {
    // moto has no ListRecoveryPointsByResource: the stand-in answers it, as AWS documents it.
    standIn = await RdsStandIn.start({ upstream: "http://127.0.0.1:9", host: "127.0.0.1", sources: [] });
    standIn.recoveryPoints = [
      {
        RecoveryPointArn: recoveryPointArn,
        CreationDate: Date.parse("2026-11-23T00:00:00Z") / 1000,
        Status: "COMPLETED",
        BackupSizeBytes: 1_000_000_000,
        BackupVaultName: "nightly",
      },
      {
        RecoveryPointArn: `${recoveryPointArn}2`,
        CreationDate: Date.parse("2026-11-22T00:00:00Z") / 1000,
        Status: "EXPIRED",
        StatusMessage: "could not be deleted",
      },
    ];
    const folder = temporaryFolder();
    const barman = join(folder, "cnpg");
    const log = ["5", "6", "7", "9"].map((digit) => `00000001000000000000000${digit}`);
    writeBarmanFolder(barman, "architect", {
      id: "20261123T010000",
      info,
      wals: log,
      logStart: new Date("2026-11-23T01:02:00Z"),
    });
    config = writeConfig(folder, {
      store: `file://${folder}/store`,
      databases: [
        {
          name: "architect",
          engine: "postgres",
          url: "postgresql://backup@db.internal:5432/architect",
          otherBackups: [
            { kind: "cloudnative-pg", store: `file://${barman}`, server: "architect" },
            { kind: "aws-backup", resourceArn, endpoint: standIn.endpoint },
            { kind: "cloudnative-pg", store: `file://${folder}/nowhere`, server: "architect" },
          ],
        },
      ],
    });
  });

  after(() => standIn.stop());

  it("[guide 31] are in the plan with their loss, their time and what a person runs, and are never chosen", async () => {
    const { exitCode, json } = await ask<{ chosen: string | null; sources: readonly Source[] }>([
      ...["plan", "--to", "2026-11-23T01:10:00Z"],
    ]);
    assert.equal(exitCode, 1, "nothing of it can be carried out by this program");
    assert.equal(json.chosen, null);
    const of = (id: string) => json.sources.find((source) => source.id.startsWith(id))!;
    const barman = of("cloudnative-pg:architect/20261123T010000");
    assert.equal(barman.usable, false);
    assert.equal(
      barman.lossSeconds,
      5 * 60,
      "the log has a hole at 8: it ends with 7, at 01:04; the backup itself at 01:05",
    );
    assert.match(barman.why, /hole at 000000010000000000000008.*bootstrap\.recovery/);
    assert.ok(
      json.sources.some(({ why }) => why.includes("nowhere holds no backup of architect")),
      "what is configured and empty is told",
    );
    const aws = of("aws-backup:snapshot:awsbackup:job-1");
    assert.deepEqual([aws.lossSeconds, aws.recoverySeconds], [70 * 60, 22 * 60 + 10]);
    assert.match(aws.why, /vault nightly.*aws backup start-restore-job/);
    assert.match(json.sources.find(({ id }) => id.endsWith("job-12"))!.why, /EXPIRED: could not be deleted/);
  });

  it("[guide 31] are in the list, apart from the recovery points", async () => {
    const { json } = await ask<{ recoveryPoints: unknown[]; otherBackups: Record<string, unknown>[] }>(["list"]);
    assert.deepEqual(json.recoveryPoints, []);
    assert.deepEqual(
      json.otherBackups.map(({ kind, at, state }) => [kind, at, state]),
      [
        ["cloudnative-pg", "2026-11-23T01:05:00.000Z", "DONE"],
        ["aws-backup", "2026-11-23T00:00:00.000Z", "COMPLETED"],
        ["aws-backup", "2026-11-22T00:00:00.000Z", "EXPIRED"],
      ],
    );
  });

  it("are told as unknown when they cannot be looked at", async () => {
    await standIn.stop();
    const { json } = await ask<{ sources: readonly Source[] }>(["plan", "--to", "latest"]);
    assert.match(json.sources.find(({ id }) => id === `aws-backup:${resourceArn}`)!.why, /AWS Backup did not list/);
    standIn = await RdsStandIn.start({ upstream: "http://127.0.0.1:9", host: "127.0.0.1", sources: [] });
  });
});
