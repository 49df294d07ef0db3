import { type CommandContext } from "../command";
import { messageOf } from "../errors";
import { openEvidenceKey } from "./open-evidence-key";
import { type Measurement, recordEvidence } from "./evidence-record";

/**
 * Records what was measured by an identity that perhaps may not write evidence, such as the restore reader: what was
 * done is done whatever becomes of its record.
 *
 * @returns the record's key, or nothing when it could not be written, which is then said
 */
export async function recordIfAllowed(context: CommandContext, measurement: Measurement): Promise<string | null> {
  try {
    const key = openEvidenceKey(context.config().signature, { toSign: true });
    return (await recordEvidence(context.store(), measurement, key)).key;
  } catch (error) {
    context.progress.note(`no evidence was recorded: ${messageOf(error)}`);
    return null;
  }
}
