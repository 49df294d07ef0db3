import {
  CreateDBClusterCommand,
  CreateDBClusterParameterGroupCommand,
  CreateDBClusterSnapshotCommand,
  CreateDBInstanceCommand,
  CreateDBParameterGroupCommand,
  CreateDBSnapshotCommand,
  CreateDBSubnetGroupCommand,
  RDSClient,
} from "@aws-sdk/client-rds";

/** Credentials that moto takes; it takes any. */
export const motoCredentials = { AWS_ACCESS_KEY_ID: "testing", AWS_SECRET_ACCESS_KEY: "testing" } as const;

const region = "eu-central-1";

/** One call of EC2's query API, whose client nothing else here needs. */
async function ec2(endpoint: string, parameters: Readonly<Record<string, string>>): Promise<string> {
  const answer = await fetch(endpoint, {
    method: "POST",
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=testing/20260101/${region}/ec2/aws4_request, SignedHeaders=host, Signature=0`,
      "content-type": "application/x-www-form-urlencoded",
    },
    body: new URLSearchParams({ Version: "2016-11-15", ...parameters }).toString(),
  });
  return answer.text();
}

/** Makes the groups of a production database, an instance and an Aurora cluster with everything that a restore resets. */
export class MotoDatabases {
  readonly client: RDSClient;
  securityGroupIds: string[] = [];

  private constructor(private readonly endpoint: string) {
    this.client = new RDSClient({
      region,
      endpoint,
      credentials: { accessKeyId: "testing", secretAccessKey: "testing" },
    });
  }

  static async make(endpoint: string): Promise<MotoDatabases> {
    const databases = new MotoDatabases(endpoint);
    await databases.makeGroups();
    return databases;
  }

  private async makeGroups(): Promise<void> {
    const subnets = await ec2(this.endpoint, { Action: "DescribeSubnets" });
    const subnetIds = [...new Set([...subnets.matchAll(/<subnetId>([^<]+)</g)].map(([, id]) => id!))];
    const groups = await Promise.all(
      ["database", "jobs"].map((name) =>
        ec2(this.endpoint, {
          Action: "CreateSecurityGroup",
          GroupName: `${name}-${Date.now()}`,
          GroupDescription: name,
        }),
      ),
    );
    this.securityGroupIds = groups.map((text) => /<groupId>([^<]+)</.exec(text)![1]!).sort();
    for (const name of ["architect-private", "restore-tests"]) {
      await this.client.send(
        new CreateDBSubnetGroupCommand({
          DBSubnetGroupName: name,
          DBSubnetGroupDescription: name,
          SubnetIds: subnetIds,
        }),
      );
    }
    await this.client.send(
      new CreateDBParameterGroupCommand({
        DBParameterGroupName: "architect-pg15",
        DBParameterGroupFamily: "postgres15",
        Description: "x",
      }),
    );
    await this.client.send(
      new CreateDBParameterGroupCommand({
        DBParameterGroupName: "architect-member15",
        DBParameterGroupFamily: "aurora-postgresql15",
        Description: "x",
      }),
    );
    await this.client.send(
      new CreateDBClusterParameterGroupCommand({
        DBClusterParameterGroupName: "architect-aurora15",
        DBParameterGroupFamily: "aurora-postgresql15",
        Description: "x",
      }),
    );
  }

  /** @param plain without what moto passes on to a copy that asked not to have it: it takes no for no answer */
  async instance(identifier: string, port: number, plain = false): Promise<void> {
    await this.client.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier: identifier,
        DBInstanceClass: "db.r6g.large",
        Engine: "postgres",
        EngineVersion: "15.8",
        MasterUsername: "postgres",
        MasterUserPassword: "not-a-real-one",
        DBName: "architect",
        AllocatedStorage: 500,
        MaxAllocatedStorage: 1000,
        StorageType: "gp3",
        Iops: 12000,
        StorageThroughput: 500,
        StorageEncrypted: true,
        KmsKeyId: "arn:aws:kms:eu-central-1:123456789012:key/data",
        Port: port,
        DBSubnetGroupName: "architect-private",
        VpcSecurityGroupIds: this.securityGroupIds,
        DBParameterGroupName: "architect-pg15",
        MultiAZ: !plain,
        PubliclyAccessible: false,
        DeletionProtection: !plain,
        EnableIAMDatabaseAuthentication: true,
        CopyTagsToSnapshot: !plain,
        AutoMinorVersionUpgrade: true,
        BackupRetentionPeriod: plain ? 1 : 14,
        CACertificateIdentifier: "rds-ca-rsa4096-g1",
        EnableCloudwatchLogsExports: plain ? [] : ["postgresql", "upgrade"],
        Tags: [{ Key: "application", Value: "architect-go" }],
      }),
    );
  }

  async snapshot(instance: string, identifier: string): Promise<void> {
    await this.client.send(
      new CreateDBSnapshotCommand({ DBInstanceIdentifier: instance, DBSnapshotIdentifier: identifier }),
    );
  }

  async cluster(identifier: string, port: number): Promise<void> {
    await this.client.send(
      new CreateDBClusterCommand({
        DBClusterIdentifier: identifier,
        Engine: "aurora-postgresql",
        EngineVersion: "15.4",
        MasterUsername: "postgres",
        MasterUserPassword: "not-a-real-one",
        DatabaseName: "architect",
        Port: port,
        DBSubnetGroupName: "architect-private",
        VpcSecurityGroupIds: this.securityGroupIds,
        DBClusterParameterGroupName: "architect-aurora15",
        DeletionProtection: true,
        EnableIAMDatabaseAuthentication: true,
        CopyTagsToSnapshot: true,
        BackupRetentionPeriod: 14,
        StorageEncrypted: true,
        KmsKeyId: "arn:aws:kms:eu-central-1:123456789012:key/data",
        EnableCloudwatchLogsExports: ["postgresql"],
        Tags: [{ Key: "application", Value: "architect-go" }],
      }),
    );
    for (const [number, instanceClass] of ["db.r6g.xlarge", "db.r6g.large"].entries()) {
      await this.client.send(
        new CreateDBInstanceCommand({
          DBInstanceIdentifier: `${identifier}-${number + 1}`,
          DBClusterIdentifier: identifier,
          DBInstanceClass: instanceClass,
          Engine: "aurora-postgresql",
          DBParameterGroupName: "architect-member15",
          PubliclyAccessible: false,
          AutoMinorVersionUpgrade: true,
          CACertificateIdentifier: "rds-ca-rsa4096-g1",
          PromotionTier: 1,
          Tags: [{ Key: "application", Value: "architect-go" }],
        }),
      );
    }
  }

  async clusterSnapshot(cluster: string, identifier: string): Promise<void> {
    await this.client.send(
      new CreateDBClusterSnapshotCommand({ DBClusterIdentifier: cluster, DBClusterSnapshotIdentifier: identifier }),
    );
  }
}
