import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import {
  logCoverage,
  type LogCoverage,
  type Manifest,
  manifestKey,
  replayStart,
  type StoredWalFile,
  walKey,
} from "../../../../recovery";
import { OperationError } from "../../errors";
import { readAncestors } from "../../store/backup-chain";
import { type ObjectStore } from "../../store/object-store";
import { partOf, readWholePart } from "../../store/parts";
import { logOwnerOf, readStoredLog } from "../../store/stored-log";
import { type SabotageKitRequest } from "../engine";
import { commonCases, flipBit, type Forgery, renew, type SabotageCase, type SabotageKit } from "../sabotage-case";
import { sealManifest } from "../take-backup";
import { baseArchivePart } from "./base-parts";

/** Ways to spoil a base backup and the log behind it. */
export async function openBaseSabotage(request: SabotageKitRequest): Promise<SabotageKit> {
  const { manifest, store, signal } = request;
  const parts: Record<string, Buffer> = {};
  for (const { name } of manifest.parts) parts[name] = await readWholePart(store, partOf(manifest, name), signal);
  const log = await readStoredLog(store, logOwnerOf(manifest));
  const coverage = logCoverage(log, replayStart(manifest.wal!));
  const objects = new Map<string, Buffer>();
  for (const { key } of [...log.histories, ...coverage.files, ...(coverage.partial ? [coverage.partial] : [])]) {
    objects.set(key, await buffer(await store.get(key)));
  }
  const ancestors = await readAncestors(store, manifest);
  const chain = await objectsOf(store, ancestors, signal);
  const surround = (scratch: ObjectStore): Promise<void> => putAll(scratch, new Map([...objects, ...chain]));
  const common = commonCases(manifest, parts, baseArchivePart, "archive").map((sabotage): SabotageCase => {
    if (sabotage.expected !== "freshness") return sabotage;
    // An old base backup is as good as new with the log behind it: that must have stopped as well.
    const withoutLog = (scratch: ObjectStore): Promise<void> => putAll(scratch, chain);
    const forge = async () => ({ ...(await sabotage.forge()), surround: withoutLog });
    return { ...sabotage, forge };
  });
  return {
    cases: [
      ...common,
      anotherServer(),
      ...casesOfLog(request, coverage, objects, chain),
      ...casesOfChain(
        ancestors,
        parts,
        (changed) => (scratch) => putAll(scratch, new Map([...objects, ...changed])),
        chain,
      ),
    ],
    parts,
    surround,
    close: () => Promise.resolve(),
  };
}

function anotherServer(): SabotageCase {
  return {
    name: "another server's base backup",
    expected: "identity",
    forge: () => ({
      manifest: (copy) => ({ ...copy, source: { ...copy.source, systemIdentifier: "7000000000000000001" } }),
    }),
  };
}

/** Needs a whole segment with others behind it; the newest log is the recovery's to lose, and told. */
function casesOfLog(
  { manifest }: SabotageKitRequest,
  { files }: LogCoverage,
  objects: ReadonlyMap<string, Buffer>,
  chain: ReadonlyMap<string, Buffer>,
): SabotageCase[] {
  const middle = files[Math.floor((files.length - 1) / 2)];
  if (!middle || files.length < 3) return [];
  const without = (key: string): Map<string, Buffer> => new Map([...objects].filter(([other]) => other !== key));
  /** The segment with other content, under the key that belongs to it: the forger had the hash right. */
  const forged = (content: Buffer): Map<string, Buffer> =>
    without(middle.key).set(keyOf(manifest, middle, content), compressed(content));
  const honest = (): Buffer => decompressed(objects.get(middle.key)!);
  const surroundedBy = (log: () => Map<string, Buffer>) => () => {
    const spoiled = log();
    return {
      manifest: (copy: typeof manifest) => renew(copy, new Date(copy.startedAt)),
      surround: (scratch: ObjectStore) => putAll(scratch, new Map([...spoiled, ...chain])),
    };
  };
  return [
    { name: "missing log segment", expected: "log", forge: surroundedBy(() => without(middle.key)) },
    {
      name: "log segment changed in the store",
      expected: "parts",
      forge: surroundedBy(() => without(middle.key).set(middle.key, compressed(flipped(honest())))),
    },
    {
      name: "log segment changed before it was hashed",
      expected: "recovery",
      forge: surroundedBy(() => forged(flipped(honest()))),
    },
    {
      name: "log segment cut short",
      expected: "recovery",
      forge: surroundedBy(() => forged(honest().subarray(0, manifest.wal!.segmentBytes / 2))),
    },
    {
      name: "log segment of another timeline",
      expected: "recovery",
      forge: surroundedBy(() => forged(ofTimeline(honest(), manifest.wal!.timeline + 6))),
    },
  ];
}

