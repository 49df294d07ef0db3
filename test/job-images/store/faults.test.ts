import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type S3Client } from "@aws-sdk/client-s3";
import { type RecoveryEngine } from "../../../job-images/src/engines/engine";
import { takeBackup } from "../../../job-images/src/engines/take-backup";
import { silentProgress } from "../../../job-images/src/progress";
import { readCatalog, RecoveryPointState, verifyRecoveryPoint } from "../../../job-images/src/store/catalog";
import { mapConcurrently } from "../../../job-images/src/store/concurrently";
import { type ObjectStore } from "../../../job-images/src/store/object-store";
import { type S3Options } from "../../../job-images/src/store/s3-sender";
import { S3Store } from "../../../job-images/src/store/s3-store";
import { BackupMethod, Engine, type JobConfig, type Manifest, partKey } from "../../../recovery";
import { Fault, type FaultPlan, FaultProxy } from "../../support/fault-proxy";
import { radosgw, type RadosGateway, type RadosUser, whyNoRadosgw } from "../../support/radosgw";
import { SeededRandom } from "../../support/random";
import { createBucket, locationOf, s3Client, unfinishedUploads } from "../../support/s3-bucket";
import { skip } from "../../support/skip";

const faults = Object.values(Fault);
/** The whole suite is run with DR_FAULT_RUNS=220; DR_FAULT_SEED repeats one. */
const runs = Number(process.env.DR_FAULT_RUNS ?? faults.length * 3);
const seed = Number(process.env.DR_FAULT_SEED ?? 20261123);
const smallestPartBytes = 128 * 1024;
const maxAttempts = 4;

const phases = {
  backup: [
    "ListObjectsV2",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
    "PutObject",
    "HeadObject",
  ],
  restore: ["ListObjectVersions", "GetObject", "HeadObject"],
} as const;
type Phase = keyof typeof phases;

/** What one run was, what came of it, and what must not have. */
interface Run {
  readonly name: string;
  readonly fault: Fault;
  readonly fired: readonly string[];
  readonly succeeded: boolean;
  /** The faults were fewer than the attempts, so it had to succeed. */
  readonly mustSucceed: boolean;
  readonly violations: readonly string[];
}

/** Stores bytes that need no database: one part large enough for a multipart upload, one that is not. */
class SyntheticEngine implements Pick<RecoveryEngine, "method" | "take"> {
  readonly method = BackupMethod.Dump;
  constructor(private readonly contents: Readonly<Record<string, Buffer>>) {}

  async take({ store, id, database, signal }: Parameters<RecoveryEngine["take"]>[0]) {
    const parts = [];
    for (const [name, content] of Object.entries(this.contents)) {
      const key = partKey(database.name, id, name);
      const body = Readable.from(content.length > 10_000 ? chunks(content) : [content]);
      parts.push({ name, key, ...(await store.put(key, body, { signal })) });
    }
    return {
      consistentAt: new Date(),
      source: { databaseName: "architect", serverVersion: "15", serverMajor: 15, bytes: 1 },
      tools: {},
      tables: [],
      parts,
    };
  }
}

function* chunks(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at += 30_000) yield data.subarray(at, at + 30_000);
}

const config: JobConfig = {
  store: "s3://bucket",
  databases: [{ name: "architect", engine: Engine.Postgres, url: "postgresql://u@h/d" }],
};

