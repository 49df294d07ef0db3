import { runTool } from "../../process/child";
import { UnreadablePartError } from "../../store/parts";
import { type PostgresTools } from "./tools";

/** What an archive's table of contents says of itself. @throws UnreadablePartError */
export async function readTableOfContents(
  tools: PostgresTools,
  path: string,
  signal?: AbortSignal,
): Promise<{ databaseName: string | undefined; entries: number }> {
  let text: string;
  try {
    text = await runTool(tools.program("pg_restore"), ["--list", path], { signal });
  } catch (error) {
    throw new UnreadablePartError(`The archive cannot be read: ${(error as Error).message}`);
  }
  return {
    databaseName: /^; {5}dbname: (.*)$/m.exec(text)?.[1],
    entries: text.split("\n").filter((line) => /^\d+;/.test(line)).length,
  };
}
