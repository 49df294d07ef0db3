// Mocha's spec reporter, then why each skipped test was skipped, then one plain line that any CI can read.
const { reporters } = require("mocha");

const PENDING = "pending";
const END = "end";

class ClosingLineReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    runner.on(PENDING, (test) => skipped.push(test));
    runner.once(END, () => {
      for (const test of skipped) {
        console.log(`skipped: ${test.fullTitle()}: ${test.skipReason ?? "no reason given"}`);
      }
      const { passes, failures } = this.stats;
      process.on("exit", () => console.log(`${passes} passed, ${failures} failed, ${skipped.length} skipped`));
    });
  }
}

module.exports = ClosingLineReporter;
