import assert from "node:assert/strict";
import { DescribeDBClustersCommand, DescribeDBInstancesCommand } from "@aws-sdk/client-rds";
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { beat } from "../../../job-images/src/engines/postgres/prepare";
import { makeDatabase, temporaryFolder, withClient } from "../../support/postgres";
import { moto, whyNoMoto } from "../../support/moto";
import { MotoDatabases, motoCredentials } from "../../support/moto-rds";
import { RdsStandIn } from "../../support/rds-stand-in";
import { dr, drJson, writeConfig } from "../../support/runner";
import { skip } from "../../support/skip";

const region = "eu-central-1";
const tables = `
  CREATE TABLE public.account (id int PRIMARY KEY, name text NOT NULL);
  CREATE TABLE public.entry (id int PRIMARY KEY, account_id int NOT NULL REFERENCES public.account (id));
  INSERT INTO public.account SELECT n, 'account ' || n FROM generate_series(1, 500) n;
  INSERT INTO public.entry SELECT n, 1 + n % 500 FROM generate_series(1, 3000) n;
`;

interface Answer {
  readonly verdict: string;
  readonly chosen?: string | null;
  readonly place?: string;
  readonly checks?: readonly { readonly name: string; readonly verdict: string; readonly detail: string }[];
  readonly attempts?: readonly { readonly id: string; readonly why: string }[];
  readonly secret?: { readonly switched: boolean; readonly why?: string; readonly previousVersionId?: string };
  readonly sources?: readonly {
    readonly id: string;
    readonly usable: boolean;
    readonly lossSeconds: number | null;
    readonly why: string;
  }[];
  readonly evidence?: string;
}

