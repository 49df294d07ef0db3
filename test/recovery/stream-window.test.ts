import assert from "node:assert/strict";
import fc from "fast-check";
import { holeAt, newestHeld, type TimeSpan, windowOf } from "../../recovery";

const at = (seconds: number): Date => new Date(seconds * 1000);
const span = (from: number, to: number): TimeSpan => ({ from: at(from), to: at(to) });

describe("the window of a stream", () => {
  it("has a hole wherever no stretch holds a moment, whatever order they come in", () => {
    const cases: [readonly TimeSpan[], TimeSpan, readonly TimeSpan[]][] = [
      [[span(1, 5)], span(1, 5), []],
      [[span(7, 9), span(1, 5)], span(1, 9), [span(5, 7)]],
      [[span(1, 5), span(5, 9)], span(1, 9), []],
      [[span(1, 9), span(2, 3), span(4, 5)], span(1, 9), []],
      [[span(1, 2), span(4, 4), span(6, 8)], span(1, 8), [span(2, 4), span(4, 6)]],
    ];
    for (const [stretches, { from, to }, holes] of cases) assert.deepEqual(windowOf(stretches), { from, to, holes });
    assert.throws(() => windowOf([]), RangeError);
  });

  it("gives the newest moment that is held: the moment itself, or the end before its hole, or the end of all", () => {
    const window = windowOf([span(10, 20), span(30, 40)]);
    const cases: [number, number | undefined][] = [
      [9, undefined],
      [10, 10],
      [20, 20],
      [21, 20],
      [29, 20],
      [30, 30],
      [99, 40],
    ];
    for (const [wanted, held] of cases) assert.equal(newestHeld(window, at(wanted))?.getTime(), held && held * 1000);
    assert.deepEqual(holeAt(window, at(25)), span(20, 30));
    assert.equal(holeAt(window, at(20)), undefined);
  });

  it("never names a moment that no stretch holds, nor one older than the newest that a stretch does", () => {
    const stretch = fc
      .tuple(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 20 }))
      .map(([from, length]) => span(from, from + length));
    fc.assert(
      fc.property(
        fc.array(stretch, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 0, max: 130 }),
        (stretches, wanted) => {
          const reachable = stretches
            .filter(({ from }) => from <= at(wanted))
            .map(({ to }) => Math.min(to.getTime(), wanted * 1000));
          const held = newestHeld(windowOf(stretches), at(wanted));
          assert.equal(held?.getTime(), reachable.length === 0 ? undefined : Math.max(...reachable));
        },
      ),
    );
  });
});
