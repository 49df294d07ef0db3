import assert from "node:assert/strict";
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  PutBucketLifecycleConfigurationCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { type CatalogEntry, readCatalog, verifyRecoveryPoint } from "../../../job-images/src/store/catalog";
import { S3Store } from "../../../job-images/src/store/s3-store";
import { type Manifest, manifestKey } from "../../../recovery";
import { moto, whyNoMoto } from "../../support/moto";
import { lifecycleDaySeconds, radosgw, whyNoRadosgw } from "../../support/radosgw";
import { writeRecoveryPoint } from "../../support/recovery-point";
import { createBucket, locationOf, s3Client } from "../../support/s3-bucket";
import { skip } from "../../support/skip";
import { waitFor } from "../../support/wait-for";

describe("catalog of a bucket with versions", () => {
  let client: S3Client;
  let bucket: string;
  let store: S3Store;

  before(async function () {
    this.timeout(180_000);
    const reason = whyNoRadosgw();
    if (reason !== undefined) skip(this, reason);
    const { endpoint, admin } = await radosgw();
    client = s3Client({ endpoint, ...admin });
    bucket = await createBucket(client, { versioned: true });
    store = new S3Store(locationOf(bucket, endpoint), admin);
  });
  after(() => {
    client?.destroy();
    store?.close();
  });

  async function entryOf({ database, id }: Manifest, now?: Date): Promise<CatalogEntry> {
    const entry = (await readCatalog(store, { database, now })).find((each) => each.id === id);
    assert.ok(entry, `${id} is not in the catalog`);
    return entry;
  }
  const remove = (Key: string, VersionId?: string) =>
    client.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }));

  it("names each part by its version and calls it complete", async () => {
    const manifest = await writeRecoveryPoint(store);
    for (const part of manifest.parts) assert.ok(part.versionId);
    const { state, problems, tampering } = await entryOf(manifest);
    assert.deepEqual({ state, problems, tampering }, { state: "complete", problems: [], tampering: [] });
  });

  it("finds a version that masks a good part, and still restores the good one", async () => {
    const manifest = await writeRecoveryPoint(store);
    await store.put(manifest.parts[0]!.key, Buffer.alloc(5000));
    const entry = await entryOf(manifest);
    assert.equal(entry.state, "complete");
    assert.match(entry.tampering.join(), /dump\.pgc\.zst: was written over at .* is still there/);
    assert.deepEqual(await verifyRecoveryPoint(store, manifest, { readParts: true }), []);
  });

  it("finds a deleted part, and still restores it; after its retention it has expired", async () => {
    const manifest = await writeRecoveryPoint(store, {
      edit: (facts) => ({ ...facts, expiresAt: "2027-01-01T00:00:00.000Z" }),
    });
    await remove(manifest.parts[1]!.key);
    const entry = await entryOf(manifest, new Date("2026-12-01"));
    assert.equal(entry.state, "complete");
    assert.match(entry.tampering.join(), /globals\.sql\.zst: was deleted at/);
    assert.deepEqual(await verifyRecoveryPoint(store, manifest, { readParts: true }), []);
    assert.equal((await entryOf(manifest, new Date("2027-02-01"))).state, "expired");
  });

  it("calls it broken when the very version of a part is gone", async () => {
    const manifest = await writeRecoveryPoint(store);
    const { key, versionId } = manifest.parts[0]!;
    await store.put(key, Buffer.alloc(5000));
    await remove(key, versionId);
    const { state, problems } = await entryOf(manifest);
    assert.equal(state, "broken");
    assert.match(problems.join(), new RegExp(`version ${versionId} is missing; version .* is there in its place`));
  });

  it("reads the first manifest, whatever was written over it", async () => {
    const manifest = await writeRecoveryPoint(store);
    const other = await writeRecoveryPoint(store);
    await store.put(manifestKey(manifest.database, manifest.id), Buffer.from(JSON.stringify(other)));
    const entry = await entryOf(manifest);
    assert.deepEqual(entry.manifest, manifest);
    assert.equal(entry.state, "complete");
    assert.match(entry.tampering.join(), /^manifest: was written over at/);
  });

  it("lists a recovery point whose manifest was deleted, and one of which no manifest is left", async () => {
    const manifest = await writeRecoveryPoint(store);
    const key = manifestKey(manifest.database, manifest.id);
    await remove(key);
    const hidden = await entryOf(manifest);
    assert.equal(hidden.state, "complete");
    assert.match(hidden.tampering.join(), /^manifest: was deleted at/);
    await remove(key, hidden.manifestObject!.versionId);
    const gone = await entryOf(manifest);
    assert.equal(gone.state, "orphaned");
    assert.match(gone.tampering.join(), /no version of it is left/);
  });

  it("[guide 9] a real lifecycle expires parts and keeps the catalog", async function () {
    this.timeout(200_000);
    const expiresAt = new Date(Date.now() + lifecycleDaySeconds * 1000).toISOString();
    const manifest = await writeRecoveryPoint(store, { database: "short", edit: (facts) => ({ ...facts, expiresAt }) });
    assert.equal((await entryOf(manifest, new Date(0))).state, "complete");
    await client.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: bucket,
        LifecycleConfiguration: {
          Rules: [{ ID: "parts", Status: "Enabled", Filter: { Prefix: "parts/short/" }, Expiration: { Days: 1 } }],
        },
      }),
    );
    const gateway = await radosgw();
    await waitFor("the lifecycle", 180, async () => {
      await gateway.runLifecycles();
      return (await entryOf(manifest)).state === "expired";
    });
    assert.deepEqual((await entryOf(manifest)).manifest, manifest);
  });
});

describe("catalog of a bucket with an archive", () => {
  it("tells what must be retrieved first, and for how long that takes", async function () {
    this.timeout(60_000);
    const reason = whyNoMoto();
    if (reason !== undefined) skip(this, reason);
    const where = { endpoint: await moto(), credentials: { accessKeyId: "test", secretAccessKey: "test" } };
    const client = s3Client(where);
    const Bucket = await createBucket(client);
    const store = new S3Store(locationOf(Bucket, where.endpoint), where);
    const manifest = await writeRecoveryPoint(store);
    const Key = manifest.parts[0]!.key;
    await client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${Bucket}/${Key}`, StorageClass: "GLACIER" }));
    const [entry] = await readCatalog(store);
    assert.equal(entry!.state, "archived");
    assert.deepEqual(entry!.retrieval, { minutes: 300, underWay: false });
    await assert.rejects(store.get(Key), /lies in an archive and must be retrieved first/);
    client.destroy();
    store.close();
  });
});
