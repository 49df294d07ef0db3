import assert from "node:assert/strict";
import { mapConcurrently } from "../../../job-images/src/store/concurrently";

describe("work done concurrently", () => {
  it("keeps the order of its results, and no more than so many under way", async () => {
    let [under, most] = [0, 0];
    const results = await mapConcurrently([30, 10, 20, 0], 2, async (milliseconds) => {
      most = Math.max(most, ++under);
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      under--;
      return milliseconds;
    });
    assert.deepEqual(results, [30, 10, 20, 0]);
    assert.equal(most, 2);
  });

  it("begins nothing after a failure, and rejects with it when nobody is at work any more", async () => {
    const begun: number[] = [];
    let atWork = 0;
    const work = mapConcurrently([0, 1, 2, 3, 4], 2, async (item) => {
      begun.push(item);
      atWork++;
      await new Promise((resolve) => setTimeout(resolve, item === 0 ? 1 : 20));
      atWork--;
      if (item < 2) throw new Error(`of ${item}`);
    });
    await assert.rejects(work, /^Error: of 0$/);
    assert.equal(atWork, 0);
    assert.deepEqual(begun, [0, 1]);
  });
});
