import { statedOr } from "./data-loss";
import { type Detection, detectionMinutes, type RecoverySite } from "./declared-database";
import { knownMinutes, type Term, TermName, TermOrigin } from "./derivation";
import { type RunFindings, TimeBasis } from "./measured-runs";
import { defaultResponseTimes, type ResponseTimes } from "./objectives";
import {
  type DumpProtection,
  type LogProtection,
  Mechanism,
  type Protection,
  recoveryDefaults,
  type RestoreSpeed,
  type StandbyProtection,
  type StoredProtection,
} from "./protection";
import { bytesText, numberText } from "./quantity-text";
import { retrievalMinutes, StorageClass } from "./retention";
import { largestGapMinutes, parseSchedule } from "./schedule";
import { BackupMethod } from "./store-layout";

/** What a recovery time is derived from. */
export interface LedgerPath {
  readonly protection: Protection;
  readonly sizeBytes: number | undefined;
  readonly response: ResponseTimes;
  readonly detection?: Detection;
  /** Where the recovery happens, when the database's own place is gone. */
  readonly site?: RecoverySite;
  readonly findings: RunFindings;
  /** How old the copy to restore may be, in days: damage is noticed late, and old copies may be archived. */
  readonly copyAgeDays: number;
}

/** Everything between the disruption and service, in the order in which it passes. */
export interface RecoveryTimeLedger {
  readonly terms: readonly Term[];
  /** What does not depend on the database's size, in minutes; null when some of it is unknown. */
  readonly fixedMinutes: number | null;
  /** What each byte of the database adds, in minutes. */
  readonly minutesPerByte: number;
}

/** A term, and what of it each byte of the database adds. */
interface Entry {
  readonly term: Term;
  readonly minutesPerByte: number;
}

/** The ledger of a recovery: detect, acknowledge, decide, fetch, restore, verify, switch. */
export function recoveryTimeLedger(path: LedgerPath): RecoveryTimeLedger {
  const entries = entriesOf(path);
  const fixed = entries.filter(({ minutesPerByte }) => minutesPerByte === 0).map(({ term }) => term);
  return {
    terms: entries.map(({ term }) => term),
    fixedMinutes: fixed.some(({ minutes }) => minutes === null) ? null : knownMinutes(fixed),
    minutesPerByte: entries.reduce((sum, entry) => sum + entry.minutesPerByte, 0),
  };
}

/**
 * The largest database, in bytes, that is back within so many minutes; 0 when not even an empty one is, undefined when
 * its size does not matter or something else is unknown.
 */
export function largestSizeWithin(
  { fixedMinutes, minutesPerByte }: RecoveryTimeLedger,
  rtoMinutes: number,
): number | undefined {
  if (fixedMinutes === null) return undefined;
  if (fixedMinutes > rtoMinutes) return 0;
  // A thousandth of a byte is what the division may be off by.
  return minutesPerByte === 0 ? undefined : Math.floor((rtoMinutes - fixedMinutes) / minutesPerByte + 0.001);
}

function entriesOf(path: LedgerPath): Entry[] {
  const { protection } = path;
  switch (protection.mechanism) {
    case Mechanism.Dump:
    case Mechanism.PointInTimeLog:
    case Mechanism.SqliteStream:
      return [...responseEntries(path), ...siteEntries(path), ...restoreEntries(protection, path)];
    case Mechanism.Standby:
      return standbyEntries(protection, path);
    case Mechanism.Replicas: {
      const restarts = protection.count < 2;
      return [
        seconds(TermName.Detect, protection.detectSeconds, recoveryDefaults.podDetectSeconds, "by its probe"),
        restarts
          ? seconds(
              TermName.Act,
              protection.restartSeconds,
              recoveryDefaults.podRestartSeconds,
              "the only pod restarts",
            )
          : fixed(TermName.Act, 0, TermOrigin.Config, `${protection.count - 1} of ${protection.count} pods serve on`),
      ];
    }
    case Mechanism.Rollback: {
      const act = seconds(TermName.Act, protection.rollbackSeconds, recoveryDefaults.rollbackSeconds, "pods start");
      if (protection.automatic !== true) return [...responseEntries(path), act];
      return [
        seconds(
          TermName.Detect,
          protection.progressDeadlineSeconds,
          recoveryDefaults.progressDeadlineSeconds,
          "the rollout's progress deadline",
        ),
        act,
      ];
    }
    case Mechanism.Pooler:
      return [
        seconds(TermName.Detect, protection.detectSeconds, recoveryDefaults.poolerDetectSeconds, "by the pooler"),
        seconds(TermName.Act, protection.reconnectSeconds, recoveryDefaults.poolerReconnectSeconds, "reconnected"),
      ];
    case Mechanism.StoreCopy:
      return [];
  }
}

