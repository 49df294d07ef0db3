import assert from "node:assert/strict";
import { once } from "node:events";
import { checkedOutput, checkedStream, runTool, Tool } from "../../../job-images/src/process/child";

describe("tools", () => {
  it("say why they failed: on standard error, and on standard output where they are known to", async () => {
    const fails = (script: string, saysErrorsOnOutput?: boolean): Promise<string> =>
      runTool("sh", ["-c", script], { saysErrorsOnOutput });
    const onOutput = "echo the bucket is gone; exit 3";
    await assert.rejects(fails(onOutput, true), /sh ended with exit code 3: the bucket is gone$/);
    await assert.rejects(fails("echo the bucket is gone >&2; exit 3"), /exit code 3: the bucket is gone$/);
    await assert.rejects(fails("exit 3", true), /exit code 3$/);
    await assert.rejects(fails(onOutput), /exit code 3$/, "what it printed may be a password's hash");
    await assert.rejects(runTool("no-such-tool", [], { saysErrorsOnOutput: true }), /no-such-tool is not installed/);
  });

  it("[guide 7] lose nothing of what they said, even when they ended long before it was read", async () => {
    const tool = new Tool("sh", ["-c", "printf whole"]);
    const output = checkedOutput([tool]);
    await once(tool.process, "exit");
    await new Promise((resolve) => setImmediate(resolve));
    const chunks: Buffer[] = [];
    for await (const chunk of output) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString(), "whole");
  });

  it("gather what they write where that was asked for, and fail in their own name all the same", async () => {
    assert.equal(await runTool("sh", ["-c", 'printf %s "$_STDBUF_O"'], { outputBufferBytes: 65_536 }), "65536");
    const failing = new Tool("sh", ["-c", "echo no space >&2; exit 3"], { outputBufferBytes: 65_536 });
    await assert.rejects(failing.ended, /^\w*Error: sh ended with exit code 3: no space$/);
  });

  it("are stopped when their stream is given up before anything of it was read", async () => {
    const tool = new Tool("yes", []);
    checkedStream([tool]).destroy();
    await assert.rejects(tool.ended, /was killed by SIGTERM/);
  });

  it("[guide 7] fail the stream of a tool that failed after its last byte", async () => {
    const tool = new Tool("sh", ["-c", "printf half; echo no space >&2; exit 3"]);
    await assert.rejects(async () => {
      for await (const chunk of checkedOutput([tool])) assert.equal(chunk.toString(), "half");
    }, /ended with exit code 3: no space/);
  });
});
