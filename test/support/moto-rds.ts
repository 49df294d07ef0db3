import {
  CreateDBClusterCommand,
  CreateDBClusterParameterGroupCommand,
  CreateDBInstanceCommand,
  CreateDBParameterGroupCommand,
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

let groups: Promise<string[]> | undefined;

async function makeGroups(endpoint: string, client: RDSClient): Promise<string[]> {
  const subnets = await ec2(endpoint, { Action: "DescribeSubnets" });
  const subnetIds = [...new Set([...subnets.matchAll(/<subnetId>([^<]+)</g)].map(([, id]) => id!))];
  const made = await Promise.all(
    ["database", "jobs"].map((name) =>
      ec2(endpoint, {
        Action: "CreateSecurityGroup",
        GroupName: `${name}-${Date.now()}`,
        GroupDescription: name,
      }),
    ),
  );
  for (const name of ["architect-private", "restore-tests"]) {
    await client.send(
      new CreateDBSubnetGroupCommand({
        DBSubnetGroupName: name,
        DBSubnetGroupDescription: name,
        SubnetIds: subnetIds,
      }),
    );
  }
  await client.send(
    new CreateDBParameterGroupCommand({
      DBParameterGroupName: "architect-pg15",
      DBParameterGroupFamily: "postgres15",
      Description: "x",
    }),
  );
  await client.send(
    new CreateDBParameterGroupCommand({
      DBParameterGroupName: "architect-member15",
      DBParameterGroupFamily: "aurora-postgresql15",
      Description: "x",
    }),
  );
  await client.send(
    new CreateDBClusterParameterGroupCommand({
      DBClusterParameterGroupName: "architect-aurora15",
      DBParameterGroupFamily: "aurora-postgresql15",
      Description: "x",
    }),
  );
  return made.map((text) => /<groupId>([^<]+)</.exec(text)![1]!).sort();
}

/** The groups of a production database, and an instance and an Aurora cluster with everything that a restore resets. */
export class MotoDatabases {
  readonly client: RDSClient;

  private constructor(
    endpoint: string,
    readonly securityGroupIds: readonly string[],
  ) {
    this.client = new RDSClient({
      region,
      endpoint,
      credentials: { accessKeyId: "testing", secretAccessKey: "testing" },
    });
  }

  /** All tests of a run share one moto, and so its groups. */
  static async connect(endpoint: string): Promise<MotoDatabases> {
    const client = new MotoDatabases(endpoint, []).client;
    groups ??= makeGroups(endpoint, client);
    return new MotoDatabases(endpoint, await groups.finally(() => client.destroy()));
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
        VpcSecurityGroupIds: [...this.securityGroupIds],
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
        VpcSecurityGroupIds: [...this.securityGroupIds],
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
}