function responseEntries({ response, detection }: LedgerPath): Entry[] {
  const origin = (name: keyof ResponseTimes) =>
    response[name] === defaultResponseTimes[name] ? TermOrigin.Default : TermOrigin.Config;
  const detect =
    detection === undefined
      ? fixed(TermName.Detect, response.detectMinutes, origin("detectMinutes"), "from the disruption to the alert")
      : fixed(
          TermName.Detect,
          detectionMinutes(detection),
          TermOrigin.Config,
          `${detection.evaluationPeriods} periods of ${detection.periodSeconds} s, for ${detection.forSeconds ?? 0} s`,
        );
  return [
    detect,
    fixed(TermName.Acknowledge, response.acknowledgeMinutes, origin("acknowledgeMinutes"), "a person is at work"),
    fixed(TermName.Decide, response.decideMinutes, origin("decideMinutes"), "what happened, and what to do"),
  ];
}

function siteEntries({ site }: LedgerPath): Entry[] {
  return site === undefined
    ? []
    : [stated(TermName.StartSite, site.startMinutes, recoveryDefaults.siteStartMinutes, `compute of ${site.name}`)];
}

function standbyEntries(standby: StandbyProtection, path: LedgerPath): Entry[] {
  const { verifyMinutes, switchMinutes } = standby;
  if (standby.automatic === true) {
    return [
      stated(
        TermName.Promote,
        standby.promoteMinutes,
        recoveryDefaults.automaticPromoteMinutes,
        "noticed and promoted by itself",
      ),
      ...siteEntries(path),
      stated(TermName.Switch, switchMinutes, 0, "the endpoint moves by itself"),
    ];
  }
  return [
    ...responseEntries(path),
    ...siteEntries(path),
    ...(measuredEntries(path, false) ?? [
      stated(TermName.Promote, standby.promoteMinutes, recoveryDefaults.promoteMinutes, "fence the old, promote"),
      stated(TermName.Verify, verifyMinutes, recoveryDefaults.standbyVerifyMinutes, "it takes writes"),
    ]),
    stated(TermName.Switch, switchMinutes, recoveryDefaults.switchMinutes, "connection string, pods, health"),
  ];
}

function restoreEntries(protection: StoredProtection, path: LedgerPath): Entry[] {
  return [
    ...retrieveEntries(protection, path.copyAgeDays),
    ...(measuredEntries(path, true) ?? estimatedRestore(protection, path.sizeBytes)),
    stated(
      TermName.Switch,
      protection.switchMinutes,
      recoveryDefaults.switchMinutes,
      "connection string, pods, health",
    ),
  ];
}

