import { configOf } from "./backup-stores";
import { type JudgedResource, type StackResources } from "./stack-resources";

/**
 * Names of the databases in the job configuration that a job of `dr` is given; none where it is given none.
 *
 * @throws UnknownValueError when the configuration is not known before the update
 */
export function databasesOf(stack: StackResources, job: JudgedResource): string[] {
  try {
    const { databases = [] } = JSON.parse(configOf(stack, job)) as {
      readonly databases?: readonly { name?: string }[];
    };
    return databases.flatMap(({ name }) => name ?? []);
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
