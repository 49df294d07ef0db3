import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client } from "pg";
import { LocalServer } from "../../job-images/src/engines/postgres/server";
import { connect } from "../../job-images/src/engines/postgres/session";
import { findPostgresTools } from "../../job-images/src/engines/postgres/tools";
import { freePort } from "./free-port";
import { quoteIdentifier } from "../../job-images/src/engines/postgres/libpq";

let shared: Promise<LocalServer> | undefined;

/** One PostgreSQL for the whole test run, started when the first test needs it. */
export function postgresServer(): Promise<LocalServer> {
  shared ??= startServer();
  return shared;
}

async function startServer(): Promise<LocalServer> {
  const tools = await findPostgresTools();
  return LocalServer.create({
    tools: tools.at(-1)!,
    settings: { fsync: "off", wal_level: "logical", max_connections: "60", shared_buffers: "64MB" },
    port: await freePort(),
  });
}

/** Ends the shared server. */
export async function stopPostgres(): Promise<void> {
  await (await shared)?.destroy();
  shared = undefined;
}

/** Makes a database and runs SQL in it. */
export async function makeDatabase(name: string, sql: string): Promise<LocalServer> {
  const server = await postgresServer();
  await withClient(server, "postgres", async (client) => {
    await client.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${quoteIdentifier(name)}`);
  });
  await withClient(server, name, (client) => client.query(sql));
  return server;
}

/** A connection for the time of some work. */
export async function withClient<Result>(
  server: LocalServer,
  databaseName: string,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = await connect(server.access(databaseName));
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const folders: string[] = [];
process.once("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A folder that is gone when the process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dr-test-"));
  folders.push(folder);
  return folder;
}
