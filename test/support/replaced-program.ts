import { readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type PostgresTools } from "../../job-images/src/engines/postgres/tools";
import { temporaryFolder } from "./postgres";

/**
 * PostgreSQL's programs with a script in the place of one of them, for DR_POSTGRES_BIN.
 *
 * @param before what a shell does before the real program takes over, with its arguments
 * @returns the folder
 */
export function binWithScript(tools: PostgresTools, program: string, before: string): string {
  const bin = temporaryFolder();
  const real = tools.program(program);
  const others = readdirSync(dirname(real)).filter((name) => name !== program);
  for (const name of others) symlinkSync(join(dirname(real), name), join(bin, name));
  writeFileSync(join(bin, program), `#!/bin/sh\n${before}\nexec ${real} "$@"\n`, { mode: 0o755 });
  return bin;
}
