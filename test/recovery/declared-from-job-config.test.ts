import assert from "node:assert/strict";
import { declaredFromJobConfig } from "../../recovery/declared-from-job-config";
import { type JobConfig } from "../../recovery/job-config";
import { outcomeOf } from "../support/declared-architect";

const config: JobConfig = {
  store: "s3://backups/architect?region=eu-1&expectedBucketOwner=111111111111&kmsKeyId=alias/backup",
  environment: "prod",
  databases: [
    {
      name: "architect",
      engine: "postgres",
      url: "postgresql://backup@db/architect",
      standbyUrl: "postgresql://backup@db-2/architect",
      backup: { schedule: "0 */6 * * *", timeZone: "Europe/Berlin" },
    },
    { name: "notes", engine: "sqlite", path: "/data/notes.db" },
  ],
};

describe("declarations of a job configuration", () => {
  it("are its dumps in its store, and the standby that it reads from", () => {
    const store = {
      placement: { region: "eu-1", account: "111111111111" },
      encryptionKey: { name: "alias/backup", regions: ["eu-1"] },
    };
    assert.deepEqual(declaredFromJobConfig(config), [
      {
        name: "architect",
        engine: "postgres",
        environment: "prod",
        protections: [
          {
            mechanism: "dump",
            name: "dump",
            method: "dump",
            schedule: "0 */6 * * *",
            timeZone: "Europe/Berlin",
            ...store,
          },
          { mechanism: "standby", name: "standby" },
        ],
      },
      {
        name: "notes",
        engine: "sqlite",
        environment: "prod",
        protections: [{ mechanism: "dump", name: "dump", method: "copy", ...store }],
      },
    ]);
  });

  it("are what RDS keeps, where the configuration says which instance it is", () => {
    const [database] = config.databases;
    const rds = { instanceIdentifier: "architect", region: "eu-central-1" };
    const [declared] = declaredFromJobConfig({ ...config, databases: [{ ...database!, engine: "rds", rds }] });
    assert.deepEqual(
      declared!.protections.find(({ name }) => name === "rds-log"),
      { mechanism: "point-in-time-log", name: "rds-log", managed: true, placement: { region: "eu-central-1" } },
    );
  });

  it("add what somebody knows beside it", () => {
    const [architect] = declaredFromJobConfig(
      { ...config, store: "file:///var/backups" },
      {
        databases: {
          architect: {
            sizeBytes: 1000,
            placement: { server: "db" },
            protections: [{ mechanism: "pooler", name: "pool" }],
          },
        },
        store: { placement: { server: "backup-host" } },
      },
    );
    assert.deepEqual(architect?.sizeBytes, 1000);
    assert.deepEqual(
      architect?.protections.map(({ name }) => name),
      ["dump", "standby", "pool"],
    );
    // Nothing is ever deleted from a directory, so that its copies reach back as far as damage stays unnoticed.
    const { rpoMinutes, verdict } = outcomeOf("data-corruption", architect, {
      objectives: { rpoMinutes: 1440, rtoMinutes: 60 },
    });
    assert.equal(verdict, "pass");
    // 7 h + 6 h in Berlin's autumn + 2 min start + nothing for 1000 bytes.
    assert.equal(Math.round(rpoMinutes ?? 0), 782);
  });

  it("leave unknown what nobody said: a directory's place, a database's place and its size", () => {
    const [architect] = declaredFromJobConfig({ ...config, store: "file:///var/backups" });
    const outcome = outcomeOf("complete-outage", architect!, { objectives: { rpoMinutes: 10_000, rtoMinutes: 1000 } });
    assert.equal(outcome.verdict, "inconclusive");
    assert.match(outcome.why.join("\n"), /nobody said where it lives/);
    const unscheduled = outcomeOf("data-corruption", declaredFromJobConfig({ ...config, store: "file:///b" })[1]!);
    assert.match(unscheduled.why.join("\n"), /no schedule is declared/);
  });
});
