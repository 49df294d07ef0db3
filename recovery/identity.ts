import { StorePrefix } from "./store-layout";

/**
 * Who works with the store. Four, so that a stolen one is worth little: the job that writes backups can neither destroy
 * nor vouch for them, and nobody but the prover can write evidence.
 */
export const Identity = {
  /** `dr backup`, `dr stream`: adds, never takes away. */
  BackupWriter: "backup-writer",
  /** `dr restore`, `dr recover`: reads everything that a recovery needs. */
  RestoreReader: "restore-reader",
  /** `dr restore-test`, `dr drill`: reads what it proves, and alone writes and signs evidence. */
  EvidenceWriter: "evidence-writer",
  /** `dr status`, `dr list`, the policy gate: sees everything about the data, and none of the data. */
  Auditor: "auditor",
} as const;
export type Identity = (typeof Identity)[keyof typeof Identity];

/** One right on objects: these actions, on keys under these prefixes and nowhere else. */
export interface ObjectRight {
  readonly actions: readonly string[];
  readonly prefixes: readonly StorePrefix[];
  readonly why: string;
}

/** Everything that one identity may do. What is not in here is refused, also when an IAM policy says otherwise. */
export interface IdentityRights {
  readonly objects: readonly ObjectRight[];
  /** `s3:ListBucket` and `s3:ListBucketVersions`, limited by the prefix that is asked for. */
  readonly listing: readonly ObjectRight[];
  /** Reads of the bucket's own settings and of its unfinished uploads. */
  readonly bucket: readonly string[];
  /** On the KMS key that encrypts objects, through S3 and for this bucket only. */
  readonly dataKey: readonly string[];
  /** Reads of that key's own settings. */
  readonly dataKeySettings: readonly string[];
  /** On the KMS key that signs evidence, by its kind. */
  readonly signingKey: Readonly<Record<SigningKeyKind, readonly string[]>>;
}

/** What kind of KMS key signs evidence. */
export const SigningKeyKind = {
  /** ECC_NIST_P256: anybody with the public key can check. */
  Asymmetric: "asymmetric",
  /** HMAC_256: checked by KMS itself. */
  Mac: "mac",
} as const;
export type SigningKeyKind = (typeof SigningKeyKind)[keyof typeof SigningKeyKind];

const { Parts, Catalog, Wal, WalPartial, Evidence, Decoy } = StorePrefix;
const recoveryData = [Parts, Catalog, Wal, WalPartial];
/** What a later version could mask; the log's files are named by their content. */
const versionedData = [Parts, Catalog, Evidence];
const records = [Catalog, Evidence];

const read = ["s3:GetObject", "s3:GetObjectVersion"];
const listVersions = ["s3:ListBucketVersions"];
const verify = { asymmetric: ["kms:GetPublicKey"], mac: ["kms:VerifyMac"] };

/** What the cannot-delete proof submits again as it is. */
const bucketSettings = [
  "s3:GetBucketObjectLockConfiguration",
  "s3:GetBucketPolicy",
  "s3:GetBucketPublicAccessBlock",
  "s3:GetBucketVersioning",
  "s3:GetLifecycleConfiguration",
];

/** Files of the log are named by their hash, so that nothing can mask one and a listing tells all. */
const logListing: ObjectRight = {
  actions: ["s3:ListBucket"],
  prefixes: [Wal, WalPartial],
  why: "see how far the stored log reaches",
};

const recoveryReads: Pick<IdentityRights, "objects" | "listing"> = {
  objects: [
    { actions: read, prefixes: [...recoveryData, Evidence], why: "fetch recovery points and who vouched for them" },
  ],
  listing: [
    { actions: listVersions, prefixes: versionedData, why: "find recovery points, and versions that mask them" },
    logListing,
  ],
};

