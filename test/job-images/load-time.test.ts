import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";

describe("the runner's start", () => {
  it("loads no AWS SDK before a command needs one", () => {
    const program = `
      require("./job-images/src/commands");
      const loaded = Object.keys(require.cache).filter((path) => /node_modules.(@aws-sdk|@smithy)./.test(path));
      const whole = Object.keys(require.cache).some((path) => path.includes("open-store"));
      console.log(JSON.stringify({ loaded, whole }));`;
    const said = execFileSync(process.execPath, ["-r", "tsx/cjs", "-e", program], { encoding: "utf8" });
    assert.deepEqual(JSON.parse(said), { loaded: [], whole: true });
  });
});