describe("recovery from RDS's own backups (moto, with a real PostgreSQL behind every new endpoint)", function () {
  this.timeout(120_000);
  const environment = motoCredentials;
  let databases: MotoDatabases;
  let standIn: RdsStandIn;
  let secrets: SecretsManagerClient;
  let secretArn: string;
  let port: number;
  let user: string;
  let folder: string;
  let config: string;
  /** RDS's snapshot is older, the dump is newer. */
  let beforeTheDump: Date;

  before(async function () {
    const why = whyNoMoto();
    if (why !== undefined) skip(this, why);
    const endpoint = await moto();
    const server = await makeDatabase("rds_architect", tables);
    ({ port, user } = server.access());
    databases = await MotoDatabases.connect(endpoint);
    await databases.instance("architect-prod", port);
    beforeTheDump = new Date();
    standIn = await RdsStandIn.start({
      upstream: endpoint,
      host: "127.0.0.1",
      sources: ["architect-prod", "architect-aurora"],
    });
    secrets = new SecretsManagerClient({
      region,
      endpoint,
      credentials: { accessKeyId: "testing", secretAccessKey: "testing" },
    });
    const { ARN } = await secrets.send(
      new CreateSecretCommand({ Name: "architect-go/prod/database", SecretString: secretFor(await sourceHost()) }),
    );
    secretArn = ARN!;
    folder = temporaryFolder();
    config = configFor({ instanceIdentifier: "architect-prod", secretArn });
    await succeed(["prepare", "architect"]);
    await succeed(["backup", "architect"]);
    await withClient(server, "rds_architect", beat);
  });

  after(async () => {
    await standIn?.stop();
    databases?.client.destroy();
    secrets?.destroy();
  });

  const configFor = (rds: object, more: object = {}): string =>
    writeConfig(folder, {
      store: `file://${folder}/store`,
      databases: [
        {
          name: "architect",
          engine: "rds",
          url: `postgresql://${user}@127.0.0.1:${port}/rds_architect`,
          rds: { region, endpoint: standIn.endpoint, ...rds },
          ...more,
        },
      ],
    });
  const secretFor = (host: string): string =>
    JSON.stringify({ engine: "postgres", host, port, username: "postgres", password: "kept", extra: { kept: true } });
  const ask = (args: readonly string[]) => drJson<Answer>([...args, "--config", config], environment);
  const succeed = async (args: readonly string[]): Promise<void> => {
    const { exitCode, stderr } = await dr([...args, "--config", config], environment);
    assert.equal(exitCode, 0, stderr);
  };
  const described = async (identifier: string) =>
    (await databases.client.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: identifier })))
      .DBInstances![0]!;
  const sourceHost = async (): Promise<string> => (await described("architect-prod")).Endpoint!.Address!;
  const secretNow = async (stage = "AWSCURRENT") => {
    const { SecretString, VersionId } = await secrets.send(
      new GetSecretValueCommand({ SecretId: secretArn, VersionStage: stage }),
    );
    return { ...(JSON.parse(SecretString!) as { host: string }), versionId: VersionId! };
  };
  const verdictsOf = (answer: Answer) => Object.fromEntries(answer.checks!.map(({ name, verdict }) => [name, verdict]));

  it("[guide 30, 31] `dr plan` counts its log and its snapshots, each with loss and time", async () => {
    const { json } = await ask(["plan", "architect", "--to", beforeTheDump.toISOString()]);
    assert.equal(json.chosen, "rds-log");
    const ids = json.sources!.filter(({ usable }) => usable).map(({ id }) => id);
    assert.ok(
      ids.some((id) => id.startsWith("rds-snapshot:rds:architect-prod-")),
      ids.join(),
    );
  });

  it("[guide 25] `dr doctor` asks RDS while it still answers", async () => {
    const { json } = await drJson<{ checks: { name: string; verdict: string; found: string }[] }>(
      ["doctor", "--config", config],
      environment,
    );
    const check = json.checks.find(({ name }) => name === "architect backups of RDS");
    assert.equal(check?.verdict, "pass");
    assert.match(check.found, /every moment from .* and 1 snapshots/);
  });

  it("[guide 30, 53] `dr recover` makes an instance like the old one, proves it, and only then switches the secret", async () => {
    const before = await secretNow();
    const to = new Date().toISOString();
    const { exitCode, json, stderr } = await ask([
      ...["recover", "architect", "--to", to, "--into", "architect-prod-restored", "--switch-secret", "--yes"],
    ]);
    assert.equal(exitCode, 0, stderr + JSON.stringify(json, undefined, 2));
    assert.deepEqual([json.verdict, json.chosen, json.place], ["pass", "rds-log", "architect-prod-restored"]);
    assert.deepEqual(verdictsOf(json), {
      restore: "pass",
      settings: "pass",
      connection: "pass",
      identity: "pass",
      rows: "pass",
      counts: "pass",
      consistency: "pass",
      canary: "pass",
    });
    assert.match(stderr, /instance architect-prod-restored is creating/);

    const [asked] = standIn.callsOf("RestoreDBInstanceToPointInTime");
    assert.equal(asked!.get("RestoreTime"), to);
    for (const [parameter, value] of Object.entries({
      MultiAZ: "true",
      DeletionProtection: "true",
      DBParameterGroupName: "architect-pg15",
      DBSubnetGroupName: "architect-private",
      EnableIAMDatabaseAuthentication: "true",
      PubliclyAccessible: "false",
      BackupRetentionPeriod: "14",
      CACertificateIdentifier: "rds-ca-rsa4096-g1",
      "EnableCloudwatchLogsExports.member.2": "upgrade",
      "VpcSecurityGroupIds.VpcSecurityGroupId.2": databases.securityGroupIds[1]!,
      "Tags.Tag.1.Key": "application",
      "Tags.Tag.2.Key": "recovery:restored-from",
      "Tags.Tag.2.Value": "architect-prod",
    })) {
      assert.equal(asked!.get(parameter), value, parameter);
    }
    const restored = await described("architect-prod-restored");
    assert.equal(restored.MultiAZ, true);
    assert.equal(restored.MaxAllocatedStorage, 1000, "what only a change afterwards can set");

    const now = await secretNow();
    assert.deepEqual(
      { ...now, versionId: "", host: "" },
      { ...before, versionId: "", host: "" },
      "every other field is as it was",
    );
    assert.equal(now.host, "127.0.0.1");
    const previous = await secretNow("AWSPREVIOUS");
    assert.deepEqual([previous.versionId, previous.host], [before.versionId, await sourceHost()]);
    assert.equal(json.secret?.previousVersionId, before.versionId);
  });

  it("never touches an instance that is there", async () => {
    const { exitCode, stderr } = await ask([
      "recover",
      "architect",
      "--to",
      "latest",
      "--into",
      "architect-prod-restored",
      "--yes",
    ]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /architect-prod-restored: it exists/);
  });

  it("[guide 8] refuses a name that whoever restores may not make, before any source is tried", async () => {
    const asked = standIn.calls.length;
    const { exitCode, stderr, stdout } = await ask([
      ...["recover", "architect", "--to", "latest", "--yes", "--into", `postgresql://${user}@127.0.0.1:${port}/unmade`],
      ...["--into", "architect2"],
    ]);
    assert.equal(exitCode, 2, stdout);
    assert.match(stderr, /--into architect2: expected a name that begins with architect-prod-, as in architect-prod-2/);
    const made = standIn.calls.slice(asked).filter(({ action }) => !action.startsWith("Describe"));
    assert.deepEqual(made, []);
    assert.ok(!stderr.includes("recovering from"), stderr);
  });

  it("[guide 30] asks for a moment by its time also where the log ends before it: the newest may be after it by then", async () => {
    const to = new Date(Date.now() + 3_600_000);
    const { exitCode, json } = await ask([
      ...["recover", "architect", "--to", to.toISOString(), "--into", "architect-prod-early", "--yes"],
    ]);
    assert.equal(exitCode, 0, JSON.stringify(json, undefined, 2));
    const call = standIn.callsOf("RestoreDBInstanceToPointInTime").at(-1)!;
    assert.equal(call.get("UseLatestRestorableTime"), null);
    assert.ok(new Date(call.get("RestoreTime")!) < new Date(), call.get("RestoreTime")!);
  });

  it("changes an instance as soon as RDS lets it, which says `available` and is busy in the next moment", async () => {
    const changes = standIn.callsOf("ModifyDBInstance").length;
    standIn.busyFor = 2;
    const { exitCode, json } = await ask([
      ...["recover", "architect", "--to", "latest", "--into", "architect-prod-busy", "--yes"],
    ]);
    assert.equal(exitCode, 0, JSON.stringify(json, undefined, 2));
    assert.equal(json.chosen, "rds-log");
    assert.equal(standIn.callsOf("ModifyDBInstance").length, changes + 3);
    assert.equal((await described("architect-prod-busy")).MaxAllocatedStorage, 1000);
  });

  it("goes on with the next source after an error that nobody expected", async () => {
    const earliest = standIn.earliest;
    standIn.earliest = new Date(Date.now() + 3_600_000);
    try {
      const { exitCode, json, stdout } = await ask([
        ...["recover", "architect", "--to", "latest", "--yes", "--scratch", "/nowhere"],
        ...["--into", `postgresql://${user}@127.0.0.1:${port}/never`, "--into", "architect-prod-next"],
      ]);
      assert.equal(exitCode, 0, stdout);
      assert.match(json.chosen!, /^rds-snapshot:/);
      assert.match(json.attempts![0]!.why, /ENOENT.*nowhere/);
    } finally {
      standIn.earliest = earliest;
    }
  });

  it("leaves a secret alone that somebody has changed since, and says so; the copy stands", async () => {
    await secrets.send(
      new PutSecretValueCommand({ SecretId: secretArn, SecretString: secretFor("somewhere-else.example.org") }),
    );
    const { exitCode, json } = await ask([
      ...["recover", "architect", "--to", "latest", "--into", "architect-prod-restored-2", "--switch-secret", "--yes"],
    ]);
    assert.equal(exitCode, 0);
    assert.equal(json.secret?.switched, false);
    assert.match(json.secret.why!, /somebody has changed it since/);
    assert.equal((await secretNow()).host, "somewhere-else.example.org");
  });

  it("falls back from its log to a snapshot under another name, and switches nothing without a proof", async () => {
    const host = await sourceHost();
    const snapshots = standIn.callsOf("RestoreDBInstanceFromDBSnapshot").length;
    await secrets.send(new PutSecretValueCommand({ SecretId: secretArn, SecretString: secretFor(host) }));
    await makeDatabase("rds_architect", tables.replace(/generate_series\(1, \d+\)/g, "generate_series(1, 0)"));
    const { exitCode, json } = await ask([
      ...["recover", "architect", "--to", "latest", "--into", "architect-prod-short", "--switch-secret", "--yes"],
    ]);
    assert.equal(exitCode, 3, "an unknown is no pass");
    assert.deepEqual(
      json.attempts!.map(({ id, why }) => [id.split(":")[0], /all 2 tables are empty/.test(why)]),
      [
        ["rds-log", true],
        ["rds-snapshot", true],
      ],
    );
    assert.equal((await secretNow()).host, host);
    assert.deepEqual(
      standIn
        .callsOf("RestoreDBInstanceFromDBSnapshot")
        .slice(snapshots)
        .map((call) => call.get("DBInstanceIdentifier")),
      ["architect-prod-short-2"],
    );
    await makeDatabase("rds_architect", tables);
  });

  it("[guide 30] restores a moment before its log from a snapshot", async () => {
    const latest = new Date(Date.now() + 3_600_000);
    const earliest = standIn.earliest;
    standIn.earliest = latest;
    try {
      const { exitCode, json } = await ask([
        "recover",
        "architect",
        "--to",
        "latest",
        "--into",
        "architect-prod-snap",
        "--yes",
      ]);
      assert.equal(exitCode, 0, JSON.stringify(json, undefined, 2));
      assert.match(json.chosen!, /^rds-snapshot:/);
      const call = standIn.callsOf("RestoreDBInstanceFromDBSnapshot").at(-1)!;
      assert.deepEqual([call.get("DBInstanceIdentifier"), call.get("MultiAZ")], ["architect-prod-snap", "true"]);
    } finally {
      standIn.earliest = earliest;
    }
  });

  it("[guide 30] restores an Aurora cluster with instances of the old ones' classes", async () => {
    await databases.cluster("architect-aurora", port);
    config = configFor({ clusterIdentifier: "architect-aurora" });
    const { exitCode, json } = await ask([
      "recover",
      "architect",
      "--to",
      "latest",
      "--into",
      "architect-aurora-new",
      "--yes",
    ]);
    assert.equal(exitCode, 0, JSON.stringify(json, undefined, 2));
    assert.equal(json.chosen, "rds-log");
    const { DBClusters } = await databases.client.send(
      new DescribeDBClustersCommand({ DBClusterIdentifier: "architect-aurora-new" }),
    );
    const [cluster] = DBClusters!;
    assert.deepEqual([cluster!.DBClusterParameterGroup, cluster!.DeletionProtection], ["architect-aurora15", true]);
    assert.deepEqual(
      [
        (await described("architect-aurora-new-1")).DBInstanceClass,
        (await described("architect-aurora-new-2")).DBInstanceClass,
      ],
      ["db.r6g.xlarge", "db.r6g.large"],
    );
  });

  it("knows what it has made though the answer got lost: the next source gets a name of its own", async () => {
    config = configFor({ instanceIdentifier: "architect-prod", secretArn });
    standIn.losesAnswerOf = "RestoreDBInstanceToPointInTime";
    const { exitCode, json, stderr } = await ask([
      ...["recover", "architect", "--to", "latest", "--into", "architect-prod-lost", "--yes"],
    ]);
    assert.equal(exitCode, 0, stderr + JSON.stringify(json, undefined, 2));
    assert.deepEqual([json.chosen!.split(":")[0], json.place], ["rds-snapshot", "architect-prod-lost-2"]);
    assert.match(json.attempts![0]!.why, /AlreadyExists/);
  });
});
