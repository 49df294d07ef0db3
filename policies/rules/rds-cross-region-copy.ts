import { Engine, Mechanism, type Protection } from "../../recovery";
import { Framework } from "../frameworks";
import { SNAPSHOT } from "../inventory/aws-backup";
import { declaredDatabases, type DeclaredFacts } from "../inventory/declared-databases";
import { failedOverDatabases } from "../inventory/failed-over-databases";
import { stackRule } from "../rule";

/** RDS's backups are in the region of the database, and go with it. */
export const rdsCrossRegionCopy = stackRule<{ required: boolean; recoverySite: { region?: string } }>({
  name: "rds-cross-region-copy",
  description: "A database has a replica, or its automated backups, in another region.",
  severity: "high",
  framework: Framework.Strategy,
  remediationSteps:
    "Add a replica or an InstanceAutomatedBackupsReplication in the recovery region, or say in recoverySite what its stack holds; set required to false where the loss of the region is accepted.",
  url: "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReplicateBackups.html",
  settings: {
    required: {
      description: "Whether the loss of the region has to be survived.",
      type: "boolean",
      default: true,
    },
    recoverySite: {
      description: "What the other region's stack holds: region, standbyLagMinutes, pointInTimeDays.",
      type: "object",
      default: {},
    },
  },
  checks: (stack, { required, recoverySite }) => [
    {
      check: () => {
        if (!required) return undefined;
        const { region } = recoverySite;
        const facts = (region === undefined ? {} : { recoverySite }) as DeclaredFacts;
        const failedOver = failedOverDatabases(stack);
        const lost = declaredDatabases(stack, facts).filter(
          ({ name, engine, placement, protections }) =>
            engine === Engine.Rds &&
            // `objectives-judged` says so, and refuses nothing.
            !failedOver.has(name) &&
            !protections.some((one) => isCopyElsewhere(one, placement?.region)),
        );
        return lost.length === 0
          ? undefined
          : `${lost.map(({ name }) => name).join(", ")}: neither a replica nor automated backups in another region`;
      },
    },
  ],
});

/** A dump's copy is none: nobody brings back a large database from it in time. */
function isCopyElsewhere(one: Protection, region: string | undefined): boolean {
  if (!("placement" in one) || one.placement?.region === undefined || one.placement.region === region) return false;
  const isSnapshotCopy =
    one.mechanism === Mechanism.StoreCopy && (one.carries ?? []).some((name) => name.startsWith(SNAPSHOT));
  return one.mechanism === Mechanism.Standby || one.mechanism === Mechanism.PointInTimeLog || isSnapshotCopy;
}
