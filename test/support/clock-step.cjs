// Loaded before a runner (NODE_OPTIONS=--require): its clock steps after some time, as NTP or a person makes it.
// DR_CLOCK_STEP is AFTER_MS,STEP_MS,FILE; the file is made when it has.
const { writeFileSync } = require("node:fs");
const { setTimeout } = require("node:timers");

if (process.env.DR_CLOCK_STEP) {
  const [afterMs, stepMs, file] = process.env.DR_CLOCK_STEP.split(",");
  const RealDate = Date;
  let offset = 0;
  class SteppedDate extends RealDate {
    constructor(...args) {
      if (args.length === 0) super(RealDate.now() + offset);
      else super(...args);
    }

    static now() {
      return RealDate.now() + offset;
    }
  }
  globalThis.Date = SteppedDate;
  setTimeout(() => {
    offset = Number(stepMs);
    writeFileSync(file, "");
  }, Number(afterMs)).unref();
}
