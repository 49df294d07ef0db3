import { exitCodeOf, type Manifest, Verdict } from "../../../recovery";
import { type Command } from "../command";
import { openEvidenceKey } from "../report/open-evidence-key";
import { readEvidence } from "../report/evidence-record";
import { bytesText } from "../report/terminal";
import { vouchingFor } from "../report/vouching";
import { verifyRecoveryPoint } from "../store/catalog";
import { findRecoveryPoint } from "../store/find-recovery-point";

/** `dr verify ID` */
export const verify: Command = {
  name: "verify",
  usage: "ID",
  summary: "check a recovery point's parts against its manifest, without a restore",
  details:
    "Reads every part, those of what it builds on too, and compares size and SHA-256. Only a restore test proves that it can be restored.",
  options: {},
  optionHelp: {},
  maxWords: 1,
  isProof: true,
  async run({ words }, context) {
    const entry = await findRecoveryPoint(context.store(), context.config(), words[0]);
    context.progress.step(`reading ${bytesText(entry.bytes)}`);
    const chain = [...(entry.ancestors ?? []), ...(entry.manifest ? [entry.manifest] : [])];
    const problems = entry.manifest ? [] : [...entry.problems];
    for (const manifest of chain) {
      const found = await verifyRecoveryPoint(context.store(), manifest, { readParts: true, signal: context.signal });
      const whose = manifest === entry.manifest ? "" : `chain: it builds on ${manifest.id}: `;
      problems.push(...found.map((problem) => `${whose}${problem}`));
    }
    const { signature } = context.config();
    const { records } = await readEvidence(context.store(), {
      database: entry.database,
      key: openEvidenceKey(signature),
    });
    const vouching = vouchingFor(entry, records);
    const all = [...new Set([...entry.problems, ...entry.tampering, ...problems, ...vouching.problems])];
    const verdict = all.length === 0 ? Verdict.Pass : Verdict.Fail;
    const vouched = vouching.vouchedBy ? `${vouching.vouchedBy} vouches for it` : "nobody vouches for it yet";
    const text =
      all.length === 0
        ? `${entry.id}: ${partsText(chain)}; ${vouched}.`
        : [`${entry.id}: ${all.length} problems`, ...all.map((problem) => `  - ${problem}`)].join("\n");
    return {
      exitCode: exitCodeOf(verdict),
      json: { verdict, id: entry.id, problems: all, vouchedBy: vouching.vouchedBy ?? null },
      text,
    };
  },
};

function partsText(chain: readonly Manifest[]): string {
  const parts = chain.reduce((sum, manifest) => sum + manifest.parts.length, 0);
  return chain.length === 1
    ? `${parts} parts are as the manifest says`
    : `${parts} parts of ${chain.length} base backups, each built on the one before, are as the manifests say`;
}
