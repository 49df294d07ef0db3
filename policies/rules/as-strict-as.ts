import { strictnessOf, type Strengths, weakerThan } from "../evidence/protection-strength";
import { Framework } from "../frameworks";
import { stackRule } from "../rule";

/** What staging proves says something of production only if production is not less. */
export const asStrictAs = stackRule<{ than: string; floor: Partial<Strengths> }>({
  name: "as-strict-as",
  description: "A stack is protected at least as strictly as the one that is its rehearsal: prod as staging.",
  severity: "high",
  framework: Framework.Drift,
  remediationSteps: "Raise the named facts to those of the other stack, or lower those there.",
  url: "https://docs.aws.amazon.com/wellarchitected/latest/reliability-pillar/rel_planning_for_recovery_config_drift.html",
  settings: {
    than: {
      description: "The name of the other stack, by which recovery-check finds it among the stacks that it is given.",
      type: "string",
      default: "",
    },
    floor: {
      description: "The other stack's facts, atLeast and atMost; recovery-check takes them from its resources.",
      type: "object",
      default: {},
    },
  },
  checks: (stack, { than, floor }) => [
    {
      check: () => {
        const { atLeast = {}, atMost = {} } = floor;
        if (Object.keys({ ...atLeast, ...atMost }).length === 0) return undefined;
        const own = strictnessOf(stack);
        // What a stack has not at all it cannot have less strictly: a recovery site has no store of its own.
        const common = Object.fromEntries(Object.entries(atLeast).filter(([fact]) => fact in own.atLeast));
        const weaker = weakerThan(own, { atLeast: common, atMost });
        return weaker.length === 0 ? undefined : `is less strict than ${than || "its rehearsal"}: ${weaker.join("; ")}`;
      },
    },
  ],
});