/**
 * The one table of who may do what in the store. The bucket policy, the IAM policies and the tests come from it. S3's
 * multipart calls are `s3:PutObject`, and `HeadObject` is `s3:GetObject`; a multipart upload that KMS encrypts needs
 * `kms:Decrypt` as well (Amazon S3 User Guide, "Multipart upload API and permissions").
 */
export const identityRights: Readonly<Record<Identity, IdentityRights>> = {
  "backup-writer": {
    objects: [
      {
        actions: ["s3:PutObject", "s3:AbortMultipartUpload"],
        prefixes: [...recoveryData, Decoy],
        why: "write backups, clean up after a failed upload, and the decoys that the cannot-delete proof attacks",
      },
      {
        actions: ["s3:GetObject"],
        prefixes: [Catalog, Decoy],
        why: "compare with the previous backup's manifest, and see that what was just written is there",
      },
    ],
    listing: [
      {
        actions: ["s3:ListBucket"],
        prefixes: [Catalog, Parts, Wal, WalPartial],
        why: "find the previous backup's manifest, see whether the parts are there that an incremental one builds on, and whether the log in the store has a hole",
      },
    ],
    // An upload whose beginning was answered to nobody must be found to be aborted; S3 knows no prefix here.
    bucket: ["s3:ListBucketMultipartUploads"],
    dataKey: ["kms:GenerateDataKey", "kms:Decrypt"],
    dataKeySettings: [],
    signingKey: { asymmetric: [], mac: [] },
  },
  "restore-reader": {
    ...recoveryReads,
    bucket: [],
    dataKey: ["kms:Decrypt"],
    dataKeySettings: [],
    signingKey: verify,
  },
  "evidence-writer": {
    objects: [
      ...recoveryReads.objects,
      { actions: ["s3:PutObject"], prefixes: [Evidence], why: "record what was proven" },
    ],
    listing: [
      ...recoveryReads.listing,
      { actions: ["s3:ListBucket"], prefixes: [Evidence], why: "see that no record of the same name is there" },
    ],
    bucket: bucketSettings,
    dataKey: ["kms:GenerateDataKey", "kms:Decrypt"],
    dataKeySettings: ["kms:GetKeyPolicy"],
    signingKey: { asymmetric: ["kms:Sign", "kms:GetPublicKey"], mac: ["kms:GenerateMac", "kms:VerifyMac"] },
  },
  auditor: {
    objects: [{ actions: ["s3:GetObjectVersion"], prefixes: records, why: "judge manifests and evidence" }],
    listing: [
      {
        actions: listVersions,
        prefixes: versionedData,
        why: "see that each part is there, and versions that mask one",
      },
      logListing,
    ],
    bucket: [],
    dataKey: ["kms:Decrypt"],
    dataKeySettings: [],
    signingKey: verify,
  },
};

/**
 * Whether the table gives an identity a right.
 *
 * @param action as IAM names it, for instance `s3:GetObject`
 * @param target the key of an object, or the prefix of a listing; absent for the bucket's own settings
 */
export function mayDo(identity: Identity, action: string, target?: string): boolean {
  const rights = identityRights[identity];
  if (target === undefined) return rights.bucket.includes(action);
  return [...rights.objects, ...rights.listing].some(
    (right) => right.actions.includes(action) && right.prefixes.some((prefix) => target.startsWith(prefix)),
  );
}

/** One statement of a policy, as AWS spells it. */
export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: "Allow" | "Deny";
  readonly Principal?: "*" | { readonly AWS: string | readonly string[] };
  readonly Action?: string | readonly string[];
  readonly NotAction?: readonly string[];
  readonly Resource?: string | readonly string[];
  readonly NotResource?: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

/** A policy document, as AWS spells it; plain JSON. */
export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly PolicyStatement[];
}

/** The resources that policies speak of. */
export interface StoreResources {
  readonly bucketArn: string;
  /** The store's prefix inside the bucket, without slashes at its ends. @default "" (the whole bucket) */
  readonly keyPrefix?: string;
  /** The KMS key that encrypts objects; a writer that names it must name it by this ARN. @default none (the bucket encrypts with S3's own key) */
  readonly dataKeyArn?: string;
  /** The KMS key that signs evidence. @default none */
  readonly signingKey?: { readonly arn: string; readonly kind: SigningKeyKind };
}

