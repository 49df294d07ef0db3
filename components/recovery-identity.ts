import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { Identity, identityPolicy, RdsActor, SigningKeyKind, statusMetricNamespace } from "../recovery";
import { ArgumentProblems } from "./argument-problems";
import { expectAccountId, expectRegion, partitionOf } from "./aws-names";
import { type StorePrincipalsArgs } from "./backup-bucket";
import { IdentityProvider } from "./job-network";
import { markExpectation, markPattern, tagsOf } from "./labels-and-tags";
import { rdsSourcesPolicy, type RdsSourceArgs } from "./rds-source";

/** A service account whose pods work as an identity. */
export interface ServiceAccountArgs {
  namespace: pulumi.Input<string>;
  name: pulumi.Input<string>;
}

/** Which service account works as which identity; an identity without one gets no role. */
export interface IdentityServiceAccountsArgs {
  backupWriter?: ServiceAccountArgs;
  restoreReader?: ServiceAccountArgs;
  evidenceWriter?: ServiceAccountArgs;
  auditor?: ServiceAccountArgs;
  /** Others whose pods also work as the backup writer, for instance beside an application. @default none */
  moreBackupWriters?: ServiceAccountArgs[];
  /** Others whose pods also work as the evidence writer. @default none */
  moreEvidenceWriters?: ServiceAccountArgs[];
  /** Whose pods delete what tests of RDS left behind, and see nothing of the store. Needs `rdsSources`. */
  reaper?: ServiceAccountArgs;
}

/** The OpenID Connect provider of a cluster, for IRSA. */
export interface OidcProviderArgs {
  /** ARN of the provider in IAM. */
  arn: string;
  /** The cluster's issuer, for instance `https://oidc.eks.eu-central-1.amazonaws.com/id/ABC`. */
  issuerUrl: string;
}

/** The KMS key that signs evidence. */
export interface SigningKeyArgs {
  arn: pulumi.Input<string>;
  kind: SigningKeyKind;
}

export interface RecoveryIdentityArgs {
  application: string;
  environment: string;
  /** The region that the roles work in; part of their names, since IAM is global and a recovery site has its own. */
  region: string;
  accountId: string;
  bucketArn: pulumi.Input<string>;
  /** The KMS key that encrypts the bucket. @default none: the bucket is encrypted by S3's own */
  dataKeyArn?: pulumi.Input<string | undefined>;
  /** @default none: evidence is not signed */
  signingKey?: SigningKeyArgs;
  /**
   * The instances and clusters that RDS restores: the restore reader then makes copies and deletes nothing, the evidence
   * writer makes and deletes throw-aways, the auditor looks. @default none: no identity may do anything in RDS
   */
  rdsSources?: RdsSourceArgs[];
  serviceAccounts: IdentityServiceAccountsArgs;
  /** @default pod-identity */
  identityProvider?: IdentityProvider;
  /** The EKS cluster. Required with Pod Identity; its agent must be installed there as an add-on. */
  clusterName?: pulumi.Input<string>;
  /** Required with IRSA. */
  oidcProvider?: OidcProviderArgs;
  /** Tags beside the `recovery.*` set. */
  tags?: Record<string, string>;
}

/**
 * The identities that work with a store, each an IAM role that may do what the one table of rights says and nothing
 * else: the backup writer adds and cannot take away, the restore reader reads, the evidence writer alone vouches for
 * what was proven, the auditor sees everything about the data and none of the data. Where RDS restores a database, a
 * policy of its own gives each what it may do there, and a fifth, the reaper, has no right but to delete throw-aways.
 *
 * ```ts
 * new RecoveryIdentity("identity", {
 *   application: "architect-go", environment: "prod", region: "eu-central-1", accountId: "111122223333",
 *   bucketArn: bucket.bucketArn, dataKeyArn: bucket.dataKeyArn, clusterName: "prod",
 *   serviceAccounts: { backupWriter: { namespace: "architect-go", name: backup.serviceAccountName } },
 * });
 * ```
 */
