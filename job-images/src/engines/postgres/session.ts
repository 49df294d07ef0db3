import { readFileSync } from "node:fs";
import { Client, type ClientConfig, DatabaseError } from "pg";
import { OperationError } from "../../errors";
import { describeAccess, type PostgresAccess, sessionOptions } from "./libpq";

/** What a session connects as and with. */
export interface SessionOptions {
  readonly applicationName?: string;
  /** On top of the fixed session settings. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly connectTimeoutSeconds?: number;
  /** Speak the replication protocol, on no database. @default false */
  readonly replication?: boolean;
}

/** A connection whose values are written as text under the fixed settings. The caller ends it. */
export async function connect(access: PostgresAccess, options: SessionOptions = {}): Promise<Client> {
  const mode = access.sslMode ?? process.env.PGSSLMODE ?? "prefer";
  try {
    return await open(access, options, tlsOf(access, mode));
  } catch (error) {
    // libpq's default mode: encrypted where the server can, plain where it cannot.
    const serverHasNoTls = error instanceof Error && error.message.includes("does not support SSL");
    if (serverHasNoTls && (mode === "prefer" || mode === "allow")) return open(access, options, false).catch(explain);
    return explain(error);
  }

  function explain(error: unknown): never {
    throw new OperationError(connectionProblem(access, error));
  }
}

async function open(access: PostgresAccess, options: SessionOptions, ssl: ClientConfig["ssl"]): Promise<Client> {
  const client = new Client({
    host: access.host,
    port: access.port,
    user: access.user,
    database: access.databaseName,
    password: access.password,
    ssl,
    application_name: options.applicationName ?? "dr",
    options: sessionOptions(options.settings),
    connectionTimeoutMillis: (options.connectTimeoutSeconds ?? 10) * 1000,
    keepAlive: true,
    // Missing from the driver's types; it goes into the startup message as it is.
    ...(options.replication ? { replication: "true" } : {}),
  });
  // A server that goes away while a session is idle is reported by the next query; without a listener it is a crash.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

function tlsOf(access: PostgresAccess, mode: string): ClientConfig["ssl"] {
  if (mode === "disable" || access.host.startsWith("/")) return false;
  const read = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : readFileSync(path, "utf8");
  const files = { cert: read(access.sslCert), key: read(access.sslKey) };
  if (mode === "verify-full") return { ...files, ca: read(access.sslRootCert) };
  // verify-ca trusts the authority but not the name.
  if (mode === "verify-ca") return { ...files, ca: read(access.sslRootCert), checkServerIdentity: () => undefined };
  return { ...files, rejectUnauthorized: false };
}

/** PostgreSQL's error codes that a person on call meets while connecting, and what to do about each. */
function connectionProblem(access: PostgresAccess, error: unknown): string {
  const where = describeAccess(access);
  const user = access.user;
  const message = error instanceof Error ? error.message || (error as NodeJS.ErrnoException).code || "" : String(error);
  const code = (error as { code?: string }).code;
  if (error instanceof DatabaseError || /^[0-9A-Z]{5}$/.test(code ?? "")) {
    switch (code ?? "") {
      case "28P01":
      case "28000":
        return `${where} refuses ${user}: ${message}. Check the password that passwordFile or passwordEnv names, and pg_hba.conf.`;
      case "3D000":
        return `${where} does not exist: ${message}. Check the name at the end of the URL.`;
      case "53300":
        return `${where} has no connection left: ${message}. Raise max_connections, or reserve one for the backup role.`;
      case "57P03":
        return `${where} is starting up or shutting down: ${message}. Try again once it accepts connections.`;
      case "08P01":
        if (message.includes("unsupported startup parameter")) {
          return `${where} is a connection pooler, which hides the server (${message}). Point the URL at the PostgreSQL server itself.`;
        }
    }
    return `${where} cannot be used by ${user}: ${message}`;
  }
  if (message.includes("password must be a string") || message.includes("no password")) {
    return `${where} asks ${user} for a password and none was given: name a passwordFile or a passwordEnv.`;
  }
  return `${where} cannot be reached: ${message}. Check the host, the port, network policies and that the server runs.`;
}
