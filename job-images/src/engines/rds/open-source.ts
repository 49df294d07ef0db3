import { type RdsSettings } from "../../../../recovery";
import type * as ClusterModule from "./cluster-source";
import type * as InstanceModule from "./instance-source";
import type * as ApiModule from "./rds-api";
import { type RdsSource } from "./rds-source";

/** The instance or cluster that the configuration names. Nothing is contacted yet. */
export function openRdsSource(settings: RdsSettings): RdsSource {
  // Loaded when they are needed: most databases are not in RDS, and its SDK takes longer to load than most commands run.
  /* eslint-disable @typescript-eslint/no-require-imports */
  const { RdsApi } = require("./rds-api") as typeof ApiModule;
  const { ClusterSource } = require("./cluster-source") as typeof ClusterModule;
  const { InstanceSource } = require("./instance-source") as typeof InstanceModule;
  /* eslint-enable */
  const api = new RdsApi(settings);
  return settings.clusterIdentifier === undefined
    ? new InstanceSource(api, settings, settings.instanceIdentifier!)
    : new ClusterSource(api, settings, settings.clusterIdentifier);
}
