import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { audit } from "../../../job-images/src/report/audit";
import { type EvidenceKey } from "../../../job-images/src/report/evidence-key";
import { openEvidenceKey } from "../../../job-images/src/report/open-evidence-key";
import { type Measurement, readEvidence, recordEvidence } from "../../../job-images/src/report/evidence-record";
import { readCatalog } from "../../../job-images/src/store/catalog";
import { mapConcurrently } from "../../../job-images/src/store/concurrently";
import { DirectoryStore } from "../../../job-images/src/store/directory-store";
import { type ObjectStore } from "../../../job-images/src/store/object-store";
import { S3Store } from "../../../job-images/src/store/s3-store";
import {
  chainHeads,
  type Evidence,
  evidenceDigestInput,
  EvidenceKind,
  type Manifest,
  manifestKey,
  type ObjectReference,
  partKey,
  TargetClass,
  Verdict,
} from "../../../recovery";
import { temporaryFolder } from "../../support/postgres";
import { radosgw, whyNoRadosgw } from "../../support/radosgw";
import { sealManifest, writeRecoveryPoint } from "../../support/recovery-point";
import { createBucket, locationOf, s3Client } from "../../support/s3-bucket";
import { skip } from "../../support/skip";

const hour = 3600_000;
const firstBackup = Date.UTC(2026, 10, 20);

/** A store with a history, and the power to do anything to it behind the runner's back. */
interface Scene {
  readonly store: ObjectStore;
  /** The prover's key, and one that somebody else made. */
  readonly key: EvidenceKey;
  readonly otherKey: EvidenceKey;
  /** Recovery points of `architect`: 0 to 2 were proven and are vouched for, 3 is new. */
  readonly points: readonly Manifest[];
  /** One of another database. */
  readonly foreign: Manifest;
  /** Keys of the evidence about `architect`, oldest first. */
  readonly evidence: readonly string[];
  /** What an earlier `dr evidence pull` said. */
  readonly anchors: readonly ObjectReference[];
  /** Removes an object as completely as whoever owns the store can. */
  readonly erase: (key: string) => Promise<void>;
}

function newKey(): EvidenceKey {
  const path = join(temporaryFolder(), "evidence.key");
  writeFileSync(path, generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }));
  return openEvidenceKey({ keyFile: path }, { toSign: true })!;
}

async function setUp(store: ObjectStore, erase: (key: string) => Promise<void>): Promise<Scene> {
  const key = newKey();
  const source = { databaseName: "architect", serverVersion: "15.18", serverMajor: 15, bytes: 1_000_000 };
  const write = (database: string, index: number, systemIdentifier: string) =>
    writeRecoveryPoint(store, {
      database,
      at: new Date(firstBackup + index * 6 * hour),
      edit: (facts) => ({ ...facts, source: { ...source, systemIdentifier } }),
    });
  const points: Manifest[] = [];
  for (let index = 0; index < 4; index++) points.push(await write("architect", index, "7000000000000000001"));
  const foreign = await write("billing", 3, "7000000000000000002");
  const evidence: string[] = [];
  for (const [index, point] of [...points.slice(0, 3), foreign].entries()) {
    const recorded = await recordEvidence(store, await proofOf(store, point, index), key);
    if (point.database === "architect") evidence.push(recorded.key);
  }
  const { records } = await readEvidence(store, { key });
  const anchors = chainHeads(records.filter((record) => record.evidence.database === "architect"));
  return { store, key, otherKey: newKey(), points, foreign, evidence, anchors, erase };
}

/** What a restore test says that passed. */
async function proofOf(store: ObjectStore, point: Manifest, index: number): Promise<Measurement> {
  const entry = (await readCatalog(store, { database: point.database })).find(({ id }) => id === point.id);
  const startedAt = firstBackup + (index * 6 + 3) * hour;
  return {
    kind: EvidenceKind.RestoreTest,
    database: point.database,
    engine: "postgres",
    mechanism: "dump",
    recoveryPoint: point.id,
    manifest: entry!.manifestObject,
    environment: "test",
    targetClass: TargetClass.ThrowAway,
    startedAt: new Date(startedAt).toISOString(),
    finishedAt: new Date(startedAt + 60_000).toISOString(),
    verdict: Verdict.Pass,
    sizeBytes: 1,
    phases: [],
    achievedRpoSeconds: 30,
    checks: [],
  };
}

async function read<T>(store: ObjectStore, key: string): Promise<T> {
  return JSON.parse((await buffer(await store.get(key))).toString()) as T;
}

const overwrite = (store: ObjectStore, key: string, value: unknown) =>
  store.put(key, Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value)));

/** A record with something else in it, its digest right, signed by whoever does it. */
async function forge(store: ObjectStore, key: string, by: EvidenceKey, edit: Partial<Evidence>): Promise<Buffer> {
  const evidence = { ...(await read<Evidence>(store, key)), ...edit };
  const digest = createHash("sha256").update(evidenceDigestInput(evidence)).digest("hex");
  return Buffer.from(JSON.stringify({ ...evidence, digest, signature: await by.sign(digest) }));
}

