import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import {
  type $Command,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  DeleteObjectTaggingCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  GetPublicAccessBlockCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectAclCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
  PutObjectRetentionCommand,
  PutObjectTaggingCommand,
  PutPublicAccessBlockCommand,
  type S3ClientResolvedConfig,
  type ServiceInputTypes,
  type ServiceOutputTypes,
} from "@aws-sdk/client-s3";
import { answerOfPolicy, type EvidenceCheck, PolicyAnswer, StorePrefix } from "../../../recovery";
import { messageOf } from "../errors";
import { explainS3Error, type S3Location, statusOf } from "../store/s3-errors";
import { type S3Options, S3Sender } from "../store/s3-sender";
import { failed, passed, undecided } from "./check";

/** What is proven, and by whom. */
export interface ImmutabilityRequest {
  readonly location: S3Location;
  /** The backup writer's own credentials: what they cannot do, a thief of them cannot. */
  readonly writer: S3Options;
  /** Credentials that may read the bucket's settings and write evidence. @default the writer's, which may not */
  readonly prover?: S3Options;
  /** ARN of the backup writer's role or user, by which policies know it. */
  readonly writerArn?: string;
  /** Text of the policy of the KMS key that encrypts objects. @default not judged */
  readonly dataKeyPolicy?: string;
  readonly signal?: AbortSignal;
}

/** Any call: the SDK has no type of its own for that, and its commands are not each other's subtypes. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Command = $Command<any, any, S3ClientResolvedConfig, ServiceInputTypes, ServiceOutputTypes>;

const { Parts, Catalog, Evidence, Decoy } = StorePrefix;

/**
 * Tries to destroy backups as the backup writer. Objects that are attacked are decoys, written for it; settings of the
 * bucket are submitted again byte for byte, so that a success would change nothing; what cannot be tried harmlessly is
 * judged by the policies' own words. A call that succeeds fails the proof.
 *
 * @throws StoreError when the writer cannot even write a decoy: then nothing was tried
 */
export async function proveImmutability(request: ImmutabilityRequest): Promise<EvidenceCheck[]> {
  const writer = new S3Sender(request.location, request.writer);
  const prover = request.prover ? new S3Sender(request.location, request.prover) : writer;
  try {
    const proof = new ImmutabilityProof(request, writer, prover);
    return [...(await proof.attackDecoys()), ...(await proof.resubmitSettings()), ...(await proof.judgePolicies())];
  } finally {
    writer.close();
    prover.close();
  }
}

class ImmutabilityProof {
  private readonly bucket: { readonly Bucket: string; readonly ExpectedBucketOwner?: string };
  private readonly base: string;

  constructor(
    private readonly request: ImmutabilityRequest,
    private readonly writer: S3Sender,
    private readonly prover: S3Sender,
  ) {
    const { bucket, prefix, expectedBucketOwner } = request.location;
    this.bucket = { Bucket: bucket, ExpectedBucketOwner: expectedBucketOwner };
    this.base = prefix === "" ? "" : `${prefix}/`;
  }

  async attackDecoys(): Promise<EvidenceCheck[]> {
    const lockedFor = await this.defaultRetentionMs();
    const checks: EvidenceCheck[] = [];
    for (const [name, attack] of decoyAttacks) {
      if (lockedFor === undefined && name.startsWith("PutObjectRetention")) continue;
      const decoy = await this.writeDecoy();
      const target = { ...this.bucket, Key: decoy.key, VersionId: decoy.versionId };
      checks.push(await this.attack(name, attack(target, lockedFor ?? 0)));
      checks.push(...(await this.stillThere(name, decoy)));
    }
    return checks;
  }

  private async writeDecoy(): Promise<{ key: string; versionId?: string; body: string }> {
    const key = `${this.base}${Decoy}immutability-${randomBytes(8).toString("hex")}`;
    const body = "This object was written to be attacked.\n";
    try {
      const put = new PutObjectCommand({ ...this.bucket, Key: key, Body: body });
      const { VersionId } = await this.writer.send(put, this.request.signal);
      return { key, versionId: VersionId, body };
    } catch (error) {
      throw explainS3Error(error, `write the decoy ${key}`, this.request.location);
    }
  }

  private async stillThere(name: string, decoy: { key: string; body: string }): Promise<EvidenceCheck[]> {
    try {
      const { Body } = await this.writer.send(new GetObjectCommand({ ...this.bucket, Key: decoy.key }));
      if ((await Body!.transformToString()) === decoy.body) return [];
      return [failed(`${name}: decoy`, `P1: ${decoy.key} holds other bytes than were written`)];
    } catch (error) {
      if (statusOf(error) !== 404) return [undecided(`${name}: decoy`, `cannot be read: ${messageOf(error)}`)];
      return [failed(`${name}: decoy`, `P1: ${decoy.key} is gone`)];
    }
  }

