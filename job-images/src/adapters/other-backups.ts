import {
  awsBackupSource,
  barmanSource,
  type DatabaseConfig,
  type OtherBackups,
  OtherBackupsKind,
  type OtherSource,
  type RecoveryTarget,
} from "../../../recovery";
import { messageOf } from "../errors";
import { readBarmanBackups } from "./cloudnative-pg";

/** A backup that another program keeps, as `dr list` shows it. */
export interface ListedOtherBackup {
  readonly kind: OtherBackupsKind;
  readonly id: string;
  readonly database: string;
  /** The first moment that it brings back; `null` when nobody can say. */
  readonly at: string | null;
  /** About the last one, where it has a log. */
  readonly until: string | null;
  readonly bytes: number | null;
  /** As the other program calls it. */
  readonly state: string;
}

/**
 * What a plan says of the backups that other programs keep. One that cannot be looked at is told as such: a plan without
 * it would be a plan that forgot it.
 */
export async function otherBackupsOf(
  { otherBackups = [] }: DatabaseConfig,
  target: RecoveryTarget,
  now = new Date(),
): Promise<OtherSource[]> {
  const found = await Promise.all(
    otherBackups.map(async (where): Promise<OtherSource[]> => {
      try {
        if (where.kind === OtherBackupsKind.CloudNativePg) {
          const places = await readBarmanBackups(where.store, where.server);
          if (places.length === 0) return [nothingOf(where, `${where.store} holds no backup of ${where.server}`)];
          return places.map((place) => barmanSource(place, target, now));
        }
        const points = await readAwsBackups(where);
        if (points.length === 0) return [nothingOf(where, "AWS Backup has no recovery point of it")];
        return points.map((point) => awsBackupSource(point, target, now));
      } catch (error) {
        return [nothingOf(where, messageOf(error))];
      }
    }),
  );
  return found.flat();
}

/** What `dr list` shows of them, newest first. */
export async function listOtherBackups({ name, otherBackups = [] }: DatabaseConfig): Promise<ListedOtherBackup[]> {
  const found = await Promise.all(
    otherBackups.map(async (where): Promise<ListedOtherBackup[]> => {
      const unknown = { kind: where.kind, database: name, at: null, until: null, bytes: null };
      try {
        if (where.kind === OtherBackupsKind.CloudNativePg) {
          return (await readBarmanBackups(where.store, where.server)).map(({ backup, reach, server }) => ({
            ...unknown,
            id: `cloudnative-pg:${server}/${backup.id}`,
            at: backup.endAt?.toISOString() ?? null,
            until: reach.isWhole ? (reach.until?.toISOString() ?? null) : null,
            bytes: backup.bytes ?? null,
            state: backup.status === "DONE" && !reach.isWhole ? "DONE, its log is not all there" : backup.status,
          }));
        }
        return (await readAwsBackups(where)).map((point) => ({
          ...unknown,
          id: point.RecoveryPointArn ?? nameOf(where),
          at: point.CreationDate?.toISOString() ?? null,
          bytes: point.BackupSizeBytes ?? null,
          state: point.Status ?? "unknown",
        }));
      } catch (error) {
        return [{ ...unknown, id: nameOf(where), state: `unknown: ${messageOf(error)}` }];
      }
    }),
  );
  return found.flat().sort((a, b) => (b.at ?? "").localeCompare(a.at ?? ""));
}

/** The SDK is loaded only where somebody has AWS Backup. */
async function readAwsBackups({ resourceArn, endpoint }: { readonly resourceArn: string; readonly endpoint?: string }) {
  const { readAwsBackups: read } = await import("./aws-backup.js");
  return read(resourceArn, endpoint);
}

/** What was configured is in every plan, also when there is nothing of it. */
function nothingOf(where: OtherBackups, why: string): OtherSource {
  return { engine: where.kind, id: nameOf(where), lossSeconds: null, recoverySeconds: null, why };
}

function nameOf(where: OtherBackups): string {
  return where.kind === OtherBackupsKind.CloudNativePg
    ? `cloudnative-pg:${where.server}`
    : `aws-backup:${where.resourceArn}`;
}