export class RecoveryIdentity extends pulumi.ComponentResource {
  /** Role ARNs, as `BackupBucket` takes them for `principals`. Absent where an identity has no service account. */
  public readonly backupWriterRoleArn: pulumi.Output<string | undefined>;
  public readonly restoreReaderRoleArn: pulumi.Output<string | undefined>;
  public readonly evidenceWriterRoleArn: pulumi.Output<string | undefined>;
  public readonly auditorRoleArn: pulumi.Output<string | undefined>;
  public readonly reaperRoleArn: pulumi.Output<string | undefined>;

  /** @throws InputPropertiesError naming every invalid argument, before anything is registered */
  constructor(name: string, args: RecoveryIdentityArgs, opts: pulumi.ComponentResourceOptions = {}) {
    recoveryIdentityProblems(args).throwIfAny("RecoveryIdentity", name);
    super("disaster-recovery:index:RecoveryIdentity", name, args, opts);
    const accountsOf = accountsByIdentity(args.serviceAccounts);
    const roleArn = (owner: RoleOwner) => {
      const accounts = accountsOf[owner];
      return pulumi.output(accounts.length === 0 ? undefined : this.role(name, args, owner, accounts).arn);
    };
    this.backupWriterRoleArn = roleArn(Identity.BackupWriter);
    this.restoreReaderRoleArn = roleArn(Identity.RestoreReader);
    this.evidenceWriterRoleArn = roleArn(Identity.EvidenceWriter);
    this.auditorRoleArn = roleArn(Identity.Auditor);
    this.reaperRoleArn = roleArn(RdsActor.Reaper);
    this.registerOutputs({
      backupWriterRoleArn: this.backupWriterRoleArn,
      restoreReaderRoleArn: this.restoreReaderRoleArn,
      evidenceWriterRoleArn: this.evidenceWriterRoleArn,
      auditorRoleArn: this.auditorRoleArn,
      reaperRoleArn: this.reaperRoleArn,
    });
  }

  /** The role ARNs that there are, by identity. */
  roleArns(): pulumi.Output<Record<string, string>> {
    return pulumi
      .all({
        [Identity.BackupWriter]: this.backupWriterRoleArn,
        [Identity.RestoreReader]: this.restoreReaderRoleArn,
        [Identity.EvidenceWriter]: this.evidenceWriterRoleArn,
        [Identity.Auditor]: this.auditorRoleArn,
        [RdsActor.Reaper]: this.reaperRoleArn,
      })
      .apply(
        (arns) =>
          Object.fromEntries(Object.entries(arns).filter(([, arn]) => arn !== undefined)) as Record<string, string>,
      );
  }

  private role(
    name: string,
    args: RecoveryIdentityArgs,
    owner: RoleOwner,
    serviceAccounts: readonly ServiceAccountArgs[],
  ): aws.iam.Role {
    const { application, environment, region } = args;
    const tags = tagsOf({ application, environment, component: "recovery-identity" }, args.tags);
    const role = new aws.iam.Role(
      `${name}-${owner}`,
      {
        name: roleNameOf(args, owner),
        description: `Recovery of ${application} (${environment}): ${owner}.`,
        assumeRolePolicy: pulumi
          .all([...serviceAccounts])
          .apply((accounts) => JSON.stringify(trustPolicy(args, accounts))),
        tags,
      },
      { parent: this },
    );
    if (owner !== RdsActor.Reaper) {
      new aws.iam.RolePolicy(
        `${name}-${owner}`,
        {
          role: role.name,
          policy: pulumi
            .all([args.bucketArn, args.dataKeyArn, pulumi.output(args.signingKey)])
            .apply(([bucketArn, dataKeyArn, signingKey]) =>
              JSON.stringify(rolePolicy(owner, { bucketArn, dataKeyArn, signingKey })),
            ),
        },
        { parent: this },
      );
    }
    const actor = rdsActorOf[owner];
    if (actor !== undefined && (args.rdsSources ?? []).length > 0) {
      const policy = rdsSourcesPolicy(actor, args, args.rdsSources!).apply((document) => JSON.stringify(document));
      new aws.iam.RolePolicy(`${name}-${owner}-rds`, { role: role.name, policy }, { parent: this });
    }
    if ((args.identityProvider ?? IdentityProvider.PodIdentity) !== IdentityProvider.PodIdentity) return role;
    serviceAccounts.forEach((serviceAccount, at) => {
      new aws.eks.PodIdentityAssociation(
        at === 0 ? `${name}-${owner}` : `${name}-${owner}-${at + 1}`,
        {
          region,
          clusterName: args.clusterName!,
          namespace: serviceAccount.namespace,
          serviceAccount: serviceAccount.name,
          roleArn: role.arn,
          tags,
        },
        { parent: this },
      );
    });
    return role;
  }
}

