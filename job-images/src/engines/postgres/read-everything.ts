import { runTool } from "../../process/child";
import { libpqEnvironment, type PostgresAccess } from "./libpq";
import { type PostgresTools } from "./tools";

/** Every row of every table, as its type writes it: what is not readable is found now and not by a user. */
export async function readEverything(tools: PostgresTools, access: PostgresAccess, signal: AbortSignal): Promise<void> {
  await runTool(
    tools.program("pg_dump"),
    ["--format=custom", "--compress=0", "--no-sync", "--file=/dev/null", "--no-password"],
    {
      env: libpqEnvironment(access, "dr proof"),
      signal,
    },
  );
}
