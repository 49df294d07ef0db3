import { combineVerdicts, exitCodeOf } from "../../../recovery";
import { type Command } from "../command";
import { databasesNamed } from "../config-file";
import { diagnose } from "../procedures/readiness";
import { table, verdictText } from "../report/terminal";

/** `dr doctor [DATABASE]` */
export const doctor: Command = {
  name: "doctor",
  usage: "[DATABASE]",
  summary: "is everything in place for backup, restore and failover",
  details: "Changes nothing but one small object under decoy/ in the store, which shows that it can be written.",
  options: {},
  optionHelp: {},
  maxWords: 1,
  isProof: true,
  async run({ words }, context) {
    const config = context.config();
    const databases = databasesNamed(config, words[0]);
    const checks = await diagnose({ ...config, databases }, context.store(), context.signal);
    const verdict = combineVerdicts(checks.map((check) => check.verdict));
    const rows = checks.map((check) => [check.name, verdictText(check.verdict), check.found]);
    const fixes = checks.filter(({ fix }) => fix !== "").map(({ name, fix }) => `${name}: ${fix}`);
    const text = [
      table(["WHAT", "VERDICT", "FOUND"], rows),
      ...(fixes.length > 0 ? ["", "to do:"] : []),
      ...fixes,
    ].join("\n");
    return { exitCode: exitCodeOf(verdict), json: { verdict, checks }, text };
  },
};
