import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type DatabaseConfig,
  type EvidenceCheck,
  type JobConfig,
  type Manifest,
  manifestKey,
  partKey,
  recoveryPointId,
  Verdict,
} from "../../../recovery";
import { fetchArchive, partOf, readFacts, readSmallPart } from "../engines/postgres/archive";
import { dumpPart, factsPart, globalsPart } from "../engines/postgres/dump";
import { type PostgresFacts } from "../engines/postgres/facts";
import { libpqEnvironment, quoteIdentifier } from "../engines/postgres/libpq";
import { analyze, createDatabase, loadArchive } from "../engines/postgres/restore";
import { LocalServer, throwAwaySettings } from "../engines/postgres/server";
import { connect } from "../engines/postgres/session";
import { serverToolsFor } from "../engines/postgres/tools";
import { sealManifest } from "../engines/take-backup";
import { runTool } from "../process/child";
import { silentProgress, type Progress } from "../progress";
import { readCatalog } from "../store/catalog";
import { DirectoryStore } from "../store/directory-store";
import { type ObjectStore } from "../store/object-store";
import { restoreTest } from "./restore-test";

/** One sabotage and what became of it. */
export interface SabotageResult {
  readonly name: string;
  /** The check that is meant to find it; for the honest copy, `pass`. */
  readonly expected: string;
  /** The checks that did not pass, or `pass`. */
  readonly got: string;
  readonly caught: boolean;
}

/** An honest recovery point to make spoiled copies of. */
export interface SabotageRequest {
  readonly config: JobConfig;
  readonly database: DatabaseConfig;
  readonly store: ObjectStore;
  readonly manifest: Manifest;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Sees every spoiled copy while it is there; for comparisons with other ways to test. */
  readonly onCopy?: (copy: SpoiledCopy) => Promise<void>;
}

/** A spoiled copy in its scratch store. */
export interface SpoiledCopy {
  readonly name: string;
  /** A local file of the dump part's stored bytes. */
  readonly dumpPath: string;
  readonly honest: boolean;
}

/** The content of a spoiled recovery point, and what happens to it after its manifest was written. */
interface Forgery {
  readonly dump?: Buffer;
  readonly globals?: string;
  readonly facts?: PostgresFacts;
  /** Changes what the manifest says before it is sealed: the forger had the digest right. */
  readonly manifest?: (manifest: Manifest) => Manifest;
  /** Changes the sealed manifest: somebody edited the file. */
  readonly edit?: (manifest: Manifest) => Manifest;
  /** Replaces the dump part under the finished manifest. */
  readonly replaceDump?: Buffer;
}

interface Sabotage {
  readonly name: string;
  readonly expected: string;
  forge(honest: Honest): Promise<Forgery>;
}

/** The honest recovery point, in memory and on a server where spoiled archives can be made of it. */
interface Honest {
  readonly manifest: Manifest;
  readonly dump: Buffer;
  readonly globals: string;
  readonly facts: PostgresFacts;
  /** Dumps a copy of the database after this SQL was run on it. */
  readonly dumpAfter: (sql: string, databaseName?: string) => Promise<Buffer>;
}

const hour = 3_600_000;

