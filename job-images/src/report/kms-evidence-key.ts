import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { GenerateMacCommand, GetPublicKeyCommand, KMSClient, SignCommand, VerifyMacCommand } from "@aws-sdk/client-kms";
import { type EvidenceSignature, evidenceSignatureInput, SignatureAlgorithm, SigningKeyKind } from "../../../recovery";
import "../aws-sdk-notice";
import { type EvidenceKey } from "./evidence-key";

/** The key of that ARN, in its own region. Nothing is contacted yet. */
export function openKmsEvidenceKey(arn: string, kind: SigningKeyKind | undefined): EvidenceKey {
  const client = new KMSClient({ region: arn.split(":")[3] });
  return kind === SigningKeyKind.Mac ? new KmsMacKey(client, arn) : new KmsAsymmetricKey(client, arn);
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
