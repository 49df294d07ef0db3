import { ExitCode } from "../../../recovery";
import { type Command } from "../command";
import { oneDatabase } from "../config-file";
import { databaseKindOf } from "../engines/database-kinds";

/** `dr prepare DATABASE [--print]` */
export const prepare: Command = {
  name: "prepare",
  usage: "DATABASE [--print]",
  summary: "make the backup role, its rights and the heartbeat's schema",
  details:
    "Connects as adminUrl, else as url. Every statement may be run again; with --print they are only shown, for whoever administers the database.",
  options: { print: { type: "boolean" } },
  optionHelp: { print: "show the statements and change nothing" },
  maxWords: 1,
  isProof: false,
  async run({ words, options }, context) {
    const database = oneDatabase(context.config(), words[0]);
    const statements = await databaseKindOf(database).prepare(database, options.print === true);
    const text = statements.map((statement) => `${statement};`).join("\n");
    return { exitCode: ExitCode.Pass, json: { statements, applied: options.print !== true }, text };
  },
};
