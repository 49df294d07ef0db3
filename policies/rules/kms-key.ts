import { Framework } from "../frameworks";
import { ResourceTypes } from "../inventory/resource-types";
import { resourceRule } from "../rule";

interface Props {
  readonly deletionWindowInDays?: number;
  readonly enableKeyRotation?: boolean;
  readonly isEnabled?: boolean;
  readonly customerMasterKeySpec?: string;
}

// What KMS takes when nothing is said (KMS API, ScheduleKeyDeletion).
const DEFAULT_WINDOW_DAYS = 30;
const SYMMETRIC = "SYMMETRIC_DEFAULT";

/** Without its key every backup is noise. */
export const kmsKey = resourceRule<Props, { minDeletionWindowDays: number }>({
  name: "kms-key",
  description: "A key is in force, rotated, and can be saved for long enough after somebody schedules its deletion.",
  severity: "high",
  framework: Framework.SecureBackup,
  remediationSteps: "Set enableKeyRotation, leave isEnabled, and set deletionWindowInDays to 30.",
  url: "https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html",
  types: ResourceTypes.Key,
  settings: {
    minDeletionWindowDays: {
      description: "Days in which the deletion of a key can be undone.",
      type: "integer",
      minimum: 7,
      maximum: 30,
      default: 30,
    },
  },
  remedy: ({ deletionWindowInDays: days = DEFAULT_WINDOW_DAYS, enableKeyRotation, customerMasterKeySpec }, config) => {
    const isShort = days < config.minDeletionWindowDays;
    const isStill = (customerMasterKeySpec ?? SYMMETRIC) === SYMMETRIC && enableKeyRotation !== true;
    return isShort || isStill
      ? {
          ...(isShort ? { deletionWindowInDays: config.minDeletionWindowDays } : {}),
          ...(isStill ? { enableKeyRotation: true } : {}),
        }
      : undefined;
  },
  checks: (props, { minDeletionWindowDays }) => [
    () => {
      const days = props.deletionWindowInDays ?? DEFAULT_WINDOW_DAYS;
      return days < minDeletionWindowDays
        ? `deletionWindowInDays is ${days}; expected ${minDeletionWindowDays} or more`
        : undefined;
    },
    () =>
      (props.customerMasterKeySpec ?? SYMMETRIC) === SYMMETRIC && props.enableKeyRotation !== true
        ? "enableKeyRotation is not true: one key encrypts everything for ever"
        : undefined,
    () => (props.isEnabled === false ? "isEnabled is false: nothing that it encrypted can be read" : undefined),
  ],
});
