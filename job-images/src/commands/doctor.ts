import { combineVerdicts, Engine, exitCodeOf, StorePrefix, Verdict } from "../../../recovery";
import { type Command, type CommandContext } from "../command";
import { databasesNamed } from "../config-file";
import { type Diagnosis, diagnosePostgres } from "../engines/postgres/doctor";
import { messageOf } from "../errors";
import { runTool } from "../process/child";
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
    const checks = (await diagnose(context, words[0])).map(({ scope, ...check }) => ({
      ...check,
      name: `${scope} ${check.name}`,
    }));
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

/** Every check, with what it is about. The drill runs the same before it starts. */
export async function diagnose(context: CommandContext, name?: string): Promise<(Diagnosis & { scope: string })[]> {
  const databases = databasesNamed(context.config(), name);
  const ofStore = await Promise.all([diagnoseStore(context), diagnoseZstd()]);
  const ofDatabases = await Promise.all(
    databases
      .filter(({ engine }) => engine !== Engine.Sqlite)
      .map(async (database) => (await diagnosePostgres(database)).map((check) => ({ ...check, scope: database.name }))),
  );
  return [...ofStore.map((check) => ({ ...check, scope: "job" })), ...ofDatabases.flat()];
}

async function diagnoseStore(context: CommandContext): Promise<Diagnosis> {
  const store = context.store();
  try {
    const key = `${StorePrefix.Decoy}doctor.json`;
    await store.put(key, Buffer.from(`${JSON.stringify({ at: new Date().toISOString() })}\n`), {
      signal: context.signal,
    });
    if (!(await store.head(key))) throw new Error("what was just written is not there");
    return { name: "store", verdict: Verdict.Pass, found: `${store.url} can be written and read`, fix: "" };
  } catch (error) {
    return {
      name: "store",
      verdict: Verdict.Fail,
      found: messageOf(error),
      fix: `Make ${store.url} reachable and writable.`,
    };
  }
}

async function diagnoseZstd(): Promise<Diagnosis> {
  try {
    const version = /v[\d.]+/.exec(await runTool("zstd", ["--version"]))?.[0] ?? "of an unknown version";
    return { name: "zstd", verdict: Verdict.Pass, found: version, fix: "" };
  } catch (error) {
    return { name: "zstd", verdict: Verdict.Fail, found: messageOf(error), fix: "Install zstd." };
  }
}