interface Tampering {
  readonly name: string;
  /** What the audit must say. */
  readonly found: RegExp;
  /** Only where versions are kept can it be done, or be seen. */
  readonly versions?: boolean;
  readonly tamper: (scene: Scene) => Promise<unknown>;
}

const tamperings: readonly Tampering[] = [
  {
    name: "part replaced, same size",
    found: /dump\.pgc\.zst: was (changed|written over)/,
    tamper: ({ store, points }) => overwrite(store, points[1]!.parts[0]!.key, Buffer.alloc(5000)),
  },
  {
    name: "part replaced, other size",
    found: /dump\.pgc\.zst: (has 10 bytes|was written over)/,
    tamper: ({ store, points }) => overwrite(store, points[1]!.parts[0]!.key, Buffer.alloc(10)),
  },
  {
    name: "part replaced by another recovery point's",
    found: /dump\.pgc\.zst: was (changed|written over)/,
    tamper: async ({ store, points }) =>
      overwrite(store, points[1]!.parts[0]!.key, await buffer(await store.get(points[0]!.parts[0]!.key))),
  },
  {
    name: "part erased",
    found: /dump\.pgc\.zst: .*missing/,
    tamper: ({ points, erase }) => erase(points[1]!.parts[0]!.key),
  },
  {
    name: "manifest edited",
    found: /manifest: was (changed after it was written|written over)/,
    tamper: ({ store, points: [point] }) =>
      overwrite(store, manifestKey("architect", point!.id), { ...point!, tables: [] }),
  },
  {
    name: "manifest and part replaced together, digest and all",
    found: /manifest: (is not the one that .* vouches for|was written over)/,
    tamper: async ({ store, points: [point] }) => {
      const part = await overwrite(store, point!.parts[0]!.key, Buffer.from("another dump"));
      const parts = [{ ...point!.parts[0]!, ...part }, ...point!.parts.slice(1)];
      return overwrite(store, manifestKey("architect", point!.id), sealManifest({ ...point!, parts }));
    },
  },
  {
    name: "manifest erased and written anew",
    found: /manifest: is not the one that .* vouches for/,
    tamper: async ({ store, points: [point], erase }) => {
      await erase(manifestKey("architect", point!.id));
      return overwrite(store, manifestKey("architect", point!.id), sealManifest({ ...point!, tables: [] }));
    },
  },
  {
    name: "manifest replayed from another database",
    found: /manifest: of billing-.*, but filed under/,
    tamper: ({ store, foreign, points }) =>
      overwrite(
        store,
        manifestKey(
          "architect",
          points[3]!.id.replace(/.$/, (nonce) => (nonce === "0" ? "1" : "0")),
        ),
        foreign,
      ),
  },
  {
    name: "recovery point of another database filed as one of this",
    found: /is of server 7000000000000000002, and .*, which was proven, is of 7000000000000000001/,
    tamper: async ({ store, foreign }) => {
      const id = foreign.id.replace("billing", "architect").replace(/.{8}$/, "deadbeef");
      const parts = [];
      for (const part of foreign.parts) {
        const key = partKey("architect", id, part.name);
        parts.push({ name: part.name, key, ...(await store.put(key, await store.get(part.key))) });
      }
      const forged = sealManifest({ ...foreign, id, database: "architect", parts });
      return overwrite(store, manifestKey("architect", id), forged);
    },
  },
  {
    name: "older manifest replayed as the newest",
    found: /manifest: (of architect-.*, but filed under|was written over)/,
    tamper: ({ store, points }) => overwrite(store, manifestKey("architect", points[3]!.id), points[0]),
  },
  {
    name: "evidence dropped from the middle",
    found: /: is missing, and .* names it/,
    tamper: ({ evidence, erase }) => erase(evidence[1]!),
  },
  {
    name: "evidence dropped from the end",
    found: /: is missing, and the anchor names it/,
    tamper: ({ evidence, erase }) => erase(evidence[2]!),
  },
  {
    name: "all evidence dropped",
    found: /: is missing, and the anchor names it/,
    tamper: async ({ evidence, erase }) => {
      for (const key of evidence) await erase(key);
    },
  },
  {
    name: "verdict in evidence edited",
    found: /evidence\/.*: was (changed after it was written|written over)/,
    tamper: async ({ store, evidence }) =>
      overwrite(store, evidence[1]!, { ...(await read<Evidence>(store, evidence[1]!)), verdict: "fail" }),
  },
  {
    name: "evidence written anew with another key",
    found: /evidence\/.*: (its signature is not of the configured key|was written over)/,
    tamper: async ({ store, evidence: [, second], otherKey }) =>
      overwrite(store, second!, await forge(store, second!, otherKey, { sizeBytes: 2 })),
  },
  {
    name: "evidence forged without a key",
    found: /evidence\/.*: is not signed, and earlier ones are/,
    tamper: async (scene) => {
      const [point] = scene.points.slice(3);
      await recordEvidence(scene.store, await proofOf(scene.store, point!, 4));
    },
  },
  {
    name: "evidence forged with another key",
    found: /evidence\/.*: its signature is not of the configured key/,
    tamper: async (scene) => {
      const [point] = scene.points.slice(3);
      await recordEvidence(scene.store, await proofOf(scene.store, point!, 4), scene.otherKey);
    },
  },
  {
    name: "chain rewritten from the middle with the stolen key",
    found: /evidence\/.*: is not the record that the anchor names/,
    tamper: async ({ store, evidence: [, second, third], key, erase }) => {
      const bytes = await forge(store, second!, key, { sizeBytes: 2 });
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      const last = await forge(store, third!, key, { previous: [{ key: second!, sha256 }] });
      for (const [name, content] of [
        [second!, bytes],
        [third!, last],
      ] as const) {
        await erase(name);
        await store.put(name, content);
      }
    },
  },
  {
    name: "old evidence replayed under a newer name",
    found: /evidence\/.*: is .* of architect, and was put here afterwards/,
    tamper: async ({ store, evidence }) =>
      overwrite(
        store,
        evidence[2]!.replace(/.{8}\.json$/, "deadbeef.json"),
        await buffer(await store.get(evidence[0]!)),
      ),
  },
  {
    name: "evidence replayed from another database",
    found: /evidence\/.*: is .* of billing, and was put here afterwards/,
    tamper: async ({ store, evidence }) => {
      const foreign: string[] = [];
      for await (const { key } of store.list("evidence/billing/")) foreign.push(key);
      const bytes = await buffer(await store.get(foreign[0]!));
      return overwrite(store, evidence[2]!.replace(/[^/]+$/, foreign[0]!.split("/").at(-1)!), bytes);
    },
  },
  {
    name: "newer version masks a good part",
    found: /dump\.pgc\.zst: was written over at .* is still there/,
    versions: true,
    tamper: ({ store, points }) => overwrite(store, points[2]!.parts[0]!.key, Buffer.alloc(5000)),
  },
  {
    name: "newer version masks a good manifest",
    found: /manifest: was written over at .* is still there/,
    versions: true,
    tamper: ({ store, points: [point] }) =>
      overwrite(store, manifestKey("architect", point!.id), sealManifest({ ...point!, tables: [] })),
  },
  {
    name: "newer version masks evidence",
    found: /evidence\/.*: was written over at .* is still there/,
    versions: true,
    tamper: ({ store, evidence }) => overwrite(store, evidence[2]!, { verdict: "pass" }),
  },
];

