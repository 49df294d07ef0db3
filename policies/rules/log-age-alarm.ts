import { StatusMetric } from "../../recovery";
import { Framework } from "../frameworks";
import { type AlarmProps, isLogAgeAlarm } from "../inventory/alarms";
import { type WorkloadProps } from "../inventory/kubernetes-properties";
import { logStreams, streamedDatabaseName } from "../inventory/log-streams";
import { ResourceTypes } from "../inventory/resource-types";
import { stackRule } from "../rule";

/** A log that stalls fills the disk of the server that keeps it, and nobody sees it while all other signals are green. */
export const logAgeAlarm = stackRule({
  name: "log-age-alarm",
  description: "A stream of a log has an alarm that fires when it falls behind, and when nothing is reported at all.",
  severity: "critical",
  framework: Framework.Alarms,
  remediationSteps:
    "Add a MetricAlarm on the age of the stored log, or on the slot's backlog, with treatMissingData breaching and actions (RecoveryAlerts).",
  url: "https://www.postgresql.org/docs/current/warm-standby.html#STREAMING-REPLICATION-SLOTS",
  checks: (stack) => {
    const alarms = stack
      .ofTypes(ResourceTypes.MetricAlarm)
      .map(({ props }) => props as AlarmProps)
      .filter(isLogAgeAlarm);
    return logStreams(stack).map((stream) => ({
      urn: stream.urn,
      check: () => {
        if ((stream.props as WorkloadProps).spec?.replicas === 0) return undefined;
        const database = streamedDatabaseName(stream);
        // One that names another database watches that one's log, or a file's stream.
        const watching = alarms.filter(({ dimensions }) => {
          const named = dimensions?.Database;
          return named === undefined || database === undefined || named === database;
        });
        if (watching.length === 0)
          return `no alarm watches how old the stored log${database === undefined ? "" : ` of ${database}`} is (as ${StatusMetric.LogAgeSeconds} does)`;
        return watching.some(
          ({ treatMissingData, actionsEnabled }) => treatMissingData === "breaching" && actionsEnabled !== false,
        )
          ? undefined
          : "no alarm on the stored log is armed and treats missing data as breaching: a stream that is gone is silent";
      },
    }));
  },
});
