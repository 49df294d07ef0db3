import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { hostname } from "node:os";

/** Where process ids mean something: this host and, on Linux, this PID namespace (pods may share their node's name). */
const place = `${hostname()}-${statSync("/proc/self/ns/pid", { throwIfNoEntry: false })?.ino ?? 0}`;

/** The names that this very process gave. */
const claimed = new Set<string>();

/** A name that nothing else has and that says which process made it, so that others can tell when it was abandoned. */
export function claimedName(): string {
  const name = `${place}.${process.pid}.${randomBytes(8).toString("hex")}`;
  claimed.add(name);
  return name;
}

/**
 * Whether what carries this name was left behind by a process that ended without cleaning up: at once when it ran here,
 * by age when elsewhere, because a process id says nothing about another container.
 *
 * @param modifiedMs when it was last written to
 * @param abandonedAfterMs how long a living process may leave it unwritten
 */
export function isAbandoned(name: string, modifiedMs: number, abandonedAfterMs: number): boolean {
  const [, where, pid] = /^(.+)\.(\d+)\.[0-9a-f]{16}$/.exec(name) ?? [];
  if (where === undefined) return false;
  if (where !== place) return new Date().getTime() - modifiedMs > abandonedAfterMs;
  // This process knows its own, so one with its id that it does not know was left by an earlier process of that id.
  return Number(pid) === process.pid ? !claimed.has(name) : !isAlive(Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
