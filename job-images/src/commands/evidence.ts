import { readFileSync } from "node:fs";
import { chainHeads, ExitCode, exitCodeOf, type ObjectReference, Verdict } from "../../../recovery";
import { type Command, type CommandContext } from "../command";
import { messageOf, UsageError } from "../errors";
import { audit } from "../report/audit";
import { openEvidenceKey } from "../report/open-evidence-key";
import { readEvidence } from "../report/evidence-record";

/** `dr evidence pull|verify` */
export const evidence: Command = {
  name: "evidence",
  usage: "pull|verify [--anchor FILE] [--read-parts]",
  summary: "evidence as one file for the policy gate; whether anybody has tampered with it or with what it vouches for",
  details:
    "verify checks signatures, the chain, versions that were written over or deleted, and manifests against what was vouched for. What was cut off the chain's end is found only against an anchor: a file that pull printed before and that was kept elsewhere.",
  options: { anchor: { type: "string" }, "read-parts": { type: "boolean" } },
  optionHelp: {
    anchor: "FILE  with verify: what an earlier pull printed",
    "read-parts": "with verify: also read every part and compare it with its manifest",
  },
  maxWords: 1,
  isProof: true,
  async run({ words, options }, context) {
    if (words[0] === "pull") return pull(context);
    if (words[0] !== "verify") throw new UsageError("Say pull or verify.");
    return check(context, options.anchor as string | undefined, options["read-parts"] === true);
  },
};

async function pull(context: CommandContext) {
  const { environment, signature } = context.config();
  const { records, problems } = await readEvidence(context.store(), { key: openEvidenceKey(signature) });
  const databases = [...new Set(records.map(({ evidence }) => evidence.database))];
  const heads = databases.flatMap((name) => chainHeads(records.filter(({ evidence }) => evidence.database === name)));
  const json = {
    environment,
    pulledAt: new Date().toISOString(),
    heads,
    problems,
    records: records.map(({ evidence, object, signed }) => ({ key: object.key, signed, evidence })),
  };
  return { exitCode: ExitCode.Pass, json, text: JSON.stringify(json, undefined, 2) };
}

async function check(context: CommandContext, anchor: string | undefined, readParts: boolean) {
  const { problems, records } = await audit(context.store(), {
    key: openEvidenceKey(context.config().signature),
    anchors: anchor === undefined ? [] : readAnchors(anchor),
    readParts,
    signal: context.signal,
  });
  const signed = records.filter((record) => record.signed).length;
  // Records that nobody signed may be anybody's.
  const vouched = signed === records.length ? Verdict.Pass : Verdict.Inconclusive;
  const verdict = problems.length > 0 ? Verdict.Fail : vouched;
  const text = [`${records.length} records, ${signed} signed, ${problems.length} problems`, ...problems].join("\n");
  return { exitCode: exitCodeOf(verdict), json: { verdict, problems, records: records.length, signed }, text };
}

function readAnchors(path: string): ObjectReference[] {
  try {
    const { heads } = JSON.parse(readFileSync(path, "utf8")) as { heads?: ObjectReference[] };
    if (!Array.isArray(heads) || heads.some((head) => typeof head?.key !== "string" || typeof head.sha256 !== "string"))
      throw new Error("it has no list of heads");
    return heads;
  } catch (error) {
    throw new UsageError(`The anchor ${path} is not what \`dr evidence pull\` prints: ${messageOf(error)}.`);
  }
}
