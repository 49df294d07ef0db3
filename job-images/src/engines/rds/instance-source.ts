import {
  DeleteDBInstanceCommand,
  DescribeDBInstanceAutomatedBackupsCommand,
  ModifyDBInstanceCommand,
  paginateDescribeDBSnapshots,
  RestoreDBInstanceFromDBSnapshotCommand,
  RestoreDBInstanceToPointInTimeCommand,
} from "@aws-sdk/client-rds";
import {
  type DatabaseEndpoint,
  decideInstanceRestore,
  instanceDifferences,
  type InstanceRestore,
  type RdsInstance,
  type RdsRestoreChoice,
  type RdsSettings,
  rdsSettingsDefaults,
  remainingSteps,
} from "../../../../recovery";
import { NoRecoveryPointError, OperationError } from "../../errors";
import { type StreamSnapshot, type StreamWindow } from "../engine";
import { type RdsApi } from "./rds-api";
import { type RdsCopy, type RdsRestoreWatch, type RdsSource } from "./rds-source";
import { changeWhenFree, waitFor, waitUntilAvailable } from "./wait-until-available";

/** How long a setting that RDS has taken may need until it is described. */
const settleSeconds = 300;

/** A DB instance with its own storage. */
export class InstanceSource implements RdsSource {
  constructor(
    private readonly api: RdsApi,
    private readonly settings: RdsSettings,
    private readonly identifier: string,
  ) {}

  async endpoint(): Promise<DatabaseEndpoint> {
    return endpointOf(await this.describe());
  }

  async window(): Promise<StreamWindow> {
    const source = await this.describe();
    const backups = await this.backups();
    const window = backups.find(({ Status }) => Status === "active")?.RestoreWindow;
    const { AllocatedStorage, BackupRetentionPeriod } = source;
    if (!window?.EarliestTime || !window.LatestTime) {
      throw new NoRecoveryPointError(
        `RDS keeps no automated backups of ${this.identifier} that can be restored to a moment (BackupRetentionPeriod is ${BackupRetentionPeriod ?? "unknown"} days; 0 turns them off, and the first one takes a while).`,
      );
    }
    // Two calls, two answers: the instance's own is the newer one.
    const to = source.LatestRestorableTime ?? window.LatestTime;
    return { from: window.EarliestTime, to, sourceBytes: (AllocatedStorage ?? 0) * 1024 ** 3 };
  }

