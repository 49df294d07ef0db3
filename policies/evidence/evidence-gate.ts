import { type StackResources, stackOf } from "../inventory/stack-resources";
import { unknownBecause } from "../inventory/unknown-value";
import { type Setting } from "../rule";
import { ChangeKind, changeOf, readDeployed } from "./deployed-protection";
import { type EvidenceStanding, evidenceStanding, Standing } from "./evidence-file";

/** What the evidence rules are told. */
export interface EvidenceConfig {
  evidenceFile: string;
  deployedFile: string;
  maxAgeHours: number;
  rtoMinutes: number;
  pendingUntil: string;
  breakGlass: { readonly reason?: string; readonly expires?: string };
}

const DATE = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$";
/** Nobody should decide in an emergency for longer than this. */
const LONGEST_BREAK_GLASS_DAYS = 14;
const MILLISECONDS_PER_DAY = 86_400_000;

/** The settings of the evidence rules. */
export const evidenceSettings: { readonly [Name in keyof EvidenceConfig]: Setting<EvidenceConfig[Name]> } = {
  evidenceFile: {
    description:
      "Path of what dr evidence pull printed; $RECOVERY_EVIDENCE_FILE where it is empty. Without either nothing is gated.",
    type: "string",
    default: "",
  },
  deployedFile: {
    description:
      "Path of what recovery-check --record wrote of what is deployed; $RECOVERY_DEPLOYED_FILE where it is empty.",
    type: "string",
    default: "",
  },
  maxAgeHours: {
    description: "How old the newest restore test may be: daily, and one may be missed.",
    type: "integer",
    minimum: 1,
    maximum: 840,
    default: 48,
  },
  rtoMinutes: {
    description: "How long a restore may take at the 95th percentile.",
    type: "integer",
    minimum: 1,
    maximum: 10080,
    default: 15,
  },
  pendingUntil: {
    description: "The date until which there need be no restore test yet, as in 2027-02-18; empty for none.",
    type: "string",
    pattern: DATE,
    default: "",
  },
  breakGlass: {
    description: `Lets one change through: a reason, and expires, a date at most ${LONGEST_BREAK_GLASS_DAYS} days away. Reported on every run.`,
    type: "object",
    default: {},
  },
};

/** Why a change must wait for better evidence; undefined when it need not. @throws UnknownValueError when nobody can tell */
export function refusal(stack: StackResources, config: EvidenceConfig, now: Date): string | undefined {
  const evidence = standingBy(config, now);
  if (evidence === undefined || isGood(evidence) || breakGlassBy(config, now).inForce) return undefined;
  const { kind, facts } = changeBy(stack, config);
  if (kind === ChangeKind.Unknown) {
    throw unknownBecause(
      `${evidence.why}, and nobody said what is deployed, so whether this change weakens it cannot be told: set deployedFile`,
    );
  }
  return kind === ChangeKind.Weaker
    ? `${evidence.why}; until one passes, nothing may get weaker or have more to lose: ${facts.join("; ")}`
    : undefined;
}

/** What has to be said on every run: that a break-glass is open, and what is wrong with the evidence. */
export function remarks(stack: StackResources, config: EvidenceConfig, now: Date): string | undefined {
  const { text } = breakGlassBy(config, now);
  const evidence = standingBy(config, now);
  const isWorthSaying = evidence !== undefined && evidence.standing !== Standing.Passed;
  const said = [
    ...(text === undefined ? [] : [text]),
    ...(isWorthSaying ? [`${evidence.standing}: ${evidence.why}`] : []),
  ];
  if (isWorthSaying && !isGood(evidence)) {
    const { kind, facts } = changeBy(stack, config);
    const lets = [ChangeKind.First, ChangeKind.Failover, ChangeKind.Rollback] as readonly ChangeKind[];
    if (lets.includes(kind)) said.push(`let through as a ${kind}${facts.length === 0 ? "" : `: ${facts.join("; ")}`}`);
  }
  return said.length === 0 ? undefined : said.join("; ");
}

const isGood = ({ standing }: EvidenceStanding): boolean =>
  standing === Standing.Passed || standing === Standing.Pending;

function standingBy(config: EvidenceConfig, now: Date): EvidenceStanding | undefined {
  const path = config.evidenceFile || process.env.RECOVERY_EVIDENCE_FILE || "";
  return path === "" ? undefined : evidenceStanding(path, { ...config, now });
}

function changeBy(stack: StackResources, config: EvidenceConfig): ReturnType<typeof changeOf> {
  const path = config.deployedFile || process.env.RECOVERY_DEPLOYED_FILE || "";
  const deployed = path === "" ? undefined : readDeployed(path);
  const [first] = stack.all;
  if (deployed === undefined || first === undefined) return { kind: ChangeKind.Unknown, facts: [] };
  return changeOf(stack, deployed.stacks[stackOf(first)]);
}

function breakGlassBy({ breakGlass }: EvidenceConfig, now: Date): { inForce: boolean; text?: string } {
  const { reason = "", expires = "" } = breakGlass;
  if (reason === "" && expires === "") return { inForce: false };
  const today = now.toISOString().slice(0, 10);
  const latest = new Date(now.getTime() + LONGEST_BREAK_GLASS_DAYS * MILLISECONDS_PER_DAY).toISOString().slice(0, 10);
  const problems = [
    ...(reason.trim() === "" ? ["it has no reason"] : []),
    ...(new RegExp(DATE).test(expires) && expires !== "" ? [] : ["it has no date in expires"]),
    ...(expires !== "" && expires < today ? [`it expired on ${expires}`] : []),
    ...(expires > latest ? [`it expires on ${expires}, and may be open until ${latest} at most`] : []),
  ];
  return problems.length > 0
    ? { inForce: false, text: `a break-glass is configured and does not count: ${problems.join(", ")}` }
    : { inForce: true, text: `a break-glass is open until ${expires}: ${reason.trim()}` };
}
