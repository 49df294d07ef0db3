import { Mechanism, type Protection, recoveryDefaults } from "../../recovery";
import { placed, regionOf } from "./found-database";
import { ResourceTypes } from "./resource-types";
import { identifiersOf, type JudgedResource, leadsTo, type StackResources, wordsOf } from "./stack-resources";

interface PlanRule {
  readonly ruleName?: string;
  readonly schedule?: string;
  readonly enableContinuousBackup?: boolean;
  readonly lifecycle?: { readonly deleteAfter?: number };
  readonly copyActions?: readonly { readonly destinationVaultArn?: string }[];
}

// RDS keeps no more of a continuous backup (AWS Backup, "Continuous backups and point-in-time recovery").
const LONGEST_WINDOW_DAYS = 35;
const WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] as const;

/** How the names of snapshots begin, by which a copy says what it carries. */
export const SNAPSHOT = "snapshot by";

/** What the plans of AWS Backup keep of a database: snapshots by schedule, logs where they are continuous, copies. */
export function awsBackupProtections(stack: StackResources, database: JudgedResource): Protection[] {
  return stack
    .ofTypes(ResourceTypes.BackupPlan)
    .filter((plan) => selects(stack, plan, database))
    .flatMap((plan) =>
      ((plan.props.rules ?? []) as readonly PlanRule[]).flatMap((rule, at) =>
        protectionsOf(stack, rule, `${plan.name} ${rule.ruleName ?? at + 1}`, regionOf(plan)),
      ),
    );
}

function selects(stack: StackResources, plan: JudgedResource, database: JudgedResource): boolean {
  return stack
    .ofTypes(ResourceTypes.BackupSelection)
    .filter((selection) => leadsTo(selection, "planId", plan) === true)
    .some(
      (selection) =>
        leadsTo(selection, "resources", database) === true ||
        wordsOf(() => selection.props.resources).words.some((pattern) => pattern === "*" || isLike(pattern, database)),
    );
}

/** Whether a pattern of ARNs, as `arn:aws:rds:*:*:db:*`, takes in the database. */
function isLike(pattern: string, database: JudgedResource): boolean {
  const kind = database.type === ResourceTypes.DatabaseCluster[0] ? "cluster" : "db";
  const [, name] = new RegExp(`^arn:aws:rds:[^:]*:[^:]*:${kind}:(.*)$`).exec(pattern) ?? [];
  if (name === undefined) return false;
  const prefix = name.endsWith("*") ? name.slice(0, -1) : undefined;
  return identifiersOf(database).some((one) => (prefix === undefined ? one === name : one.startsWith(prefix)));
}

function protectionsOf(stack: StackResources, rule: PlanRule, name: string, region: string | undefined): Protection[] {
  const { schedule, enableContinuousBackup, lifecycle, copyActions = [] } = rule;
  const { deleteAfter } = lifecycle ?? {};
  const five = fiveFields(schedule ?? "");
  const snapshot: Protection = {
    mechanism: Mechanism.Dump,
    name: `${SNAPSHOT} ${name}`,
    ...(five === undefined ? {} : { schedule: five }),
    ...(deleteAfter === undefined ? {} : { retentionDays: deleteAfter }),
    placement: placed(region),
    // A restore makes a new server, whose storage is there when it is.
    provisionMinutes: recoveryDefaults.managedProvisionMinutes,
    storedBytes: 0,
    restoreBytesPerSecond: recoveryDefaults.physicalRestoreBytesPerSecond,
  };
  const log: Protection = {
    mechanism: Mechanism.PointInTimeLog,
    name: `log by ${name}`,
    managed: true,
    windowDays: Math.min(deleteAfter ?? LONGEST_WINDOW_DAYS, LONGEST_WINDOW_DAYS),
    placement: placed(region),
  };
  const copies = copyActions.map(({ destinationVaultArn }, at): Protection => ({
    mechanism: Mechanism.StoreCopy,
    name: `copy ${at + 1} by ${name}`,
    carries: [snapshot.name],
    placement: placed(vaultRegion(stack, destinationVaultArn)),
  }));
  return [snapshot, ...(enableContinuousBackup === true ? [log] : []), ...copies];
}

function vaultRegion(stack: StackResources, arn: string | undefined): string | undefined {
  const [, region] = /^arn:[a-z-]+:backup:([a-z0-9-]+):/.exec(arn ?? "") ?? [];
  if (region !== undefined) return region;
  const vault = stack.ofTypes(ResourceTypes.BackupVault).find((one) => identifiersOf(one).includes(arn ?? ""));
  return vault === undefined ? undefined : regionOf(vault);
}

/**
 * A schedule of AWS (`cron(0 5 ? * 2 *)`: six fields, Sunday is 1) as Kubernetes writes it; undefined where there is no
 * such: an only year, the last or the nearest day.
 */
export function fiveFields(schedule: string): string | undefined {
  const fields = /^cron\((.*)\)$/.exec(schedule.trim())?.[1]?.trim().split(/\s+/) ?? [];
  const [minute, hour, day, month, weekday, year] = fields;
  if (fields.length !== 6 || year !== "*" || /[LW#]/.test(`${day} ${weekday}`)) return undefined;
  const days = weekday!.replace(/\d/g, (digit) => WEEKDAYS[Number(digit) - 1] ?? digit);
  return [minute, hour, day === "?" ? "*" : day, month, days === "?" ? "*" : days].join(" ");
}
