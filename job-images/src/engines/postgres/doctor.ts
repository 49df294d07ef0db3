import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client } from "pg";
import {
  type DatabaseConfig,
  incrementProblems,
  jobConfigDefaults,
  largestGapMinutes,
  parseSchedule,
  walSlotName,
} from "../../../../recovery";
import { messageOf } from "../../errors";
import { runTool } from "../../process/child";
import { bad, type Diagnosis, type Finding, fine, open } from "../diagnosis";
import { one, readNewestHeartbeat } from "./facts";
import { accessOf, databaseConnectionString, libpqEnvironment, type PostgresAccess } from "./libpq";
import { hiddenObjects, isTransactionPooled } from "./preflight";
import { readSlot } from "./replication";
import { connect } from "./session";
import { serverToolsFor, toolsForServer } from "./tools";

/** Looks over one database for everything that a backup, a restore test and a recovery of it will need. */
export async function diagnosePostgres(database: DatabaseConfig): Promise<Diagnosis[]> {
  const access = accessOf(database);
  let client: Client;
  try {
    client = await connect(access, { applicationName: "dr doctor" });
  } catch (error) {
    return [{ name: "connection", ...bad(messageOf(error), "Everything else waits for this one.") }];
  }
  const diagnoses: Diagnosis[] = [];
  const examine = async (name: string, look: () => Promise<Finding>): Promise<void> => {
    const finding = await look().catch((error: unknown) =>
      open(messageOf(error), "Find out why this could not be looked at."),
    );
    diagnoses.push({ name, ...finding });
  };
  try {
    await examine("connection", () => Promise.resolve(fine(`as ${access.user}`)));
    await examine("pooler", async () =>
      (await isTransactionPooled(access))
        ? bad("a transaction pooler is in between", "Point the url at the PostgreSQL server itself.")
        : fine("none in between"),
    );
    await examine("tools", () => lookAtTools(client));
    await examine("rights", () => lookAtRights(client, database.name));
    await examine("clock", () => lookAtClock(client));
    await examine("heartbeat", () => lookAtHeartbeat(client, database));
    await examine("extensions", () => lookAtExtensions(client));
    if (database.wal) await examine("page checks", () => lookAtPageChecks(client));
    await examine("locale", () => lookAtLocale(client));
    await examine("space", () => lookAtSpace(client, database));
    await examine("log settings", () => lookAtLogSettings(client));
    await examine("replication", () => lookAtReplication(client, access));
    await examine("slots", () => lookAtSlots(client));
    if (database.wal) await examine("log", () => lookAtLog(client, database));
    if ((database.backup?.incrementalsPerFull ?? 0) > 0) {
      await examine("incremental backups", () => lookAtIncrements(client, database));
    }
  } finally {
    await client.end();
  }
  return diagnoses;
}

async function lookAtTools(client: Client): Promise<Finding> {
  const { major } = await one<{ major: number }>(
    client,
    "SELECT current_setting('server_version_num')::int / 10000 AS major",
  );
  try {
    const dump = await toolsForServer(major);
    await serverToolsFor(major);
    return fine(`server ${major}, pg_dump ${dump.version}`);
  } catch (error) {
    return bad(`server ${major}`, messageOf(error));
  }
}

async function lookAtRights(client: Client, name: string): Promise<Finding> {
  const hidden = await hiddenObjects(client);
  if (hidden.length === 0) return fine("every table, sequence and large object can be read whole");
  return bad(`${hidden.length} objects are hidden: ${hidden.slice(0, 5).join("; ")}`, `dr prepare ${name}`);
}

const clockToleranceSeconds = 5;

async function lookAtClock(client: Client): Promise<Finding> {
  const before = new Date().getTime();
  const { now } = await one<{ now: Date }>(client, "SELECT clock_timestamp() AS now");
  const offset = (now.getTime() - (before + new Date().getTime()) / 2) / 1000;
  const found = `the database's clock is ${Math.abs(offset).toFixed(1)} s ${offset < 0 ? "behind" : "ahead"}`;
  return Math.abs(offset) <= clockToleranceSeconds
    ? fine(found)
    : bad(found, "Synchronise both clocks: the loss of a restore is measured with them.");
}

