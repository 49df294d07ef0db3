import { type EvidenceConfig, evidenceSettings, refusal } from "../evidence/evidence-gate";
import { Framework } from "../frameworks";
import { stackRule } from "../rule";

/** While nobody knows whether the backups restore, nothing may come to rely on them more. */
export const evidenceGate = stackRule<EvidenceConfig>({
  name: "evidence-gate",
  description: "While restore tests fail, are too old or take too long, no change protects less or has more to lose.",
  severity: "critical",
  framework: Framework.TestBackup,
  remediationSteps:
    "Make the newest restore test pass (dr restore-test), pull its evidence, and deploy again; for an emergency set breakGlass with a reason and an expiry.",
  url: "https://docs.aws.amazon.com/wellarchitected/latest/reliability-pillar/rel_backing_up_data_periodic_recovery_testing_data.html",
  settings: evidenceSettings,
  checks: (stack, config) => [{ check: () => refusal(stack, config, new Date()) }],
});
