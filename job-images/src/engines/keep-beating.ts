import { type DatabaseConfig, jobConfigDefaults } from "../../../recovery";
import { messageOf } from "../errors";
import { pause } from "../pause";
import { type Progress } from "../progress";
import { databaseKindOf } from "./database-kinds";
import { type Heart } from "./engine";

/** Commits a heartbeat every `canarySeconds` until the signal fires. A database that is away is waited for. */
export async function keepBeating(
  database: DatabaseConfig,
  progress: Progress,
  signal: AbortSignal,
): Promise<{ beats: number; lastAt: string | null }> {
  const canarySeconds = database.canary?.canarySeconds ?? jobConfigDefaults.canarySeconds;
  let heart: Heart | undefined;
  let beats = 0;
  let lastAt: string | null = null;
  while (!signal.aborted) {
    try {
      heart ??= await databaseKindOf(database).openHeart(database);
      lastAt = (await heart.beat()).toISOString();
      beats++;
    } catch (error) {
      // A database that is away is what this is for: say so, and go on once it is back.
      progress.note(`${new Date().toISOString()} no heartbeat: ${messageOf(error)}`);
      await heart?.close().catch(() => undefined);
      heart = undefined;
    }
    await pause(canarySeconds * 1000, signal);
  }
  await heart?.close().catch(() => undefined);
  return { beats, lastAt };
}
