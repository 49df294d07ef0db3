import { ExitCode } from "../../../recovery";
import { type ListedOtherBackup, listOtherBackups } from "../adapters/other-backups";
import { type Command } from "../command";
import { databasesNamed } from "../config-file";
import { openEvidenceKey } from "../report/open-evidence-key";
import { readEvidence } from "../report/evidence-record";
import { bytesText, table } from "../report/terminal";
import { vouchingFor } from "../report/vouching";
import { readCatalog } from "../store/catalog";

/** `dr list [DATABASE]` */
export const list: Command = {
  name: "list",
  usage: "[DATABASE]",
  summary: "the recovery points in the store, newest first",
  details: "A recovery point is complete when its manifest is valid and every part that it names is there.",
  options: {},
  optionHelp: {},
  maxWords: 1,
  isProof: false,
  async run({ words }, context) {
    const config = context.config();
    const database = words[0] === undefined ? undefined : databasesNamed(config, words[0])[0]!.name;
    const entries = await readCatalog(context.store(), { database });
    const { records } = await readEvidence(context.store(), { database, key: openEvidenceKey(config.signature) });
    const recoveryPoints = entries.map((entry) => {
      const { lastProof, vouchedBy, problems } = vouchingFor(entry, records);
      return {
        id: entry.id,
        engine: entry.manifest?.engine ?? "unknown",
        database: entry.database,
        at: entry.at,
        bytes: entry.bytes,
        buildsOn: (entry.manifest?.buildsOn ?? []).map(({ id }) => id),
        notes: entry.manifest?.notes ?? [],
        state: entry.state,
        lastProof,
        vouchedBy: vouchedBy ?? null,
        problems: entry.problems,
        tampering: [...entry.tampering, ...problems],
      };
    });
    const rows = recoveryPoints.map((point) => [
      point.at.replace(/\.\d+Z$/, "Z"),
      point.state,
      point.lastProof ? `${point.lastProof.verdict} ${point.lastProof.level ?? ""}`.trimEnd() : "unproven",
      point.vouchedBy ? "yes" : "no",
      bytesText(point.bytes),
      point.id,
    ]);
    const problems = recoveryPoints.flatMap(({ id, problems, tampering }) =>
      [...problems, ...tampering].map((problem) => `${id}: ${problem}`),
    );
    const others = (await Promise.all(databasesNamed(config, database).map(listOtherBackups))).flat();
    const ownText =
      rows.length === 0
        ? "The store holds no recovery point."
        : [
            table(["HOLDS DATA OF", "STATE", "PROOF", "VOUCHED FOR", "STORED", "RECOVERY POINT"], rows),
            ...problems,
          ].join("\n");
    const text = others.length === 0 ? ownText : `${ownText}\n\n${othersText(others)}`;
    return { exitCode: ExitCode.Pass, json: { recoveryPoints, otherBackups: others }, text };
  },
};

function othersText(others: readonly ListedOtherBackup[]): string {
  const short = (moment: string | null): string => moment?.replace(/\.\d+Z$/, "Z") ?? "unknown";
  const rows = others.map(({ at, until, state, bytes, id }) => [
    until === null ? short(at) : `${short(at)} to ${short(until)}`,
    state,
    bytes === null ? "unknown" : bytesText(bytes),
    id,
  ]);
  return `Kept by other programs; \`dr plan\` says how a person restores them:\n${table(["HOLDS DATA OF", "STATE", "SIZE", "BACKUP"], rows)}`;
}
