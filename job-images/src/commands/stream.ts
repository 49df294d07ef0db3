import { ExitCode } from "../../../recovery";
import { type Command } from "../command";
import { oneDatabase } from "../config-file";
import { keepBeating } from "../engines/keep-beating";
import { streamLog } from "../engines/postgres/wal-stream";
import { UsageError } from "../errors";

/** `dr stream DATABASE` */
export const stream: Command = {
  name: "stream",
  usage: "DATABASE [--no-heartbeat]",
  summary: "bring the write-ahead log into the store until stopped, and take base backups",
  details:
    "Receives through a replication slot into the spool, and forgets nothing that the store does not have. A hole in the log is told, and closed by a base backup. Also commits the heartbeat.",
  options: { "no-heartbeat": { type: "boolean" } },
  optionHelp: { "no-heartbeat": "somebody else runs `dr heartbeat`" },
  maxWords: 1,
  isProof: false,
  async run({ words, options }, context) {
    const config = context.config();
    const database = oneDatabase(config, words[0]);
    const { wal } = database;
    if (!wal) {
      throw new UsageError(
        `Database ${database.name} has no \`wal\` in the configuration: \`"wal": {"spool": "/absolute/folder"}\` is the least.`,
      );
    }
    const [streamed, heart] = await Promise.all([
      streamLog({ ...context, config, database, wal, store: context.store() }),
      options["no-heartbeat"] === true ? undefined : keepBeating(database, context.progress, context.signal),
    ]);
    const until = streamed.storedUntil ?? "no position";
    return {
      exitCode: ExitCode.Pass,
      json: { ...streamed, beats: heart?.beats ?? 0 },
      text: `${streamed.files} files and ${streamed.partials} partial segments stored, up to ${until}; ${streamed.baseBackups} base backups, ${streamed.gaps.length} holes`,
    };
  },
};
