import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { GenerateMacCommand, GetPublicKeyCommand, KMSClient, SignCommand, VerifyMacCommand } from "@aws-sdk/client-kms";
import {
  type EvidenceSignature,
  evidenceSignatureInput,
  SignatureAlgorithm,
  type SignatureSettings,
  SigningKeyKind,
} from "../../../recovery";
import "../aws-sdk-notice";
import { messageOf, UsageError } from "../errors";

/** The key that vouches for evidence. */
export interface EvidenceKey {
  readonly keyId: string;
  /** @throws Error when it was not opened to sign, or this identity may not */
  sign(digest: string): Promise<EvidenceSignature>;
  /** Whether the signature is this key's and of this digest. */
  verify(digest: string, signature: EvidenceSignature): Promise<boolean>;
}

/**
 * The key that a configuration names, if it names one. Nothing is contacted yet.
 *
 * @param use.toSign whether signatures are to be made: a public key can only check them
 * @throws UsageError when its file cannot be used
 */
export function openEvidenceKey(
  settings: SignatureSettings | undefined,
  { toSign = false }: { readonly toSign?: boolean } = {},
): EvidenceKey | undefined {
  if (settings?.keyFile !== undefined) return keyFromFile(settings.keyFile, toSign);
  if (settings?.kmsKeyArn === undefined) return undefined;
  const region = settings.kmsKeyArn.split(":")[3];
  const client = new KMSClient({ region });
  return settings.kmsKeyKind === SigningKeyKind.Mac
    ? new KmsMacKey(client, settings.kmsKeyArn)
    : new KmsAsymmetricKey(client, settings.kmsKeyArn);
}

function keyFromFile(path: string, toSign: boolean): EvidenceKey {
  try {
    const pem = readFileSync(path, "utf8");
    const isPrivate = pem.includes("PRIVATE KEY");
    const privateKey = isPrivate ? createPrivateKey(pem) : undefined;
    const publicKey = createPublicKey(privateKey ?? pem);
    if (publicKey.asymmetricKeyType !== "ed25519") {
      throw new Error(`it is of type ${publicKey.asymmetricKeyType}, and Ed25519 is expected`);
    }
    if (toSign && !privateKey) throw new Error("it is a public key, which checks signatures and makes none");
    return new FileKey(publicKey, privateKey);
  } catch (error) {
    throw new UsageError(
      `The signature's keyFile ${path} cannot be used: ${messageOf(error)}. ` +
        `Make one with: openssl genpkey -algorithm ed25519 -out ${path}`,
    );
  }
}

class FileKey implements EvidenceKey {
  readonly keyId: string;

  constructor(
    private readonly publicKey: KeyObject,
    private readonly privateKey: KeyObject | undefined,
  ) {
    this.keyId = createHash("sha256")
      .update(publicKey.export({ type: "spki", format: "der" }))
      .digest("hex");
  }

  sign(digest: string): Promise<EvidenceSignature> {
    if (!this.privateKey) throw new Error("A public key checks signatures and makes none.");
    const value = sign(null, Buffer.from(evidenceSignatureInput(digest)), this.privateKey).toString("base64");
    return Promise.resolve({ algorithm: SignatureAlgorithm.Ed25519, keyId: this.keyId, value });
  }

  verify(digest: string, { algorithm, keyId, value }: EvidenceSignature): Promise<boolean> {
    if (algorithm !== SignatureAlgorithm.Ed25519 || keyId !== this.keyId) return Promise.resolve(false);
    const message = Buffer.from(evidenceSignatureInput(digest));
    return Promise.resolve(verify(null, message, this.publicKey, Buffer.from(value, "base64")));
  }
}

/** Signs in KMS; checks here, with the public key, which is asked for once. */
class KmsAsymmetricKey implements EvidenceKey {
  private publicKey?: Promise<KeyObject>;

  constructor(
    private readonly client: KMSClient,
    readonly keyId: string,
  ) {}

  async sign(digest: string): Promise<EvidenceSignature> {
    const Message = Buffer.from(evidenceSignatureInput(digest));
    const { Signature } = await this.client.send(
      new SignCommand({ KeyId: this.keyId, Message, MessageType: "RAW", SigningAlgorithm: "ECDSA_SHA_256" }),
    );
    return {
      algorithm: SignatureAlgorithm.KmsEcdsa,
      keyId: this.keyId,
      value: Buffer.from(Signature!).toString("base64"),
    };
  }

  async verify(digest: string, { algorithm, keyId, value }: EvidenceSignature): Promise<boolean> {
    if (algorithm !== SignatureAlgorithm.KmsEcdsa || keyId !== this.keyId) return false;
    this.publicKey ??= this.fetchPublicKey();
    const message = Buffer.from(evidenceSignatureInput(digest));
    return verify("sha256", message, await this.publicKey, Buffer.from(value, "base64"));
  }

  private async fetchPublicKey(): Promise<KeyObject> {
    const { PublicKey } = await this.client.send(new GetPublicKeyCommand({ KeyId: this.keyId }));
    return createPublicKey({ key: Buffer.from(PublicKey!), format: "der", type: "spki" });
  }
}

/** Signs and checks in KMS. */
class KmsMacKey implements EvidenceKey {
  constructor(
    private readonly client: KMSClient,
    readonly keyId: string,
  ) {}

  async sign(digest: string): Promise<EvidenceSignature> {
    const { Mac } = await this.client.send(
      new GenerateMacCommand({
        KeyId: this.keyId,
        Message: Buffer.from(evidenceSignatureInput(digest)),
        MacAlgorithm: "HMAC_SHA_256",
      }),
    );
    return { algorithm: SignatureAlgorithm.KmsHmac, keyId: this.keyId, value: Buffer.from(Mac!).toString("base64") };
  }

  async verify(digest: string, { algorithm, keyId, value }: EvidenceSignature): Promise<boolean> {
    if (algorithm !== SignatureAlgorithm.KmsHmac || keyId !== this.keyId) return false;
    try {
      const { MacValid } = await this.client.send(
        new VerifyMacCommand({
          KeyId: this.keyId,
          Message: Buffer.from(evidenceSignatureInput(digest)),
          MacAlgorithm: "HMAC_SHA_256",
          Mac: Buffer.from(value, "base64"),
        }),
      );
      return MacValid === true;
    } catch (error) {
      // KMS answers a wrong MAC with an error of its own; any other error is no answer.
      if ((error as Error).name === "KMSInvalidMacException") return false;
      throw error;
    }
  }
}
