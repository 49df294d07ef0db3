import { randomBytes } from "node:crypto";
import { type S3Client } from "@aws-sdk/client-s3";
import { type S3Location } from "../../../job-images/src/store/s3-errors";
import { S3Store } from "../../../job-images/src/store/s3-store";
import { moto, whyNoMoto } from "../../support/moto";
import { radosgw, whyNoRadosgw } from "../../support/radosgw";
import { createBucket, locationOf, type S3Access, s3Client, unfinishedUploads } from "../../support/s3-bucket";
import { skip } from "../../support/skip";
import { storeContract } from "./contract";

/** More than two parts of a multipart upload. */
const large = 17 * 1024 * 1024;

async function accessRadosgw(): Promise<S3Access> {
  const { endpoint, admin } = await radosgw();
  return { endpoint, credentials: admin.credentials };
}

async function accessMoto(): Promise<S3Access> {
  return { endpoint: await moto(), credentials: { accessKeyId: "test", secretAccessKey: "test" } };
}

/** How the store is used: as against AWS itself, with checksums of AWS's kind, or as against another server. */
const cases = [
  { name: "radosgw", why: whyNoRadosgw, access: accessRadosgw, versioned: false, asAws: false, atomicIfAbsent: true },
  { name: "radosgw", why: whyNoRadosgw, access: accessRadosgw, versioned: true, asAws: false, atomicIfAbsent: false },
  {
    name: "moto, as if it was AWS",
    why: whyNoMoto,
    access: accessMoto,
    versioned: true,
    asAws: true,
    // It looks, and then it writes.
    atomicIfAbsent: false,
  },
];

describe("s3 store", () => {
  for (const { name, why, access, versioned, asAws, atomicIfAbsent } of cases) {
    describe(`contract on ${name}, ${versioned ? "with" : "without"} versions`, () => {
      let client: S3Client;
      let where: S3Access;
      let location: S3Location;

      before(async function () {
        this.timeout(180_000);
        const reason = why();
        if (reason !== undefined) skip(this, reason);
        where = await access();
        client = s3Client(where);
        location = locationOf(await createBucket(client, { versioned }), where.endpoint);
        if (asAws) {
          process.env.AWS_ENDPOINT_URL_S3 = where.endpoint;
          location = { ...location, endpoint: undefined };
        }
      });
      after(() => {
        client?.destroy();
        delete process.env.AWS_ENDPOINT_URL_S3;
      });

      storeContract(
        () => {
          const prefix = `stores/${randomBytes(6).toString("hex")}`;
          const store = new S3Store({ ...location, prefix }, { credentials: where.credentials });
          const unfinished = () => unfinishedUploads(client, location.bucket, prefix);
          return Promise.resolve({ store, traits: { versions: versioned, unfinished } });
        },
        { large, atomicIfAbsent },
      );
    });
  }
});
