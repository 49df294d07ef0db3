import { type Command } from "../command";
import { backup } from "./backup";
import { list } from "./list";
import { restoreTestCommand } from "./restore-test";
import { schema } from "./schema";
import { verify } from "./verify";

/** The command table, in the order of the help. */
export const commands: readonly Command[] = [backup, list, verify, restoreTestCommand, schema];
