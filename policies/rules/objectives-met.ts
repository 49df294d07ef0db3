import { Verdict } from "../../recovery";
import { Framework } from "../frameworks";
import { judgedScenarios, misstatedSite, objectiveSettings, type ObjectivesConfig } from "../judged-scenarios";
import { stackRule } from "../rule";

/** What all the others are for: whether a recovery is fast enough and loses little enough, in every scenario. */
export const objectivesMet = stackRule<ObjectivesConfig>({
  name: "objectives-met",
  description: "Every database meets its RPO and its RTO in every scenario that is not accepted as a risk.",
  severity: "critical",
  framework: Framework.Strategy,
  remediationSteps:
    "Make the change that the message names, or state a looser objective and why in the rule's objectives.",
  url: "https://docs.aws.amazon.com/wellarchitected/latest/reliability-pillar/rel_planning_for_recovery_disaster_recovery.html",
  settings: objectiveSettings,
  checks: (stack, config) => [
    { check: () => judgedScenarios(stack, config, Verdict.Fail) },
    { check: () => misstatedSite(stack, config) },
  ],
});
