import {
  CreateDBInstanceCommand,
  DeleteDBClusterCommand,
  ModifyDBClusterCommand,
  paginateDescribeDBClusterSnapshots,
  RestoreDBClusterFromSnapshotCommand,
  RestoreDBClusterToPointInTimeCommand,
} from "@aws-sdk/client-rds";
import {
  clusterDifferences,
  type ClusterRestore,
  type DatabaseEndpoint,
  decideClusterRestore,
  memberDifferences,
  type RdsCluster,
  type RdsInstance,
  type RdsRestoreChoice,
  type RdsSettings,
  rdsSettingsDefaults,
  remainingSteps,
} from "../../../../recovery";
import { messageOf, NoRecoveryPointError, OperationError } from "../../errors";
import { type StreamSnapshot, type StreamWindow } from "../engine";
import { removeInstance } from "./instance-source";
import { type RdsApi } from "./rds-api";
import { type RdsCopy, type RdsRestoreWatch, type RdsSource } from "./rds-source";
import { changeWhenFree, waitFor, waitUntilAvailable } from "./wait-until-available";

const settleSeconds = 300;
/** An instance of a cluster is gone within minutes; the cluster goes only after it. */
const removalSeconds = 1800;

/** An Aurora cluster, or a Multi-AZ DB cluster: storage and instances apart. */
export class ClusterSource implements RdsSource {
  constructor(
    private readonly api: RdsApi,
    private readonly settings: RdsSettings,
    private readonly identifier: string,
  ) {}

  async endpoint(): Promise<DatabaseEndpoint> {
    return endpointOf(await this.describe());
  }

  async window(): Promise<StreamWindow> {
    const { EarliestRestorableTime, LatestRestorableTime, AllocatedStorage } = await this.describe();
    if (!EarliestRestorableTime || !LatestRestorableTime) {
      throw new NoRecoveryPointError(`RDS says no window that ${this.identifier} could be restored within.`);
    }
    // Aurora's storage grows by itself, and is described as 1.
    const sourceBytes = (AllocatedStorage ?? 0) > 1 ? AllocatedStorage! * 1024 ** 3 : 0;
    return { from: EarliestRestorableTime, to: LatestRestorableTime, sourceBytes };
  }

  async snapshots(): Promise<StreamSnapshot[]> {
    return this.api.call(`list the snapshots of ${this.identifier}`, async () => {
      const found: StreamSnapshot[] = [];
      const pages = paginateDescribeDBClusterSnapshots(
        { client: this.api.client },
        { DBClusterIdentifier: this.identifier },
      );
      for await (const { DBClusterSnapshots = [] } of pages) {
        for (const { DBClusterSnapshotIdentifier: id, SnapshotCreateTime: at, ...snapshot } of DBClusterSnapshots) {
          if (id === undefined || at === undefined) continue;
          found.push({
            id,
            at,
            sourceBytes: (snapshot.AllocatedStorage ?? 0) * 1024 ** 3,
            problems: snapshot.Status === "available" ? [] : [`it is ${snapshot.Status ?? "in no known state"}`],
          });
        }
      }
      return found;
    });
  }

  async exists(identifier: string): Promise<boolean> {
    return (await this.api.cluster(identifier)) !== undefined;
  }

  async restore(choice: RdsRestoreChoice, { progress, signal, onMade }: RdsRestoreWatch): Promise<RdsCopy> {
    const source = await this.describe();
    const { request, problems } = decideClusterRestore(source, await this.members(source), choice);
    if (!request) {
      throw new OperationError(`${this.identifier} cannot be restored as it is:\n${problems.join("\n")}`);
    }
    progress.step(`asking RDS for ${choice.identifier}`);
    try {
      await this.api.call(`restore ${this.identifier}`, () => this.ask(request));
    } catch (error) {
      // As of an instance: the answer may have got lost, and not the request.
      if (await this.exists(choice.identifier).catch(() => false)) onMade();
      throw error;
    }
    onMade();
    const deadlineMinutes = this.settings.restoreMinutes ?? rdsSettingsDefaults.restoreMinutes;
    const watch = (what: string) => ({ what, deadlineMinutes, progress, signal });
    const waitForCluster = () =>
      waitUntilAvailable(watch(`cluster ${choice.identifier}`), async () => {
        const thing = await this.api.cluster(choice.identifier);
        return thing && { status: thing.Status, thing };
      });
    let restored = await waitForCluster();
    const [writer, ...readers] = request.members;
    const memberProblems: string[] = [];
    if (writer) {
      await this.make(writer);
      // The first that is available becomes the writer: the readers come after it, and nobody waits for them.
      const made = await waitUntilAvailable(watch(`instance ${writer.DBInstanceIdentifier}`), async () => {
        const thing = await this.api.instance(writer.DBInstanceIdentifier);
        return thing && { status: thing.DBInstanceStatus, thing };
      });
      memberProblems.push(...memberDifferences(writer, made));
      for (const reader of readers) await this.make(reader);
    }
    if (Object.keys(request.later).length > 0) {
      const command = new ModifyDBClusterCommand({
        DBClusterIdentifier: choice.identifier,
        ...request.later,
        ApplyImmediately: true,
      });
      await changeWhenFree(`cluster ${choice.identifier}`, signal, waitForCluster, () =>
        this.api.unlessBusy(`change ${choice.identifier}`, () => this.api.client.send(command)),
      );
    }
    let differences: string[] = [];
    await waitFor(settleSeconds, signal, async () => {
      restored = await waitForCluster();
      differences = clusterDifferences(request, source, restored);
      return differences.length === 0;
    });
    return {
      endpoint: endpointOf(restored),
      differences: [...differences, ...memberProblems],
      compared:
        Object.keys({ ...request.settings, ...request.later }).length +
        Object.keys(writer?.settings ?? {}).length +
        request.tags.length,
      remaining: choice.purpose.kind === "recovery" ? remainingSteps(source, choice.identifier) : [],
    };
  }

