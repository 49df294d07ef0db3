import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { join } from "node:path";
import { litestreamEnvironment } from "../../../job-images/src/engines/sqlite/litestream-credentials";
import { parseStoreUrl } from "../../../recovery";
import { temporaryFolder } from "../../support/postgres";

describe("the credentials that Litestream is started with", () => {
  const environment = { ...process.env };
  afterEach(() => void (process.env = { ...environment }));
  const { location } = parseStoreUrl("s3://backups?region=eu-central-1");

  it("are those of the pod's identity, which Litestream's own SDK cannot ask for", async () => {
    const asked: (string | undefined)[] = [];
    const agent = createServer((request, response) => {
      asked.push(request.headers.authorization);
      response.setHeader("content-type", "application/json");
      const expiration = new Date(Date.now() + 3_600_000).toISOString();
      response.end(
        JSON.stringify({ AccessKeyId: "AKIA", SecretAccessKey: "secret", Token: "token", Expiration: expiration }),
      );
    }).listen(0, "127.0.0.1");
    await once(agent, "listening");
    try {
      const token = join(temporaryFolder(), "token");
      writeFileSync(token, "of the pod");
      for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"]) {
        delete process.env[name];
      }
      process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = token;
      const { port } = agent.address() as AddressInfo;
      process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI = `http://127.0.0.1:${port}/v1/credentials`;
      const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = await litestreamEnvironment(location!);
      assert.deepEqual([AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN], ["AKIA", "secret", "token"]);
      assert.deepEqual(asked, ["of the pod"]);
    } finally {
      agent.close();
    }
  });

  it("are left to Litestream everywhere else", async () => {
    delete process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE;
    assert.equal(await litestreamEnvironment(location!), process.env);
  });
});
