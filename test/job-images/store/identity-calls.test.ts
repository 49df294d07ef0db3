import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import {
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { S3Store } from "../../../job-images/src/store/s3-store";
import {
  dataKeyRefusals,
  Identity,
  identityRights,
  isFileListKey,
  mayDo,
  parsePartialWalKey,
  parseWalKey,
  partKey,
  SigningKeyKind,
  StorePrefix,
} from "../../../recovery";
import { Fault, FaultProxy } from "../../support/fault-proxy";
import { identityBucket, identityUsers, type IdentityUsers } from "../../support/four-identities";
import { moto, whyNoMoto } from "../../support/moto";
import { makeDatabase, temporaryFolder, withClient } from "../../support/postgres";
import { dataKeyArn, radosgw, type RadosGateway, whyNoRadosgw } from "../../support/radosgw";
import { type RecordedCall, RecordingProxy } from "../../support/recording-proxy";
import { SeededRandom } from "../../support/random";
import { drJson, writeConfig } from "../../support/runner";
import { locationOf } from "../../support/s3-bucket";
import { skip } from "../../support/skip";
import { streamedDatabase } from "../../support/streamed-database";
import { waitFor } from "../../support/wait-for";

const region = "us-east-1";
const database = "recorded";

/** A call, and what was being done when it was made. */
interface IdentityCall extends RecordedCall {
  readonly identity: Identity;
  readonly during: string;
}

/** Called by servers, not by us: S3 asks KMS for whoever stores or reads an object that KMS encrypts. */
function dataKeyUses(calls: readonly IdentityCall[]): string[] {
  const has = (...actions: string[]): boolean => calls.some(({ action }) => actions.includes(action));
  return [
    ...(has("s3:PutObject") ? ["kms:GenerateDataKey"] : []),
    ...(has("s3:GetObject", "s3:GetObjectVersion", "s3:AbortMultipartUpload") ? ["kms:Decrypt"] : []),
  ];
}

describe("identities and the calls that commands really make", () => {
  let gateway: RadosGateway;
  let proxy: RecordingProxy;
  let kms: KMSClient;
  const recorded: IdentityCall[] = [];

  before(async function () {
    this.timeout(180_000);
    const reason = whyNoRadosgw() ?? whyNoMoto();
    if (reason !== undefined) skip(this, reason);
    gateway = await radosgw();
    const endpoint = await moto();
    kms = new KMSClient({ endpoint, region, credentials: { accessKeyId: "test", secretAccessKey: "test" } });
    // So seeded, it gives the key the name by which the gateway knows its own.
    await fetch(`${endpoint}/moto-api/seed?a=1`, { method: "POST" });
    const made = await kms.send(
      new CreateKeyCommand({ Policy: JSON.stringify(dataKeyPolicy(await identityUsers(gateway))) }),
    );
    assert.equal(made.KeyMetadata!.Arn, dataKeyArn);
    proxy = await RecordingProxy.start({ s3: gateway.endpoint, kms: endpoint, monitoring: endpoint });
  });
  after(async () => {
    kms?.destroy();
    await proxy?.stop();
  });

  for (const kind of Object.values(SigningKeyKind)) {
    it(`[guide 9] are allowed by the table, with evidence signed by a key of kind ${kind}`, async function () {
      this.timeout(120_000);
      const calls = await everyCommand(kind);
      recorded.push(...calls);
      console.log(`      ${calls.length} calls recorded`);
      assert.deepEqual(calls.filter((call) => !isExpected(call)).map(describeCall), []);
    });
  }

  it("[guide 9] leave no entry of the table unused", () => {
    assert.ok(recorded.length > 0, "nothing was recorded");
    const unused: string[] = [];
    for (const identity of Object.values(Identity)) {
      const calls = recorded.filter((call) => call.identity === identity && isGiven(call));
      const made = new Set(calls.map(({ action }) => action));
      const { objects, listing, bucket, dataKey, dataKeySettings, signingKey } = identityRights[identity];
      for (const right of [...objects, ...listing]) {
        const uses = calls.filter(({ action }) => right.actions.includes(action));
        for (const action of right.actions) {
          if (!uses.some((use) => use.action === action))
            unused.push(`${identity}: ${action} on ${right.prefixes.join()}`);
        }
        for (const prefix of right.prefixes) {
          if (!uses.some(({ key }) => key!.startsWith(prefix))) {
            unused.push(`${identity}: ${right.actions.join()} on ${prefix}`);
          }
        }
      }
      const implied = new Set(dataKeyUses(calls));
      const others = [...bucket, ...dataKeySettings, ...signingKey.asymmetric, ...signingKey.mac];
      unused.push(...others.filter((action) => !made.has(action)).map((action) => `${identity}: ${action}`));
      unused.push(...dataKey.filter((action) => !implied.has(action)).map((action) => `${identity}: ${action}`));
      console.log(`      ${identity}: ${[...made].sort().join(", ")}`);
    }
    assert.deepEqual(unused, []);
  });

  /** Each command as the identity that it is for, against a bucket whose policy comes from the table. */
  async function everyCommand(kind: SigningKeyKind): Promise<IdentityCall[]> {
    const calls: IdentityCall[] = [];
    const { bucket, users, owner } = await identityBucket(gateway);
    await owner.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: bucket,
        LifecycleConfiguration: {
          Rules: [{ ID: "parts", Status: "Enabled", Filter: { Prefix: "parts/" }, Expiration: { Days: 5000 } }],
        },
      }),
    );
    const server = await makeDatabase(
      database,
      "CREATE TABLE public.t AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 1000) i",
    );
    const folder = temporaryFolder();
    const { KeyMetadata } = await kms.send(
      new CreateKeyCommand(
        kind === SigningKeyKind.Mac
          ? { KeyUsage: "GENERATE_VERIFY_MAC", KeySpec: "HMAC_256" }
          : { KeyUsage: "SIGN_VERIFY", KeySpec: "ECC_NIST_P256" },
      ),
    );
    const parameters = new URLSearchParams({ endpoint: proxy.endpoint, region, kmsKeyId: dataKeyArn });
    const store = `s3://${bucket}?${parameters.toString()}`;
    const signature = { kmsKeyArn: KeyMetadata!.Arn, kmsKeyKind: kind };
    const config = writeConfig(folder, {
      store,
      signature,
      databases: [{ name: database, engine: "postgres", url: server.url(database) }],
    });
    const profiles = join(folder, "credentials");
    const { accessKeyId, secretAccessKey } = users[Identity.BackupWriter].credentials;
    writeFileSync(
      profiles,
      `[writer]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
    );
    const environmentOf = (identity: Identity): NodeJS.ProcessEnv => ({
      AWS_ACCESS_KEY_ID: users[identity].credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: users[identity].credentials.secretAccessKey,
      AWS_SHARED_CREDENTIALS_FILE: profiles,
      AWS_REGION: region,
      AWS_ENDPOINT_URL_KMS: proxy.endpoint,
      AWS_ENDPOINT_URL_CLOUDWATCH: proxy.endpoint,
    });
    const runWith = async (path: string, identity: Identity, expected: number | undefined, ...args: string[]) => {
      const result = await drJson<Record<string, unknown>>([...args, "--config", path], environmentOf(identity));
      assert.equal(
        result.exitCode,
        expected ?? result.exitCode,
        `dr ${args.join(" ")}: ${result.stdout}${result.stderr}`,
      );
      take(args.slice(0, 2).join(" "));
      return result.json;
    };
    const run = (identity: Identity, expected: number | undefined, ...args: string[]) =>
      runWith(config, identity, expected, ...args);
    const take = (during: string): void => {
      for (const call of proxy.calls.splice(0)) calls.push({ ...call, during, identity: identityOf(users, call) });
    };

    await run(Identity.BackupWriter, 0, "backup");
    if (kind === SigningKeyKind.Asymmetric) {
      // The database's server is not set up for a production; the store is.
      const doctor = await run(Identity.BackupWriter, undefined, "doctor");
      const checks = doctor.checks as { name: string; verdict: string }[];
      assert.equal(checks.find(({ name }) => name === "job store")?.verdict, "pass");
      await run(Identity.BackupWriter, 0, "backup");
      await abandonUpload(bucket, users);
      take("an upload that breaks off");
      const { arn } = users[Identity.BackupWriter];
      await run(
        Identity.EvidenceWriter,
        0,
        "prove",
        "--immutability",
        "--writer-profile",
        "writer",
        "--principal",
        arn,
      );
      await run(Identity.Auditor, 3, "status", "--publish");
      await streamTheLog();
    }
    await run(Identity.EvidenceWriter, 0, "restore-test");
    await run(Identity.EvidenceWriter, 0, "list");
    await run(Identity.RestoreReader, 0, "restore", "latest", "--into", server.url(`${database}_${kind}`));
    await run(Identity.Auditor, 0, "evidence", "pull");
    await run(Identity.Auditor, 0, "evidence", "verify");
    await loseOnePart(owner, bucket, await run(Identity.Auditor, 0, "list"));
    await run(Identity.RestoreReader, 1, "verify");
    owner.destroy();
    return calls;

    /** The log of another server goes into the same bucket, and is read back by everyone who may. */
    async function streamTheLog(): Promise<void> {
      const streamed = await streamedDatabase({
        config: { store, signature },
        env: environmentOf(Identity.BackupWriter),
        database: { backup: { incrementalsPerFull: 1 } },
      });
      try {
        const streaming = streamed.stream();
        const stored = (prefix: string): string[] =>
          proxy.calls.flatMap(({ action, key, status }) =>
            // A manifest, and not the list of files before it.
            action === "s3:PutObject" && status === 200 && key?.startsWith(`${prefix}ledger/`) && !isFileListKey(key)
              ? [key]
              : [],
          );
        const untilStored = (prefix: string, fits: (key: string) => boolean) =>
          waitFor(`something under ${prefix}`, 60, () => stored(prefix).some(fits));
        await untilStored(StorePrefix.Catalog, () => true);
        const ended = await withClient(streamed.server, "ledger", async (client) => {
          const { rows } = await client.query<{ segment: string }>(
            "SELECT pg_walfile_name(pg_switch_wal()) AS segment",
          );
          return rows[0]!.segment;
        });
        await untilStored(StorePrefix.Wal, (key) => parseWalKey(key)!.name >= ended);
        // Of a segment that is not whole, so that a recovery ends in it: the base backup ends segments of its own, and
        // the part of one that has since been stored whole is read by nobody.
        await untilStored(StorePrefix.WalPartial, (key) => parsePartialWalKey(key)!.name > ended);
        await streaming.stop();
        take("stream ledger");
        const into = join(streamed.server.directory, "recovered");
        await runWith(streamed.config, Identity.RestoreReader, 0, "recover", "--yes", "--to", "latest", "--into", into);
        await runWith(streamed.config, Identity.EvidenceWriter, undefined, "restore-test");
        // Looks whether the parts are there that it would build on, whatever the version then makes of it.
        const again = await runWith(streamed.config, Identity.BackupWriter, 0, "backup", "--method", "base");
        const [{ notes }] = again.backups as [{ notes: string[] }];
        assert.doesNotMatch(notes.join(), /cannot be seen|not to be built on/);
        await runWith(streamed.config, Identity.Auditor, undefined, "status");
      } finally {
        await streamed.destroy();
      }
    }
  }

  /** A database that goes away in the middle of a large part, after an answer was lost. */
  async function abandonUpload(bucket: string, users: IdentityUsers): Promise<void> {
    const lossy = await FaultProxy.start(proxy.endpoint, {
      fault: Fault.ResetAfter,
      fits: ({ operation }) => operation === "CreateMultipartUpload",
      after: 0,
      times: 1,
      random: new SeededRandom(1),
    });
    const warnings: string[] = [];
    const store = new S3Store(locationOf(bucket, lossy.endpoint), {
      ...users[Identity.BackupWriter],
      smallestPartBytes: 128 * 1024,
      warn: (message) => warnings.push(message),
    });
    await assert.rejects(store.put(partKey(database, "broken-off", "dump"), Readable.from(breakingOff())), /went away/);
    assert.deepEqual(warnings, []);
    store.close();
    await lossy.stop();
  }
});

/** The refusals that a key's policy has, in words that need no NotAction, which a gateway's policies do not know. */
function dataKeyPolicy(users: IdentityUsers): object {
  const principals = { [Identity.BackupWriter]: users[Identity.BackupWriter].arn };
  const Statement = dataKeyRefusals(principals).map((refusal) => ({
    ...refusal,
    NotAction: undefined,
    Action: "kms:*",
  }));
  return { Version: "2012-10-17", Statement };
}

function* breakingOff(): Generator<Buffer> {
  yield Buffer.alloc(300_000);
  throw new Error("The database went away.");
}

async function loseOnePart(owner: S3Client, Bucket: string, list: Record<string, unknown>): Promise<void> {
  const newest = (list.recoveryPoints as { id: string; database: string }[]).find((each) => each.database === database);
  const prefix = `${StorePrefix.Parts}${database}/${newest!.id}/`;
  const { Versions } = await owner.send(new ListObjectVersionsCommand({ Bucket, Prefix: prefix }));
  const { Key, VersionId } = Versions![0]!;
  await owner.send(new DeleteObjectCommand({ Bucket, Key, VersionId, BypassGovernanceRetention: true }));
}

function identityOf(users: IdentityUsers, { accessKeyId }: RecordedCall): Identity {
  return Object.values(Identity).find((identity) => users[identity].credentials.accessKeyId === accessKeyId)!;
}

/** Whether the table gives it, to this identity. */
function isGiven({ identity, action, key }: IdentityCall): boolean {
  const { dataKeySettings, signingKey } = identityRights[identity];
  if (action.startsWith("kms:")) {
    return [...dataKeySettings, ...signingKey.asymmetric, ...signingKey.mac].includes(action);
  }
  // Not a right in the store, so not in its table.
  if (action.startsWith("cloudwatch:")) return identity === Identity.Auditor && action === "cloudwatch:PutMetricData";
  return mayDo(identity, action, key);
}

function isExpected(call: IdentityCall): boolean {
  if (isGiven(call)) return true;
  // The proof consists of trying what is not given, and each must have been refused.
  if (call.during === "prove --immutability") return call.identity === Identity.BackupWriter && call.status === 403;
  // A restore asks whether it may record what it did, and does without.
  return /^(restore|recover) /.test(call.during) && recording(call);
}

/** What a recording by the restore reader comes to: KMS refuses it in AWS (moto refuses nobody), else the bucket. */
function recording({ identity, action, key, status }: IdentityCall): boolean {
  if (identity !== Identity.RestoreReader) return false;
  if (action === "kms:Sign" || action === "kms:GenerateMac") return true;
  const tried = action === "s3:PutObject" || action === "s3:ListBucket";
  return tried && key!.startsWith(StorePrefix.Evidence) && status === 403;
}

function describeCall({ identity, during, action, key, status }: IdentityCall): string {
  return `${identity} during ${during}: ${action} ${key ?? ""} (${status})`;
}
