import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readCatalog, verifyRecoveryPoint } from "../../../job-images/src/store/catalog";
import { type ObjectStore, type StoredObject, type StoredVersion } from "../../../job-images/src/store/object-store";
import { replicationProblems } from "../../../job-images/src/store/replication";
import { DirectoryStore } from "../../../job-images/src/store/directory-store";
import { type Manifest, manifestKey, partKey } from "../../../recovery";
import { DelegatingStore } from "../../support/delegating-store";
import { temporaryFolder } from "../../support/postgres";
import { sealManifest, writeRecoveryPoint } from "../../support/recovery-point";

describe("catalog", () => {
  let root: string;
  let store: DirectoryStore;

  beforeEach(() => {
    root = temporaryFolder();
    store = new DirectoryStore(root);
  });

  const only = async (): Promise<Awaited<ReturnType<typeof readCatalog>>[number]> => {
    const entries = await readCatalog(store);
    assert.equal(entries.length, 1, JSON.stringify(entries));
    return entries[0]!;
  };

  it("is empty when the store is", async () => {
    assert.deepEqual(await readCatalog(store), []);
  });

  it("[guide 31] lists recovery points newest first, of all databases or of one", async () => {
    const written: Manifest[] = [];
    for (const [database, hour] of [
      ["a", 3],
      ["b", 1],
      ["a", 2],
    ] as const) {
      written.push(await writeRecoveryPoint(store, { database, at: new Date(Date.UTC(2026, 10, 23, hour)) }));
    }
    const [a3, b1, a2] = written as [Manifest, Manifest, Manifest];
    assert.deepEqual(
      (await readCatalog(store)).map((entry) => entry.id),
      [a3.id, a2.id, b1.id],
    );
    assert.deepEqual(
      (await readCatalog(store, { database: "a" })).map((entry) => entry.id),
      [a3.id, a2.id],
    );
    assert.deepEqual(await readCatalog(store, { database: "none" }), []);
    const [entry] = await readCatalog(store, { database: "b" });
    assert.deepEqual(entry, {
      id: b1.id,
      database: "b",
      at: b1.consistentAt,
      bytes: 5300,
      state: "complete",
      problems: [],
      tampering: [],
      manifest: b1,
      manifestObject: {
        key: manifestKey("b", b1.id),
        versionId: undefined,
        sha256: createHash("sha256").update(JSON.stringify(b1)).digest("hex"),
      },
    });
  });

  const damages: Record<
    string,
    { damage: (manifest: Manifest) => Promise<unknown>; problem: RegExp; byReading?: true }
  > = {
    "a part that is missing": {
      damage: (manifest) => unlink(join(root, manifest.parts[1]!.key)),
      problem: /globals\.sql\.zst: is missing/,
    },
    "a part that was truncated": {
      damage: (manifest) => truncate(join(root, manifest.parts[0]!.key), 4000),
      problem: /dump\.pgc\.zst: has 4000 bytes, the manifest says 5000/,
    },
    "a part whose bytes were changed": {
      damage: (manifest) => writeFile(join(root, manifest.parts[0]!.key), Buffer.alloc(5000)),
      problem: /dump\.pgc\.zst: was changed/,
      byReading: true,
    },
    "a manifest that was edited": {
      damage: (manifest) =>
        store.put(
          manifestKey(manifest.database, manifest.id),
          Buffer.from(JSON.stringify({ ...manifest, runnerVersion: "9" })),
        ),
      problem: /was changed after it was written/,
    },
  };
  for (const [name, { damage, problem, byReading }] of Object.entries(damages)) {
    it(`finds ${name}`, async () => {
      const manifest = await writeRecoveryPoint(store);
      assert.deepEqual(await verifyRecoveryPoint(store, manifest, { readParts: true }), []);
      await damage(manifest);
      const entry = await only();
      assert.equal(entry.state, byReading ? "complete" : "broken");
      const problems = await verifyRecoveryPoint(store, entry.manifest!, { readParts: byReading ?? false });
      assert.equal(problems.length, 1);
      assert.match(problems[0]!, problem);
      if (!byReading) assert.deepEqual(entry.problems, problems);
    });
  }

  const manifests: Record<string, { text: (manifest: Manifest) => string | Buffer; problem: RegExp }> = {
    "no JSON": { text: () => "{", problem: /^manifest: not JSON/ },
    "no UTF-8": { text: () => Buffer.from([0x7b, 0xff]), problem: /cannot be read.*utf-8/ },
    empty: { text: () => "", problem: /not JSON/ },
    "of a newer format": {
      text: (m) => JSON.stringify({ ...m, formatVersion: 99 }),
      problem: /format version 99 is newer/,
    },
    "with a key outside of the recovery point": {
      text: (m) => JSON.stringify(sealManifest({ ...m, parts: [{ ...m.parts[0]!, key: "../../etc/shadow" }] })),
      problem: /"\.\.\/\.\.\/etc\/shadow" is not parts/,
    },
    "of another recovery point": {
      text: (m) => {
        const id = m.id.replace(/[0-9a-f]{8}$/, "00000000");
        const parts = m.parts.map((part) => ({ ...part, key: partKey(m.database, id, part.name) }));
        return JSON.stringify(sealManifest({ ...m, id, parts }));
      },
      problem: /but filed under/,
    },
  };
  for (const [name, { text, problem }] of Object.entries(manifests)) {
    it(`lists a manifest that is ${name} as broken, beside the good ones`, async () => {
      const good = await writeRecoveryPoint(store);
      const bad = await writeRecoveryPoint(store);
      await store.put(manifestKey(bad.database, bad.id), Buffer.from(text(bad)));
      const entries = await readCatalog(store);
      assert.equal(entries.find((entry) => entry.id === good.id)?.state, "complete");
      const entry = entries.find((found) => found.id === bad.id);
      assert.equal(entry?.state, "broken");
      assert.match(entry.problems[0]!, problem);
    });
  }

  it("lists parts without a manifest as orphaned, and strangers in the catalog as broken", async () => {
    const manifest = await writeRecoveryPoint(store);
    await unlink(join(root, manifestKey(manifest.database, manifest.id)));
    await store.put("catalog/architect/notes.txt", Buffer.from("hello"));
    const entries = await readCatalog(store);
    assert.deepEqual(
      entries.map(({ id, state, bytes }) => ({ id, state, bytes })).sort((a, b) => (a.id < b.id ? -1 : 1)),
      [
        { id: manifest.id, state: "orphaned", bytes: 5300 },
        { id: "catalog/architect/notes.txt", state: "broken", bytes: 0 },
      ],
    );
  });

  /** A bucket that replication fills. */
  class Replica extends DelegatingStore {
    override async head(key: string): Promise<StoredObject | undefined> {
      const object = await super.head(key);
      return object && { ...object, replication: "replica" };
    }
  }

  it("tells parts that are on their way to a replica from parts that are missing, for as long as they may be", async () => {
    const manifest = await writeRecoveryPoint(store);
    await unlink(join(root, manifest.parts[0]!.key));
    const finished = new Date(manifest.finishedAt).getTime();
    const stateAfter = async (read: ObjectStore, minutes: number) =>
      (await readCatalog(read, { now: new Date(finished + minutes * 60_000), replicationAllowanceMinutes: 15 }))[0]!;
    assert.equal((await stateAfter(store, 1)).state, "broken");
    assert.equal((await stateAfter(new Replica(store), 1)).state, "replicating");
    const late = await stateAfter(new Replica(store), 16);
    assert.equal(late.state, "broken");
    assert.match(late.problems.join(), /is missing.*did not bring it all in the 15 minutes/);
    await store.put(manifest.parts[0]!.key, Buffer.alloc(5000));
    assert.equal((await stateAfter(new Replica(store), 1)).state, "complete");
  });

  it("names what replication has not brought in its time", async () => {
    const replicaRoot = join(root, "replica");
    const replica = new DirectoryStore(replicaRoot);
    const [lost, partial, brought, fresh] = await Promise.all(
      [9, 10, 11, 12].map((hour) => writeRecoveryPoint(store, { at: new Date(Date.UTC(2026, 10, 23, hour)) })),
    );
    for (const { parts, database, id } of [partial!, brought!]) {
      const keys = [...parts.map(({ key }) => key), manifestKey(database, id)];
      for (const key of keys) await replica.put(key, await store.get(key));
    }
    await unlink(join(replicaRoot, partial!.parts[0]!.key));
    const now = new Date(Date.UTC(2026, 10, 23, 12, 10));
    const problems = replicationProblems(await readCatalog(store), await readCatalog(replica), {
      now,
      allowanceMinutes: 15,
    });
    assert.deepEqual(problems.map(({ id }) => id).sort(), [lost!.id, partial!.id].sort());
    assert.match(problems.find(({ id }) => id === lost!.id)!.problem, /^189 minutes .* is not there at all/);
    assert.match(
      problems.find(({ id }) => id === partial!.id)!.problem,
      /is broken there: .*dump\.pgc\.zst: is missing/,
    );
    assert.ok(!problems.some(({ id }) => id === fresh!.id));
  });

  it("tells expired from destroyed by the retention that the manifest names", async () => {
    const kept = await writeRecoveryPoint(store, {
      edit: (manifest) => ({ ...manifest, expiresAt: "2027-01-01T00:00:00.000Z" }),
    });
    await unlink(join(root, kept.parts[0]!.key));
    const stateAt = async (now: string) => (await readCatalog(store, { now: new Date(now) }))[0]!;
    assert.equal((await stateAt("2026-12-31T00:00:00Z")).state, "broken");
    const expired = await stateAt("2027-01-01T00:00:00Z");
    assert.equal(expired.state, "expired");
    assert.match(expired.problems.join(), /retention ended at 2027-01-01/);
  });

  for (const { storageClass, retrieval, state, minutes } of [
    { storageClass: "STANDARD", state: "complete" },
    { storageClass: "GLACIER_IR", state: "complete" },
    { storageClass: "SOMETHING_ELSE", state: "complete" },
    { storageClass: "GLACIER", state: "archived", minutes: 300 },
    { storageClass: "GLACIER", retrieval: "under-way", state: "archived", minutes: 300 },
    { storageClass: "GLACIER", retrieval: "done", state: "complete" },
    { storageClass: "DEEP_ARCHIVE", state: "archived", minutes: 720 },
  ] as const) {
    it(`[guide 16] parts in ${storageClass}${retrieval ? `, retrieval ${retrieval},` : ""} make it ${state}`, async () => {
      await writeRecoveryPoint(store);
      class Archive extends DelegatingStore {
        override async *versions(prefix: string): AsyncIterable<StoredVersion> {
          for await (const version of super.versions(prefix)) {
            yield version.key.includes("dump") && prefix === "parts/"
              ? { ...version, storageClass, retrieval }
              : version;
          }
        }
      }
      const [entry] = await readCatalog(new Archive(store));
      assert.equal(entry!.state, state);
      const underWay = retrieval === "under-way";
      assert.deepEqual(entry!.retrieval, minutes === undefined ? undefined : { minutes, underWay });
      if (minutes) assert.match(entry!.problems.join(), new RegExp(`takes up to ${minutes} minutes`));
    });
  }
});
