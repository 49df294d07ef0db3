/** From one moment to another. */
export interface TimeSpan {
  readonly from: Date;
  readonly to: Date;
}

/** The moments that a stream can be restored to: all from `from` to `to`, but for those in its holes. */
export interface HeldWindow extends TimeSpan {
  /** What it holds nothing of, both ends excepted, oldest first. @default none */
  readonly holes?: readonly TimeSpan[];
}

/** The window of stretches of which each can be restored whole. @throws RangeError when there are none */
export function windowOf(stretches: readonly TimeSpan[]): HeldWindow {
  const [first, ...later] = [...stretches].sort((a, b) => a.from.getTime() - b.from.getTime());
  if (first === undefined) throw new RangeError("A window needs a stretch.");
  const holes: TimeSpan[] = [];
  let { to } = first;
  for (const stretch of later) {
    if (stretch.from > to) holes.push({ from: to, to: stretch.from });
    if (stretch.to > to) ({ to } = stretch);
  }
  return { from: first.from, to, holes };
}

/** The hole that a moment lies in. */
export function holeAt({ holes = [] }: HeldWindow, at: Date): TimeSpan | undefined {
  return holes.find((hole) => hole.from < at && at < hole.to);
}

/** The newest moment that can be restored and is not after `at`; `undefined` when the stream begins later. */
export function newestHeld(window: HeldWindow, at: Date): Date | undefined {
  if (at < window.from) return undefined;
  return at > window.to ? window.to : (holeAt(window, at)?.from ?? at);
}
