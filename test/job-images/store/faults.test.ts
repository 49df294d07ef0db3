import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { type S3Client } from "@aws-sdk/client-s3";
import { type RecoveryEngine } from "../../../job-images/src/engines/engine";
import { takeBackup } from "../../../job-images/src/engines/take-backup";
import { silentProgress } from "../../../job-images/src/progress";
import { type Measurement, readEvidence, recordEvidence } from "../../../job-images/src/report/evidence-record";
import { readCatalog, RecoveryPointState, verifyRecoveryPoint } from "../../../job-images/src/store/catalog";
import { mapConcurrently } from "../../../job-images/src/store/concurrently";
import {
  ObjectExistsError,
  ObjectNotFoundError,
  type ObjectStore,
  StoreError,
} from "../../../job-images/src/store/object-store";
import { type S3Options } from "../../../job-images/src/store/s3-sender";
import { S3Store } from "../../../job-images/src/store/s3-store";
import {
  BackupMethod,
  Engine,
  EvidenceKind,
  type JobConfig,
  type Manifest,
  partKey,
  StorePrefix,
  TargetClass,
  Verdict,
} from "../../../recovery";
import { canStrike, Fault, type FaultPlan, FaultProxy, type S3Request } from "../../support/fault-proxy";
import { radosgw, type RadosGateway, type RadosUser, whyNoRadosgw } from "../../support/radosgw";
import { SeededRandom } from "../../support/random";
import { createBucket, locationOf, s3Client, unfinishedUploads } from "../../support/s3-bucket";
import { skip } from "../../support/skip";

const faults = Object.values(Fault);
/** `DR_FAULT_RUNS=220 npx mocha --spec test/job-images/store/faults.test.ts` is the whole suite; DR_FAULT_SEED repeats one. */
const runs = Number(process.env.DR_FAULT_RUNS ?? faults.length * 2);
const seed = Number(process.env.DR_FAULT_SEED ?? 20261123);
const smallestPartBytes = 128 * 1024;
const maxAttempts = 4;
/** More often than anything is tried again. */
const lasting = 30;

/** What the runner does with a store, and the requests that it makes for it. */
const stages = {
  upload: ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObject"],
  abort: ["AbortMultipartUpload"],
  manifest: ["ListObjectsV2", "HeadObject", "PutObject"],
  list: ["ListObjectVersions", "GetObject"],
  verify: ["HeadObject", "GetObject"],
  restore: ["GetObject"],
  evidence: ["ListObjectVersions", "GetObject", "HeadObject", "PutObject"],
} as const;
type Stage = keyof typeof stages;
const stageNames = Object.keys(stages) as Stage[];
const writing: readonly Stage[] = ["upload", "abort", "manifest"];

/** What one run was, what came of it, and what must not have. */
interface Run {
  readonly name: string;
  readonly fault: Fault;
  readonly stage: Stage;
  readonly fired: readonly S3Request[];
  readonly succeeded: boolean;
  /** The faults were fewer than the attempts, so it had to succeed. */
  readonly mustSucceed: boolean;
  readonly why: string;
  readonly violations: readonly string[];
}

type Contents = Readonly<Record<string, Buffer>>;

/** Stores bytes that need no database: one part large enough for a multipart upload, one that is not. */
class SyntheticEngine implements Pick<RecoveryEngine, "method" | "take"> {
  readonly method = BackupMethod.Dump;
  constructor(
    private readonly contents: Contents,
    private readonly breaksOff: boolean,
  ) {}

