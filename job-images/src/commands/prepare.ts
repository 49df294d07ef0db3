import { ExitCode, Engine } from "../../../recovery";
import { type Command } from "../command";
import { oneDatabase } from "../config-file";
import { accessOf, describeAccess } from "../engines/postgres/libpq";
import { prepareStatements } from "../engines/postgres/prepare";
import { connect } from "../engines/postgres/session";
import { messageOf, OperationError, UsageError } from "../errors";

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
    if (database.engine === Engine.Sqlite)
      throw new UsageError(`${database.name} is SQLite: there is nothing to prepare.`);
    const { user } = accessOf(database);
    const admin = accessOf(database, "adminUrl");
    const client = await connect(admin, { applicationName: "dr prepare" });
    try {
      const statements = await prepareStatements(client, user);
      if (options.print !== true) {
        await client.query("BEGIN");
        for (const statement of statements) {
          await client.query(statement).catch((error: unknown) => {
            throw new OperationError(
              `${describeAccess(admin)}: ${admin.user} could not run\n  ${statement}\n${messageOf(error)}\n` +
                "Nothing was changed. Give an adminUrl whose role may, or hand the output of --print to whoever can.",
            );
          });
        }
        await client.query("COMMIT");
      }
      const text = statements.map((statement) => `${statement};`).join("\n");
      return { exitCode: ExitCode.Pass, json: { statements, applied: options.print !== true }, text };
    } finally {
      await client.end();
    }
  },
};
