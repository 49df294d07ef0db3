import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspectFoundation, readAncestors } from "../../../job-images/src/store/backup-chain";
import { type CatalogEntry, readCatalog } from "../../../job-images/src/store/catalog";
import { DirectoryStore } from "../../../job-images/src/store/directory-store";
import { type StoredObject, type StoredVersion } from "../../../job-images/src/store/object-store";
import { fileListKey, type Manifest, manifestKey } from "../../../recovery";
import { DelegatingStore } from "../../support/delegating-store";
import { temporaryFolder } from "../../support/postgres";
import { sealManifest, writeRecoveryPoint } from "../../support/recovery-point";

const now = new Date("2026-11-25T00:00:00Z");

describe("a chain in the catalog", () => {
  let root: string;
  let store: DirectoryStore;
  let chain: Manifest[];

  const base = (hour: number, buildsOn: readonly Manifest[], expiresAt?: string): Promise<Manifest> =>
    writeRecoveryPoint(store, {
      method: "base",
      at: new Date(Date.UTC(2026, 10, 23, hour)),
      edit: (facts) => ({
        ...facts,
        formatVersion: 2,
        tables: [],
        source: { ...facts.source, systemIdentifier: "7" },
        wal: { timeline: 1, start: "0/2000028", end: "0/2000120", segmentBytes: 16 * 1024 ** 2 },
        ...(buildsOn.length === 0 ? {} : { buildsOn: buildsOn.map(({ id, digest }) => ({ id, digest })) }),
        ...(expiresAt === undefined ? {} : { expiresAt }),
      }),
    });

  beforeEach(async () => {
    root = temporaryFolder();
    store = new DirectoryStore(root);
    chain = [];
    for (let hour = 1; hour <= 3; hour++) chain.push(await base(hour, chain));
  });

  /** What the catalog says of each, the oldest first. */
  const entries = async (of = store as ConstructorParameters<typeof DelegatingStore>[0]): Promise<CatalogEntry[]> =>
    (await readCatalog(of, { now })).reverse();
  const states = async (...arguments_: Parameters<typeof entries>): Promise<string[]> =>
    (await entries(...arguments_)).map(({ state }) => state);
  const pathOf = (key: string): string => join(root, key);

  it("is complete as a whole, weighs what all of it weighs, and its list of files is no recovery point", async () => {
    await store.put(fileListKey("architect", chain[0]!.id), Buffer.from("files"));
    assert.deepEqual(await states(), ["complete", "complete", "complete"]);
    const all = await entries();
    assert.deepEqual(
      all.map(({ bytes }) => bytes),
      [5300, 10600, 15900],
    );
    assert.deepEqual(all[2]!.ancestors, chain.slice(0, 2));
    assert.deepEqual(await readAncestors(store, chain[2]!), chain.slice(0, 2));
    assert.deepEqual(await inspectFoundation(store, chain[2]!), { ancestors: chain.slice(0, 2), problems: [] });
  });

  it("is broken from the link on whose manifest is missing, and says which", async () => {
    await unlink(pathOf(manifestKey("architect", chain[1]!.id)));
    // Its parts are there without a manifest.
    assert.deepEqual((await states()).sort(), ["broken", "complete", "orphaned"]);
    const { problems } = (await entries()).find(({ id }) => id === chain[2]!.id)!;
    assert.deepEqual(problems, [`chain: ${chain[2]!.id} builds on ${chain[1]!.id}, which is missing`]);
    await assert.rejects(readAncestors(store, chain[2]!), new RegExp(`builds on ${chain[1]!.id}`));
    assert.match((await inspectFoundation(store, chain[2]!)).problems.join(), new RegExp(chain[1]!.id));
  });

  it("is broken from the link on whose part is missing or has another size", async () => {
    const [part] = chain[0]!.parts;
    await writeFile(pathOf(part!.key), "short");
    assert.deepEqual(await states(), ["broken", "broken", "broken"]);
    assert.match(
      (await entries())[2]!.problems.join(),
      new RegExp(`chain: it builds on ${chain[0]!.id}: ${part!.key}: has 5`),
    );
    assert.match((await inspectFoundation(store, chain[2]!)).problems.join(), /has 5 bytes, its manifest says 5000/);
    await unlink(pathOf(part!.key));
    assert.deepEqual(await states(), ["broken", "broken", "broken"]);
    assert.match((await inspectFoundation(store, chain[2]!)).problems.join(), /is missing/);
  });

  it("is broken by another one under the name of a link, however well it is sealed", async () => {
    const [honest] = chain;
    const forged = sealManifest({ ...honest!, source: { ...honest!.source, bytes: 1 } });
    await writeFile(pathOf(manifestKey("architect", forged.id)), JSON.stringify(forged));
    assert.deepEqual(await states(), ["complete", "broken", "broken"]);
    assert.match((await entries())[2]!.problems.join(), /what is there under this id is another one/);
    await assert.rejects(readAncestors(store, chain[2]!), /does not hold as it was/);
  });

  it("expires with the first of it", async () => {
    const expiresAt = "2026-11-24T00:00:00.000Z";
    const gone = await base(5, [], expiresAt);
    const increment = await base(6, [gone], expiresAt);
    for (const { key } of gone.parts) await unlink(pathOf(key));
    const [first, second] = (await entries()).slice(3);
    assert.deepEqual([first!.state, second!.state], ["expired", "expired"]);
    assert.ok(existsSync(pathOf(increment.parts[0]!.key)));
  });

  it("lies in the archive when one of it does, for as long as the slowest takes", async () => {
    const archived = new (class extends DelegatingStore {
      override async *versions(prefix: string): AsyncGenerator<StoredVersion> {
        for await (const version of super.versions(prefix)) {
          yield version.key.includes(chain[1]!.id) ? { ...version, storageClass: "GLACIER" } : version;
        }
      }
    })(store);
    assert.deepEqual(await states(archived), ["complete", "archived", "archived"]);
    assert.deepEqual((await entries(archived))[2]!.retrieval, { minutes: 300, underWay: false });
  });

  it("is replicating while one of it is", async () => {
    const [onItsWay] = chain[0]!.parts;
    const replica = new (class extends DelegatingStore {
      override async *versions(prefix: string): AsyncGenerator<StoredVersion> {
        for await (const version of super.versions(prefix)) if (version.key !== onItsWay!.key) yield version;
      }
      override async head(key: string): Promise<StoredObject | undefined> {
        const found = await super.head(key);
        return found && { ...found, replication: "replica" };
      }
    })(store);
    const soon = { now: new Date("2026-11-23T04:00:00Z") };
    const found = (await readCatalog(replica, soon)).map(({ state }) => state);
    assert.deepEqual(found, ["replicating", "replicating", "replicating"]);
  });

  it("is not built on by who may not see its parts", async () => {
    const blind = new (class extends DelegatingStore {
      override list(prefix: string): AsyncIterable<StoredObject> {
        if (prefix.startsWith("parts/")) throw new Error("AccessDenied");
        return super.list(prefix);
      }
    })(store);
    const { problems } = await inspectFoundation(blind, chain[2]!);
    assert.deepEqual(problems, ["whether its parts are there cannot be seen: AccessDenied"]);
  });
});
