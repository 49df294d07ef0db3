import { ExitCode, jobConfigDefaults } from "../../../recovery";
import { type Command } from "../command";
import { oneDatabase } from "../config-file";
import { databaseKindOf } from "../engines/database-kinds";
import { type Heart } from "../engines/engine";
import { messageOf } from "../errors";

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
    const database = oneDatabase(context.config(), words[0]);
    const canarySeconds = database.canary?.canarySeconds ?? jobConfigDefaults.canarySeconds;
    let heart: Heart | undefined;
    let beats = 0;
    let lastAt: string | null = null;
    while (!context.signal.aborted) {
      try {
        heart ??= await databaseKindOf(database).openHeart(database);
        lastAt = (await heart.beat()).toISOString();
        beats++;
      } catch (error) {
        // A database that is away is what this is for: say so, and go on once it is back.
        context.progress.note(`${new Date().toISOString()} no heartbeat: ${messageOf(error)}`);
        await heart?.close().catch(() => undefined);
        heart = undefined;
      }
      await pause(canarySeconds * 1000, context.signal);
    }
    await heart?.close().catch(() => undefined);
    return {
      exitCode: ExitCode.Pass,
      json: { beats, lastAt },
      text: `${beats} heartbeats, the last at ${lastAt ?? "no time"}`,
    };
  },
};

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
  });
}