/** What was measured instead of what is estimated; undefined when nothing was that counts. */
function measuredEntries({ findings, sizeBytes }: LedgerPath, bySize: boolean): Entry[] | undefined {
  const { timeBasis, seconds: measuredSeconds, ids } = findings;
  const records = idsText(ids);
  switch (timeBasis) {
    case TimeBasis.None:
      return undefined;
    case TimeBasis.Stale:
      return [entry(TermName.Measured, null, TermOrigin.Evidence, `measured too long ago: ${records}`)];
    case TimeBasis.Measured: {
      const minutes = measuredSeconds / 60;
      const perByte = bySize && sizeBytes !== undefined && sizeBytes > 0 ? minutes / sizeBytes : 0;
      return [
        entry(
          TermName.Measured,
          minutes,
          TermOrigin.Evidence,
          `p95 of ${ids.length} runs, fetch to proof: ${records}`,
          perByte,
        ),
      ];
    }
    case TimeBasis.Scaled: {
      if (!bySize) return undefined;
      const perByte = measuredSeconds / 60;
      return sizeBytes === undefined
        ? undefined
        : [
            entry(
              TermName.Measured,
              perByte * sizeBytes,
              TermOrigin.Evidence,
              `an estimate scaled from p95 of ${ids.length} runs elsewhere, ` +
                `${numberText(measuredSeconds * 1e9)} s/GB with the factor: ${records}`,
              perByte,
            ),
          ];
    }
  }
}

function idsText(ids: readonly string[]): string {
  const shown = ids.slice(0, 3).join(", ");
  return ids.length > 3 ? `${shown} and ${ids.length - 3} more` : shown;
}

function retrieveEntries(protection: StoredProtection, copyAgeDays: number): Entry[] {
  if (protection.mechanism !== Mechanism.Dump) return [];
  const storageClass = storageClassAt(protection, copyAgeDays);
  const minutes = retrievalMinutes(storageClass, protection.retrieval);
  if (minutes === 0) return [];
  const detail = `a copy of ${copyAgeDays} d is in ${storageClass}`;
  return [fixed(TermName.Retrieve, minutes, TermOrigin.Config, detail)];
}

/** The storage class in which a copy of this age lies. */
export function storageClassAt({ transitions = [] }: DumpProtection, ageDays: number): StorageClass {
  return (
    transitions
      .filter(({ days }) => days <= ageDays)
      .sort((a, b) => a.days - b.days)
      .at(-1)?.storageClass ?? StorageClass.Standard
  );
}

function estimatedRestore(protection: StoredProtection, sizeBytes: number | undefined): Entry[] {
  const managed = protection.mechanism === Mechanism.PointInTimeLog && protection.managed === true;
  return [
    stated(
      TermName.Provision,
      protection.provisionMinutes,
      managed ? recoveryDefaults.managedProvisionMinutes : recoveryDefaults.provisionMinutes,
      managed ? "a new RDS instance" : "an empty server",
    ),
    ...(managed ? [] : [fetchEntry(protection, sizeBytes)]),
    restoreEntry(protection, sizeBytes),
    ...(protection.mechanism === Mechanism.PointInTimeLog ? [replayEntry(protection, sizeBytes)] : []),
    stated(TermName.Verify, protection.verifyMinutes, recoveryDefaults.verifyMinutes, "the copy is the right one"),
  ];
}

function fetchEntry(
  speed: RestoreSpeed & Partial<Pick<LogProtection, "incrementalsPerFull" | "baseBackupSchedule">>,
  sizeBytes: number | undefined,
): Entry {
  const rate = statedOr(speed.fetchBytesPerSecond, recoveryDefaults.fetchBytesPerSecond);
  const rateText = `${bytesText(rate.value)}/s`;
  if (speed.storedBytes !== undefined) {
    const minutes = speed.storedBytes / rate.value / 60;
    const share = sizeBytes === undefined || sizeBytes === 0 ? 0 : speed.storedBytes / sizeBytes;
    const detail = `${bytesText(speed.storedBytes)} stored at ${rateText}`;
    return entry(TermName.Fetch, minutes, TermOrigin.Config, detail, share / rate.value / 60);
  }
  const { storedShare, logShareOfSizePerDay } = recoveryDefaults;
  const { incrementalsPerFull = 0, baseBackupSchedule = recoveryDefaults.managedBaseBackupSchedule } = speed;
  // The log of a time holds every page that was changed in it.
  const days = (incrementalsPerFull * largestGapMinutes(parseSchedule(baseBackupSchedule))) / 1440;
  const and =
    incrementalsPerFull === 0 ? "" : ` and incrementalsPerFull: ${incrementalsPerFull} over ${numberText(days)} d`;
  return bySize(
    TermName.Fetch,
    sizeBytes,
    (storedShare * (1 + days * logShareOfSizePerDay)) / rate.value,
    rate.origin,
    `stored as ${storedShare} of it${and}, at ${rateText}`,
  );
}

