import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { type DatabaseConfig, jobConfigDefaults } from "../../../../recovery";
import { messageOf } from "../../errors";
import { bytesText } from "../../report/terminal";
import { bad, type Diagnosis, type Finding, fine, open } from "../diagnosis";
import { type DatabaseHeader, inspectSource } from "./database-file";
import { readCanary } from "./facts";
import { sqliteVersion } from "./shell";

/** `pragma_table_list` came with it. */
const oldestShell = [3, 37];

/** Looks over one database for everything that a backup, a restore test and a recovery of it will need. */
export async function diagnoseSqlite(database: DatabaseConfig): Promise<Diagnosis[]> {
  const path = database.path!;
  const diagnoses: Diagnosis[] = [];
  const examine = async (name: string, look: () => Promise<Finding>): Promise<void> => {
    const finding = await look().catch((error: unknown) =>
      open(messageOf(error), "Find out why this could not be looked at."),
    );
    diagnoses.push({ name, ...finding });
  };
  await examine("sqlite3", lookAtShell);
  let header: DatabaseHeader;
  try {
    header = await inspectSource(path);
  } catch (error) {
    return [...diagnoses, { name: "file", ...bad(messageOf(error), "Everything else waits for this one.") }];
  }
  await examine("file", () => Promise.resolve(fine(`${path}, ${bytesText(header.bytes)}`)));
  await examine("journal", () => Promise.resolve(judgeJournal(header)));
  await examine("heartbeat", () => lookAtHeartbeat(database));
  await examine("space", () => lookAtSpace(header));
  return diagnoses;
}

async function lookAtShell(): Promise<Finding> {
  const version = await sqliteVersion();
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNewEnough = major > oldestShell[0]! || (major === oldestShell[0] && minor >= oldestShell[1]!);
  return isNewEnough ? fine(version) : bad(version, `Install sqlite3 ${oldestShell.join(".")} or newer.`);
}

function judgeJournal({ wal }: DatabaseHeader): Finding {
  if (wal) return fine("write-ahead log: a backup makes no writer wait");
  return open(
    "rollback journal: every writer waits while a backup copies",
    "PRAGMA journal_mode=WAL, once, by the application's user; Litestream needs it too.",
  );
}

async function lookAtHeartbeat(database: DatabaseConfig): Promise<Finding> {
  const newest = (await readCanary({ path: database.path! }))?.newestAt ?? null;
  if (newest === null) {
    return open(
      "nobody writes a heartbeat: the loss of a restore is unknown",
      `dr prepare ${database.name}, then run dr heartbeat ${database.name}`,
    );
  }
  const seconds = database.canary?.canarySeconds ?? jobConfigDefaults.canarySeconds;
  const age = (new Date().getTime() - new Date(newest).getTime()) / 1000;
  const found = `the newest is ${age.toFixed(0)} s old, one is due every ${seconds} s`;
  return age <= 3 * seconds ? fine(found) : bad(found, `Start dr heartbeat ${database.name} again.`);
}

async function lookAtSpace({ bytes }: DatabaseHeader): Promise<Finding> {
  const { bavail, bsize } = await statfs(tmpdir());
  const found = `${bytesText(bavail * bsize)} free in ${tmpdir()}, ${bytesText(bytes)} needed by a backup or a restore test`;
  return bavail * bsize >= bytes ? fine(found) : bad(found, "Point TMPDIR at a volume with room for the database.");
}
