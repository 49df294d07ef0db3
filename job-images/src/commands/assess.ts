import {
  assess,
  assessmentMarkdown,
  assessmentTable,
  assessmentVerdict,
  declaredFromJobConfig,
  type AssessmentInput,
  type Evidence,
  exitCodeOf,
  objectivesFrom,
  type Outcome,
} from "../../../recovery";
import { type Command, type CommandContext } from "../command";
import { messageOf, UsageError } from "../errors";
import { openEvidenceKey } from "../report/open-evidence-key";
import { readEvidence } from "../report/evidence-record";
import { readCatalog } from "../store/catalog";

/** `dr assess [--markdown] [--all]` */
export const assessCommand: Command = {
  name: "assess",
  usage: "[--markdown] [--all]",
  summary: "what each scenario would lose and how long it would last, from what the configuration declares",
  details:
    "Nothing is contacted but the store, for measured evidence; without it every time is an estimate. What nobody has declared is unknown, and an unknown is never met.",
  options: { markdown: { type: "boolean" }, all: { type: "boolean" } },
  optionHelp: { markdown: "for a pull request comment", all: "derive also what passes" },
  maxWords: 0,
  isProof: true,
  async run({ options }, context) {
    const config = context.config();
    const known = await readKnown(context);
    const assessment = assessed({
      objectives: objectivesFrom(config.objectives),
      databases: declaredFromJobConfig(config, { databases: known.sizes }),
      evidence: known.evidence,
      now: new Date(),
    });
    const verdict = assessmentVerdict(assessment);
    const text =
      options.markdown === true
        ? assessmentMarkdown(assessment)
        : assessmentTable(assessment, { derivations: options.all === true ? "all" : "not-passed" });
    return { exitCode: exitCodeOf(verdict), json: { verdict, assessment }, text: text.trimEnd() };
  },
};

/** What the store knows: the sizes of the databases in the newest recovery points, and what was measured. */
async function readKnown(context: CommandContext): Promise<{
  sizes: Record<string, { sizeBytes: number }>;
  evidence: readonly Evidence[];
}> {
  const sizes: Record<string, { sizeBytes: number }> = {};
  try {
    for (const { manifest } of await readCatalog(context.store())) {
      if (manifest) sizes[manifest.database] ??= { sizeBytes: manifest.source.bytes };
    }
    const { records, problems } = await readEvidence(context.store(), {
      key: openEvidenceKey(context.config().signature),
    });
    for (const problem of problems) context.progress.note(problem);
    return { sizes, evidence: records.map(({ evidence }) => evidence) };
  } catch (error) {
    context.progress.note(`The store cannot be read, so every time is an estimate: ${messageOf(error)}`);
    return { sizes, evidence: [] };
  }
}

/** An impossible declaration is a mistake in the configuration, not a verdict. */
function assessed(input: AssessmentInput): Outcome[] {
  try {
    return assess(input);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}
