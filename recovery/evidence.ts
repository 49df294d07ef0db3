import { z } from "zod";
import { parseDocument } from "./parse-document";
import { canonicalJson } from "./canonical-json";
import { Verdict } from "./verdict";

/** What a record is evidence of. */
export const EvidenceKind = {
  RestoreTest: "restore-test",
  Restore: "restore",
  Drill: "drill",
  Proof: "proof",
  Immutability: "immutability",
  /** The recovered database is protected again. */
  ReProtection: "re-protection",
} as const;
export type EvidenceKind = (typeof EvidenceKind)[keyof typeof EvidenceKind];

/**
 * What was restored into. A throw-away server without fsync is faster than the server that will have to serve, so its
 * times scale an estimate and never replace it.
 */
export const TargetClass = {
  ThrowAway: "throw-away",
  DurableServer: "durable-server",
  Rds: "rds",
  File: "file",
  /** Nothing was restored. */
  None: "none",
} as const;
export type TargetClass = (typeof TargetClass)[keyof typeof TargetClass];

/**
 * How much of a restored copy was compared: the schema's objects; also every table's row count; also the rows
 * themselves.
 */
export const ProofLevel = { Structure: "structure", Counts: "counts", Content: "content" } as const;
export type ProofLevel = (typeof ProofLevel)[keyof typeof ProofLevel];

/** One comparison and what came of it. `name` is stable: alarms and the sabotage table refer to it. */
export interface EvidenceCheck {
  readonly name: string;
  readonly verdict: Verdict;
  /** What was compared and, unless it passed, what differed and what to do. */
  readonly detail: string;
}

/** One timed stretch of work. */
export interface EvidencePhase {
  readonly name: string;
  readonly seconds: number;
}

/** Exactly one object of the store, so that it can be vouched for and never be mistaken for another. */
export interface ObjectReference {
  readonly key: string;
  /** Version of the object, where the store keeps versions. */
  readonly versionId?: string;
  /** Lower-case hexadecimal SHA-256 of the object's bytes. */
  readonly sha256: string;
}

/** How evidence is signed. */
export const SignatureAlgorithm = {
  /** A key of one's own in a file. */
  Ed25519: "ed25519",
  /** A KMS key of kind ECC_NIST_P256. */
  KmsEcdsa: "kms-ecdsa-sha256",
  /** A KMS key of kind HMAC_256. */
  KmsHmac: "kms-hmac-sha256",
} as const;
export type SignatureAlgorithm = (typeof SignatureAlgorithm)[keyof typeof SignatureAlgorithm];

/** Who stands for a record: made with a key that no backup writer can use. */
export interface EvidenceSignature {
  readonly algorithm: SignatureAlgorithm;
  /** ARN of the KMS key, or the SHA-256 of the public key. */
  readonly keyId: string;
  /** Base64, over `evidenceSignatureInput` of the record's digest. */
  readonly value: string;
}

/** The newest evidence format that this version writes, and the newest that it reads. */
export const evidenceFormatVersion = 1;

/** What was measured, by whom, on what, and the verdict: what gates, alarms and the assessment read. */
export interface Evidence {
  readonly formatVersion: number;
  readonly id: string;
  readonly kind: EvidenceKind;
  /** The database's name in the job configuration. */
  readonly database: string;
  readonly engine: string;
  /** The mechanism that was exercised: `dump`, `base`, `copy`, ... */
  readonly mechanism: string;
  /** The recovery point that was exercised, when there was one. */
  readonly recoveryPoint?: string;
  /** The environment's name, for instance `prod` or `local`. */
  readonly environment: string;
  readonly targetClass: TargetClass;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly verdict: Verdict;
  /** The level of proof that was reached; absent when nothing could be compared. */
  readonly level?: ProofLevel;
  /** Size of the source database. */
  readonly sizeBytes: number;
  readonly phases: readonly EvidencePhase[];
  /** From the start of the fetch until the copy was proven; absent when it never was. */
  readonly measuredRtoSeconds?: number;
  /** From the beginning of a recovery until its database was protected again. */
  readonly reProtectedSeconds?: number;
  /** Time of the real or simulated disaster minus the newest heartbeat in the restored copy. */
  readonly achievedRpoSeconds: number | "unknown";
  readonly checks: readonly EvidenceCheck[];
  /** When the newest recovery point was bad: the last good one, and what falling back to it would have lost. */
  readonly lastGood?: { readonly recoveryPoint: string; readonly achievedRpoSeconds: number | "unknown" };
  readonly runnerVersion: string;
  /** The manifest that was read; a signature vouches for it, and so for the parts whose SHA-256 it names. */
  readonly manifest?: ObjectReference;
  /** The records of this database that no record had named before this one: the chain, by which none can be dropped. */
  readonly previous?: readonly ObjectReference[];
  /** SHA-256 of the canonical JSON of everything else in here, the signature excepted. */
  readonly digest: string;
  /** Absent where no key is configured. */
  readonly signature?: EvidenceSignature;
}

const seconds = z.number().min(0);
const secondsOrUnknown = z.union([seconds, z.literal("unknown")]);

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const objectReference: z.ZodType<ObjectReference> = z.object({
  key: z.string().min(1),
  versionId: z.string().optional(),
  sha256,
});

const schema: z.ZodType<Evidence> = z.object({
  formatVersion: z.number().int(),
  id: z.string().min(1),
  kind: z.enum(EvidenceKind),
  database: z.string().min(1),
  engine: z.string().min(1),
  mechanism: z.string().min(1),
  recoveryPoint: z.string().optional(),
  environment: z.string().min(1),
  targetClass: z.enum(TargetClass),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  verdict: z.enum(Verdict),
  level: z.enum(ProofLevel).optional(),
  sizeBytes: z.number().int().min(0),
  phases: z.array(z.object({ name: z.string().min(1), seconds })),
  measuredRtoSeconds: seconds.optional(),
  reProtectedSeconds: seconds.optional(),
  achievedRpoSeconds: secondsOrUnknown,
  checks: z.array(z.object({ name: z.string().min(1), verdict: z.enum(Verdict), detail: z.string() })),
  lastGood: z.object({ recoveryPoint: z.string(), achievedRpoSeconds: secondsOrUnknown }).optional(),
  runnerVersion: z.string(),
  manifest: objectReference.optional(),
  previous: z.array(objectReference).optional(),
  digest: sha256,
  signature: z
    .object({ algorithm: z.enum(SignatureAlgorithm), keyId: z.string().min(1), value: z.string().min(1) })
    .optional(),
});

/** An evidence record, or every reason why the text is not one. */
export type ParsedEvidence =
  | { readonly evidence: Evidence; readonly problems?: undefined }
  | { readonly evidence?: undefined; readonly problems: readonly string[] };

/** Reads an evidence record; hostile or newer text is refused with every problem named. */
export function parseEvidence(text: string): ParsedEvidence {
  const { value: evidence, problems } = parseDocument(text, schema, "evidence", evidenceFormatVersion);
  return evidence ? { evidence } : { problems };
}

/** The text whose SHA-256 is the record's `digest`. */
export function evidenceDigestInput(evidence: Omit<Evidence, "digest">): string {
  return canonicalJson({ ...evidence, digest: undefined, signature: undefined });
}

/** The text that is signed; what it begins with keeps the key's signatures from meaning anything else. */
export function evidenceSignatureInput(digest: string): string {
  return `disaster-recovery evidence ${digest}`;
}
