import { z } from "zod";
import { parseDocument } from "./parse-document";
import { canonicalJson } from "./canonical-json";
import { BackupMethod, databaseNamePattern, parseRecoveryPointId, partKey, partNamePattern } from "./store-layout";
import { Verdict } from "./verdict";
import { parseLsn } from "./wal-position";

/** The engines that a job can back up. */
export const Engine = { Postgres: "postgres", Rds: "rds", Sqlite: "sqlite" } as const;
export type Engine = (typeof Engine)[keyof typeof Engine];

/**
 * The newest manifest format that this version writes, and the newest that it reads. 2 is written where `buildsOn`,
 * `fileList` or `notes` are: who does not know them must not take an increment for a whole copy.
 */
export const manifestFormatVersion = 2;

/** One object of a recovery point. */
export interface ManifestPart {
  /** File name inside the recovery point, for instance `dump.pgc.zst`. */
  readonly name: string;
  /** Key in the store; always the one that `partKey` gives. */
  readonly key: string;
  /** Version of the object, where the store keeps versions. */
  readonly versionId?: string;
  readonly bytes: number;
  /** Lower-case hexadecimal SHA-256 of the stored bytes. */
  readonly sha256: string;
}

/** How many rows a table held in the backed-up snapshot. */
export interface ManifestTable {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
  /** Size on the source's disk, indexes and TOAST included. */
  readonly bytes: number;
}

/** A physical copy's place in the log: PostgreSQL replays from `start`, and the copy is whole once it reached `end`. */
export interface ManifestWal {
  readonly timeline: number;
  /** PostgreSQL's notation, `16/B374D848`. */
  readonly start: string;
  readonly end: string;
  /** `wal_segment_size` of the server. */
  readonly segmentBytes: number;
}

/** A recovery point that another one is an increment of, and the digest of its manifest: no other one will do. */
export interface ManifestLink {
  readonly id: string;
  readonly digest: string;
}

/**
 * What the next incremental base backup is taken against: PostgreSQL's own `backup_manifest`, compressed, under
 * `fileListKey`. It lies in the catalog, since who writes backups may not read parts, and no restore needs it.
 */
export interface ManifestFileList {
  readonly bytes: number;
  /** Lower-case hexadecimal SHA-256 of the stored bytes. */
  readonly sha256: string;
}

/** Where the data came from. */
export interface ManifestSource {
  /** The database's own name on its server (or the file's base name), not the name in the job configuration. */
  readonly databaseName: string;
  readonly serverVersion: string;
  /** Major version; a restore test starts a server of this one. */
  readonly serverMajor: number;
  readonly encoding?: string;
  readonly collation?: string;
  readonly extensions?: Readonly<Record<string, string>>;
  /** PostgreSQL's system identifier; absent where the role may not read it. */
  readonly systemIdentifier?: string;
  /** Where the write-ahead log stood when the snapshot was taken. */
  readonly walPosition?: string;
  /** The snapshot was taken on a standby. */
  readonly standby?: boolean;
  /** Size on the source's disk. */
  readonly bytes: number;
}

/**
 * What a recovery point is: written last, so that a backup without a valid manifest does not exist. Everything that a
 * restore, a proof or a person at night needs to know about it is in here or in the parts that it names.
 */
export interface Manifest {
  readonly formatVersion: number;
  readonly id: string;
  /** The database's name in the job configuration. */
  readonly database: string;
  readonly engine: Engine;
  readonly method: BackupMethod;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly finishedAt: string;
  /** The moment whose committed data the recovery point holds, by the source's clock. */
  readonly consistentAt: string;
  readonly source: ManifestSource;
  /** Versions of the tools that wrote the parts. */
  readonly tools: Readonly<Record<string, string>>;
  readonly runnerVersion: string;
  /** Cron schedule in force, when there was one. */
  readonly schedule?: string;
  readonly objectives: { readonly rpoMinutes: number; readonly rtoMinutes: number };
  /** When the retention in force lets the parts go; absent where none was configured. ISO 8601, UTC. */
  readonly expiresAt?: string;
  /** Rows by table; empty for a physical copy, which is never read table by table. */
  readonly tables: readonly ManifestTable[];
  readonly parts: readonly ManifestPart[];
  /** Set for a physical copy. */
  readonly wal?: ManifestWal;
  /** What it is an increment of, the full one first: none of it can be missing. @default it stands alone */
  readonly buildsOn?: readonly ManifestLink[];
  /** @default nothing incremental is taken after it */
  readonly fileList?: ManifestFileList;
  /** What a person may want to know and nothing is wrong with. */
  readonly notes?: readonly string[];
  /** `inconclusive` when the backup is complete but suspicious; `reasons` say why. */
  readonly verdict: Verdict;
  readonly reasons: readonly string[];
  /** SHA-256 of the canonical JSON of everything else in here. */
  readonly digest: string;
}

const isoUtc = z.iso.datetime();
const bytes = z.number().int().min(0);
const lsn = z.string().refine((text) => parseLsn(text) !== undefined, "must be a log position like 16/B374D848");
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hexadecimal digits");

/** The most recovery points that one may build on: each is a download and a folder of its own in a restore. */
export const longestChain = 64;

