import { type Command } from "../command";
import { assessCommand } from "./assess";
import { backup } from "./backup";
import { doctor } from "./doctor";
import { drill } from "./drill";
import { evidence } from "./evidence";
import { extract } from "./extract";
import { heartbeat } from "./heartbeat";
import { list } from "./list";
import { plan } from "./plan";
import { prepare } from "./prepare";
import { prove } from "./prove";
import { reProtect } from "./re-protect";
import { reap } from "./reap";
import { recover } from "./recover";
import { restore } from "./restore";
import { restoreTestCommand } from "./restore-test";
import { schema } from "./schema";
import { status } from "./status";
import { stream } from "./stream";
import { verify } from "./verify";

/** The command table, in the order of the help. */
export const commands: readonly Command[] = [
  prepare,
  heartbeat,
  stream,
  backup,
  list,
  verify,
  plan,
  recover,
  reProtect,
  restore,
  extract,
  restoreTestCommand,
  prove,
  drill,
  status,
  evidence,
  reap,
  doctor,
  assessCommand,
  schema,
];
