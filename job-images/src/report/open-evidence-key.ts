import { type SignatureSettings } from "../../../recovery";
import { type EvidenceKey, keyFromFile } from "./evidence-key";
import type * as KmsEvidenceKeyModule from "./kms-evidence-key";

/**
 * The key that a configuration names, if it names one. Nothing is contacted yet.
 *
 * @param use.toSign whether signatures are to be made: a public key can only check them
 * @throws UsageError when its file cannot be used
 */
export function openEvidenceKey(
  settings: SignatureSettings | undefined,
  { toSign = false }: { readonly toSign?: boolean } = {},
): EvidenceKey | undefined {
  if (settings?.keyFile !== undefined) return keyFromFile(settings.keyFile, toSign);
  if (settings?.kmsKeyArn === undefined) return undefined;
  // Loaded when it is needed: the AWS SDK takes longer to load than most commands take to run.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { openKmsEvidenceKey } = require("./kms-evidence-key") as typeof KmsEvidenceKeyModule;
  return openKmsEvidenceKey(settings.kmsKeyArn, settings.kmsKeyKind);
}