/**
 * The IAM policy of one identity: what the table gives it on these resources, and nothing else.
 *
 * @throws Error when an ARN is not one
 */
export function identityPolicy(identity: Identity, resources: StoreResources): PolicyDocument {
  checkResources(resources);
  const { dataKeyArn, signingKey } = resources;
  const statements = storeAllows(identity, resources);
  const { dataKey, dataKeySettings, signingKey: signing } = identityRights[identity];
  if (dataKeyArn !== undefined) statements.push(dataKeyStatement(dataKey, dataKeyArn, resources.bucketArn));
  if (dataKeyArn !== undefined && dataKeySettings.length > 0) {
    statements.push({ Sid: "DataKeySettings", Effect: "Allow", Action: dataKeySettings, Resource: dataKeyArn });
  }
  if (signingKey !== undefined && signing[signingKey.kind].length > 0) {
    statements.push({ Sid: "SigningKey", Effect: "Allow", Action: signing[signingKey.kind], Resource: signingKey.arn });
  }
  return { Version: "2012-10-17", Statement: statements };
}

/**
 * The IAM policy of a pod that streams a SQLite file (Litestream). It is the application's pod and none of the four: it
 * reads and adds what lies under its own database's log, and nothing else. It reads, because Litestream looks up where it
 * left off and restores before a first start; it deletes nothing, since the store's lifecycle does.
 *
 * @param prefix of the stream in the store, as `streamPrefix` names it
 * @throws Error when an ARN is not one
 */
export function streamWriterPolicy(prefix: string, resources: StoreResources): PolicyDocument {
  checkResources(resources);
  const { bucketArn, dataKeyArn, keyPrefix } = resources;
  const keys = `${keyPrefix ? `${keyPrefix}/` : ""}${prefix}*`;
  const statements: PolicyStatement[] = [
    {
      Sid: "Stream",
      Effect: "Allow",
      Action: ["s3:PutObject", "s3:AbortMultipartUpload", "s3:GetObject"],
      Resource: `${bucketArn}/${keys}`,
    },
    {
      Sid: "List",
      Effect: "Allow",
      Action: "s3:ListBucket",
      Resource: bucketArn,
      Condition: { StringLike: { "s3:prefix": keys } },
    },
  ];
  if (dataKeyArn !== undefined)
    statements.push(dataKeyStatement(["kms:GenerateDataKey", "kms:Decrypt"], dataKeyArn, bucketArn));
  return { Version: "2012-10-17", Statement: statements };
}

function dataKeyStatement(actions: readonly string[], dataKeyArn: string, bucketArn: string): PolicyStatement {
  return {
    Sid: "DataKey",
    Effect: "Allow",
    Action: actions,
    Resource: dataKeyArn,
    Condition: {
      StringEquals: { "kms:ViaService": s3ServiceOf(dataKeyArn) },
      // The bucket's ARN with bucket keys, the object's without.
      StringLike: { "kms:EncryptionContext:aws:s3:arn": [bucketArn, `${bucketArn}/*`] },
    },
  };
}

/** Whose reading of a bucket policy it is written for. */
export const PolicyDialect = {
  /**
   * AWS: identities by `aws:PrincipalArn`, so that the policy holds on when a role is deleted and created again; and
   * everything else is refused by `NotAction`, what AWS will invent later included.
   */
  Aws: "aws",
  /**
   * Ceph's radosgw (measured on 16): it knows no `aws:PrincipalArn`, passes over a statement with `NotAction`, and takes
   * a negated condition with several values as fulfilled when one of them differs. So identities stand in `Principal`,
   * actions are listed, and listings are only not granted.
   */
  Ceph: "ceph",
} as const;
export type PolicyDialect = (typeof PolicyDialect)[keyof typeof PolicyDialect];