/** Everything of some recovery points, by its keys. */
async function objectsOf(
  store: ObjectStore,
  manifests: readonly Manifest[],
  signal: AbortSignal,
): Promise<Map<string, Buffer>> {
  const objects = new Map<string, Buffer>();
  for (const manifest of manifests) {
    for (const part of manifest.parts) objects.set(part.key, await readWholePart(store, part, signal));
    objects.set(manifestKey(manifest.database, manifest.id), Buffer.from(JSON.stringify(manifest)));
  }
  return objects;
}

/** What can be done to what an increment builds on. */
function casesOfChain(
  ancestors: readonly Manifest[],
  { [baseArchivePart]: increment }: SabotageKit["parts"],
  surroundedBy: (chain: ReadonlyMap<string, Buffer>) => (scratch: ObjectStore) => Promise<void>,
  chain: ReadonlyMap<string, Buffer>,
): SabotageCase[] {
  const parent = ancestors.at(-1);
  if (!parent) return [];
  const ownKey = manifestKey(parent.database, parent.id);
  const archive = partOf(parent, baseArchivePart);
  const without = (key: string) => new Map([...chain].filter(([other]) => other !== key));
  const changed = (key: string, content: Buffer) => new Map(chain).set(key, content);
  /** The parent with another archive, and what builds on it with the digest of that: the forger had the hashes right. */
  const forged = (content: Buffer): Forgery => {
    const sha256 = createHash("sha256").update(content).digest("hex");
    const parts = parent.parts.map((part) => (part === archive ? { ...part, bytes: content.length, sha256 } : part));
    const sealed = sealManifest({ ...parent, parts });
    return {
      manifest: (copy) => ({
        ...copy,
        buildsOn: [...copy.buildsOn!.slice(0, -1), { id: parent.id, digest: sealed.digest }],
      }),
      surround: surroundedBy(changed(archive.key, content).set(ownKey, Buffer.from(JSON.stringify(sealed)))),
    };
  };
  return [
    { name: "parent missing", expected: "chain", forge: () => ({ surround: surroundedBy(without(ownKey)) }) },
    {
      name: "parent's archive missing",
      expected: "chain",
      forge: () => ({ surround: surroundedBy(without(archive.key)) }),
    },
    {
      name: "parent replaced under its own name",
      expected: "chain",
      forge: () => {
        const another = sealManifest({ ...parent, source: { ...parent.source, bytes: parent.source.bytes + 1 } });
        return { surround: surroundedBy(changed(ownKey, Buffer.from(JSON.stringify(another)))) };
      },
    },
    { name: "parent that is no parent of it", expected: "chain", forge: () => forged(increment!) },
    {
      name: "parent's bit flipped in the store",
      expected: "parts",
      forge: () => ({ surround: surroundedBy(changed(archive.key, flipBit(chain.get(archive.key)!))) }),
    },
    {
      name: "parent's bit flipped before it was hashed",
      expected: "archive",
      forge: () => forged(flipBit(chain.get(archive.key)!)),
    },
    {
      name: "increment passed off as a whole copy",
      expected: "recovery",
      forge: () => ({ manifest: (copy) => ({ ...copy, buildsOn: undefined }) }),
    },
    ...(ancestors.length < 2
      ? []
      : [
          {
            name: "link of the chain left out",
            expected: "chain",
            forge: (): Forgery => ({
              manifest: (copy) => ({ ...copy, buildsOn: copy.buildsOn!.slice(0, 1) }),
            }),
          },
        ]),
  ];
}

function keyOf(manifest: SabotageKitRequest["manifest"], file: StoredWalFile, content: Buffer): string {
  const sha256 = createHash("sha256").update(content).digest("hex");
  return walKey(manifest.database, manifest.source.systemIdentifier!, { name: file.name, sha256 });
}

/** The first page's header says which timeline it is of: four bytes at offset 4 (PostgreSQL, XLogPageHeaderData). */
function ofTimeline(segment: Buffer, timeline: number): Buffer {
  const copy = Buffer.from(segment);
  copy.writeUInt32LE(timeline, 4);
  return copy;
}

function flipped(segment: Buffer): Buffer {
  const copy = Buffer.from(segment);
  // Behind the first page's header, where the first record's are.
  for (const offset of [60, 70, 80]) copy[offset] = copy[offset]! ^ 0xff;
  return copy;
}

async function putAll(store: ObjectStore, objects: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [key, content] of objects) await store.put(key, content);
}

function compressed(content: Buffer): Buffer {
  return zstd(["-q", "-c"], content);
}

function decompressed(content: Buffer): Buffer {
  return zstd(["-d", "-q", "-c"], content);
}

function zstd(args: readonly string[], input: Buffer): Buffer {
  const { status, stdout, stderr } = spawnSync("zstd", args, { input, maxBuffer: 2 ** 31 - 1 });
  if (status !== 0) throw new OperationError(`zstd ended with exit code ${status}: ${stderr.toString("utf8")}`);
  return stdout;
}