  async take({ store, id, database, signal }: Parameters<RecoveryEngine["take"]>[0]) {
    const parts = [];
    for (const [name, content] of Object.entries(this.contents)) {
      const key = partKey(database.name, id, name);
      const body = Readable.from(content.length > 10_000 ? chunks(content, this.breaksOff) : [content]);
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

class SourceError extends Error {}

function* chunks(data: Buffer, breaksOff: boolean): Generator<Buffer> {
  for (let at = 0; at < data.length; at += 30_000) yield data.subarray(at, at + 30_000);
  if (breaksOff) throw new SourceError("The database went away.");
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

  it(`[guide 7] lose nothing and leave nothing half-done, ${runs} seeded runs`, async function () {
    this.timeout(60_000 + runs * 10_000);
    const numbers = Array.from({ length: runs }, (_, index) => index);
    const results = await mapConcurrently(numbers, 4, oneRun);
    report("fault", faults, results, ({ fault }) => fault);
    report("stage", stageNames, results, ({ stage }) => stage);
    assert.deepEqual(
      results.flatMap(({ name, violations }) => violations.map((each) => `${name}: ${each}`)),
      [],
    );
    const stubborn = results.filter(({ mustSucceed, succeeded }) => mustSucceed && !succeeded);
    assert.deepEqual(
      stubborn.map(({ name, why }) => `${name}: ${why}`),
      [],
      "had attempts left and gave up",
    );
  });

  /** Prints what struck, and fails for what never did: of that the runs show nothing. */
  function report<T extends string>(what: string, names: readonly T[], results: readonly Run[], of: (run: Run) => T) {
    for (const name of names) {
      const those = results.filter((run) => of(run) === name);
      const struck = those.filter(({ fired }) => fired.length > 0);
      const shots = struck.reduce((sum, { fired }) => sum + fired.length, 0);
      const succeeded = struck.filter((run) => run.succeeded).length;
      console.log(
        `      ${what} ${name}: fired ${shots} times in ${struck.length} of ${those.length} runs, ${succeeded} of them succeeded`,
      );
      assert.ok(struck.length > 0, `${what} ${name} was never struck`);
    }
  }

  async function oneRun(index: number): Promise<Run> {
    const random = new SeededRandom(seed + index * 7919);
    const fault = faults[index % faults.length]!;
    const possible = stageNames.filter((name) => stages[name].some((operation) => canStrike(fault, operation)));
    const stage = possible[(index + Math.floor(index / faults.length)) % possible.length]!;
    const operation = random.pick(stages[stage].filter((each) => canStrike(fault, each)));
    const forGood = fault === Fault.ExpiredCredentials || fault === Fault.ClockSkew;
    // Objects are smaller than a page, so most operations come once in a stage; parts come several times.
    const after = operation === "UploadPart" ? random.below(3) : 0;
    // A failed cleanup is reported and left to the lifecycle, so a lasting fault of it shows nothing.
    const times = forGood ? Infinity : random.pick(stage === "abort" ? [1, 2] : [1, 1, 2, 2, lasting]);
    const name = `seed ${seed} run ${index} (${fault}, ${stage}, ${operation} after ${after} times ${times})`;
    const contents = {
      "dump.bin": Buffer.alloc(smallestPartBytes * (3 + random.below(4)) + 1 + random.below(1000), `${index} data. `),
      "globals.sql": Buffer.from(`-- ${index}`),
    };
    const prefix = `run-${index}`;
    let doing: Stage = "upload";
    const plan: FaultPlan = {
      fault,
      fits: (request) => stageOf(doing, request, prefix) === stage && (forGood || request.operation === operation),
      after,
      times,
      expiringKey: owner.credentials.accessKeyId,
      random,
    };
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
    let why = "";
    /** Whatever it rejects with is a failure that was reported, and must be one that a person can read. */
    const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await work();
      } catch (error) {
        why = `${(error as Error).name}: ${(error as Error).message}`;
        const known = [StoreError, ObjectNotFoundError, ObjectExistsError, SourceError, NotRestorable];
        if (!known.some((kind) => error instanceof kind))
          violations.push(`failed with no error of the store's: ${why}`);
        if (error instanceof FalseAccusation && fault !== Fault.ReorderedVisibility) violations.push(why);
        return undefined;
      }
    };
    let succeeded = false;
    try {
      const isWrite = writing.includes(stage);
      const backup = await attempt(() => backUp(isWrite ? faulty : direct, contents, stage === "abort"));
      if (isWrite) succeeded = stage === "abort" ? why.includes("went away") : backup !== undefined;
      violations.push(...(await whatIsWrong(direct, contents, backup)));
      const unfinished = await unfinishedUploads(client, bucket, `${prefix}/`);
      if (unfinished.length > 0) violations.push(`left the uploads ${unfinished.join(", ")}`);
      if (!isWrite) {
        const restored = await attempt(() => restore(faulty, (next) => (doing = next)));
        if (restored && !isSame(restored, contents)) violations.push("restored other bytes and called it success");
        doing = "evidence";
        // The second one reads the first.
        await recordEvidence(direct, measurement);
        const recorded = await attempt(() => recordEvidence(faulty, measurement));
        const { records, problems } = await readEvidence(direct);
        violations.push(...problems);
        if (recorded && !records.some(({ object }) => object.key === recorded.key))
          violations.push("lost the evidence");
        succeeded = restored !== undefined && recorded !== undefined;
      }
    } finally {
      faulty.close();
      direct.close();
      await proxy.stop();
    }
    return { name, fault, stage, fired: proxy.fired, succeeded, mustSucceed: mustSucceed(), why, violations };

    function mustSucceed(): boolean {
      if (fault === Fault.WrongRegion || fault === Fault.ReorderedVisibility || times === lasting) return false;
      // A completion whose answer was lost may be refused the second time, and then nobody can say what became of it.
      return !(
        operation === "CompleteMultipartUpload" &&
        (fault === Fault.ResetAfter || fault === Fault.TruncatedAnswer)
      );
    }
  }
});

