import { type Measurement } from "./evidence-record";
import { secondsText, table, verdictText } from "./terminal";

/** What a proof found, for a terminal: the verdict first, then each check, then the times. */
export function describeProof(measurement: Measurement): string {
  const { recoveryPoint, verdict, level, checks, phases, measuredRtoSeconds, achievedRpoSeconds, lastGood } =
    measurement;
  const rpo =
    achievedRpoSeconds === "unknown"
      ? "unknown (no heartbeat: `dr prepare` and `dr heartbeat` make it known)"
      : secondsText(achievedRpoSeconds);
  return [
    `${verdictText(verdict)}  ${recoveryPoint ?? measurement.mechanism}`,
    "",
    table(
      ["CHECK", "VERDICT", "FOUND"],
      checks.map((check) => [check.name, verdictText(check.verdict), check.detail.replace(/\s+/g, " ")]),
    ),
    "",
    `proof level        ${level ?? "none"}`,
    `restored in        ${measuredRtoSeconds === undefined ? "never" : secondsText(measuredRtoSeconds)}  (${phases
      .map(({ name, seconds }) => `${name} ${secondsText(seconds)}`)
      .join(", ")})`,
    `would have lost    ${rpo}`,
    ...(lastGood
      ? [`last good          ${lastGood.recoveryPoint}, would have lost ${secondsText(lastGood.achievedRpoSeconds)}`]
      : []),
  ].join("\n");
}
