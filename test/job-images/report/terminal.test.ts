import assert from "node:assert/strict";
import fc from "fast-check";
import { bytesText, secondsText, table } from "../../../job-images/src/report/terminal";

describe("what a person reads", () => {
  it("is a table that fits the terminal", () => {
    const cell = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell, fc.string({ maxLength: 200 }))), (rows) => {
        for (const line of table(["A", "B", "C"], rows, 80).split("\n")) assert.ok(line.length <= 80, line);
      }),
    );
  });
  for (const [seconds, text] of [
    [0.04, "0.0 s"],
    [9.94, "9.9 s"],
    [59.4, "59 s"],
    [59.6, "1 min"],
    [900, "15 min"],
    [3599.9, "1 h"],
    [7500, "2 h 5 min"],
    ["unknown", "unknown"],
  ] as const) {
    it(`says ${seconds} seconds as ${text}`, () => assert.equal(secondsText(seconds), text));
  }
  it("says bytes with their unit", () =>
    assert.deepEqual([0, 999, 1000, 1_234_567, 2e12].map(bytesText), ["0 B", "999 B", "1.0 kB", "1.2 MB", "2.0 TB"]));
});