/** A backup writes its parts, then its manifest; what reads them says itself what it is at. */
function stageOf(doing: Stage, { operation, key }: S3Request, prefix: string): Stage {
  if (doing !== "upload") return doing;
  if (key.startsWith(`${prefix}/${StorePrefix.Catalog}`)) return "manifest";
  return operation === "AbortMultipartUpload" ? "abort" : "upload";
}

const measurement: Measurement = {
  kind: EvidenceKind.RestoreTest,
  database: "architect",
  engine: Engine.Postgres,
  mechanism: BackupMethod.Dump,
  environment: "test",
  targetClass: TargetClass.ThrowAway,
  startedAt: "2026-11-23T14:05:00.000Z",
  finishedAt: "2026-11-23T14:06:00.000Z",
  verdict: Verdict.Pass,
  sizeBytes: 1,
  phases: [],
  achievedRpoSeconds: "unknown",
  checks: [],
};

function backUp(store: ObjectStore, contents: Contents, breaksOff: boolean): Promise<Manifest> {
  return takeBackup({
    config,
    database: config.databases[0]!,
    engine: new SyntheticEngine(contents, breaksOff),
    store,
    progress: silentProgress,
    signal: new AbortController().signal,
  });
}

class NotRestorable extends Error {}

/** Nothing is wrong with it, and it was said to be bad rather than not to be known. */
class FalseAccusation extends NotRestorable {}

/** A restore as far as a store is concerned: find it, check it, fetch it. */
async function restore(store: ObjectStore, onStage?: (stage: Stage) => void): Promise<Record<string, Buffer>> {
  onStage?.("list");
  const [entry] = await readCatalog(store, { database: "architect" });
  if (entry?.state !== RecoveryPointState.Complete) {
    throw new NotRestorable(`it is ${entry?.state}: ${entry?.problems.join("; ")}`);
  }
  onStage?.("verify");
  const problems = await verifyRecoveryPoint(store, entry.manifest!, { readParts: true });
  if (problems.length > 0) throw new FalseAccusation(`verify calls it bad: ${problems.join("; ")}`);
  onStage?.("restore");
  const restored: Record<string, Buffer> = {};
  for (const { name, key, versionId } of entry.manifest!.parts)
    restored[name] = await buffer(await store.get(key, { versionId }));
  return restored;
}

function isSame(restored: Contents, contents: Contents): boolean {
  return Object.keys(contents).every((name) => restored[name]?.equals(contents[name]!));
}

/** Looks at the store behind the proxy: a success must be restorable, and so must whatever is visible after a failure. */
async function whatIsWrong(store: ObjectStore, contents: Contents, reported: Manifest | undefined): Promise<string[]> {
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
