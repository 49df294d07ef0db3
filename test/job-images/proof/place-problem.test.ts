import assert from "node:assert/strict";
import { OperationError } from "../../../job-images/src/errors";
import { isOfThePlace } from "../../../job-images/src/proof/place-problem";
import { ProofRun } from "../../../job-images/src/proof/proof-run";
import { DamagedPartError, UnreadablePartError } from "../../../job-images/src/store/parts";
import { Verdict } from "../../../recovery";

describe("a restore that fails", () => {
  const verdictOf = async (error: Error): Promise<string> => {
    const run = new ProofRun(new AbortController().signal, "archive");
    const { checks } = await run.toItsEnd(() => run.required("restore", () => Promise.reject(error)));
    return `${checks[0]!.name} ${checks[0]!.verdict}`;
  };

  it("for want of room, rights or life says nothing of the recovery point", async () => {
    for (const words of [
      "tar ended with exit code 2: tar: base/1/1: Cannot write: No space left on device",
      "pg_restore ended with exit code 1: could not extend file base/5/1: No space left on device",
      "pg_restore was killed by SIGKILL",
      "psql ended with exit code 2: server closed the connection unexpectedly",
    ]) {
      assert.equal(await verdictOf(new OperationError(words)), `restore ${Verdict.Inconclusive}`, words);
    }
    assert.equal(
      await verdictOf(new UnreadablePartError("ENOSPC: no space left on device, write")),
      "restore inconclusive",
    );
  });

  it("for what it is restored from is called bad", async () => {
    assert.equal(await verdictOf(new DamagedPartError("parts/x holds 3 bytes; its manifest says 4.")), "parts fail");
    assert.equal(await verdictOf(new OperationError("pg_restore: unexpected end of file")), "restore fail");
    assert.ok(!isOfThePlace("zstd: /*stdin*\\\\: unsupported format"));
  });
});
