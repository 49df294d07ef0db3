import { Framework } from "../frameworks";
import { stackRule } from "../rule";

/** A recovery plan goes stale by itself: people leave, names change, and it is read only when it is needed. */
export const planReviewed = stackRule<{ nextReview: string }>({
  name: "plan-reviewed",
  description: "The recovery plan's next review is not past.",
  severity: "medium",
  framework: Framework.Objectives,
  remediationSteps: "Review the plan, then set nextReview to the date of the next review.",
  url: "https://docs.aws.amazon.com/wellarchitected/latest/reliability-pillar/rel_planning_for_recovery_objective_defined_recovery.html",
  settings: {
    nextReview: {
      description: "The date of the next review, as in 2027-02-18; empty where nobody has set one.",
      type: "string",
      pattern: "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
      default: "",
    },
  },
  checks: (_stack, { nextReview }) => [
    {
      check: () => {
        if (nextReview === "") return "nextReview is not set: nobody knows when the plan was read last";
        const today = new Date().toISOString().slice(0, 10);
        return nextReview < today ? `the review was due on ${nextReview}; today is ${today}` : undefined;
      },
    },
  ],
});