/** What radosgw 16 can refuse; a name that it does not know makes it refuse the policy. */
const cephActions: readonly string[] = [
  "s3:AbortMultipartUpload",
  "s3:BypassGovernanceRetention",
  "s3:DeleteBucket",
  "s3:DeleteBucketPolicy",
  "s3:DeleteBucketWebsite",
  "s3:DeleteObject",
  "s3:DeleteObjectTagging",
  "s3:DeleteObjectVersion",
  "s3:DeleteObjectVersionTagging",
  "s3:GetBucketAcl",
  "s3:GetBucketObjectLockConfiguration",
  "s3:GetBucketPolicy",
  "s3:GetBucketPublicAccessBlock",
  "s3:GetBucketVersioning",
  "s3:GetLifecycleConfiguration",
  "s3:GetObject",
  "s3:GetObjectAcl",
  "s3:GetObjectLegalHold",
  "s3:GetObjectRetention",
  "s3:GetObjectTagging",
  "s3:GetObjectVersion",
  "s3:GetObjectVersionAcl",
  "s3:ListBucketMultipartUploads",
  "s3:ListMultipartUploadParts",
  "s3:PutBucketAcl",
  "s3:PutBucketCORS",
  "s3:PutBucketLogging",
  "s3:PutBucketNotification",
  "s3:PutBucketObjectLockConfiguration",
  "s3:PutBucketPolicy",
  "s3:PutBucketPublicAccessBlock",
  "s3:PutBucketTagging",
  "s3:PutBucketVersioning",
  "s3:PutBucketWebsite",
  "s3:PutLifecycleConfiguration",
  "s3:PutObject",
  "s3:PutObjectAcl",
  "s3:PutObjectLegalHold",
  "s3:PutObjectRetention",
  "s3:PutObjectTagging",
  "s3:PutObjectVersionAcl",
  "s3:PutObjectVersionTagging",
  "s3:PutReplicationConfiguration",
  "s3:RestoreObject",
];

/** What a bucket policy is generated from. */
export interface BucketPolicySettings extends StoreResources {
  /** The ARN of the role (or user) of each identity; an identity that does not exist here may be absent. */
  readonly principals: Readonly<Partial<Record<Identity, string>>>;
  /** @default "aws" */
  readonly dialect?: PolicyDialect;
  /**
   * Also grant each identity its rights, not only refuse the others: needed across accounts and on servers where users
   * have no policies of their own. @default false
   */
  readonly grants?: boolean;
  /** Refuse requests without TLS 1.2. @default true */
  readonly requireTls?: boolean;
  /**
   * Refuse to write manifests and evidence without `If-None-Match`, so that none is ever replaced. Needs a server that
   * knows the condition key `s3:if-none-match`. @default false
   */
  readonly writeOnce?: boolean;
}

/**
 * The bucket policy: explicit refusals of everything that the table does not give an identity, so that a widened IAM
 * policy changes nothing, and of what nobody may do at all. Only somebody outside of the four identities who may change
 * the bucket policy can undo them.
 *
 * @throws Error when an ARN is not one
 */
export function bucketPolicy(settings: BucketPolicySettings): PolicyDocument {
  checkResources(settings);
  const statements: PolicyStatement[] = [...refusalsForAll(settings)];
  for (const identity of Object.values(Identity)) {
    const arn = settings.principals[identity];
    if (arn === undefined) continue;
    checkArn("principals", arn);
    const name = sidOf(identity);
    statements.push(...refusals(identity, arn, settings).map((one) => ({ ...one, Sid: `${name}${one.Sid}` })));
    if (settings.grants) {
      for (const { Sid, Effect, ...rest } of storeAllows(identity, settings)) {
        statements.push({ Sid: `${name}${Sid}`, Effect, Principal: { AWS: arn }, ...rest });
      }
    }
  }
  return { Version: "2012-10-17", Statement: statements };
}

