import {
  ExitCode,
  jobConfigDefaults,
  type RdsCluster,
  type RdsInstance,
  type RdsSettings,
  type ReaperCandidate,
  reaperDecision,
  Verdict,
} from "../../../recovery";
import { type Command } from "../command";
import { databasesNamed } from "../config-file";
import { type RdsApi } from "../engines/rds/rds-api";
import { messageOf, UsageError } from "../errors";
import { table } from "../report/terminal";

interface Reaped {
  readonly identifier: string;
  readonly kind: "instance" | "cluster";
  readonly region: string;
  readonly outcome: "deleted" | "would be deleted" | "kept" | "failed";
  readonly why: string;
}

/** `dr reap` */
export const reap: Command = {
  name: "reap",
  usage: "[DATABASE] [--dry-run]",
  summary: "delete RDS instances that restore tests made and nobody deleted",
  details:
    "Runs beside the jobs, not in them: what a killed job left is found by its tags. Only what carries the tags of a throw-away of this environment and no others, and whose expiry has passed, is deleted; every doubt keeps it and is told.",
  options: { "dry-run": { type: "boolean" } },
  optionHelp: { "dry-run": "say what would be deleted, and delete nothing" },
  maxWords: 1,
  isProof: false,
  async run({ words, options }, context) {
    const config = context.config();
    const environment = config.environment ?? jobConfigDefaults.environment;
    const dryRun = options["dry-run"] === true;
    const places = placesOf(databasesNamed(config, words[0]).flatMap(({ rds }) => rds ?? []));
    if (places.length === 0) {
      throw new UsageError("No database has `rds` in the configuration, so there is no region to look through.");
    }
    const reaped: Reaped[] = [];
    for (const place of places) {
      const api = await openApi(place);
      try {
        context.progress.step(`looking through ${place.region}`);
        for (const found of await candidatesIn(api)) {
          context.signal.throwIfAborted();
          reaped.push(...(await reapOne(api, found, place.region, { environment, dryRun, now: new Date() })));
        }
      } finally {
        api.close();
      }
    }
    const failed = reaped.some(({ outcome }) => outcome === "failed");
    const verdict = failed ? Verdict.Fail : Verdict.Pass;
    const rows = reaped.map(({ outcome, kind, identifier, region, why }) => [outcome, kind, identifier, region, why]);
    return {
      exitCode: failed ? ExitCode.Fail : ExitCode.Pass,
      json: { verdict, dryRun, found: reaped },
      text:
        rows.length === 0
          ? "There is no throw-away of a restore test."
          : table(["OUTCOME", "KIND", "IDENTIFIER", "REGION", "WHY"], rows),
    };
  },
};

/** The SDK is loaded by the commands that need it alone. */
async function openApi(place: Pick<RdsSettings, "region" | "endpoint">): Promise<RdsApi> {
  const { RdsApi: Api } = await import("../engines/rds/rds-api.js");
  return new Api(place);
}

interface Found extends ReaperCandidate {
  readonly kind: "instance" | "cluster";
}

/** Clusters first, each with its instances, which are not looked at by themselves. */
async function candidatesIn(api: RdsApi): Promise<Found[]> {
  const [instances, clusters] = [await api.allInstances(), await api.allClusters()];
  const alone = instances.filter(({ DBClusterIdentifier }) => DBClusterIdentifier === undefined);
  return [
    ...clusters.map((cluster) => ({
      ...candidateOfCluster(cluster),
      members: instances
        .filter(({ DBClusterIdentifier }) => DBClusterIdentifier === cluster.DBClusterIdentifier)
        .map(candidateOfInstance),
    })),
    ...alone.map(candidateOfInstance),
  ];
}

function candidateOfInstance(instance: RdsInstance): Found {
  return {
    kind: "instance",
    identifier: instance.DBInstanceIdentifier ?? "",
    tags: instance.TagList ?? [],
    status: instance.DBInstanceStatus,
    // Not described is not off.
    deletionProtection: instance.DeletionProtection !== false,
  };
}

function candidateOfCluster(cluster: RdsCluster): Found {
  return {
    kind: "cluster",
    identifier: cluster.DBClusterIdentifier ?? "",
    tags: cluster.TagList ?? [],
    status: cluster.Status,
    deletionProtection: cluster.DeletionProtection !== false,
  };
}

async function reapOne(
  api: RdsApi,
  { kind, ...candidate }: Found,
  region: string,
  { environment, dryRun, now }: { readonly environment: string; readonly dryRun: boolean; readonly now: Date },
): Promise<Reaped[]> {
  const { identifier, remove, isOurs, why } = reaperDecision(candidate, environment, now);
  const reaped = (outcome: Reaped["outcome"], reason = why): Reaped[] => [
    { identifier, kind, region, outcome, why: reason },
  ];
  // A production database is not worth a line of a reaper's report; what looks like ours and is kept is.
  if (!remove) return isOurs ? reaped("kept") : [];
  if (dryRun) return reaped("would be deleted");
  try {
    if (kind === "cluster") {
      const { removeCluster } = await import("../engines/rds/cluster-source.js");
      await removeCluster(api, identifier, 0);
    } else {
      const { removeInstance } = await import("../engines/rds/instance-source.js");
      await removeInstance(api, identifier);
    }
    return reaped("deleted");
  } catch (error) {
    return reaped("failed", messageOf(error));
  }
}

/** Each region once, whatever number of databases is in it. */
function placesOf(settings: readonly RdsSettings[]): Pick<RdsSettings, "region" | "endpoint">[] {
  const places = new Map(settings.map(({ region, endpoint }) => [`${region} ${endpoint ?? ""}`, { region, endpoint }]));
  return [...places.values()];
}
