import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type RestorationDrill } from "../../job-images/src/procedures/restoration-drill";
import { temporaryFolder } from "../support/postgres";
import { drJson } from "../support/runner";

describe("dr drill", () => {
  it("[guide 30, 32, 39, 55, 56, 57] measures against the objectives, and ends 1 when one is missed", async function () {
    this.timeout(240_000);
    const workdir = join(temporaryFolder(), "drill");
    const { exitCode, json } = await drJson<RestorationDrill & { report: string }>([
      ...["drill", "--platform", "local", "--scale", "0.02", "--workdir", workdir],
      // Less than a server takes to start, on any machine: a small drill on a fast one meets a second.
      ...["--objective", "rto=0.1s"],
    ]);
    assert.equal(exitCode, 1);
    const {
      "SQLite file: RTO": fileRto,
      "One table: RTO": tableRto,
      ...verdicts
    } = Object.fromEntries(json.criteria.map(({ name, verdict }) => [name, verdict]));
    assert.equal(fileRto, json.file.recoverySeconds <= 0.1 ? "pass" : "fail");
    assert.equal(tableRto, json.table.recoverySeconds <= 0.1 ? "pass" : "fail");
    assert.deepEqual(verdicts, {
      "ready to recover": "pass",
      "all data restored correctly": "pass",
      RTO: "fail",
      RPO: "pass",
      "sabotaged copies are caught": "pass",
      "Point in time: all data restored correctly": "pass",
      "Point in time: RTO": "fail",
      "Point in time: RPO": "pass",
      "One table: deleted rows are back, nothing else changed": "pass",
      "SQLite file: all data restored correctly": "pass",
      "SQLite file: RPO": "pass",
    });
    assert.deepEqual(json.proofs, { caught: 15, total: 15 });
    assert.ok(json.committedTransactions > 0, "a drill without a load proves nothing");
    assert.ok(json.file.committedTransactions > 0, "nor does one without a writer to the file");
    assert.equal(json.file.proof.level, "content");
    assert.ok(typeof json.file.achievedRpoSeconds === "number" && json.file.achievedRpoSeconds > 0);
    assert.ok(existsSync(join(workdir, "store", json.file.evidenceKey)));
    const kept = readdirSync(join(workdir, "sqlite")).filter((name) => name.includes(".replaced-"));
    assert.equal(kept.length, 1, "the damaged file is kept");
    assert.ok(json.recoverySeconds > 0.1 && json.recoverySeconds < 900);
    const lost = json.achievedRpoSeconds;
    assert.ok(typeof lost === "number" && lost > 0 && lost < 3600, String(lost));
    assert.equal(json.phases.find(({ name }) => name === "restore and prove")!.verdict, "fail");
    assert.ok(json.assessment.derivation.recovery.length > 0);

    assert.ok(json.table.lostRows > 10 && json.table.recoveredRows === json.table.lostRows);
    assert.ok(Number(json.log.achievedRpoSeconds) < lost, "the log loses less than the dump");
    assert.deepEqual(
      json.planned.map(({ engine, timeBasis }) => `${engine} ${timeBasis}`),
      ["dump estimate", "point-in-time-log estimate", "copy estimate"],
    );
    for (const { engine, terms } of json.planned) {
      const all = terms.at(-1)!;
      assert.ok(all.estimatedSeconds! > 0 && all.measuredSeconds! > 0, engine);
      assert.ok(
        terms.some(({ term, measuredSeconds }) => term === "verify" && measuredSeconds! > 0),
        engine,
      );
    }

    const page = readFileSync(json.report, "utf8");
    for (const expected of [
      "<svg",
      ">disaster<",
      "What the planner estimated",
      "sabotaged copies are caught",
      "SQLite file: RPO",
      "Point in time: RPO",
      "What the assessment",
    ]) {
      assert.ok(page.includes(expected), expected);
    }
    assert.ok(existsSync(join(workdir, "report.md")) && existsSync(join(workdir, "drill.json")));
    assert.ok(existsSync(join(workdir, "store", json.evidenceKey)), "the evidence is in the store");
  });
});
