/** Where a PostgreSQL database is, in the terms of libpq's environment variables. */
export interface PostgresLocation {
  /** Host name, address, or the directory of a unix socket; absent: libpq's own rules. */
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  /** The database's name, exactly as the server knows it: spaces, quotes and leading dashes included. */
  readonly databaseName: string;
  readonly sslMode?: string;
  readonly sslRootCert?: string;
  readonly sslCert?: string;
  readonly sslKey?: string;
}

const sslModes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
const parameters = ["host", "port", "user", "sslmode", "sslrootcert", "sslcert", "sslkey"];

/**
 * Reads `postgresql://user@host:5432/database?sslmode=verify-full`. A password in it is refused: a URL ends up in
 * logs, process lists and ConfigMaps. A unix socket is `postgresql://user@/database?host=/run/postgresql`.
 */
export function parsePostgresUrl(text: string): {
  readonly location?: PostgresLocation;
  readonly problems: readonly string[];
} {
  let url: URL;
  try {
    url = new URL(text.replace(/^(postgres(?:ql)?:\/\/)([^/@]*)@(?=\/)/, "$1$2@dr-no-host"));
  } catch {
    return { problems: ["expected postgresql://user@host:port/database with one host"] };
  }
  const problems: string[] = [];
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") {
    return { problems: [`expected postgresql://, got ${url.protocol}//`] };
  }
  if (url.password || url.searchParams.has("password")) {
    problems.push("must not hold a password: name a passwordFile or a passwordEnv");
  }
  for (const name of url.searchParams.keys()) {
    if (!parameters.includes(name) && name !== "password") {
      problems.push(`does not know the parameter ${JSON.stringify(name)}; it takes ${parameters.join(", ")}`);
    }
  }
  const parameter = (name: string): string | undefined => url.searchParams.get(name) || undefined;
  const sslMode = parameter("sslmode");
  if (sslMode !== undefined && !sslModes.includes(sslMode)) {
    problems.push(`expected sslmode to be one of ${sslModes.join(", ")}, got ${JSON.stringify(sslMode)}`);
  }
  let databaseName = "";
  let user: string | undefined;
  try {
    // Not url.pathname, which takes a database called ".." for a way up.
    databaseName = decodeURIComponent(/^[a-z]+:\/\/[^/?#]*\/([^?#]*)/i.exec(text)?.[1] ?? "");
    user = decodeURIComponent(url.username) || parameter("user");
  } catch {
    problems.push("holds a % that encodes nothing");
  }
  if (databaseName === "") problems.push("names no database: end it with /name");
  if (databaseName.includes("\0")) problems.push("names a database with a zero byte");
  if (url.hostname.includes(",") || parameter("host")?.includes(",")) {
    problems.push("names several hosts: a backup reads from one server; use standbyUrl for a standby");
  }
  const port = url.port || parameter("port");
  if (port !== undefined && !/^\d{1,5}$/.test(port))
    problems.push(`expected a port number, got ${JSON.stringify(port)}`);
  if (problems.length > 0) return { problems };
  const urlHost = url.hostname === "dr-no-host" ? "" : decodeURIComponent(url.hostname).replace(/^\[|\]$/g, "");
  return {
    location: {
      host: urlHost || parameter("host"),
      port: port === undefined || port === "" ? undefined : Number(port),
      user,
      databaseName,
      sslMode,
      sslRootCert: parameter("sslrootcert"),
      sslCert: parameter("sslcert"),
      sslKey: parameter("sslkey"),
    },
    problems,
  };
}
