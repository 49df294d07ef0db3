import assert from "node:assert/strict";
import { mkdtemp, rm, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCatalog, verifyRecoveryPoint } from "../../../job-images/src/store/catalog";
import { DirectoryStore } from "../../../job-images/src/store/directory-store";
import { type Manifest, manifestKey, partKey } from "../../../recovery";
import { sealManifest, writeRecoveryPoint } from "../../support/recovery-point";

describe("catalog", () => {
  let root: string;
  let store: DirectoryStore;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "dr-catalog-"));
    store = new DirectoryStore(root);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

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
      manifest: b1,
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
});
