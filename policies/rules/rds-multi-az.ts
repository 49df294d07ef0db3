import { Framework } from "../frameworks";
import { type DatabaseInstanceProps } from "../inventory/database-instances";
import { ResourceTypes } from "../inventory/resource-types";
import { resourceRule } from "../rule";

/** A zone is the largest thing that fails without anybody's help. */
export const rdsMultiAz = resourceRule<DatabaseInstanceProps, { required: boolean }>({
  name: "rds-multi-az",
  description: "A database survives the loss of its zone without losing data.",
  severity: "high",
  framework: Framework.FaultIsolation,
  remediationSteps: "Set multiAz true, or required to false where an outage of hours is accepted.",
  url: "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.MultiAZ.html",
  types: ResourceTypes.DatabaseInstance,
  settings: {
    required: { description: "Whether the loss of a zone has to be survived.", type: "boolean", default: true },
  },
  checks: (props, { required }) => [
    () =>
      required && props.multiAz !== true
        ? "multiAz is not true: the loss of its zone is a restore, of tens of minutes"
        : undefined,
  ],
});
