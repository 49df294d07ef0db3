import { exitCodeOf, Verdict } from "../../../recovery";
import { type Command } from "../command";
import { bytesText } from "../report/terminal";
import { verifyRecoveryPoint } from "../store/catalog";
import { findRecoveryPoint } from "../store/find-recovery-point";

/** `dr verify ID` */
export const verify: Command = {
  name: "verify",
  usage: "ID",
  summary: "check a recovery point's parts against its manifest, without a restore",
  details: "Reads every part and compares size and SHA-256. Only a restore test proves that it can be restored.",
  options: {},
  optionHelp: {},
  maxWords: 1,
  isProof: true,
  async run({ words }, context) {
    const entry = await findRecoveryPoint(context.store(), context.config(), words[0]);
    context.progress.step(`reading ${bytesText(entry.bytes)}`);
    const problems = entry.manifest
      ? await verifyRecoveryPoint(context.store(), entry.manifest, { readParts: true, signal: context.signal })
      : entry.problems;
    const all = [...new Set([...entry.problems, ...entry.tampering, ...problems])];
    const verdict = all.length === 0 ? Verdict.Pass : Verdict.Fail;
    const text =
      all.length === 0
        ? `${entry.id}: ${entry.manifest!.parts.length} parts are as the manifest says.`
        : [`${entry.id}: ${all.length} problems`, ...all.map((problem) => `  - ${problem}`)].join("\n");
    return { exitCode: exitCodeOf(verdict), json: { verdict, id: entry.id, problems: all }, text };
  },
};
