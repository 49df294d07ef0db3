import { type PolicyDocument, type PolicyStatement } from "./identity";
import { copyPrefixOf, restoredFromTag } from "./recovered-copy";
import { ThrowAwayTag, throwAwayPurpose } from "./throw-away-tags";

/**
 * Who works with RDS. Whoever can delete can delete nothing but throw-aways, and whoever restores in earnest can delete
 * nothing at all: a recovery that went wrong is looked at, not swept away.
 */
export const RdsActor = {
  /** `dr plan`, `dr list`: looks. */
  Observer: "observer",
  /** `dr recover`: makes the new database, and points the secret to it. */
  Restorer: "restorer",
  /** `dr restore-test`: makes throw-aways, and deletes them again. */
  Tester: "tester",
  /** `dr reap`: deletes throw-aways. */
  Reaper: "reaper",
} as const;
export type RdsActor = (typeof RdsActor)[keyof typeof RdsActor];

/** Which resources a right is about. */
export const RdsScope = {
  /** Reads, which IAM limits to no resource. */
  Everything: "everything",
  /** What exists and is read: the source, its snapshots, its groups. */
  Sources: "sources",
  /** What a request makes and tags as a throw-away in that very request. */
  MadeAsThrowAway: "made-as-throw-away",
  /** What carries the throw-away's tag. */
  ThrowAways: "throw-aways",
  /** What a request makes and tags as a copy of a source in that very request. */
  MadeAsCopy: "made-as-copy",
  /** What carries the tag of a copy of a source. */
  Copies: "copies",
  /** The secret that names the endpoint. */
  Secret: "secret",
  /** The key that encrypts that secret, through Secrets Manager alone. */
  SecretKey: "secret-key",
  /** The keys that storage is encrypted with, through RDS alone. */
  DataKey: "data-key",
  /** The role of enhanced monitoring, for RDS alone. */
  MonitoringRole: "monitoring-role",
} as const;
export type RdsScope = (typeof RdsScope)[keyof typeof RdsScope];

/** One right: these actions, on these resources and no others. */
export interface RdsRight {
  readonly actions: readonly string[];
  readonly scope: RdsScope;
  readonly why: string;
}

const look: RdsRight = {
  actions: [
    "rds:DescribeDBClusters",
    "rds:DescribeDBClusterSnapshots",
    "rds:DescribeDBInstanceAutomatedBackups",
    "rds:DescribeDBInstances",
    "rds:DescribeDBSnapshots",
    "rds:ListTagsForResource",
  ],
  scope: RdsScope.Everything,
  why: "see from which moments the source can be restored, with what settings, and how far a restore is",
};
const listBackups: RdsRight = {
  actions: ["backup:ListRecoveryPointsByResource"],
  scope: RdsScope.Everything,
  why: "count AWS Backup's recovery points",
};
const restores = [
  "rds:RestoreDBClusterFromSnapshot",
  "rds:RestoreDBClusterToPointInTime",
  "rds:RestoreDBInstanceFromDBSnapshot",
  "rds:RestoreDBInstanceToPointInTime",
];
/** IAM asks for the right to restore on what is read as well as on what is made. */
const readSources: RdsRight = {
  actions: [...restores, "rds:CreateDBInstance"],
  scope: RdsScope.Sources,
  why: "restore from the source, into its groups",
};
/** RDS encrypts a copy with the source's key, by a grant that whoever restores must be able to give. */
const useKeys: RdsRight = {
  actions: ["kms:CreateGrant", "kms:DescribeKey"],
  scope: RdsScope.DataKey,
  why: "have the copy encrypted as its source is",
};
const removals = ["rds:DeleteDBCluster", "rds:DeleteDBInstance"];

/** The one table of who may do what in RDS. */
export const rdsRights: Readonly<Record<RdsActor, readonly RdsRight[]>> = {
  observer: [look, listBackups],
  restorer: [
    look,
    listBackups,
    readSources,
    {
      actions: [...restores, "rds:AddTagsToResource", "rds:CreateDBInstance"],
      scope: RdsScope.MadeAsCopy,
      why: "make the new database, which says what it is restored from",
    },
    {
      actions: ["rds:ModifyDBCluster", "rds:ModifyDBInstance"],
      scope: RdsScope.Copies,
      why: "set on it what no restore takes, so that it is as the old one was; never on a replica that is called alike",
    },
    useKeys,
    { actions: ["iam:PassRole"], scope: RdsScope.MonitoringRole, why: "have it monitored as the old one was" },
    {
      actions: ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"],
      scope: RdsScope.Secret,
      why: "point the clients to the proven copy",
    },
    {
      actions: ["kms:Decrypt", "kms:GenerateDataKey"],
      scope: RdsScope.SecretKey,
      why: "read and write that secret where it has a key of its own",
    },
  ],
  tester: [
    look,
    readSources,
    {
      actions: [...restores, "rds:AddTagsToResource", "rds:CreateDBInstance"],
      scope: RdsScope.MadeAsThrowAway,
      why: "make a throw-away copy, which carries its end from its first moment",
    },
    useKeys,
    { actions: removals, scope: RdsScope.ThrowAways, why: "delete it again" },
  ],
  reaper: [
    { ...look, actions: ["rds:DescribeDBClusters", "rds:DescribeDBInstances", "rds:ListTagsForResource"] },
    { actions: removals, scope: RdsScope.ThrowAways, why: "delete what a restore test left behind" },
  ],
};

