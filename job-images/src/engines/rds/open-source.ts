import { type RdsSettings } from "../../../../recovery";
import { ClusterSource } from "./cluster-source";
import { InstanceSource } from "./instance-source";
import { RdsApi } from "./rds-api";
import { type RdsSource } from "./rds-source";

/** The instance or cluster that the configuration names. Nothing is contacted yet. */
export function openRdsSource(settings: RdsSettings): RdsSource {
  const api = new RdsApi(settings);
  return settings.clusterIdentifier === undefined
    ? new InstanceSource(api, settings, settings.instanceIdentifier!)
    : new ClusterSource(api, settings, settings.clusterIdentifier);
}