const sabotages: readonly Sabotage[] = [
  {
    name: "empty file",
    expected: "archive",
    forge: () => Promise.resolve({ dump: Buffer.alloc(0) }),
  },
  {
    name: "empty database",
    expected: "structure",
    forge: async ({ dumpAfter }) => ({
      dump: await dumpAfter(
        `DO $$ DECLARE s text; BEGIN
           FOR s IN SELECT nspname FROM pg_namespace WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'public') AND nspname !~ '^pg_'
           LOOP EXECUTE format('DROP SCHEMA %I CASCADE', s); END LOOP;
         END $$`,
      ),
    }),
  },
  {
    name: "truncated in the store",
    expected: "parts",
    forge: ({ dump }) => Promise.resolve({ replaceDump: dump.subarray(0, Math.floor(dump.length / 2)) }),
  },
  {
    name: "truncated before it was hashed",
    expected: "archive",
    forge: ({ dump }) => Promise.resolve({ dump: dump.subarray(0, Math.floor(dump.length / 2)) }),
  },
  {
    name: "bit flipped in the store",
    expected: "parts",
    forge: ({ dump }) => Promise.resolve({ replaceDump: flipBit(dump) }),
  },
  {
    name: "bit flipped before it was hashed",
    expected: "archive",
    forge: ({ dump }) => Promise.resolve({ dump: flipBit(dump) }),
  },
  {
    name: "stale: backups stopped two days ago",
    expected: "freshness",
    forge: ({ manifest }) => Promise.resolve({ manifest: (copy) => olderBy(copy, 48 * hour, manifest) }),
  },
  {
    name: "stale: an old dump under a new manifest",
    expected: "canary",
    forge: async ({ dumpAfter }) => ({
      dump: await dumpAfter("UPDATE dr_canary.heartbeat SET at = at - interval '1 day'"),
    }),
  },
  {
    name: "another database's dump",
    expected: "identity",
    forge: async ({ dumpAfter }) => ({ dump: await dumpAfter("SELECT 1", "another_database") }),
  },
  {
    name: "missing role",
    expected: "roles",
    forge: ({ globals, facts }) => {
      const plain = facts.roles.filter(({ attributes }) => !attributes.includes("SUPERUSER"));
      const { name } = plain.find((role) => role.name !== facts.database.owner) ?? plain[0] ?? facts.roles[0]!;
      const mentions = new RegExp(`(ROLE|TO|GRANT) "?${name}"?[ ;]`);
      const lines = globals.split("\n").filter((line) => !mentions.test(line));
      return Promise.resolve({ globals: lines.join("\n") });
    },
  },
  {
    name: "dropped table",
    expected: "structure",
    forge: async ({ dumpAfter, facts }) => ({ dump: await dumpAfter(`DROP TABLE ${largestTable(facts)} CASCADE`) }),
  },
  {
    name: "rows missing from the archive",
    expected: "counts",
    forge: async ({ dumpAfter, facts }) => ({
      dump: await dumpAfter(
        `DELETE FROM ${largestTable(facts)} WHERE ctid IN (SELECT ctid FROM ${largestTable(facts)} LIMIT 1)`,
      ),
    }),
  },
  {
    name: "manifest edited",
    expected: "manifest",
    forge: () =>
      Promise.resolve({
        edit: (manifest) => ({
          ...manifest,
          tables: manifest.tables.map((table, index) => (index === 0 ? { ...table, rows: table.rows + 1 } : table)),
        }),
      }),
  },
];

/**
 * Spoils copies of an honest recovery point in a scratch store, one way each, and runs the restore test over them. A
 * sabotage is caught when the check that is meant to find it fails; a crash, or another check alone, counts as missed.
 * The honest copy goes through the same code first and last, and has to pass.
 */
