import assert from "node:assert/strict";
import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { checkedOutput, Tool } from "../../../job-images/src/process/child";

describe("a tool's output", () => {
  it("[guide 7] is there in full for a reader who comes after the tool has ended", async () => {
    const tool = new Tool("printf", ["all of it"]);
    const output = checkedOutput([tool]);
    await once(tool.process, "exit");
    for (let turn = 0; turn < 20; turn++) await setImmediate();
    const chunks: Buffer[] = [];
    for await (const chunk of output) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString(), "all of it");
  });

  it("fails at its end when the tool did, whatever was read before", async () => {
    const tool = new Tool("sh", ["-c", "printf some; exit 3"]);
    const output = checkedOutput([tool]);
    assert.equal((await output.next()).value?.toString(), "some");
    await assert.rejects(async () => output.next(), /sh ended with exit code 3/);
  });
});