  async snapshots(): Promise<StreamSnapshot[]> {
    return this.api.call(`list the snapshots of ${this.identifier}`, async () => {
      const found: StreamSnapshot[] = [];
      const pages = paginateDescribeDBSnapshots({ client: this.api.client }, { DBInstanceIdentifier: this.identifier });
      for await (const { DBSnapshots = [] } of pages) {
        for (const snapshot of DBSnapshots) {
          const at = snapshot.OriginalSnapshotCreateTime ?? snapshot.SnapshotCreateTime;
          if (snapshot.DBSnapshotIdentifier === undefined || at === undefined) continue;
          found.push({
            id: snapshot.DBSnapshotIdentifier,
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
    return (await this.api.instance(identifier)) !== undefined;
  }

  async restore(choice: RdsRestoreChoice, { progress, signal, onMade }: RdsRestoreWatch): Promise<RdsCopy> {
    const source = await this.describe();
    const { request, problems } = decideInstanceRestore(source, choice);
    if (!request) {
      throw new OperationError(`${this.identifier} cannot be restored as it is:\n${problems.join("\n")}`);
    }
    progress.step(`asking RDS for ${choice.identifier}`);
    try {
      await this.api.call(`restore ${this.identifier}`, () => this.ask(request));
    } catch (error) {
      // The answer may have got lost, and not the request: what is there costs, and its name is taken.
      if (await this.exists(choice.identifier).catch(() => false)) onMade();
      throw error;
    }
    onMade();
    const deadlineMinutes = this.settings.restoreMinutes ?? rdsSettingsDefaults.restoreMinutes;
    const waiting = { what: `instance ${choice.identifier}`, deadlineMinutes, progress, signal };
    let restored = await waitUntilAvailable(waiting, () => this.look(choice.identifier));
    if (Object.keys(request.later).length > 0) {
      const command = new ModifyDBInstanceCommand({
        DBInstanceIdentifier: choice.identifier,
        ...request.later,
        ApplyImmediately: true,
      });
      await changeWhenFree(
        waiting.what,
        signal,
        () => waitUntilAvailable(waiting, () => this.look(choice.identifier)),
        () => this.api.unlessBusy(`change ${choice.identifier}`, () => this.api.client.send(command)),
      );
    }
    let differences: string[] = [];
    await waitFor(settleSeconds, signal, async () => {
      restored = await waitUntilAvailable(waiting, () => this.look(choice.identifier));
      differences = instanceDifferences(request, source, restored);
      return differences.length === 0;
    });
    return {
      endpoint: endpointOf(restored),
      differences,
      compared: Object.keys({ ...request.settings, ...request.later }).length + request.tags.length,
      remaining: choice.purpose.kind === "recovery" ? remainingSteps(source, choice.identifier) : [],
    };
  }

  async remove(identifier: string): Promise<void> {
    await removeInstance(this.api, identifier);
  }

  close(): void {
    this.api.close();
  }

  private async ask({ from, settings, tags }: InstanceRestore): Promise<void> {
    if ("DBSnapshotIdentifier" in from) {
      await this.api.client.send(new RestoreDBInstanceFromDBSnapshotCommand({ ...from, ...settings, Tags: [...tags] }));
    } else {
      await this.api.client.send(new RestoreDBInstanceToPointInTimeCommand({ ...from, ...settings, Tags: [...tags] }));
    }
  }

  private async look(identifier: string) {
    const thing = await this.api.instance(identifier);
    return thing && { status: thing.DBInstanceStatus, thing };
  }

  private async describe(): Promise<RdsInstance> {
    const source = await this.api.instance(this.identifier);
    if (source) return source;
    const kept = (await this.backups()).find(({ Status }) => Status === "retained");
    const advice = kept?.DBInstanceAutomatedBackupsArn
      ? ` Its automated backups are kept: aws rds restore-db-instance-to-point-in-time --source-db-instance-automated-backups-arn ${kept.DBInstanceAutomatedBackupsArn}, with every group named; nobody can say any more what its settings were.`
      : "";
    throw new NoRecoveryPointError(`There is no instance ${this.identifier} in ${this.settings.region}.${advice}`);
  }

  private async backups() {
    const { DBInstanceAutomatedBackups = [] } = await this.api.call(`list the backups of ${this.identifier}`, () =>
      this.api.client.send(new DescribeDBInstanceAutomatedBackupsCommand({ DBInstanceIdentifier: this.identifier })),
    );
    return DBInstanceAutomatedBackups;
  }
}

/** Deletes an instance for good, with the backups that RDS made of it. */
export async function removeInstance(api: RdsApi, identifier: string): Promise<void> {
  await api.call(`delete ${identifier}`, () =>
    api.client.send(
      new DeleteDBInstanceCommand({
        DBInstanceIdentifier: identifier,
        SkipFinalSnapshot: true,
        DeleteAutomatedBackups: true,
      }),
    ),
  );
}

function endpointOf({ DBInstanceIdentifier, Endpoint }: RdsInstance): DatabaseEndpoint {
  if (!DBInstanceIdentifier || !Endpoint?.Address || !Endpoint.Port) {
    throw new OperationError(`${DBInstanceIdentifier ?? "The instance"} has no endpoint.`);
  }
  return { identifier: DBInstanceIdentifier, host: Endpoint.Address, port: Endpoint.Port };
}
