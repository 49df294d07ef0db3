import { readdirSync, readFileSync } from "node:fs";

/** A process, as far as a test needs to know it. */
export interface RunningProcess {
  readonly pid: number;
  readonly command: string;
}

/** Everything that a process started and that still runs, however many generations down. */
export function descendantsOf(pid: number): RunningProcess[] {
  const children = new Map<number, RunningProcess[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      // The second field may hold anything between its parentheses.
      const [, command, parent] = /^\d+ \((.*)\) \S (\d+) /s.exec(readFileSync(`/proc/${entry}/stat`, "utf8")) ?? [];
      if (command === undefined) continue;
      const siblings = children.get(Number(parent)) ?? [];
      children.set(Number(parent), [...siblings, { pid: Number(entry), command }]);
    } catch {
      // It has just ended.
    }
  }
  const found: RunningProcess[] = [];
  for (let waiting = children.get(pid) ?? []; waiting.length > 0;) {
    found.push(...waiting);
    waiting = waiting.flatMap((each) => children.get(each.pid) ?? []);
  }
  return found;
}
