import { type DatabaseConfig } from "../../../../recovery";
import { messageOf } from "../../errors";
import { bad, type Diagnosis, fine, open } from "../diagnosis";
import { openRdsSource } from "./open-source";

/** Whether RDS could bring the database back: asked now, because nobody may ask any more once the instance is gone. */
export async function diagnoseRds({ rds }: DatabaseConfig): Promise<Diagnosis[]> {
  if (!rds) {
    const found = "the configuration does not say which instance or cluster this is";
    return [{ name: "backups of RDS", ...open(found, "Give rds.instanceIdentifier and rds.region.") }];
  }
  const source = openRdsSource(rds);
  try {
    const { from, to } = await source.window();
    const snapshots = await source.snapshots();
    const found = `every moment from ${from.toISOString()} to ${to.toISOString()}, and ${snapshots.length} snapshots`;
    return [{ name: "backups of RDS", ...fine(found) }];
  } catch (error) {
    const fix = "Until this is answered, RDS's own backups are in no plan.";
    return [{ name: "backups of RDS", ...bad(messageOf(error), fix) }];
  } finally {
    source.close();
  }
}