export async function proveTheProof(request: SabotageRequest): Promise<SabotageResult[]> {
  const scratch = await mkdtemp(join(tmpdir(), "dr-sabotage-"));
  const tools = await serverToolsFor(request.manifest.source.serverMajor);
  const server = await LocalServer.create({
    tools,
    settings: throwAwaySettings,
    isolated: true,
    signal: request.signal,
  });
  try {
    const honest = await prepareHonest(request, server, scratch);
    const results: SabotageResult[] = [];
    const untouched: Sabotage = { name: "honest copy", expected: "pass", forge: () => Promise.resolve({}) };
    for (const sabotage of [untouched, ...sabotages, { ...untouched, name: "honest copy again" }]) {
      request.progress.step(`sabotage: ${sabotage.name}`);
      request.signal.throwIfAborted();
      results.push(await tryOne(request, honest, sabotage, scratch));
    }
    return results;
  } finally {
    await server.destroy();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function tryOne(
  request: SabotageRequest,
  honest: Honest,
  sabotage: Sabotage,
  scratch: string,
): Promise<SabotageResult> {
  const folder = await mkdtemp(join(scratch, "store-"));
  const store = new DirectoryStore(folder);
  try {
    const forgery = await sabotage.forge(honest);
    const { id, database } = await storeForgery(store, honest, forgery);
    const copy = {
      name: sabotage.name,
      dumpPath: join(folder, partKey(database, id, dumpPart)),
      honest: sabotage.expected === "pass",
    };
    await request.onCopy?.(copy);
    const [entry] = await readCatalog(store, { database });
    const { measurement } = await restoreTest(
      { ...request, store, progress: silentProgress, disasterAt: new Date(honest.manifest.consistentAt) },
      [entry!],
    );
    return judge(sabotage, measurement.checks, measurement.verdict);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function judge(sabotage: Sabotage, checks: readonly EvidenceCheck[], verdict: Verdict): SabotageResult {
  const notPassed = checks.filter((check) => check.verdict !== Verdict.Pass);
  const got = notPassed.length === 0 ? verdict : notPassed.map((check) => `${check.name} ${check.verdict}`).join(", ");
  const caught =
    sabotage.expected === "pass"
      ? verdict === Verdict.Pass
      : notPassed.some((check) => check.name === sabotage.expected && check.verdict === Verdict.Fail);
  return { name: sabotage.name, expected: sabotage.expected, got, caught };
}

async function prepareHonest(request: SabotageRequest, server: LocalServer, scratch: string): Promise<Honest> {
  const { store, manifest, signal } = request;
  const archivePath = join(scratch, "honest.pgc");
  await fetchArchive(store, partOf(manifest, dumpPart), archivePath, { signal });
  const facts = await readFacts(store, partOf(manifest, factsPart), signal);
  const globals = await readSmallPart(store, partOf(manifest, globalsPart), signal);
  const template = "dr honest template";
  const restore = {
    tools: server.tools,
    archivePath,
    facts,
    globals,
    target: server.access(template),
    progress: silentProgress,
    signal,
  };
  await createDatabase(restore);
  await loadArchive(restore);
  await analyze(restore);
  await rm(archivePath);

  const dumpAfter = async (sql: string, databaseName = manifest.source.databaseName): Promise<Buffer> => {
    const admin = await connect(server.access("template1"));
    const name = quoteIdentifier(databaseName);
    try {
      await admin.query(`CREATE DATABASE ${name} TEMPLATE ${quoteIdentifier(template)}`);
      const client = await connect(server.access(databaseName));
      await client.query(sql).finally(() => client.end());
      return await dumpToMemory(server, databaseName, join(scratch, "spoiled"), signal);
    } finally {
      await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await admin.end();
    }
  };
  const dump = await readWhole(store, partOf(manifest, dumpPart).key);
  return { manifest, dump, globals, facts, dumpAfter };
}

async function dumpToMemory(
  server: LocalServer,
  databaseName: string,
  path: string,
  signal: AbortSignal,
): Promise<Buffer> {
  const environment = libpqEnvironment(server.access(databaseName), "dr sabotage");
  await runTool(server.tools.program("pg_dump"), ["--format=custom", "--compress=0", `--file=${path}`], {
    env: environment,
    signal,
  });
  await runTool("zstd", ["-q", "-f", "--rm", path, "-o", `${path}.zst`], { signal });
  return readFile(`${path}.zst`);
}

async function readWhole(store: ObjectStore, key: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await store.get(key)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Stores a recovery point as a backup would have, and spoils it as the forgery says. */
async function storeForgery(store: ObjectStore, honest: Honest, forgery: Forgery): Promise<Manifest> {
  const renamed = renew(honest.manifest, new Date(honest.manifest.startedAt));
  let manifest = forgery.manifest?.(renamed) ?? renamed;
  const contents: Readonly<Record<string, Buffer>> = {
    [dumpPart]: forgery.dump ?? honest.dump,
    [globalsPart]: Buffer.from(forgery.globals ?? honest.globals),
    [factsPart]: Buffer.from(JSON.stringify(forgery.facts ?? honest.facts)),
  };
  const parts: Manifest["parts"][number][] = [];
  for (const { name } of manifest.parts) {
    const key = partKey(manifest.database, manifest.id, name);
    const { bytes, sha256 } = await store.put(key, contents[name]!);
    parts.push({ name, key, bytes, sha256 });
  }
  manifest = sealManifest({ ...manifest, parts });
  manifest = forgery.edit?.(manifest) ?? manifest;
  await store.put(manifestKey(manifest.database, manifest.id), Buffer.from(JSON.stringify(manifest)));
  if (forgery.replaceDump) await store.put(partKey(manifest.database, manifest.id, dumpPart), forgery.replaceDump);
  return manifest;
}

function renew(manifest: Manifest, startedAt: Date): Manifest {
  const id = recoveryPointId(manifest.database, startedAt, manifest.method, randomBytes(4).toString("hex"));
  return { ...manifest, id };
}

function olderBy(manifest: Manifest, milliseconds: number, honest: Manifest): Manifest {
  const back = (at: string): string => new Date(new Date(at).getTime() - milliseconds).toISOString();
  return {
    ...renew(manifest, new Date(back(honest.startedAt))),
    startedAt: back(honest.startedAt),
    finishedAt: back(honest.finishedAt),
    consistentAt: back(honest.consistentAt),
  };
}

function flipBit(bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  const middle = Math.floor(flipped.length / 2);
  flipped[middle] = flipped[middle]! ^ 0x10;
  return flipped;
}

function largestTable(facts: PostgresFacts): string {
  const { schema, name } = facts.tables.reduce((largest, table) => (table.rows > largest.rows ? table : largest));
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}
