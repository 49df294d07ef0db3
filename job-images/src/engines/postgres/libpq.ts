import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { type DatabaseConfig, parsePostgresUrl, type PostgresLocation } from "../../../../recovery";
import { UsageError } from "../../errors";
import { readPasswordFile } from "../../password-file";

/** A database's place together with the password to it, which never leaves this object but through the environment. */
export interface PostgresAccess extends PostgresLocation {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
}

/**
 * Settings that decide how values are written as text. A dump, a copy and a hash of the same row agree only when all
 * of them are taken under the same ones; `row_security=off` turns a silent filter into an error.
 */
const sessionSettings: Readonly<Record<string, string>> = {
  datestyle: "ISO",
  intervalstyle: "postgres",
  timezone: "UTC",
  extra_float_digits: "3",
  bytea_output: "hex",
  lc_monetary: "C",
  search_path: "",
  row_security: "off",
  synchronize_seqscans: "off",
  statement_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  client_min_messages: "warning",
};

/** The settings as libpq's `options`. */
export function sessionOptions(extra: Readonly<Record<string, string>> = {}): string {
  return Object.entries({ ...sessionSettings, ...extra })
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(" ");
}

/** The place that a configured database's URL names, with its password read from where the configuration says. */
export function accessOf(database: DatabaseConfig, which: "url" | "standbyUrl" | "adminUrl" = "url"): PostgresAccess {
  const url = database[which] ?? database.url;
  if (url === undefined) throw new UsageError(`Database ${database.name} has no ${which}.`);
  const passwordFile = which === "adminUrl" ? database.adminPasswordFile : database.passwordFile;
  const passwordEnv = which === "adminUrl" && database.adminUrl !== undefined ? undefined : database.passwordEnv;
  return accessOfUrl(url, readPassword(database.name, passwordFile, passwordEnv));
}

/** The place that a URL names. */
export function accessOfUrl(url: string, password?: string): PostgresAccess {
  const { location, problems } = parsePostgresUrl(url);
  if (!location) throw new UsageError("The database URL cannot be used:", problems);
  return {
    ...location,
    host: location.host ?? process.env.PGHOST ?? defaultHost(),
    port: location.port ?? Number(process.env.PGPORT ?? 5432),
    user: location.user ?? process.env.PGUSER ?? userInfo().username,
    password,
  };
}

// Resolved once, so that the driver and libpq's tools, whose own defaults differ, always mean the same server.
function defaultHost(): string {
  return existsSync("/var/run/postgresql") ? "/var/run/postgresql" : "localhost";
}

function readPassword(name: string, file: string | undefined, variable: string | undefined): string | undefined {
  if (file !== undefined) return readPasswordFile(file, `Database ${name}`);
  if (variable === undefined) return undefined;
  const password = process.env[variable];
  if (password === undefined)
    throw new UsageError(`Database ${name}: the environment variable ${variable} is not set.`);
  return password;
}

/** The environment that libpq's own tools connect with. */
export function libpqEnvironment(
  access: PostgresAccess,
  application: string,
  settings: Readonly<Record<string, string>> = {},
): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    PGDATABASE: access.databaseName,
    PGAPPNAME: application,
    PGOPTIONS: sessionOptions(settings),
    PGTZ: "UTC",
    PGCONNECT_TIMEOUT: process.env.PGCONNECT_TIMEOUT ?? "10",
    LC_ALL: "C.UTF-8",
  };
  const given: Record<string, string | undefined> = {
    PGHOST: access.host,
    PGPORT: String(access.port),
    PGUSER: access.user,
    PGPASSWORD: access.password,
    PGSSLMODE: access.sslMode,
    PGSSLROOTCERT: access.sslRootCert,
    PGSSLCERT: access.sslCert,
    PGSSLKEY: access.sslKey,
  };
  for (const [name, value] of Object.entries(given)) if (value !== undefined) environment[name] = value;
  return environment;
}

/** A connection string that names only the database; quoted, so that no name can be read as an option. */
export function databaseConnectionString(databaseName: string): string {
  return `dbname='${databaseName.replace(/\\/g, "\\\\").replace(/'/g, "\\'")}'`;
}

/** An identifier, quoted always. */
export function quoteIdentifier(name: string): string {
  return `"${name.replace(/"/g, '""')}"`;
}

/** A string literal, safe whatever `standard_conforming_strings` says. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replace(/'/g, "''").replace(/\\/g, "\\\\")}'`;
  return text.includes("\\") ? `E${quoted}` : quoted;
}

/** Where a database is, for people: never with a password. */
export function describeAccess(access: PostgresAccess): string {
  return `database ${JSON.stringify(access.databaseName)} on ${access.host}:${access.port}`;
}