async function lookAtHeartbeat(client: Client, database: DatabaseConfig): Promise<Finding> {
  const newest = await readNewestHeartbeat(client).catch(() => undefined);
  if (!newest)
    return open(
      "nobody writes a heartbeat: the loss of a restore is unknown",
      `dr prepare ${database.name}, then run dr heartbeat ${database.name}`,
    );
  const seconds = database.canary?.canarySeconds ?? jobConfigDefaults.canarySeconds;
  const age = (new Date().getTime() - newest.getTime()) / 1000;
  const found = `the newest is ${age.toFixed(0)} s old, one is due every ${seconds} s`;
  return age <= 3 * seconds ? fine(found) : bad(found, `Start dr heartbeat ${database.name} again.`);
}

async function lookAtExtensions(client: Client): Promise<Finding> {
  const { rows } = await client.query<{ name: string; major: number }>(
    "SELECT extname AS name, current_setting('server_version_num')::int / 10000 AS major FROM pg_extension",
  );
  const missing = await notHere(
    rows[0]!.major,
    rows.map(({ name }) => name),
  );
  if (missing.length === 0) return fine(`${rows.length}, all here for a restore test`);
  return bad(
    `not here: ${missing.join(", ")}`,
    "Install them beside the restore test's PostgreSQL, or no restore test can pass.",
  );
}

/** Which of these extensions a server that is started here could not have. */
async function notHere(major: number, extensions: readonly string[]): Promise<string[]> {
  const tools = await serverToolsFor(major);
  const shared = (await runTool(tools.program("pg_config"), ["--sharedir"])).trim();
  return extensions.filter((name) => !existsSync(join(shared, "extension", `${name}.control`)));
}

/** What a restored base backup is looked over with. */
async function lookAtPageChecks(client: Client): Promise<Finding> {
  const { major, checksums } = await one<{ major: number; checksums: string }>(
    client,
    "SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('data_checksums') AS checksums",
  );
  if ((await notHere(major, ["amcheck"])).length === 0) return fine("amcheck is here");
  const fix = `Install PostgreSQL ${major}'s contrib modules beside the restore test's server.`;
  return checksums === "on"
    ? open("amcheck is not here: of a restored base backup only the pages' checksums are looked at", fix)
    : bad("amcheck is not here, and the server has no data checksums: no base backup can be proven", fix);
}

async function lookAtLocale(client: Client): Promise<Finding> {
  const { collate } = await one<{ collate: string }>(
    client,
    "SELECT datcollate AS collate FROM pg_database WHERE datname = current_database()",
  );
  const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");
  const known = (await runTool("locale", ["-a"])).split("\n").map(plain);
  if (known.includes(plain(collate))) return fine(collate);
  return bad(
    `${collate} is not installed here`,
    `Install the locale ${collate}: a restore test creates the database with it.`,
  );
}

async function lookAtSpace(client: Client, { backup }: DatabaseConfig): Promise<Finding> {
  const { bytes } = await one<{ bytes: string }>(client, "SELECT pg_database_size(current_database())::text AS bytes");
  const { bavail, bsize } = await statfs(tmpdir());
  // The copy and its archive; increments are put together into a copy of its own.
  const copies = (backup?.incrementalsPerFull ?? 0) > 0 ? 3 : 2;
  const needed = copies * Number(bytes);
  const free = bavail * bsize;
  const found = `${(free / 1e9).toFixed(1)} GB free in ${tmpdir()}, ${(needed / 1e9).toFixed(1)} GB needed by a restore test`;
  return free >= needed
    ? fine(found)
    : bad(found, "Point TMPDIR at a volume with room for the database and its archive.");
}

async function lookAtLogSettings(client: Client): Promise<Finding> {
  const settings = await one<{ level: string; senders: string; slots: string }>(
    client,
    `SELECT current_setting('wal_level') AS level, current_setting('max_wal_senders') AS senders, current_setting('max_replication_slots') AS slots`,
  );
  const problems = [
    ...(settings.level === "minimal" ? ["wal_level is minimal, needs replica"] : []),
    ...(settings.senders === "0" ? ["max_wal_senders is 0"] : []),
    ...(settings.slots === "0" ? ["max_replication_slots is 0"] : []),
  ];
  if (problems.length === 0)
    return fine(`wal_level ${settings.level}, ${settings.senders} senders, ${settings.slots} slots`);
  return open(
    problems.join("; "),
    "Dumps work as they are; a standby or recovery to a point in time needs these set, and a restart.",
  );
}

