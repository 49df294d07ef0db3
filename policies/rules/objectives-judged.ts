import { Verdict } from "../../recovery";
import { Framework } from "../frameworks";
import {
  awaitedRegion,
  judgedScenarios,
  objectiveSettings,
  type ObjectivesConfig,
  unseenSite,
} from "../judged-scenarios";
import { stackRule } from "../rule";

/** An advisory: what nobody can tell from one stack is for a person, or for the check of all stacks, to find out. */
export const objectivesJudged = stackRule<ObjectivesConfig>({
  name: "objectives-judged",
  description: "Nothing that the objectives depend on is left unsaid.",
  enforcementLevel: "advisory",
  severity: "medium",
  framework: Framework.Objectives,
  remediationSteps: "Say what the message asks for: on the resource, or in the rule's workload and recoverySite.",
  url: "https://docs.aws.amazon.com/wellarchitected/latest/reliability-pillar/rel_planning_for_recovery_objective_defined_recovery.html",
  settings: objectiveSettings,
  checks: (stack, config) => [
    { check: () => judgedScenarios(stack, config, Verdict.Inconclusive) },
    { check: () => unseenSite(stack, config) },
    { check: () => awaitedRegion(stack, config) },
  ],
});
