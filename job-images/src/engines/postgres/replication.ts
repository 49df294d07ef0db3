import { randomBytes } from "node:crypto";
import { type Client } from "pg";
import { type Lsn, parseLsn } from "../../../../recovery";
import { OperationError } from "../../errors";
import { one } from "./facts";
import { describeAccess, type PostgresAccess } from "./libpq";
import { connect } from "./session";

/** A server as its replication protocol presents it. */
export interface WalServer {
  /** Made by `initdb`: the same for a server and its standbys, another one for a server that was made anew. */
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly major: number;
  /** `wal_segment_size`. */
  readonly segmentBytes: number;
}

/**
 * Asks a server who it is, over a replication connection, so that a right or a line of `pg_hba.conf` that is missing is
 * found before anything is begun.
 *
 * @throws OperationError when the role may not replicate, or the server keeps too little in its log
 */
export async function identifyServer(access: PostgresAccess): Promise<WalServer> {
  const client = await connect(access, { applicationName: "dr identify" });
  try {
    const facts = await one<{ major: number; segmentBytes: string; level: string; mayReplicate: boolean }>(
      client,
      `SELECT current_setting('server_version_num')::int / 10000 AS major, current_setting('wal_level') AS level,
         pg_size_bytes(current_setting('wal_segment_size'))::text AS "segmentBytes",
         (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) AS "mayReplicate"`,
    );
    if (!facts.mayReplicate) {
      throw new OperationError(
        `${describeAccess(access)}: ${access.user} may not replicate, which a base backup and the log need. \`dr prepare\` grants it once \`wal\` is configured (ALTER ROLE ... REPLICATION).`,
      );
    }
    if (facts.level === "minimal") {
      throw new OperationError(
        `${describeAccess(access)} has wal_level = minimal: set it to replica and restart the server.`,
      );
    }
    const { systemid, timeline } = await identifySystem(access);
    return {
      systemIdentifier: systemid,
      timeline,
      major: facts.major,
      segmentBytes: Number(facts.segmentBytes),
    };
  } finally {
    await client.end();
  }
}

async function identifySystem(access: PostgresAccess): Promise<{ systemid: string; timeline: number }> {
  const client = await connect(access, { applicationName: "dr identify", replication: true });
  try {
    return await one<{ systemid: string; timeline: number }>(client, "IDENTIFY_SYSTEM");
  } finally {
    await client.end();
  }
}

/** A replication slot as the server shows it. */
export interface SlotState {
  /** Nothing can be received through it any more: the server has thrown away what it needed. */
  readonly lost: boolean;
  /** What the receiver has on disk. */
  readonly received?: Lsn;
  /** How much of its log the server keeps for it, in bytes. */
  readonly retainedBytes?: number;
}

/** A moment of the server, and how far its log had been written then: every commit before it lies before that. */
export interface LogMoment {
  readonly at: Date;
  readonly lsn: Lsn;
}

/** Asks for the slot; `undefined` when there is none. */
export async function readSlot(client: Client, slot: string): Promise<SlotState | undefined> {
  const { rows } = await client.query<{
    lost: boolean;
    received: string | null;
    retained: string | null;
  }>(
    `SELECT wal_status = 'lost' AS lost, r.flush_lsn::text AS received,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::text AS retained
     FROM pg_replication_slots s LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid WHERE slot_name = $1`,
    [slot],
  );
  const row = rows[0];
  if (!row) return undefined;
  return {
    lost: row.lost,
    received: row.received === null ? undefined : parseLsn(row.received),
    retainedBytes: row.retained === null ? undefined : Number(row.retained),
  };
}

/** Makes the slot, reserving the log from now on. */
export async function createSlot(client: Client, slot: string): Promise<void> {
  await client.query("SELECT pg_create_physical_replication_slot($1, true)", [slot]);
}

/** Removes a slot that nothing can be received through any more. */
export async function dropSlot(client: Client, slot: string): Promise<void> {
  await client.query("SELECT pg_drop_replication_slot($1)", [slot]);
}

/** Asks for the moment and the log's end, in this order. */
export async function readLogMoment(client: Client): Promise<LogMoment> {
  const { at } = await one<{ at: Date }>(client, "SELECT clock_timestamp() AS at");
  const { lsn } = await one<{ lsn: string }>(
    client,
    `SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END)::text AS lsn`,
  );
  return { at, lsn: parseLsn(lsn)! };
}

/**
 * Keeps the server from recycling its log while `work` runs, through a slot that vanishes with its session, however that
 * ends.
 */
export async function withLogKept<Result>(access: PostgresAccess, work: () => Promise<Result>): Promise<Result> {
  const client = await connect(access, { applicationName: "dr base backup" });
  try {
    const name = `dr_base_${process.pid}_${randomBytes(6).toString("hex")}`;
    await client.query("SELECT pg_create_physical_replication_slot($1, true, true)", [name]);
    return await work();
  } finally {
    await client.end().catch(() => undefined);
  }
}