  async remove(identifier: string): Promise<void> {
    await removeCluster(this.api, identifier, removalSeconds);
  }

  close(): void {
    this.api.close();
  }

  private async ask({ from, settings, tags }: ClusterRestore): Promise<void> {
    if ("SnapshotIdentifier" in from) {
      await this.api.client.send(new RestoreDBClusterFromSnapshotCommand({ ...from, ...settings, Tags: [...tags] }));
    } else {
      await this.api.client.send(new RestoreDBClusterToPointInTimeCommand({ ...from, ...settings, Tags: [...tags] }));
    }
  }

  private async make({ settings, tags, ...identity }: ClusterRestore["members"][number]): Promise<void> {
    await this.api.call(`make ${identity.DBInstanceIdentifier}`, () =>
      this.api.client.send(new CreateDBInstanceCommand({ ...identity, ...settings, Tags: [...tags] })),
    );
  }

  /** The writer first. */
  private async members({ DBClusterMembers = [] }: RdsCluster): Promise<RdsInstance[]> {
    const ordered = [...DBClusterMembers].sort(
      (a, b) => Number(b.IsClusterWriter ?? false) - Number(a.IsClusterWriter ?? false),
    );
    const described = await Promise.all(ordered.map((member) => this.api.instance(member.DBInstanceIdentifier!)));
    return described.filter((member) => member !== undefined);
  }

  private async describe(): Promise<RdsCluster> {
    const source = await this.api.cluster(this.identifier);
    if (source) return source;
    throw new NoRecoveryPointError(
      `There is no cluster ${this.identifier} in ${this.settings.region}. What is kept of it: aws rds describe-db-cluster-automated-backups, aws rds describe-db-cluster-snapshots.`,
    );
  }
}

/**
 * Deletes a cluster and its instances for good.
 *
 * @param seconds how long to wait for the instances to be gone; the cluster goes only after them
 */
export async function removeCluster(api: RdsApi, identifier: string, seconds: number): Promise<void> {
  const cluster = await api.cluster(identifier);
  if (!cluster) return;
  for (const { DBInstanceIdentifier } of cluster.DBClusterMembers ?? []) {
    const member = DBInstanceIdentifier === undefined ? undefined : await api.instance(DBInstanceIdentifier);
    if (member && member.DBInstanceStatus !== "deleting") await removeInstance(api, DBInstanceIdentifier!);
  }
  let last: unknown;
  const gone = await waitFor(seconds, new AbortController().signal, async () => {
    try {
      await api.client.send(new DeleteDBClusterCommand({ DBClusterIdentifier: identifier, SkipFinalSnapshot: true }));
      return true;
    } catch (error) {
      last = error;
      if ((error as Error).name === "DBClusterNotFoundFault") return true;
      if ((error as Error).name === "InvalidDBClusterStateFault") return false;
      throw new OperationError(`RDS did not delete ${identifier}: ${messageOf(error)}`);
    }
  });
  if (!gone) {
    throw new OperationError(`Cluster ${identifier} still has instances, which are being deleted: ${messageOf(last)}`);
  }
}

function endpointOf(cluster: RdsCluster): DatabaseEndpoint {
  const { DBClusterIdentifier, Endpoint, ReaderEndpoint, Port } = cluster;
  if (!DBClusterIdentifier || !Endpoint || !Port) {
    throw new OperationError(`${DBClusterIdentifier ?? "The cluster"} has no endpoint.`);
  }
  return {
    identifier: DBClusterIdentifier,
    host: Endpoint,
    port: Port,
    ...(ReaderEndpoint ? { readerHost: ReaderEndpoint } : {}),
  };
}