const schema: z.ZodType<Manifest> = z
  .object({
    formatVersion: z.number().int(),
    id: z.string(),
    database: z.string().regex(databaseNamePattern),
    engine: z.enum(Engine),
    method: z.enum(BackupMethod),
    startedAt: isoUtc,
    finishedAt: isoUtc,
    consistentAt: isoUtc,
    source: z.object({
      databaseName: z.string().min(1),
      serverVersion: z.string(),
      serverMajor: z.number().int(),
      encoding: z.string().optional(),
      collation: z.string().optional(),
      extensions: z.record(z.string(), z.string()).optional(),
      systemIdentifier: z.string().optional(),
      walPosition: z.string().optional(),
      standby: z.boolean().optional(),
      bytes,
    }),
    tools: z.record(z.string(), z.string()),
    runnerVersion: z.string(),
    schedule: z.string().optional(),
    objectives: z.object({ rpoMinutes: z.number().min(0), rtoMinutes: z.number().positive() }),
    expiresAt: isoUtc.optional(),
    tables: z.array(z.object({ schema: z.string(), name: z.string(), rows: bytes, bytes })),
    parts: z
      .array(
        z.object({
          name: z.string().regex(partNamePattern, "must be a plain file name"),
          key: z.string(),
          versionId: z.string().optional(),
          bytes,
          sha256,
        }),
      )
      .min(1, "a recovery point without parts holds nothing"),
    wal: z
      .object({
        timeline: z.number().int().min(1),
        start: lsn,
        end: lsn,
        segmentBytes: z
          .number()
          .int()
          .min(1024 ** 2),
      })
      .optional(),
    buildsOn: z
      .array(z.object({ id: z.string(), digest: sha256 }))
      .min(1)
      .max(longestChain)
      .optional(),
    fileList: z.object({ bytes, sha256 }).optional(),
    notes: z.array(z.string()).optional(),
    verdict: z.enum(Verdict),
    reasons: z.array(z.string()),
    digest: sha256,
  })
  .check((context) => {
    const manifest = context.value;
    const refuse = (path: PropertyKey[], message: string): void => {
      context.issues.push({ code: "custom", input: manifest, path, message });
    };
    const parsed = parseRecoveryPointId(manifest.id);
    if (!parsed) refuse(["id"], `${JSON.stringify(manifest.id)} is not a recovery point id`);
    else if (parsed.database !== manifest.database || parsed.method !== manifest.method) {
      refuse(["id"], `${manifest.id} names another database or method than the manifest does`);
    }
    const names = new Set<string>();
    manifest.parts.forEach((part, index) => {
      const expected = partKey(manifest.database, manifest.id, part.name);
      if (part.key !== expected) refuse(["parts", index, "key"], `${JSON.stringify(part.key)} is not ${expected}`);
      if (names.has(part.name)) refuse(["parts", index, "name"], `${part.name} is named twice`);
      names.add(part.name);
    });
    const isPhysical = manifest.method === BackupMethod.Base;
    if (isPhysical && !manifest.wal)
      refuse(["wal"], "is missing: a base backup is of no use without its place in the log");
    if (isPhysical && !manifest.source.systemIdentifier) refuse(["source", "systemIdentifier"], "is missing");
    for (const [index, message] of linkProblems(manifest)) refuse(["buildsOn", index, "id"], message);
    if (manifest.buildsOn && !isPhysical) refuse(["buildsOn"], `does not belong to a ${manifest.method}`);
    if (manifest.fileList && !isPhysical) refuse(["fileList"], `does not belong to a ${manifest.method}`);
    if (manifest.formatVersion < 2 && (manifest.buildsOn ?? manifest.fileList ?? manifest.notes)) {
      refuse(["formatVersion"], "is 1, which knows no buildsOn, fileList or notes");
    }
    if (manifest.finishedAt < manifest.startedAt) refuse(["finishedAt"], "is before startedAt");
  });

/** Each link must be an older base backup of the same database, and none may come twice: then there is no circle. */
function linkProblems({ id, database, buildsOn = [] }: Manifest): [number, string][] {
  const startedAt = (text: string): number => parseRecoveryPointId(text)?.startedAt.getTime() ?? 0;
  const seen = new Set([id]);
  return buildsOn.flatMap((link, index): [number, string][] => {
    const parsed = parseRecoveryPointId(link.id);
    const next = buildsOn[index + 1]?.id ?? id;
    const problem = !parsed
      ? "is not a recovery point id"
      : parsed.database !== database || parsed.method !== BackupMethod.Base
        ? `is not a base backup of ${database}`
        : seen.has(link.id)
          ? "is named twice"
          : startedAt(link.id) > startedAt(next)
            ? `is newer than ${next}, which builds on it`
            : undefined;
    seen.add(link.id);
    return problem === undefined ? [] : [[index, `${JSON.stringify(link.id)} ${problem}`]];
  });
}

/** A manifest, or every reason why the text is not one. Never throws on hostile input. */
export type ParsedManifest =
  | { readonly manifest: Manifest; readonly problems?: undefined }
  | { readonly manifest?: undefined; readonly problems: readonly string[] };

/**
 * Reads a manifest. Text that is not JSON, fields that are missing or wrong, a key that points outside of the recovery
 * point's own folder and a format newer than this version are refused with every problem named.
 */
export function parseManifest(text: string): ParsedManifest {
  const { value: manifest, problems } = parseDocument(text, schema, "manifest", manifestFormatVersion);
  return manifest ? { manifest } : { problems };
}

/** The text whose SHA-256 is the manifest's `digest`. */
export function manifestDigestInput(manifest: Omit<Manifest, "digest">): string {
  return canonicalJson({ ...manifest, digest: undefined });
}
