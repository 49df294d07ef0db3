import { type Client } from "pg";
import { canarySchema, one } from "./facts";
import { quoteIdentifier, quoteLiteral } from "./libpq";

const heartbeatDays = 7;

/**
 * The SQL that readies a server and a database for backups: a role that may read everything and change nothing, and
 * the heartbeat. Every statement may be run again.
 *
 * @param role the backup role; it also beats the heart, through a function, so that it needs no right on any table.
 * @param slot the replication slot of the log; the role then may replicate
 */
export async function prepareStatements(client: Client, role: string, slot?: string): Promise<string[]> {
  const name = quoteIdentifier(role);
  const { exists, superuser, database } = await one<{ exists: boolean; superuser: boolean; database: string }>(
    client,
    `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = ${quoteLiteral(role)}) AS exists, current_database() AS database,
       coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = ${quoteLiteral(role)}), false) AS superuser`,
  );
  const { rows: largeObjects } = await client.query<{ oid: string }>("SELECT oid::text FROM pg_largeobject_metadata");
  const rights = [
    `GRANT CONNECT ON DATABASE ${quoteIdentifier(database)} TO ${name}`,
    `GRANT pg_read_all_data, pg_read_all_stats TO ${name}`,
    // Without it a row-level policy would hide rows from the dump.
    `ALTER ROLE ${name} BYPASSRLS`,
    ...(slot === undefined ? [] : [`ALTER ROLE ${name} REPLICATION`]),
    ...largeObjects.map(({ oid }) => `GRANT SELECT ON LARGE OBJECT ${oid} TO ${name}`),
  ];
  return [
    ...(exists ? [] : [`CREATE ROLE ${name} LOGIN`]),
    // A superuser needs nothing granted, and must not be altered behind its owner's back.
    ...(superuser ? [] : rights),
    `CREATE SCHEMA IF NOT EXISTS ${canarySchema}`,
    `CREATE TABLE IF NOT EXISTS ${canarySchema}.heartbeat (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())`,
    `CREATE OR REPLACE FUNCTION ${canarySchema}.beat() RETURNS timestamptz LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM ${canarySchema}.heartbeat WHERE at < clock_timestamp() - interval '${heartbeatDays} days';
  INSERT INTO ${canarySchema}.heartbeat DEFAULT VALUES RETURNING at;
$$`,
    `REVOKE ALL ON FUNCTION ${canarySchema}.beat() FROM PUBLIC`,
    `GRANT USAGE ON SCHEMA ${canarySchema} TO ${name}`,
    `GRANT EXECUTE ON FUNCTION ${canarySchema}.beat() TO ${name}`,
    ...(slot === undefined
      ? []
      : [
          `SELECT pg_create_physical_replication_slot(${quoteLiteral(slot)}, true)
  WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = ${quoteLiteral(slot)})`,
        ]),
  ];
}

/** Commits one heartbeat; its time is the database's. */
export async function beat(client: Client): Promise<Date> {
  return (await one<{ at: Date }>(client, `SELECT ${canarySchema}.beat() AS at`)).at;
}
