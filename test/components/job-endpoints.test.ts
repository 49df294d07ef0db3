import assert from "node:assert/strict";
import { resolve } from "node:path";
import { build } from "esbuild";
import { jobPeers, NetworkPeer } from "../../components/job-network";
import { RecoveryJob } from "../../recovery";

/** The service that each client of the runner talks to. A client that is not in here fails the test. */
const peerOfClient: Readonly<Record<string, NetworkPeer>> = {
  "@aws-sdk/client-s3": NetworkPeer.Store,
  "@aws-sdk/client-kms": NetworkPeer.Kms,
  "@aws-sdk/client-cloudwatch": NetworkPeer.Metrics,
  pg: NetworkPeer.Database,
};

/**
 * Asked by what a person runs (`dr plan`, `dr recover`, `dr list`, `dr reap`, `dr doctor`) with rights of a person's own,
 * and by none of the jobs: they come along with the engines.
 */
const clientsOfPeople = ["@aws-sdk/client-backup", "@aws-sdk/client-rds", "@aws-sdk/client-secrets-manager"];

/** The clients of other services that a file of the runner, and everything that it imports, is bundled with. */
async function clientsOf(entryPoint: string): Promise<Set<string>> {
  const { metafile } = await build({
    entryPoints: [resolve(entryPoint)],
    bundle: true,
    platform: "node",
    write: false,
    metafile: true,
    packages: "external",
  });
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
  const clients = imports.map(({ path }) => path).filter((path) => /^(@aws-sdk\/client-|@kubernetes\/|pg$)/.test(path));
  return new Set(clients.filter((client) => !clientsOfPeople.includes(client)));
}

describe("the endpoints that the runner's clients need", () => {
  it("are all known, so that a new client cannot be forgotten in the table of networks", async () => {
    const clients = await clientsOf("job-images/src/cli.ts");
    assert.ok(clients.has("@aws-sdk/client-s3") && clients.has("pg"), [...clients].join(", "));
    for (const client of clients) assert.ok(client in peerOfClient, `no peer is known for ${client}`);
  });

  for (const job of Object.values(RecoveryJob)) {
    it(`of ${job} are allowed`, async () => {
      const clients = await clientsOf(`job-images/src/commands/${job}.ts`);
      // Every command can open every store; the only server of a restore test and a proof is the one in their own pod.
      const needed = [...clients].map((client) => peerOfClient[client]!);
      const reachesDatabases = job === RecoveryJob.Backup || job === RecoveryJob.Stream;
      const remote = needed.filter((peer) => peer !== NetworkPeer.Database || reachesDatabases);
      for (const peer of remote) assert.ok(jobPeers[job].includes(peer), `${job} may not reach ${peer}`);
      for (const peer of [NetworkPeer.Dns, NetworkPeer.Credentials, NetworkPeer.Store]) {
        assert.ok(jobPeers[job].includes(peer), `${job} may not reach ${peer}`);
      }
    });
  }
});