describe("faults between the runner and the store", () => {
  let gateway: RadosGateway;
  let owner: RadosUser;
  let secondKey: RadosUser["credentials"];
  let client: S3Client;
  let bucket: string;

  before(async function () {
    this.timeout(180_000);
    const reason = whyNoRadosgw();
    if (reason !== undefined) skip(this, reason);
    gateway = await radosgw();
    owner = gateway.admin;
    secondKey = await gateway.createKey(owner);
    client = s3Client({ endpoint: gateway.endpoint, ...owner });
    bucket = await createBucket(client, { versioned: true });
  });
  after(() => client?.destroy());

  it(`lose nothing and leave nothing half-done, ${runs} seeded runs`, async function () {
    this.timeout(20_000 + runs * 10_000);
    const results = await mapConcurrently(
      Array.from({ length: runs }, (_, index) => index),
      4,
      oneRun,
    );
    const count = (fault: Fault, wanted: (run: Run) => boolean): number =>
      results.filter((run) => run.fault === fault && wanted(run)).length;
    for (const fault of faults) {
      const [all, struck, succeeded] = [
        count(fault, () => true),
        count(fault, ({ fired }) => fired.length > 0),
        count(fault, (run) => run.succeeded),
      ];
      const shots = results.filter((run) => run.fault === fault).flatMap(({ fired }) => fired).length;
      console.log(`      ${fault}: fired ${shots} times in ${struck} of ${all} runs, ${succeeded} succeeded`);
      assert.ok(struck > 0, `${fault} never fired: the suite shows nothing about it`);
    }
    const shots = results.flatMap(({ fired }) => fired);
    const hit = new Set(shots);
    const perOperation = [...hit].map(
      (operation) => `${operation} ${shots.filter((each) => each === operation).length}`,
    );
    console.log(`      struck: ${perOperation.join(", ")}`);
    const operations = [...phases.backup, ...phases.restore];
    if (runs >= 200)
      assert.deepEqual(
        operations.filter((operation) => !hit.has(operation)),
        [],
        "never struck",
      );
    assert.deepEqual(
      results.flatMap(({ name, violations }) => violations.map((each) => `${name}: ${each}`)),
      [],
    );
    const stubborn = results.filter(({ mustSucceed, succeeded }) => mustSucceed && !succeeded);
    assert.deepEqual(
      stubborn.map(({ name }) => name),
      [],
      "had attempts left and gave up",
    );
  });

  async function oneRun(index: number): Promise<Run> {
    const random = new SeededRandom(seed + index * 7919);
    const fault = faults[index % faults.length]!;
    const phase: Phase =
      fault === Fault.ReorderedVisibility || (fault !== Fault.ExpiredCredentials && random.next() < 0.4)
        ? "restore"
        : "backup";
    const times = random.pick([1, 1, 1, 2, 2, 30]);
    const operation = fault === Fault.ReorderedVisibility ? undefined : random.pick(phases[phase]);
    const plan: FaultPlan = {
      fault,
      operation: fault === Fault.ExpiredCredentials || fault === Fault.ClockSkew ? undefined : operation,
      after: operation === "UploadPart" || fault === Fault.ExpiredCredentials ? random.below(4) : random.below(2),
      times: fault === Fault.ExpiredCredentials || fault === Fault.ClockSkew ? 1000 : times,
      expiringKey: owner.credentials.accessKeyId,
      random,
    };
    const name = `seed ${seed} run ${index} (${fault}, ${phase}, ${plan.operation ?? "any"} after ${plan.after} times ${plan.times})`;
    const contents = {
      "dump.bin": Buffer.alloc(
        smallestPartBytes * (2 + random.below(5)) + random.below(1000),
        `${index} is the payload. `,
      ),
      "globals.sql": Buffer.from(`-- ${index}`),
    };
    const prefix = `run-${index}`;
    const proxy = await FaultProxy.start(gateway.endpoint, plan);
    let asked = 0;
    const options: S3Options = {
      // What a pod's identity does: new ones on the second asking.
      credentials: () => Promise.resolve(asked++ === 0 ? owner.credentials : secondKey),
      maxAttempts,
      smallestPartBytes,
      idleTimeoutSeconds: 5,
      warn: () => {},
    };
    const faulty = new S3Store(locationOf(bucket, proxy.endpoint, prefix), options);
    const direct = new S3Store(locationOf(bucket, gateway.endpoint, prefix), { ...owner, smallestPartBytes });
    const violations: string[] = [];
    let succeeded = false;
    try {
      const backup = await attempt(() => backUp(phase === "backup" ? faulty : direct, contents));
      if (phase === "backup") succeeded = backup !== undefined;
      violations.push(...(await whatIsWrong(direct, contents, backup)));
      const unfinished = await unfinishedUploads(client, bucket, `${prefix}/`);
      if (unfinished.length > 0) violations.push(`left the uploads ${unfinished.join(", ")}`);
      if (phase === "restore") {
        const restored = await attempt(() => restore(faulty));
        succeeded = restored !== undefined;
        if (restored && !isSame(restored, contents)) violations.push("restored other bytes and called it success");
      }
    } finally {
      faulty.close();
      direct.close();
      await proxy.stop();
    }
    const retryable = fault !== Fault.WrongRegion && fault !== Fault.ReorderedVisibility;
    const recovers = plan.times < maxAttempts - 1 || plan.times === 1000;
    // A completion whose answer was lost may be refused the second time, and then nobody can say what became of it.
    const ambiguous = fault === Fault.ResetAfter && plan.operation === "CompleteMultipartUpload";
    return { name, fault, fired: proxy.fired, succeeded, mustSucceed: retryable && recovers && !ambiguous, violations };
  }
});

/** Whatever it rejects with is a failure that was reported. */
async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch {
    return undefined;
  }
}

function backUp(store: ObjectStore, contents: Readonly<Record<string, Buffer>>): Promise<Manifest> {
  return takeBackup({
    config,
    database: config.databases[0]!,
    engine: new SyntheticEngine(contents),
    store,
    progress: silentProgress,
    signal: new AbortController().signal,
  });
}

/** A restore as far as a store is concerned: find it, check it, fetch it. */
async function restore(store: ObjectStore): Promise<Record<string, Buffer>> {
  const [entry] = await readCatalog(store, { database: "architect" });
  assert.equal(entry?.state, RecoveryPointState.Complete);
  assert.deepEqual(await verifyRecoveryPoint(store, entry.manifest!, { readParts: true }), []);
  const restored: Record<string, Buffer> = {};
  for (const { name, key, versionId } of entry.manifest!.parts)
    restored[name] = await buffer(await store.get(key, { versionId }));
  return restored;
}

function isSame(restored: Readonly<Record<string, Buffer>>, contents: Readonly<Record<string, Buffer>>): boolean {
  const hashOf = (data: Buffer | undefined) => data && createHash("sha256").update(data).digest("hex");
  return Object.keys(contents).every((name) => hashOf(restored[name]) === hashOf(contents[name]));
}

/** Looks at the store behind the proxy: a success must be restorable, and so must whatever is visible after a failure. */
async function whatIsWrong(
  store: ObjectStore,
  contents: Readonly<Record<string, Buffer>>,
  reported: Manifest | undefined,
): Promise<string[]> {
  const visible = (await readCatalog(store)).filter(({ state }) => state !== RecoveryPointState.Orphaned);
  const wrong: string[] = [];
  if (reported && !visible.some(({ id }) => id === reported.id)) wrong.push("reported success, and nothing is there");
  for (const entry of visible) {
    if (entry.state !== RecoveryPointState.Complete) wrong.push(`left a recovery point that is ${entry.state}`);
    else if (!isSame(await restore(store), contents)) wrong.push("left a recovery point with other bytes");
    wrong.push(...entry.tampering.map((each) => `looks tampered with: ${each}`));
  }
  return wrong;
}
