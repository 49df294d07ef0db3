import { ProofLevel } from "./evidence";
import { jobConfigDefaults, type ProofSettings } from "./job-config";

/**
 * How deep a restored copy of this size is compared: every row up to `contentUpToBytes`, above it every table's count
 * and a sample by key hash; or what the settings name.
 */
export function proofLevelFor(bytes: number, settings: ProofSettings = {}): ProofLevel {
  const level = settings.level ?? jobConfigDefaults.proofLevel;
  if (level !== "auto") return level;
  return bytes <= (settings.contentUpToBytes ?? jobConfigDefaults.contentUpToBytes)
    ? ProofLevel.Content
    : ProofLevel.Counts;
}
