import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { openEvidenceKey } from "../../../job-images/src/report/open-evidence-key";
import { SigningKeyKind, type SignatureSettings } from "../../../recovery";
import { moto, whyNoMoto } from "../../support/moto";
import { temporaryFolder } from "../../support/postgres";
import { skip } from "../../support/skip";

const digest = "a".repeat(64);

async function signsAndChecks(settings: SignatureSettings, other: SignatureSettings): Promise<void> {
  const key = openEvidenceKey(settings, { toSign: true })!;
  const signature = await key.sign(digest);
  assert.equal(await key.verify(digest, signature), true);
  assert.equal(await key.verify("b".repeat(64), signature), false);
  const flipped = Buffer.from(signature.value, "base64");
  flipped[flipped.length - 1]! ^= 1;
  assert.equal(await key.verify(digest, { ...signature, value: flipped.toString("base64") }), false);
  assert.equal(await key.verify(digest, { ...signature, keyId: "another" }), false);
  assert.equal(await openEvidenceKey(other)!.verify(digest, signature), false);
  const forged = await openEvidenceKey(other, { toSign: true })!.sign(digest);
  assert.equal(await key.verify(digest, { ...forged, keyId: signature.keyId }), false);
}

describe("key that vouches for evidence", () => {
  let folder: string;
  const pathOf = (name: string): string => join(folder, name);

  before(() => {
    folder = temporaryFolder();
    for (const name of ["one", "two"]) {
      const { privateKey, publicKey } = generateKeyPairSync("ed25519");
      writeFileSync(pathOf(`${name}.key`), privateKey.export({ type: "pkcs8", format: "pem" }));
      writeFileSync(pathOf(`${name}.pub`), publicKey.export({ type: "spki", format: "pem" }));
    }
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    writeFileSync(pathOf("ec.key"), privateKey.export({ type: "pkcs8", format: "pem" }));
    writeFileSync(pathOf("empty.key"), "");
  });

  it("of a file signs with its private half and checks with its public one", async () => {
    await signsAndChecks({ keyFile: pathOf("one.key") }, { keyFile: pathOf("two.key") });
    const signature = await openEvidenceKey({ keyFile: pathOf("one.key") })!.sign(digest);
    assert.equal(await openEvidenceKey({ keyFile: pathOf("one.pub") })!.verify(digest, signature), true);
    assert.equal(await openEvidenceKey({ keyFile: pathOf("two.pub") })!.verify(digest, signature), false);
  });

  it("is refused before any work when its file cannot do what is asked", () => {
    const refused = (name: string, why: RegExp, toSign = true) =>
      assert.throws(() => openEvidenceKey({ keyFile: pathOf(name) }, { toSign }), { name: "UsageError", message: why });
    refused("one.pub", /public key, which checks signatures and makes none/);
    refused("ec.key", /of type ec, and Ed25519 is expected/);
    refused("empty.key", /openssl genpkey -algorithm ed25519/);
    refused("none.key", /ENOENT/, false);
    assert.equal(openEvidenceKey(undefined), undefined);
  });

  for (const kmsKeyKind of Object.values(SigningKeyKind)) {
    it(`of KMS signs and checks, kind ${kmsKeyKind}`, async function () {
      const reason = whyNoMoto();
      if (reason !== undefined) skip(this, reason);
      const environment = {
        AWS_ENDPOINT_URL_KMS: await moto(),
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "test",
      };
      const before = Object.fromEntries(Object.keys(environment).map((name) => [name, process.env[name]]));
      Object.assign(process.env, environment);
      const client = new KMSClient({ region: "eu-central-1" });
      const createKey = async (): Promise<SignatureSettings> => {
        const { KeyMetadata } = await client.send(
          new CreateKeyCommand(
            kmsKeyKind === SigningKeyKind.Mac
              ? { KeyUsage: "GENERATE_VERIFY_MAC", KeySpec: "HMAC_256" }
              : { KeyUsage: "SIGN_VERIFY", KeySpec: "ECC_NIST_P256" },
          ),
        );
        return { kmsKeyArn: KeyMetadata!.Arn, kmsKeyKind };
      };
      try {
        await signsAndChecks(await createKey(), await createKey());
      } finally {
        client.destroy();
        for (const [name, value] of Object.entries(before)) {
          if (value === undefined) delete process.env[name];
          else process.env[name] = value;
        }
      }
    });
  }
});