function restoreEntry(protection: StoredProtection, sizeBytes: number | undefined): Entry {
  if (protection.restoreMinutes !== undefined) {
    return fixed(TermName.Restore, protection.restoreMinutes, TermOrigin.Config, "as stated");
  }
  const logical =
    protection.mechanism === Mechanism.Dump && (protection.method ?? BackupMethod.Dump) === BackupMethod.Dump;
  const rate = statedOr(
    protection.restoreBytesPerSecond,
    logical ? recoveryDefaults.logicalRestoreBytesPerSecond : recoveryDefaults.physicalRestoreBytesPerSecond,
  );
  const incremental = protection.mechanism === Mechanism.PointInTimeLog && (protection.incrementalsPerFull ?? 0) > 0;
  const [times, how] = incremental ? [2, ", unpacked and then put together from its increments"] : [1, ""];
  return bySize(TermName.Restore, sizeBytes, times / rate.value, rate.origin, `at ${bytesText(rate.value)}/s${how}`);
}

/** The log since the newest base backup, the last of which may have failed. */
function replayEntry(log: LogProtection, sizeBytes: number | undefined): Entry {
  const schedule = log.baseBackupSchedule ?? recoveryDefaults.managedBaseBackupSchedule;
  const days = largestGapMinutes(parseSchedule(schedule), undefined, recoveryDefaults.failedRuns) / 1440;
  const rate = statedOr(log.replayBytesPerSecond, recoveryDefaults.replayBytesPerSecond);
  const since = `${numberText(days)} d of log since the base backup, at ${bytesText(rate.value)}/s`;
  if (log.logBytesPerDay !== undefined) {
    const minutes = (log.logBytesPerDay * days) / rate.value / 60;
    return fixed(TermName.Replay, minutes, TermOrigin.Config, `${bytesText(log.logBytesPerDay)}/d, ${since}`);
  }
  const { logShareOfSizePerDay } = recoveryDefaults;
  const perByte = (logShareOfSizePerDay * days) / rate.value;
  return bySize(
    TermName.Replay,
    sizeBytes,
    perByte,
    TermOrigin.Default,
    `${logShareOfSizePerDay} of it a day, ${since}`,
  );
}

function entry(name: TermName, minutes: number | null, origin: TermOrigin, detail: string, minutesPerByte = 0): Entry {
  return { term: { name, minutes, origin, detail }, minutesPerByte };
}

const fixed = (name: TermName, minutes: number, origin: TermOrigin, detail: string) =>
  entry(name, minutes, origin, detail);

function stated(name: TermName, minutes: number | undefined, fallback: number, detail: string): Entry {
  const { value, origin } = statedOr(minutes, fallback);
  return fixed(name, value, origin, detail);
}

function seconds(name: TermName, statedSeconds: number | undefined, fallback: number, detail: string): Entry {
  const { value, origin } = statedOr(statedSeconds, fallback);
  return fixed(name, value / 60, origin, `${detail}, ${value} s`);
}

function bySize(
  name: TermName,
  sizeBytes: number | undefined,
  secondsPerByte: number,
  origin: TermOrigin,
  detail: string,
): Entry {
  const minutesPerByte = secondsPerByte / 60;
  return sizeBytes === undefined
    ? entry(name, null, origin, `the database's size is unknown; ${detail}`, minutesPerByte)
    : entry(name, sizeBytes * minutesPerByte, origin, `${bytesText(sizeBytes)} ${detail}`, minutesPerByte);
}
