import {
  DescribeDBClustersCommand,
  DescribeDBInstancesCommand,
  paginateDescribeDBClusters,
  paginateDescribeDBInstances,
  RDSClient,
  RDSServiceException,
} from "@aws-sdk/client-rds";
import { type RdsCluster, type RdsInstance, type RdsSettings } from "../../../../recovery";
import "../../aws-sdk-notice";
import { OperationError } from "../../errors";

/** The RDS API of one region. Credentials come by the SDK's default chain. */
export class RdsApi {
  readonly client: RDSClient;

  constructor(private readonly settings: Pick<RdsSettings, "region" | "endpoint">) {
    this.client = new RDSClient({ region: settings.region, endpoint: settings.endpoint, maxAttempts: 5 });
  }

  /** One call. @param what for the error, for instance `restore architect-prod` */
  async call<Result>(what: string, send: () => Promise<Result>): Promise<Result> {
    try {
      return await send();
    } catch (error) {
      throw this.explained(what, error);
    }
  }

  /** One change. @returns false while what is to be changed is busy with something else */
  async unlessBusy(what: string, send: () => Promise<unknown>): Promise<boolean> {
    try {
      await send();
      return true;
    } catch (error) {
      if (error instanceof RDSServiceException && busy.has(error.name)) return false;
      throw this.explained(what, error);
    }
  }

  /** `undefined` when there is no such instance. */
  async instance(identifier: string): Promise<RdsInstance | undefined> {
    const answer = await this.unlessMissing(`describe ${identifier}`, () =>
      this.client.send(new DescribeDBInstancesCommand({ DBInstanceIdentifier: identifier })),
    );
    return answer?.DBInstances?.[0];
  }

  /** `undefined` when there is no such cluster. */
  async cluster(identifier: string): Promise<RdsCluster | undefined> {
    const answer = await this.unlessMissing(`describe ${identifier}`, () =>
      this.client.send(new DescribeDBClustersCommand({ DBClusterIdentifier: identifier })),
    );
    return answer?.DBClusters?.[0];
  }

  /** Every instance of the region. */
  async allInstances(): Promise<RdsInstance[]> {
    return this.call("list the instances", async () => {
      const all: RdsInstance[] = [];
      for await (const page of paginateDescribeDBInstances({ client: this.client }, {})) {
        all.push(...(page.DBInstances ?? []));
      }
      return all;
    });
  }

  /** Every cluster of the region. */
  async allClusters(): Promise<RdsCluster[]> {
    return this.call("list the clusters", async () => {
      const all: RdsCluster[] = [];
      for await (const page of paginateDescribeDBClusters({ client: this.client }, {})) {
        all.push(...(page.DBClusters ?? []));
      }
      return all;
    });
  }

  close(): void {
    this.client.destroy();
  }

  private async unlessMissing<Result>(what: string, send: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await send();
    } catch (error) {
      if (error instanceof RDSServiceException && missing.has(error.name)) return undefined;
      throw this.explained(what, error);
    }
  }

  private explained(what: string, error: unknown): Error {
    if (!(error instanceof Error) || error.name === "AbortError" || error instanceof OperationError) {
      return error as Error;
    }
    const where = `RDS in ${this.settings.region}`;
    const advice =
      /AccessDenied|NotAuthorized|UnrecognizedClient|ExpiredToken|InvalidClientToken|CredentialsProvider/.test(
        error.name,
      )
        ? " Check the identity that this runs as, and its rights (`rdsRights`)."
        : "";
    return new OperationError(`${where} did not ${what}: ${error.name}: ${error.message}${advice}`);
  }
}

const busy: ReadonlySet<string> = new Set([
  "InvalidDBInstanceStateFault",
  "InvalidDBInstanceState",
  "InvalidDBClusterStateFault",
  "InvalidDBClusterState",
]);
const missing: ReadonlySet<string> = new Set([
  "DBInstanceNotFoundFault",
  "DBInstanceNotFound",
  "DBClusterNotFoundFault",
  "DBClusterNotFound",
]);
