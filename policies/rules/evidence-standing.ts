import { type EvidenceConfig, evidenceSettings, remarks } from "../evidence/evidence-gate";
import { Framework } from "../frameworks";
import { stackRule } from "../rule";

/** An advisory: what the gate lets through is said all the same. */
export const evidenceStanding = stackRule<EvidenceConfig>({
  name: "evidence-standing",
  description: "The newest restore tests passed in time, and no break-glass is open.",
  enforcementLevel: "advisory",
  severity: "high",
  framework: Framework.TestRecovery,
  remediationSteps: "Make the newest restore test pass, and close the break-glass.",
  url: "https://docs.aws.amazon.com/wellarchitected/latest/reliability-pillar/rel_planning_for_recovery_dr_tested.html",
  settings: evidenceSettings,
  checks: (stack, config) => [{ check: () => remarks(stack, config, new Date()) }],
});