/** Whose a role is: an identity's of the store, or the reaper's. */
type RoleOwner = Identity | typeof RdsActor.Reaper;

/** As whom each works with RDS; a backup writer dumps over the wire and has nothing to do there. */
const rdsActorOf: Readonly<Partial<Record<RoleOwner, RdsActor>>> = {
  [Identity.RestoreReader]: RdsActor.Restorer,
  [Identity.EvidenceWriter]: RdsActor.Tester,
  [Identity.Auditor]: RdsActor.Observer,
  [RdsActor.Reaper]: RdsActor.Reaper,
};

function accountsByIdentity(accounts: IdentityServiceAccountsArgs): Record<RoleOwner, readonly ServiceAccountArgs[]> {
  const { backupWriter, restoreReader, evidenceWriter, auditor, reaper } = accounts;
  const { moreBackupWriters, moreEvidenceWriters } = accounts;
  const listed = (...all: (ServiceAccountArgs | undefined)[]) => all.filter((account) => account !== undefined);
  return {
    [Identity.BackupWriter]: listed(backupWriter, ...(moreBackupWriters ?? [])),
    [Identity.RestoreReader]: listed(restoreReader),
    [Identity.EvidenceWriter]: listed(evidenceWriter, ...(moreEvidenceWriters ?? [])),
    [Identity.Auditor]: listed(auditor),
    [RdsActor.Reaper]: listed(reaper),
  };
}

type RoleScope = Pick<RecoveryIdentityArgs, "application" | "environment" | "region" | "accountId">;

/** The name of a role. */
export function roleNameOf({ application, environment, region }: Omit<RoleScope, "accountId">, owner: RoleOwner) {
  return `${application}-${environment}-${region}-${owner}`;
}

/** The ARNs that the identities' roles have or will have: a bucket's policy can name a role before it exists. */
export function rolePrincipalsOf(scope: RoleScope): StorePrincipalsArgs {
  const arnOf = (identity: Identity) =>
    `arn:${partitionOf(scope.region)}:iam::${scope.accountId}:role/${roleNameOf(scope, identity)}`;
  return {
    backupWriter: arnOf(Identity.BackupWriter),
    restoreReader: arnOf(Identity.RestoreReader),
    evidenceWriter: arnOf(Identity.EvidenceWriter),
    auditor: arnOf(Identity.Auditor),
  };
}

/** What an identity's role may do: its row of the table, and for the auditor the publishing of what it found. */
export function rolePolicy(identity: Identity, resources: Parameters<typeof identityPolicy>[1]): object {
  const { Version, Statement } = identityPolicy(identity, resources);
  if (identity !== Identity.Auditor) return { Version, Statement };
  const publish = {
    Sid: "PublishStatus",
    Effect: "Allow",
    Action: "cloudwatch:PutMetricData",
    // CloudWatch has no resource to name; the namespace is what limits it.
    Resource: "*",
    Condition: { StringEquals: { "cloudwatch:namespace": statusMetricNamespace } },
  };
  return { Version, Statement: [...Statement, publish] };
}

/** A service account, known. */
interface KnownServiceAccount {
  readonly namespace: string;
  readonly name: string;
}

