import { readFileSync } from "node:fs";
import { UsageError } from "./errors";

/** The password in a file, without its final line break; `undefined` when no file is named. @throws UsageError */
export function readPasswordFile(path: string | undefined, whose = "The target"): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    throw new UsageError(`${whose}: its password file cannot be read: ${(error as Error).message}`);
  }
}
