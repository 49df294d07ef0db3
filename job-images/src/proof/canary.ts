import { type EvidenceCheck, type HeldWindow, newestHeld } from "../../../recovery";
import { failed, passed, undecided } from "./check";

/** What the restored copy says of the heartbeat, and what the source said in the snapshot. */
export interface CanaryReading {
  /** The newest heartbeat in the source's snapshot, as the backup recorded it. */
  readonly recordedAt: Date | undefined;
  /** The newest heartbeat in the restored copy. */
  readonly restoredAt: Date | undefined;
  /** The moment that the manifest says the recovery point holds. */
  readonly consistentAt: Date;
  readonly canarySeconds: number;
}

/** Whether heartbeats have stopped: one waits for its turn behind other work, three missed ones are no accident. */
export function heartbeatsStopped(lagSeconds: number, canarySeconds: number): boolean {
  return lagSeconds > 3 * canarySeconds;
}

/**
 * Whether the copy is as new as its manifest says. A heartbeat that lags far behind the snapshot means that nobody
 * writes it any more: the loss of a restore is then unknown, which is no pass.
 */
export function checkCanary(reading: CanaryReading): EvidenceCheck {
  const { recordedAt, restoredAt, consistentAt } = reading;
  if (restoredAt === undefined) {
    return recordedAt === undefined
      ? undecided("canary", "a heartbeat was prepared and never written: is `dr heartbeat` running?")
      : failed("canary", "the restored copy holds no heartbeat, its source had one");
  }
  if (recordedAt !== undefined && restoredAt.getTime() !== recordedAt.getTime()) {
    return failed(
      "canary",
      `the restored copy's newest heartbeat is of ${restoredAt.toISOString()}, its source's was of ${recordedAt.toISOString()}`,
    );
  }
  const lagSeconds = (consistentAt.getTime() - restoredAt.getTime()) / 1000;
  if (heartbeatsStopped(lagSeconds, reading.canarySeconds)) {
    return undecided(
      "canary",
      `the newest heartbeat was ${Math.round(lagSeconds)} s old when the backup was taken, and one is due every ${reading.canarySeconds} s: is \`dr heartbeat\` running?`,
    );
  }
  return passed("canary", `the newest heartbeat of the source, ${restoredAt.toISOString()}, is in the copy`);
}

/** What would be lost if the disaster came at `disasterAt`; `unknown` where nobody writes a heartbeat. */
export function achievedRpoSeconds(disasterAt: Date, restoredAt: Date | undefined): number | "unknown" {
  if (restoredAt === undefined) return "unknown";
  return Math.max(0, Math.round((disasterAt.getTime() - restoredAt.getTime()) / 100) / 10);
}

/**
 * Whether the copy is as new as the stream says. That something is written proves nothing: a heartbeat has to have made the
 * round trip.
 */
export function checkRecoveredCanary(
  newest: Date | undefined,
  window: HeldWindow,
  at: Date | undefined,
  canarySeconds: number,
): EvidenceCheck {
  if (newest === undefined) {
    return undecided(
      "canary",
      "nobody writes a heartbeat: how new the copy is, nobody knows (`dr prepare`, `dr heartbeat`)",
    );
  }
  if (at && newest > at) {
    return failed("canary", `the copy holds a heartbeat of ${newest.toISOString()}, after ${at.toISOString()}`);
  }
  const expected = (at && newestHeld(window, at)) ?? window.to;
  const lagSeconds = (expected.getTime() - newest.getTime()) / 1000;
  if (heartbeatsStopped(lagSeconds, canarySeconds)) {
    return undecided(
      "canary",
      `the newest heartbeat in the copy is ${Math.round(lagSeconds)} s older than what the stream should hold, and one is due every ${canarySeconds} s: is \`dr heartbeat\` running?`,
    );
  }
  return passed("canary", `the heartbeat of ${newest.toISOString()} made the round trip`);
}
