import * as pulumi from "@pulumi/pulumi";
import {
  type RdsActor,
  rdsIdentifierPattern,
  rdsPolicy,
  type RdsSettings,
  rdsSettingsDefaults,
  type PolicyDocument,
} from "../recovery";
import { type ArgumentProblems } from "./argument-problems";
import { partitionOf } from "./aws-names";

/** Where the weekly test of RDS's own log makes its throw-away copies. */
export interface RdsTestArgs {
  /** A DB subnet group; one without a way to the application is better. @default the source's */
  subnetGroup?: pulumi.Input<string>;
  /** Security groups of the copies. The job must reach them, and they should lead nowhere. @default the source's */
  securityGroupIds?: pulumi.Input<pulumi.Input<string>[]>;
  /** The addresses of that subnet group: the test reaches its copies there, and nothing else. @default the database's `cidrs` */
  cidrs?: string[];
  /** When a copy that nobody deleted is forgotten and the reaper deletes it, in minutes. @default 360 */
  ttlMinutes?: number;
}

/** How RDS restores a database. */
export interface RdsRestoreArgs {
  /** Longest wait for a restored copy to be available, in minutes. @default 180 */
  restoreMinutes?: number;
  /** @default copies of tests are where the source is */
  test?: RdsTestArgs;
}

/** The RDS instance or Aurora cluster behind a database, in the jobs' region: RDS's own log and snapshots restore it. */
export interface RdsSourceArgs extends RdsRestoreArgs {
  /** Exactly one of the two. */
  instanceIdentifier?: pulumi.Input<string>;
  clusterIdentifier?: pulumi.Input<string>;
  /** The secret from which clients read where the database is. @default none: whoever recovers points them to the copy */
  secretArn?: pulumi.Input<string | undefined>;
  /** The key of that secret, where it has one of its own. @default AWS's own */
  secretKeyArn?: pulumi.Input<string>;
  /** The key that the storage is encrypted with: whoever restores must be able to use it. @default AWS's own */
  dataKeyArn?: pulumi.Input<string>;
  /** The role of enhanced monitoring, which a recovered copy is given again. @default none */
  monitoringRoleArn?: pulumi.Input<string>;
}

/** Notes what is wrong with an RDS source. What is an output is checked where the configuration is written. */
export function expectRdsSource(
  problems: ArgumentProblems,
  source: RdsSourceArgs,
  path: (field: string) => string,
): void {
  const { instanceIdentifier, clusterIdentifier, restoreMinutes, test } = source;
  if ((instanceIdentifier === undefined) === (clusterIdentifier === undefined)) {
    problems.add(path("rds"), "expected either instanceIdentifier or clusterIdentifier");
  }
  for (const field of ["instanceIdentifier", "clusterIdentifier"] as const) {
    const identifier = source[field];
    if (typeof identifier !== "string") continue;
    problems.expect(
      rdsIdentifierPattern.test(identifier),
      path(`rds.${field}`),
      "lower-case letters, digits and single dashes, at most 63",
      identifier,
    );
  }
  problems.expectInteger(path("rds.restoreMinutes"), restoreMinutes, 1);
  problems.expectInteger(path("rds.test.ttlMinutes"), test?.ttlMinutes, 1);
  const { wait, life } = minutesOf(source);
  if (life <= wait) {
    problems.add(
      path("rds.test.ttlMinutes"),
      `expected more than restoreMinutes (${wait}), got ${life}: a copy could be deleted while its restore is under way`,
    );
  }
}

/** How long a restore may take, and how long its throw-away copy lives, in minutes. */
export function minutesOf({ restoreMinutes, test }: RdsRestoreArgs): { readonly wait: number; readonly life: number } {
  return {
    wait: restoreMinutes ?? rdsSettingsDefaults.restoreMinutes,
    life: test?.ttlMinutes ?? rdsSettingsDefaults.ttlMinutes,
  };
}

/** The source as the jobs are told of it. */
export function rdsConfig(region: string, source: RdsSourceArgs): pulumi.Input<RdsSettings> {
  const { instanceIdentifier, clusterIdentifier, secretArn, restoreMinutes, test } = source;
  return pulumi.output({
    instanceIdentifier,
    clusterIdentifier,
    region,
    secretArn,
    restoreMinutes,
    test: test && {
      subnetGroup: test.subnetGroup,
      securityGroupIds: test.securityGroupIds,
      ttlMinutes: test.ttlMinutes,
    },
  });
}

/** What an actor may do in RDS with these sources. */
export function rdsSourcesPolicy(
  actor: RdsActor,
  { region, accountId }: { readonly region: string; readonly accountId: string },
  sources: readonly RdsSourceArgs[],
): pulumi.Output<PolicyDocument> {
  return pulumi.all(sources.map((source) => pulumi.output(source))).apply((known) => {
    const each = (field: Exclude<keyof RdsSourceArgs, "restoreMinutes" | "test">): string[] => [
      ...new Set(known.flatMap((source) => source[field] ?? [])),
    ];
    return rdsPolicy(actor, {
      partition: partitionOf(region),
      region,
      accountId,
      instanceIdentifiers: each("instanceIdentifier"),
      clusterIdentifiers: each("clusterIdentifier"),
      secretArns: each("secretArn"),
      secretKeyArns: each("secretKeyArn"),
      dataKeyArns: each("dataKeyArn"),
      monitoringRoleArns: each("monitoringRoleArn"),
    });
  });
}