/** The resources that the policies speak of. */
export interface RdsResources {
  /** `aws`, `aws-cn`, `aws-us-gov`. @default "aws" */
  readonly partition?: string;
  readonly region: string;
  readonly accountId: string;
  /** Instances that are restored from. */
  readonly instanceIdentifiers?: readonly string[];
  /** Clusters that are restored from. */
  readonly clusterIdentifiers?: readonly string[];
  /** What the names of recovered copies begin with; `rds.copyPrefixes` tells the jobs. @default those of the sources and a dash */
  readonly copyPrefixes?: readonly string[];
  /** The secrets that name the endpoints. @default none */
  readonly secretArns?: readonly string[];
  /** The keys of those secrets, where they have their own. @default none */
  readonly secretKeyArns?: readonly string[];
  /** The keys that the sources' storage is encrypted with. @default none: AWS's own */
  readonly dataKeyArns?: readonly string[];
  /** The roles of their enhanced monitoring. @default none */
  readonly monitoringRoleArns?: readonly string[];
}

/** What the names of throw-away instances and clusters begin with. */
export const throwAwayNamePrefix = "dr-test-";

/** The IAM policy of one actor: what the table gives it on these resources, and nothing else. */
export function rdsPolicy(actor: RdsActor, resources: RdsResources): PolicyDocument {
  const statements = rdsRights[actor].flatMap((right, index): PolicyStatement[] => {
    const Sid = `Rds${index + 1}`;
    const Resource = resourcesOf(right.scope, resources);
    if (Resource.length === 0) return [];
    const Condition = conditionOf(right.scope, resources);
    return [{ Sid, Effect: "Allow", Action: right.actions, Resource, ...(Condition ? { Condition } : {}) }];
  });
  return { Version: "2012-10-17", Statement: statements };
}

function resourcesOf(scope: RdsScope, resources: RdsResources): string[] {
  const { partition = "aws", region, accountId, instanceIdentifiers = [], clusterIdentifiers = [] } = resources;
  const arn = (kind: string, name: string): string => `arn:${partition}:rds:${region}:${accountId}:${kind}:${name}`;
  const kinds = ["db", "cluster"];
  switch (scope) {
    case RdsScope.Everything:
      return ["*"];
    case RdsScope.Sources:
      return [
        ...instanceIdentifiers.map((name) => arn("db", name)),
        ...clusterIdentifiers.map((name) => arn("cluster", name)),
        // Which snapshots and groups there are is known to nobody beforehand, and they are only read.
        ...["snapshot", "cluster-snapshot", "auto-backup", "cluster-auto-backup"].map((kind) => arn(kind, "*")),
        ...["og", "pg", "cluster-pg", "subgrp"].map((kind) => arn(kind, "*")),
      ];
    case RdsScope.MadeAsThrowAway:
    case RdsScope.ThrowAways:
      return kinds.map((kind) => arn(kind, `${throwAwayNamePrefix}*`));
    case RdsScope.MadeAsCopy:
    case RdsScope.Copies: {
      const prefixes = resources.copyPrefixes ?? [...instanceIdentifiers, ...clusterIdentifiers].map(copyPrefixOf);
      return prefixes.flatMap((prefix) => kinds.map((kind) => arn(kind, `${prefix}*`)));
    }
    case RdsScope.Secret:
      return [...(resources.secretArns ?? [])];
    case RdsScope.SecretKey:
      return [...(resources.secretKeyArns ?? [])];
    case RdsScope.DataKey:
      return [...(resources.dataKeyArns ?? [])];
    case RdsScope.MonitoringRole:
      return [...(resources.monitoringRoleArns ?? [])];
  }
}

function conditionOf(scope: RdsScope, resources: RdsResources): PolicyStatement["Condition"] | undefined {
  const { partition, region, instanceIdentifiers = [], clusterIdentifiers = [] } = resources;
  const domain = partition === "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com";
  const tag = (kind: "RequestTag" | "ResourceTag") => ({
    StringEquals: { [`aws:${kind}/${ThrowAwayTag.Purpose}`]: throwAwayPurpose },
  });
  const copyTag = (kind: "RequestTag" | "ResourceTag") => ({
    StringEquals: { [`aws:${kind}/${restoredFromTag}`]: [...instanceIdentifiers, ...clusterIdentifiers] },
  });
  switch (scope) {
    case RdsScope.MadeAsCopy:
      return copyTag("RequestTag");
    case RdsScope.Copies:
      return copyTag("ResourceTag");
    case RdsScope.MadeAsThrowAway:
      return tag("RequestTag");
    case RdsScope.ThrowAways:
      return tag("ResourceTag");
    case RdsScope.DataKey:
      return { StringEquals: { "kms:ViaService": `rds.${region}.${domain}` } };
    case RdsScope.SecretKey:
      return { StringEquals: { "kms:ViaService": `secretsmanager.${region}.${domain}` } };
    case RdsScope.MonitoringRole:
      return { StringEquals: { "iam:PassedToService": "monitoring.rds.amazonaws.com" } };
    case RdsScope.Everything:
    case RdsScope.Sources:
    case RdsScope.Secret:
      return undefined;
  }
}
