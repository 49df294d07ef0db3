import { type PolicyConfigJSONSchema } from "@pulumi/policy/schema";

/** How strictly a rule is enforced. */
export const Level = {
  Advisory: "advisory",
  Mandatory: "mandatory",
  Disabled: "disabled",
  Remediate: "remediate",
} as const;
export type Level = (typeof Level)[keyof typeof Level];

/** A rule of a pack, as the pack describes it. */
export interface RuleInfo {
  readonly name: string;
  readonly description: string;
  readonly level: Level;
  readonly severity: string;
  readonly remediationSteps: string;
  readonly url: string;
  /** JSON Schema of each setting. */
  readonly properties: Readonly<Record<string, PolicyConfigJSONSchema>>;
}

/** What one rule is told. */
export interface RuleConfig {
  readonly level: Level;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What every rule of a pack is told, by the rule's name. */
export type PackConfig = Readonly<Record<string, RuleConfig>>;
