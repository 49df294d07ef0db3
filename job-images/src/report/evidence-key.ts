import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { type EvidenceSignature, evidenceSignatureInput, SignatureAlgorithm } from "../../../recovery";
import { messageOf, UsageError } from "../errors";

/** The key that vouches for evidence. */
export interface EvidenceKey {
  readonly keyId: string;
  /** @throws Error when it was not opened to sign, or this identity may not */
  sign(digest: string): Promise<EvidenceSignature>;
  /** Whether the signature is this key's and of this digest. */
  verify(digest: string, signature: EvidenceSignature): Promise<boolean>;
}

/** The key in a file: an Ed25519 private key in PEM, or its public half. @throws UsageError */
export function keyFromFile(path: string, toSign: boolean): EvidenceKey {
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