/**
 * Statements for the policy of the KMS key that encrypts objects: whatever IAM says, none of the identities may do more
 * with it than the table gives, so none can schedule its deletion, disable it or hand it on.
 */
export function dataKeyRefusals(principals: BucketPolicySettings["principals"]): PolicyStatement[] {
  return Object.values(Identity).flatMap((identity) => {
    const arn = principals[identity];
    if (arn === undefined) return [];
    checkArn("principals", arn);
    const { dataKey, dataKeySettings } = identityRights[identity];
    return {
      Sid: `${sidOf(identity)}OtherUses`,
      Effect: "Deny" as const,
      Principal: "*" as const,
      NotAction: [...dataKey, ...dataKeySettings],
      Resource: "*",
      Condition: { ArnEquals: { "aws:PrincipalArn": arn } },
    };
  });
}

function storeAllows(identity: Identity, resources: StoreResources): PolicyStatement[] {
  const { objects, listing, bucket } = identityRights[identity];
  const statements: PolicyStatement[] = objects.map((right, index) => ({
    Sid: `Objects${index}`,
    Effect: "Allow",
    Action: right.actions,
    Resource: objectArns(resources, right.prefixes),
  }));
  for (const [index, right] of listing.entries()) {
    statements.push({
      Sid: `List${index}`,
      Effect: "Allow",
      Action: right.actions,
      Resource: resources.bucketArn,
      Condition: { StringLike: { "s3:prefix": keyPatterns(resources, right.prefixes) } },
    });
  }
  if (bucket.length > 0) {
    statements.push({ Sid: "Bucket", Effect: "Allow", Action: bucket, Resource: resources.bucketArn });
  }
  return statements;
}

/** Refuses one identity what it is not given: other actions, other prefixes, and other listings. */
function refusals(identity: Identity, arn: string, settings: BucketPolicySettings): PolicyStatement[] {
  const { objects, listing, bucket } = identityRights[identity];
  const ceph = settings.dialect === PolicyDialect.Ceph;
  const refuse = (
    Sid: string,
    what: Partial<PolicyStatement>,
    more: PolicyStatement["Condition"] = {},
  ): PolicyStatement =>
    ceph
      ? { Sid, Effect: "Deny", Principal: { AWS: arn }, ...what }
      : {
          Sid,
          Effect: "Deny",
          Principal: "*",
          ...what,
          Condition: { ArnEquals: { "aws:PrincipalArn": arn }, ...more },
        };
  const everything = [settings.bucketArn, `${settings.bucketArn}/*`];
  const given = unique([...objects, ...listing].flatMap((right) => right.actions).concat(bucket));
  const others = ceph ? { Action: cephActions.filter((action) => !given.includes(action)) } : { NotAction: given };
  const statements = [refuse("OtherActions", { ...others, Resource: everything })];
  for (const [index, action] of unique(objects.flatMap((right) => right.actions)).entries()) {
    const NotResource = objectArns(settings, prefixesOf(objects, action));
    statements.push(refuse(`OtherObjects${index}`, { Action: action, NotResource }));
  }
  for (const [index, action] of ceph ? [] : unique(listing.flatMap((right) => right.actions)).entries()) {
    statements.push(
      refuse(
        `OtherLists${index}`,
        { Action: action, Resource: settings.bucketArn },
        { StringNotLike: { "s3:prefix": keyPatterns(settings, prefixesOf(listing, action)) } },
      ),
    );
  }
  return statements;
}

/** Where an action is given, by whichever of the rights. */
function prefixesOf(rights: readonly ObjectRight[], action: string): StorePrefix[] {
  return unique(rights.filter(({ actions }) => actions.includes(action)).flatMap(({ prefixes }) => prefixes));
}

