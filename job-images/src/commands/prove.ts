import {
  combineVerdicts,
  EvidenceKind,
  exitCodeOf,
  jobConfigDefaults,
  parseStoreUrl,
  storeWide,
  TargetClass,
  Verdict,
} from "../../../recovery";
import { type Command, type CommandContext } from "../command";
import { databasesNamed } from "../config-file";
import { OperationError, UsageError } from "../errors";
import { proveTheProof, type SabotageResult } from "../proof/sabotage";
import { recordIfAllowed } from "../report/record-if-allowed";
import { table, verdictText } from "../report/terminal";
import { RecoveryPointState } from "../store/catalog";
import { findRecoveryPoint } from "../store/find-recovery-point";

/** `dr prove [ID]`, `dr prove --immutability` */
export const prove: Command = {
  name: "prove",
  usage: "[ID] | --immutability [--writer-profile NAME] [--principal ARN]",
  summary: "sabotage copies of a recovery point and see that the restore test catches each; or try to destroy backups",
  details:
    "Spoils copies in a scratch store of its own, never the recovery point. A sabotage is caught when the check that is meant to find it fails. With --immutability it attacks decoys in the store as the backup writer: a call that succeeds is a P1.",
  options: {
    immutability: { type: "boolean" },
    "writer-profile": { type: "string" },
    principal: { type: "string" },
  },
  optionHelp: {
    immutability: "attack decoys in the store with the backup writer's credentials",
    "writer-profile": "NAME  AWS profile of the backup writer; default: the credentials at hand are the writer's",
    principal: "ARN  the backup writer's role; default: $AWS_ROLE_ARN",
  },
  maxWords: 1,
  isProof: true,
  async run({ words, options }, context) {
    const config = context.config();
    if (options.immutability === true) {
      if (words.length > 0) throw new UsageError("--immutability is about the whole store and takes no ID.");
      return proveStore(
        context,
        options["writer-profile"] as string | undefined,
        options.principal as string | undefined,
      );
    }
    const entry = await findRecoveryPoint(context.store(), config, words[0]);
    if (!entry.manifest || entry.state !== RecoveryPointState.Complete) {
      throw new OperationError(`${entry.id} is not complete: ${entry.problems.join("; ")}. Take another one.`);
    }
    const database = databasesNamed(config, entry.database)[0]!;
    const startedAt = new Date();
    const cases = await proveTheProof({
      ...context,
      config,
      database,
      store: context.store(),
      manifest: entry.manifest,
    });
    const caught = cases.filter((each) => each.caught).length;
    const verdict = caught === cases.length ? Verdict.Pass : Verdict.Fail;
    const evidence = await recordIfAllowed(context, {
      kind: EvidenceKind.Proof,
      database: database.name,
      engine: database.engine,
      // A mechanism of its own: what a spoiled copy failed says nothing of how the honest one restores.
      mechanism: "sabotage",
      recoveryPoint: entry.id,
      environment: config.environment ?? jobConfigDefaults.environment,
      targetClass: TargetClass.None,
      startedAt: startedAt.toISOString(),
      finishedAt: new Date().toISOString(),
      verdict,
      sizeBytes: entry.manifest.source.bytes,
      phases: [],
      achievedRpoSeconds: "unknown",
      checks: cases.map(({ name, expected, got, caught: isCaught }) => ({
        name,
        verdict: isCaught ? Verdict.Pass : Verdict.Fail,
        detail: `expected ${expected}, got ${got}`,
      })),
    });
    return {
      exitCode: exitCodeOf(verdict),
      json: { verdict, caught, total: cases.length, cases, evidence },
      text: `${sabotageTable(cases)}\n${caught} of ${cases.length} as expected\nevidence: ${evidence ?? "none"}`,
    };
  },
};

async function proveStore(context: CommandContext, profile: string | undefined, principal: string | undefined) {
  const config = context.config();
  const { location } = parseStoreUrl(config.store);
  if (location?.kind !== "s3") {
    throw new UsageError(
      "A directory protects nothing from whoever may write into it: --immutability needs an s3 store.",
    );
  }
  const [{ proveImmutability }, { readKeyPolicy }] = await Promise.all([
    import("../proof/immutability.js"),
    import("../proof/key-policy.js"),
  ]);
  const startedAt = new Date();
  const checks = await proveImmutability({
    location,
    writer: { profile },
    prover: profile === undefined ? undefined : {},
    writerArn: principal ?? process.env.AWS_ROLE_ARN,
    dataKeyPolicy: await readKeyPolicy(location.kmsKeyId),
    signal: context.signal,
  });
  const verdict = combineVerdicts(checks.map((check) => check.verdict));
  const evidence = await recordIfAllowed(context, {
    kind: EvidenceKind.Immutability,
    database: storeWide,
    engine: "s3",
    mechanism: "immutability",
    environment: config.environment ?? jobConfigDefaults.environment,
    targetClass: TargetClass.None,
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    verdict,
    sizeBytes: 0,
    phases: [],
    achievedRpoSeconds: "unknown",
    checks,
  });
  const cases = checks.map(({ name, verdict, detail }) => ({
    name,
    expected: "refused",
    got: detail,
    caught: verdict === Verdict.Pass,
  }));
  const caught = cases.filter((each) => each.caught).length;
  const rows = checks.map((check) => [check.name, verdictText(check.verdict), check.detail]);
  return {
    exitCode: exitCodeOf(verdict),
    json: { verdict, caught, total: cases.length, cases, evidence },
    text: `${table(["CALL", "VERDICT", "FOUND"], rows)}\n${caught} of ${cases.length} refused\nevidence: ${evidence ?? "none"}`,
  };
}

/** One line a sabotage. */
export function sabotageTable(cases: readonly SabotageResult[]): string {
  return table(
    ["SABOTAGE", "MEANT TO BE FOUND BY", "CAUGHT", "FOUND BY"],
    cases.map((each) => [each.name, each.expected, each.caught ? "yes" : "NO", each.got]),
  );
}