/** Who may take an identity's role: the pods of these service accounts, each in its own namespace. */
export function trustPolicy(
  args: Pick<RecoveryIdentityArgs, "accountId" | "identityProvider" | "oidcProvider">,
  accounts: readonly KnownServiceAccount[],
): object {
  const statementOf = (account: KnownServiceAccount) =>
    args.identityProvider === IdentityProvider.Irsa
      ? webIdentityTrust(args.oidcProvider!, account)
      : podIdentityTrust(args.accountId, account);
  return {
    Version: "2012-10-17",
    Statement: accounts.map((account) => ({ Effect: "Allow", ...statementOf(account) })),
  };
}

/** The pods of a service account by a token of their cluster (IRSA). */
export function webIdentityTrust(
  { arn, issuerUrl }: OidcProviderArgs,
  { namespace, name }: KnownServiceAccount,
): object {
  const issuer = issuerUrl.replace(/^https:\/\//, "").replace(/\/$/, "");
  return {
    Principal: { Federated: arn },
    Action: "sts:AssumeRoleWithWebIdentity",
    Condition: {
      StringEquals: {
        [`${issuer}:sub`]: `system:serviceaccount:${namespace}:${name}`,
        [`${issuer}:aud`]: "sts.amazonaws.com",
      },
    },
  };
}

function podIdentityTrust(accountId: string, { namespace, name }: KnownServiceAccount): object {
  return {
    Principal: { Service: "pods.eks.amazonaws.com" },
    Action: ["sts:AssumeRole", "sts:TagSession"],
    Condition: {
      StringEquals: {
        "aws:SourceAccount": accountId,
        // EKS tags the session with whose it is (EKS User Guide, "Grant Pods access ... based on tags").
        "aws:RequestTag/kubernetes-namespace": namespace,
        "aws:RequestTag/kubernetes-service-account": name,
      },
    },
  };
}

// IAM's limit.
const longestRoleName = 64;

/** Everything that is wrong with the arguments. */
export function recoveryIdentityProblems(args: RecoveryIdentityArgs): ArgumentProblems {
  const problems = new ArgumentProblems();
  problems.expect(markPattern.test(args.application), "application", markExpectation, args.application);
  problems.expect(markPattern.test(args.environment), "environment", markExpectation, args.environment);
  expectRegion(problems, "region", args.region);
  expectAccountId(problems, "accountId", args.accountId);
  problems.expectOneOf("identityProvider", args.identityProvider, IdentityProvider);
  problems.expectOneOf("signingKey.kind", args.signingKey?.kind, SigningKeyKind);
  const longest = roleNameOf(args, Identity.EvidenceWriter);
  if (longest.length > longestRoleName) {
    problems.add("application", `makes the role name ${longest}, longer than the ${longestRoleName} that IAM allows`);
  }
  if (Object.values(accountsByIdentity(args.serviceAccounts)).every((accounts) => accounts.length === 0)) {
    problems.add("serviceAccounts", "names none: expected a service account for at least one identity");
  }
  if (args.serviceAccounts.reaper !== undefined && (args.rdsSources ?? []).length === 0) {
    problems.add("serviceAccounts.reaper", "has nothing to look through: name rdsSources");
  }
  if (args.identityProvider === IdentityProvider.Irsa) {
    const { oidcProvider } = args;
    if (oidcProvider === undefined) problems.add("oidcProvider", "is missing: irsa trusts the cluster's provider");
    else expectOidcProvider(problems, oidcProvider);
  } else if (args.clusterName === undefined) {
    problems.add("clusterName", "is missing: pod-identity associates the roles with a cluster's service accounts");
  }
  return problems;
}

/** Notes what is wrong with an OpenID Connect provider. */
export function expectOidcProvider(problems: ArgumentProblems, { arn, issuerUrl }: OidcProviderArgs): void {
  problems.expect(
    /^arn:[a-z-]+:iam::\d{12}:oidc-provider\/.+$/.test(arn),
    "oidcProvider.arn",
    "the ARN of an OpenID Connect provider",
    arn,
  );
  problems.expect(/^https:\/\/[^/].*$/.test(issuerUrl), "oidcProvider.issuerUrl", "an https URL", issuerUrl);
}