describe("tampering", () => {
  const places = {
    directory: { versions: false, why: () => undefined },
    "bucket with versions": { versions: true, why: whyNoRadosgw },
  };
  for (const [place, { versions, why }] of Object.entries(places)) {
    it(`is found in a ${place}, each kind of it, and nothing where there is none`, async function () {
      this.timeout(180_000);
      const reason = why();
      if (reason !== undefined) skip(this, reason);
      const cases = tamperings.filter((tampering) => versions || tampering.versions !== true);
      const results = await mapConcurrently([undefined, ...cases, undefined], 3, async (tampering) => {
        const { scene, end } = await (versions ? inBucket() : inDirectory());
        await tampering?.tamper(scene);
        const { problems } = await audit(scene.store, { key: scene.key, anchors: scene.anchors, readParts: true });
        await end();
        if (!tampering) assert.deepEqual(problems, [], "the untouched store");
        const found = tampering === undefined || problems.some((problem) => tampering.found.test(problem));
        return found ? [] : [`${tampering.name}: ${problems.join(" | ") || "nothing was found"}`];
      });
      const missed = results.flat();
      console.log(`      ${cases.length - missed.length} of ${cases.length} found in a ${place}`);
      assert.deepEqual(missed, []);
    });
  }

  let sharedBucket: Promise<string> | undefined;

  async function inDirectory() {
    const root = temporaryFolder();
    const scene = await setUp(new DirectoryStore(root), (key) => unlink(join(root, key)));
    return { scene, end: () => Promise.resolve() };
  }

  async function inBucket() {
    const { endpoint, admin } = await radosgw();
    const client = s3Client({ endpoint, ...admin });
    const bucket = await (sharedBucket ??= createBucket(client, { versioned: true }));
    const prefix = randomBytes(6).toString("hex");
    const store = new S3Store(locationOf(bucket, endpoint, prefix), admin);
    const erase = async (key: string): Promise<void> => {
      for await (const { versionId } of store.versions(key)) {
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: `${prefix}/${key}`, VersionId: versionId }));
      }
    };
    const end = (): Promise<void> => {
      store.close();
      client.destroy();
      return Promise.resolve();
    };
    return { scene: await setUp(store, erase), end };
  }
});