  /** How long the bucket locks a new object by default; nothing where it locks none, or where nobody may say. */
  private async defaultRetentionMs(): Promise<number | undefined> {
    try {
      const { ObjectLockConfiguration } = await this.prover.send(new GetObjectLockConfigurationCommand(this.bucket));
      const { Days = 0, Years = 0 } = ObjectLockConfiguration?.Rule?.DefaultRetention ?? {};
      return (Days + Years * 365) * 24 * 3600_000;
    } catch {
      return undefined;
    }
  }

  async resubmitSettings(): Promise<EvidenceCheck[]> {
    const checks: EvidenceCheck[] = [];
    for (const { name, read, write, absent } of settings) {
      let present: Buffer;
      try {
        present = await this.readRaw(read(this.bucket));
      } catch (error) {
        // What is not set cannot be set again without a change; the policies are judged for it below.
        if ((error as Error).name !== absent) {
          const how = "prove with an identity that may read it, beside the writer's";
          checks.push(undecided(name, `not tried: the present setting cannot be read (${messageOf(error)}); ${how}`));
        }
        continue;
      }
      checks.push(await this.attack(name, withBody(write(this.bucket, present.toString("utf8")), present)));
    }
    return checks;
  }

  private async readRaw(command: Command): Promise<Buffer> {
    let raw: Buffer | undefined;
    command.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        const response = result.response as { body: unknown; statusCode: number };
        const bytes = await buffer(response.body as Readable);
        if (response.statusCode === 200) raw = bytes;
        response.body = Readable.from([bytes]);
        return result;
      },
      { step: "deserialize", priority: "low", name: "keepRawBody" },
    );
    await this.prover.send(command, this.request.signal);
    return raw!;
  }

  private async attack(name: string, command: Command): Promise<EvidenceCheck> {
    try {
      const output = (await this.writer.send(command, this.request.signal)) as { Errors?: { Code?: string }[] };
      const refusal = output.Errors?.[0]?.Code;
      if (refusal === undefined) return failed(name, `P1: the backup writer may call ${name}`);
      return refusal === "AccessDenied" ? passed(name, "refused (AccessDenied)") : undecided(name, `ended ${refusal}`);
    } catch (error) {
      this.request.signal?.throwIfAborted();
      if ((error as Error).name === "AccessDenied") return passed(name, "refused (AccessDenied)");
      return undecided(name, `neither refused nor done: ${(error as Error).name}: ${messageOf(error)}`);
    }
  }

  async judgePolicies(): Promise<EvidenceCheck[]> {
    const { writerArn, dataKeyPolicy, location } = this.request;
    let policy: string | undefined;
    try {
      policy = (await this.prover.send(new GetBucketPolicyCommand(this.bucket))).Policy;
    } catch (error) {
      return [undecided("bucket policy", `cannot be read: ${messageOf(error)}`)];
    }
    if (writerArn === undefined) {
      return [undecided("bucket policy", "not judged: say with --principal which ARN the backup writer has")];
    }
    const bucketArn = `arn:${writerArn.split(":")[1]}:s3:::${location.bucket}`;
    const judge = (action: string, resourceArn: string, text: string, where: string): EvidenceCheck => {
      const name = `${action} on ${resourceArn.slice(resourceArn.lastIndexOf(":") + 1)}`;
      const request = { principalArn: writerArn, action, resourceArn };
      const { answer, sid } = answerOfPolicy(text, request, { notAction: location.endpoint === undefined });
      if (answer === PolicyAnswer.Refused) return passed(name, `refused by statement ${sid} of the ${where}`);
      if (answer === PolicyAnswer.Allowed) {
        return failed(name, `P1: statement ${sid} of the ${where} allows the backup writer ${action}`);
      }
      return undecided(
        name,
        `the ${where} does not refuse it, so it depends on policies that cannot be seen from here`,
      );
    };
    const checks = realObjects.flatMap(({ action, prefixes }) =>
      prefixes.map((prefix) => judge(action, `${bucketArn}/${this.base}${prefix}any`, policy ?? "{}", "bucket policy")),
    );
    checks.push(...bucketCalls.map((action) => judge(action, bucketArn, policy ?? "{}", "bucket policy")));
    if (dataKeyPolicy !== undefined) {
      checks.push(...keyCalls.map((action) => judge(action, "*", dataKeyPolicy, "key policy")));
    }
    return checks;
  }
}

type DecoyTarget = { readonly Bucket: string; readonly Key: string; readonly VersionId?: string };

