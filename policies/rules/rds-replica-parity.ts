import { Framework } from "../frameworks";
import { ResourceTypes } from "../inventory/resource-types";
import { type JudgedResource, leadsTo, type StackResources } from "../inventory/stack-resources";
import { stackRule } from "../rule";

interface ParameterGroupProps {
  readonly family?: string;
  readonly parameters?: readonly { readonly name?: string; readonly value?: string }[];
}

/** A replica that is promoted with other parameters is another database, and it is found out during the outage. */
export const rdsReplicaParity = stackRule({
  name: "rds-replica-parity",
  description: "A replica has its source's parameters.",
  severity: "high",
  framework: Framework.Drift,
  remediationSteps: "Make both parameter groups from one list of parameters and one family.",
  url: "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PostgreSQL.Replication.ReadReplicas.html",
  checks: (stack) => {
    const instances = stack.ofTypes(ResourceTypes.DatabaseInstance);
    return instances.flatMap((replica) =>
      instances
        .filter((source) => source !== replica && leadsTo(replica, "replicateSourceDb", source) === true)
        .map((source) => ({
          urn: replica.urn,
          check: () => {
            const [own, others] = [parametersOf(stack, replica), parametersOf(stack, source)];
            const names = [...new Set([...own.keys(), ...others.keys()])].sort();
            const different = names.filter((name) => own.get(name) !== others.get(name));
            const stated = (value: string | undefined) => value ?? "not set";
            return different.length === 0
              ? undefined
              : `differs from ${source.name}: ${different
                  .map((name) => `${name} is ${stated(own.get(name))} and there ${stated(others.get(name))}`)
                  .join("; ")}`;
          },
        })),
    );
  },
});

function parametersOf(stack: StackResources, instance: JudgedResource): ReadonlyMap<string, string> {
  const group = stack
    .ofTypes(ResourceTypes.ParameterGroup)
    .find((candidate) => leadsTo(instance, "parameterGroupName", candidate) === true);
  const { family = "the default", parameters = [] } = (group?.props ?? {}) as ParameterGroupProps;
  return new Map([
    ["family", family],
    ...parameters.map(({ name = "", value = "" }): [string, string] => [name, value]),
  ]);
}