/** What nobody may do, whoever asks. */
function refusalsForAll(settings: BucketPolicySettings): PolicyStatement[] {
  const { bucketArn, dataKeyArn, principals } = settings;
  const everything = [bucketArn, `${bucketArn}/*`];
  const statements: PolicyStatement[] = [];
  const refuse = (Sid: string, Action: string, Resource: readonly string[], Condition: PolicyStatement["Condition"]) =>
    statements.push({ Sid, Effect: "Deny", Principal: "*", Action, Resource, Condition });
  if (settings.requireTls ?? true) {
    refuse("PlainText", "s3:*", everything, { Bool: { "aws:SecureTransport": "false" } });
    refuse("OldTls", "s3:*", everything, { NumericLessThan: { "s3:TlsVersion": "1.2" } });
  }
  // Whoever holds the only key to an object has taken it hostage. StringLike "*" holds when the header was sent: a
  // negated condition alone would also hold when it was not, and that is how most objects are written.
  const customerKey = "s3:x-amz-server-side-encryption-customer-algorithm";
  refuse("CustomerKeys", "s3:PutObject", [`${bucketArn}/*`], { StringLike: { [customerKey]: "*" } });
  if (dataKeyArn !== undefined) {
    const keyId = "s3:x-amz-server-side-encryption-aws-kms-key-id";
    refuse("OtherKeys", "s3:PutObject", [`${bucketArn}/*`], {
      StringLike: { [keyId]: "*" },
      StringNotEquals: { [keyId]: dataKeyArn },
    });
  }
  const evidenceWriter = principals[Identity.EvidenceWriter];
  if (evidenceWriter !== undefined && settings.dialect !== PolicyDialect.Ceph) {
    refuse("EvidenceOfOthers", "s3:PutObject", objectArns(settings, [Evidence]), {
      ArnNotEquals: { "aws:PrincipalArn": evidenceWriter },
    });
  }
  if (settings.writeOnce) {
    refuse("ReplacedRecords", "s3:PutObject", objectArns(settings, records), {
      Null: { "s3:if-none-match": "true" },
      Bool: { "s3:ObjectCreationOperation": "true" },
    });
  }
  return statements;
}

function keyPatterns(resources: StoreResources, prefixes: readonly StorePrefix[]): string[] {
  const base = resources.keyPrefix ? `${resources.keyPrefix}/` : "";
  return prefixes.map((prefix) => `${base}${prefix}*`);
}

function objectArns(resources: StoreResources, prefixes: readonly StorePrefix[]): string[] {
  return keyPatterns(resources, prefixes).map((pattern) => `${resources.bucketArn}/${pattern}`);
}

/** The name under which S3 calls KMS in the key's region; China's partition has a domain of its own. */
function s3ServiceOf(keyArn: string): string {
  const [, partition, , region] = keyArn.split(":");
  return `s3.${region}.amazonaws.com${partition === "aws-cn" ? ".cn" : ""}`;
}

function checkResources(resources: StoreResources): void {
  checkArn("bucketArn", resources.bucketArn);
  if (resources.dataKeyArn !== undefined) checkArn("dataKeyArn", resources.dataKeyArn);
  if (resources.signingKey !== undefined) checkArn("signingKey.arn", resources.signingKey.arn);
  if (/^\/|\/$|[*?$]/.test(resources.keyPrefix ?? "")) {
    throw new Error(
      `keyPrefix: expected no slash at its ends and no * ? $, got ${JSON.stringify(resources.keyPrefix)}.`,
    );
  }
}

function checkArn(field: string, arn: string): void {
  if (!/^arn:[a-z-]+:(s3|iam|kms|sts):[^:*?]*:[^:*?]*:[^*?]+$/.test(arn)) {
    throw new Error(`${field}: expected an ARN as in arn:aws:s3:::bucket, got ${JSON.stringify(arn)}.`);
  }
}

/** A statement id may hold letters and digits only. */
function sidOf(identity: Identity): string {
  return identity.replace(/(^|-)([a-z])/g, (_all, _dash, letter: string) => letter.toUpperCase());
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}
