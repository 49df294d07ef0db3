import { Engine, exitCodeOf, Verdict } from "../../../recovery";
import { type Command } from "../command";
import { databasesNamed } from "../config-file";
import { OperationError, UsageError } from "../errors";
import { proveTheProof, type SabotageResult } from "../proof/sabotage";
import { table } from "../report/terminal";
import { RecoveryPointState } from "../store/catalog";
import { findRecoveryPoint } from "../store/find-recovery-point";

/** `dr prove [ID]` */
export const prove: Command = {
  name: "prove",
  usage: "[ID]",
  summary: "sabotage copies of a recovery point and see that the restore test catches each",
  details:
    "Spoils copies in a scratch store of its own, never the recovery point. A sabotage is caught when the check that is meant to find it fails.",
  options: {},
  optionHelp: {},
  maxWords: 1,
  isProof: true,
  async run({ words }, context) {
    const config = context.config();
    const entry = await findRecoveryPoint(context.store(), config, words[0]);
    if (!entry.manifest || entry.state !== RecoveryPointState.Complete) {
      throw new OperationError(`${entry.id} is not complete: ${entry.problems.join("; ")}. Take another one.`);
    }
    if (entry.manifest.engine === Engine.Sqlite)
      throw new UsageError("SQLite recovery points cannot be sabotaged yet.");
    const database = databasesNamed(config, entry.database)[0]!;
    const cases = await proveTheProof({
      ...context,
      config,
      database,
      store: context.store(),
      manifest: entry.manifest,
    });
    const caught = cases.filter((each) => each.caught).length;
    const verdict = caught === cases.length ? Verdict.Pass : Verdict.Fail;
    return {
      exitCode: exitCodeOf(verdict),
      json: { verdict, caught, total: cases.length, cases },
      text: `${sabotageTable(cases)}\n${caught} of ${cases.length} as expected`,
    };
  },
};

/** One line a sabotage. */
export function sabotageTable(cases: readonly SabotageResult[]): string {
  return table(
    ["SABOTAGE", "MEANT TO BE FOUND BY", "CAUGHT", "FOUND BY"],
    cases.map((each) => [each.name, each.expected, each.caught ? "yes" : "NO", each.got]),
  );
}
