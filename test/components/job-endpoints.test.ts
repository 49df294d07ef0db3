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
  "@aws-sdk/client-rds": NetworkPeer.Rds,
  pg: NetworkPeer.Database,
};

/** Clients of what a person runs and no job: `dr plan` looks into AWS Backup, `dr recover` switches the secret. */
const byHand = ["@aws-sdk/client-backup", "@aws-sdk/client-secrets-manager"];

/** The commands that are not called as their job is. */
const commandOf: Readonly<Partial<Record<RecoveryJob, string>>> = { [RecoveryJob.PointInTimeTest]: "restore-test" };

/** What only some jobs reach: engines are bundled with every command that may need one. */
const reachedBy: Readonly<Partial<Record<NetworkPeer, readonly RecoveryJob[]>>> = {
  // The only server of a restore test and a proof is the one in their own pod.
  [NetworkPeer.Database]: [RecoveryJob.Backup, RecoveryJob.Stream, RecoveryJob.PointInTimeTest],
  [NetworkPeer.Rds]: [RecoveryJob.PointInTimeTest, RecoveryJob.Reap],
};

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
  return new Set(clients);
}

describe("the endpoints that the runner's clients need", () => {
  it("are all known, so that a new client cannot be forgotten in the table of networks", async () => {
    const clients = await clientsOf("job-images/src/cli.ts");
    assert.ok(clients.has("@aws-sdk/client-s3") && clients.has("pg"), [...clients].join(", "));
    for (const client of clients) {
      assert.ok(client in peerOfClient || byHand.includes(client), `no peer is known for ${client}`);
    }
  });

  for (const job of Object.values(RecoveryJob)) {
    it(`of ${job} are allowed`, async () => {
      const clients = await clientsOf(`job-images/src/commands/${commandOf[job] ?? job}.ts`);
      const needed = [...clients].map((client) => peerOfClient[client]!);
      const remote = needed.filter((peer) => reachedBy[peer]?.includes(job) ?? true);
      for (const peer of remote) assert.ok(jobPeers[job].includes(peer), `${job} may not reach ${peer}`);
      // Every command can open every store, but for the one that deletes instances and looks into none.
      const always = [NetworkPeer.Dns, NetworkPeer.Credentials, NetworkPeer.Store];
      for (const peer of always.slice(0, job === RecoveryJob.Reap ? 2 : 3)) {
        assert.ok(jobPeers[job].includes(peer), `${job} may not reach ${peer}`);
      }
      for (const [peer, jobs] of Object.entries(reachedBy)) {
        if (!jobs.includes(job)) assert.ok(!jobPeers[job].includes(peer as NetworkPeer), `${job} may reach ${peer}`);
      }
    });
  }
});
