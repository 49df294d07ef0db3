import assert from "node:assert/strict";
import fc from "fast-check";
import { plannedAndMeasured, TermName } from "../../recovery";

describe("a plan's estimate beside what was measured", () => {
  const terms = [
    { name: TermName.Fetch, seconds: 2 },
    { name: TermName.Restore, seconds: 10 },
    { name: TermName.Verify, seconds: 120 },
  ];

  it("joins phases that are one term, and keeps what only one of the two has", () => {
    const phases = [
      { name: "fetch", seconds: 1 },
      { name: "create", seconds: 0.5 },
      { name: "restore", seconds: 6 },
      { name: "switch", seconds: 0.25 },
    ];
    assert.deepEqual(plannedAndMeasured({ terms, recoverySeconds: 132 }, phases, 9), [
      { term: "fetch", estimatedSeconds: 2, measuredSeconds: 1 },
      { term: "restore", estimatedSeconds: 10, measuredSeconds: 6.5 },
      { term: "verify", estimatedSeconds: 120, measuredSeconds: null },
      { term: "switch", estimatedSeconds: null, measuredSeconds: 0.25 },
      { term: "in all", estimatedSeconds: 132, measuredSeconds: 9 },
    ]);
  });

  it("loses no second of any phase", () => {
    const phase = fc.record({ name: fc.string(), seconds: fc.integer({ min: 0, max: 1000 }) });
    fc.assert(
      fc.property(fc.array(phase), (phases) => {
        const rows = plannedAndMeasured({ terms, recoverySeconds: null }, phases, 0).slice(0, -1);
        const sum = rows.reduce((total, { measuredSeconds }) => total + (measuredSeconds ?? 0), 0);
        assert.equal(
          sum,
          phases.reduce((total, { seconds }) => total + seconds, 0),
        );
      }),
    );
  });
});