const decoyAttacks: readonly (readonly [string, (decoy: DecoyTarget, lockedForMs: number) => Command])[] = [
  ["DeleteObject", ({ VersionId: _, ...decoy }) => new DeleteObjectCommand(decoy)],
  ["DeleteObject of a version", (decoy) => new DeleteObjectCommand(decoy)],
  [
    "DeleteObject past its retention",
    (decoy) => new DeleteObjectCommand({ ...decoy, BypassGovernanceRetention: true }),
  ],
  [
    "DeleteObjects",
    ({ Key, VersionId, ...bucket }) =>
      new DeleteObjectsCommand({
        ...bucket,
        Delete: { Objects: [{ Key, VersionId }] },
        BypassGovernanceRetention: true,
      }),
  ],
  ["PutObjectRetention, shorter", (decoy) => retention(decoy, 60_000, true)],
  ["PutObjectRetention, longer", (decoy, lockedForMs) => retention(decoy, lockedForMs + 60_000, false)],
  ["PutObjectLegalHold", (decoy) => new PutObjectLegalHoldCommand({ ...decoy, LegalHold: { Status: "OFF" } })],
  [
    "PutObjectTagging",
    (decoy) => new PutObjectTaggingCommand({ ...decoy, Tagging: { TagSet: [{ Key: "a", Value: "b" }] } }),
  ],
  ["DeleteObjectTagging", (decoy) => new DeleteObjectTaggingCommand(decoy)],
  ["PutObjectAcl", (decoy) => new PutObjectAclCommand({ ...decoy, ACL: "private" })],
];

function retention(decoy: DecoyTarget, forMs: number, BypassGovernanceRetention: boolean): Command {
  return new PutObjectRetentionCommand({
    ...decoy,
    Retention: { Mode: "GOVERNANCE", RetainUntilDate: new Date(new Date().getTime() + forMs) },
    BypassGovernanceRetention,
  });
}

/** A setting of the bucket: how to read it, how to submit it, and what it is called when it is not set. */
interface Setting {
  readonly name: string;
  readonly read: (bucket: { readonly Bucket: string }) => Command;
  /** What the SDK would send; its body is replaced by the bytes that were read. */
  readonly write: (bucket: { readonly Bucket: string }, present: string) => Command;
  readonly absent: string;
}

const settings: readonly Setting[] = [
  {
    name: "PutBucketLifecycleConfiguration",
    read: (bucket) => new GetBucketLifecycleConfigurationCommand(bucket),
    write: (bucket) =>
      new PutBucketLifecycleConfigurationCommand({ ...bucket, LifecycleConfiguration: { Rules: undefined } }),
    absent: "NoSuchLifecycleConfiguration",
  },
  {
    name: "PutBucketPolicy",
    read: (bucket) => new GetBucketPolicyCommand(bucket),
    write: (bucket, Policy) => new PutBucketPolicyCommand({ ...bucket, Policy }),
    absent: "NoSuchBucketPolicy",
  },
  {
    name: "PutBucketVersioning",
    read: (bucket) => new GetBucketVersioningCommand(bucket),
    write: (bucket) => new PutBucketVersioningCommand({ ...bucket, VersioningConfiguration: {} }),
    absent: "",
  },
  {
    name: "PutObjectLockConfiguration",
    read: (bucket) => new GetObjectLockConfigurationCommand(bucket),
    write: (bucket) => new PutObjectLockConfigurationCommand({ ...bucket, ObjectLockConfiguration: {} }),
    absent: "ObjectLockConfigurationNotFoundError",
  },
  {
    name: "PutPublicAccessBlock",
    read: (bucket) => new GetPublicAccessBlockCommand(bucket),
    write: (bucket) => new PutPublicAccessBlockCommand({ ...bucket, PublicAccessBlockConfiguration: {} }),
    absent: "NoSuchPublicAccessBlockConfiguration",
  },
];

/** Replaces what the SDK serialised, before it is hashed and signed. */
function withBody(command: Command, body: Buffer): Command {
  command.middlewareStack.add(
    (next) => (args) => {
      (args.request as { body: unknown }).body = body;
      return next(args);
    },
    { step: "build", priority: "high", name: "submitAsItIs" },
  );
  return command;
}

/** What on real objects is judged and never tried. */
const realObjects = [
  { action: "s3:DeleteObject", prefixes: [Parts, Catalog] },
  { action: "s3:DeleteObjectVersion", prefixes: [Parts, Catalog] },
  { action: "s3:PutObjectRetention", prefixes: [Parts, Catalog] },
  { action: "s3:BypassGovernanceRetention", prefixes: [Parts, Catalog] },
  { action: "s3:PutObject", prefixes: [Evidence] },
  { action: "s3:DeleteObjectVersion", prefixes: [Evidence] },
];

const bucketCalls = [
  "s3:DeleteBucketPolicy",
  "s3:DeleteBucket",
  "s3:PutBucketPolicy",
  "s3:PutLifecycleConfiguration",
  "s3:PutBucketVersioning",
  "s3:PutBucketObjectLockConfiguration",
];

const keyCalls = ["kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy", "kms:CreateGrant"];
