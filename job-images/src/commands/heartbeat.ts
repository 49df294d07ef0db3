import { ExitCode } from "../../../recovery";
import { type Command } from "../command";
import { oneDatabase } from "../config-file";
import { keepBeating } from "../engines/keep-beating";

/** `dr heartbeat DATABASE` */
export const heartbeat: Command = {
  name: "heartbeat",
  usage: "DATABASE",
  summary: "commit a heartbeat every canarySeconds until stopped",
  details:
    "The newest heartbeat in a restored copy tells how much a restore loses. `dr prepare` makes the table that it writes to.",
  options: {},
  optionHelp: {},
  maxWords: 1,
  isProof: false,
  async run({ words }, context) {
    const { beats, lastAt } = await keepBeating(
      oneDatabase(context.config(), words[0]),
      context.progress,
      context.signal,
    );
    return {
      exitCode: ExitCode.Pass,
      json: { beats, lastAt },
      text: `${beats} heartbeats, the last at ${lastAt ?? "no time"}`,
    };
  },
};
