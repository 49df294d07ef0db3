import { randomBytes } from "node:crypto";
import { type Manifest, recoveryPointId } from "../../../recovery";
import { type ObjectStore } from "../store/object-store";

/** The content of a spoiled recovery point, and what happens to it after its manifest was written. */
export interface Forgery {
  /** Parts by their names, where they differ from the honest ones. */
  readonly parts?: Readonly<Record<string, Buffer>>;
  /** Changes what the manifest says before it is sealed: the forger had the digest right. */
  readonly manifest?: (manifest: Manifest) => Manifest;
  /** Changes the sealed manifest: somebody edited the file. */
  readonly edit?: (manifest: Manifest) => Manifest;
  /** Replaces parts under the finished manifest. */
  readonly replacedParts?: Readonly<Record<string, Buffer>>;
  /** What lies beside the parts, where it differs from what the kit puts there. */
  readonly surround?: (store: ObjectStore) => Promise<void>;
  /** Spoils the restored copy, by its path or URL, before it is proven. */
  readonly spoilCopy?: (target: string) => Promise<void>;
}

/** One way to spoil a recovery point. */
export interface SabotageCase {
  readonly name: string;
  /** The check that is meant to find it; for what must not harm, `pass`. */
  readonly expected: string;
  forge(): Forgery | Promise<Forgery>;
}

/** Ways to spoil one honest recovery point, and what they need while they are tried. */
export interface SabotageKit {
  readonly cases: readonly SabotageCase[];
  /** The honest parts by their names. */
  readonly parts: Readonly<Record<string, Buffer>>;
  /** Puts what a restore needs beside the parts, a log for instance, into a scratch store. */
  surround?(store: ObjectStore): Promise<void>;
  close(): Promise<void>;
}

const hour = 3_600_000;

/**
 * What can happen to any recovery point, whatever is in it.
 *
 * @param part the part that holds the data
 * @param unreadable the check that finds bytes which are as they were stored and cannot be read
 */
export function commonCases(
  honest: Manifest,
  parts: SabotageKit["parts"],
  part: string,
  unreadable: string,
): SabotageCase[] {
  const data = parts[part]!;
  const half = data.subarray(0, Math.floor(data.length / 2));
  return [
    { name: "empty file", expected: unreadable, forge: () => ({ parts: { [part]: Buffer.alloc(0) } }) },
    { name: "truncated in the store", expected: "parts", forge: () => ({ replacedParts: { [part]: half } }) },
    { name: "truncated before it was hashed", expected: unreadable, forge: () => ({ parts: { [part]: half } }) },
    {
      name: "bit flipped in the store",
      expected: "parts",
      forge: () => ({ replacedParts: { [part]: flipBit(data) } }),
    },
    {
      name: "bit flipped before it was hashed",
      expected: unreadable,
      forge: () => ({ parts: { [part]: flipBit(data) } }),
    },
    {
      name: "stale: backups stopped two days ago",
      expected: "freshness",
      forge: () => ({ manifest: (copy) => olderBy(copy, 48 * hour, honest) }),
    },
    {
      name: "manifest edited",
      expected: "manifest",
      forge: () => ({
        edit: (manifest) => ({
          ...manifest,
          source: { ...manifest.source, bytes: manifest.source.bytes + 1 },
        }),
      }),
    },
  ];
}

/** A recovery point of the same content under an id of its own. */
export function renew(manifest: Manifest, startedAt: Date): Manifest {
  const id = recoveryPointId(manifest.database, startedAt, manifest.method, randomBytes(4).toString("hex"));
  return { ...manifest, id };
}

function olderBy(manifest: Manifest, milliseconds: number, honest: Manifest): Manifest {
  const back = (at: string): string => new Date(new Date(at).getTime() - milliseconds).toISOString();
  // What builds on others cannot have a name that is older than theirs.
  const named = manifest.buildsOn ? honest.startedAt : back(honest.startedAt);
  return {
    ...renew(manifest, new Date(named)),
    startedAt: back(honest.startedAt),
    finishedAt: back(honest.finishedAt),
    consistentAt: back(honest.consistentAt),
  };
}

/** Bytes with one bit in their middle turned over. */
export function flipBit(bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  const middle = Math.floor(flipped.length / 2);
  flipped[middle] = flipped[middle]! ^ 0x10;
  return flipped;
}