async function lookAtReplication(client: Client, access: PostgresAccess): Promise<Finding> {
  const { major } = await one<{ major: number }>(
    client,
    "SELECT current_setting('server_version_num')::int / 10000 AS major",
  );
  const tools = await toolsForServer(major);
  try {
    await runTool(
      tools.program("psql"),
      [
        "--no-psqlrc",
        "--no-password",
        "--quiet",
        "--command=IDENTIFY_SYSTEM",
        `${databaseConnectionString(access.databaseName)} replication=database`,
      ],
      { env: { ...libpqEnvironment(access, "dr doctor"), PGOPTIONS: "" } },
    );
    return fine(`${access.user} may replicate`);
  } catch (error) {
    return open(
      messageOf(error).split("\n").at(-1)!,
      `Dumps work as they are; base backups and the log need ALTER ROLE ${access.user} REPLICATION and a replication line in pg_hba.conf.`,
    );
  }
}

/** The slot that `dr stream` receives through, and what keeps it from filling the primary's disk. */
async function lookAtLog(client: Client, database: DatabaseConfig): Promise<Finding> {
  const name = walSlotName(database);
  const slot = await readSlot(client, name);
  if (!slot) return bad(`there is no slot ${name}`, `dr prepare ${database.name}, then run dr stream ${database.name}`);
  if (slot.lost) {
    return bad(
      `slot ${name} was invalidated: the log has a hole`,
      `dr stream ${database.name} makes it anew, and takes a base backup.`,
    );
  }
  if (slot.received === undefined) {
    return bad(
      `nobody receives through slot ${name}`,
      `Run dr stream ${database.name}: until then the server keeps its log.`,
    );
  }
  const found = `slot ${name} is received through, ${((slot.retainedBytes ?? 0) / 1e6).toFixed(0)} MB behind`;
  const { limit } = await one<{ limit: string }>(client, "SELECT current_setting('max_slot_wal_keep_size') AS limit");
  if (limit !== "-1") return fine(`${found}, at most ${limit} are kept for it`);
  return open(
    `${found}, and max_slot_wal_keep_size is not set`,
    "Set it to what the server's disk can spare: a stream that stands still would fill the disk otherwise.",
  );
}

/** What the server must note of its log for as long as it takes from one base backup to the next. */
async function lookAtIncrements(client: Client, { wal, backup }: DatabaseConfig): Promise<Finding> {
  const settings = await one<{ major: number; summarize: string | null; keptSeconds: string | null }>(
    client,
    `SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('summarize_wal', true) AS summarize,
       extract(epoch FROM current_setting('wal_summary_keep_time', true)::interval)::text AS "keptSeconds"`,
  );
  const schedule = wal?.baseBackupSchedule ?? jobConfigDefaults.baseBackupSchedule;
  const problems = incrementProblems({
    serverMajor: settings.major,
    summarizesWal: settings.summarize === "on",
    summaryKeptMinutes: Number(settings.keptSeconds ?? 0) / 60,
    // One base backup may fail.
    intervalMinutes: largestGapMinutes(parseSchedule(schedule), backup?.timeZone, 1),
  });
  if (problems.length === 0)
    return fine(`summarize_wal is on, up to ${backup!.incrementalsPerFull} after each full one`);
  return open(
    problems.map(({ found }) => found).join("; "),
    `${problems.map(({ fix }) => fix).join(" ")} Until then every base backup is a full one.`,
  );
}

const largeBacklogBytes = 2 ** 30;

async function lookAtSlots(client: Client): Promise<Finding> {
  const { rows } = await client.query<{ name: string; bytes: string }>(
    `SELECT slot_name AS name, pg_wal_lsn_diff(
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::text AS bytes
     FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL`,
  );
  const heavy = rows.filter(({ bytes }) => Number(bytes) > largeBacklogBytes);
  if (heavy.length === 0) return fine(rows.length === 0 ? "no idle slot" : `${rows.length} idle, none holds back much`);
  const named = heavy.map(({ name, bytes }) => `${name} holds back ${(Number(bytes) / 1e9).toFixed(1)} GB`);
  return bad(named.join("; "), "Start its consumer or drop the slot: it will fill the primary's disk.");
}
