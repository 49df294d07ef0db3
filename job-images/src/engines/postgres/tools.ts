import { existsSync, readdirSync, realpathSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import { OperationError } from "../../errors";
import { runTool } from "../../process/child";

/** PostgreSQL's own programs, all of one major version. */
export interface PostgresTools {
  readonly major: number;
  /** As `pg_dump --version` prints it, for instance `15.18 (Debian 15.18-0+deb12u1)`. */
  readonly version: string;
  /** Absolute path of one of its programs. */
  program(name: string): string;
}

// Where Debian, the PostgreSQL project's packages, Red Hat and macOS keep one folder for each major version.
const versionedFolders = ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt"];

/** Every installed set of tools, oldest major first. */
export async function findPostgresTools(): Promise<PostgresTools[]> {
  const folders = new Set<string>();
  if (process.env.DR_POSTGRES_BIN) folders.add(process.env.DR_POSTGRES_BIN);
  for (const root of versionedFolders) {
    if (existsSync(root)) for (const entry of readdirSync(root)) folders.add(join(root, entry, "bin"));
  }
  for (const folder of (process.env.PATH ?? "").split(delimiter)) folders.add(folder);
  // All are asked at once: a dump's duration counts from before this.
  const answers = await Promise.all([...folders].filter(holdsTools).map(askForVersion));
  const found = new Map<number, PostgresTools>();
  for (const tools of answers) if (tools && !found.has(tools.major)) found.set(tools.major, tools);
  return [...found.values()].sort((a, b) => a.major - b.major);
}

function holdsTools(folder: string): boolean {
  const dump = join(folder, "pg_dump");
  if (!existsSync(dump) || !existsSync(join(folder, "pg_restore"))) return false;
  // Debian's wrapper starts what is in the versioned folders, whichever cluster it thinks of.
  return basename(realpathSync(dump)) !== "pg_wrapper";
}

async function askForVersion(folder: string): Promise<PostgresTools | undefined> {
  const text = await runTool(join(folder, "pg_dump"), ["--version"]).catch(() => "");
  const version = /\(PostgreSQL\) (.+)/.exec(text)?.[1]?.trim();
  const major = Number(/^\d+/.exec(version ?? "")?.[0]);
  if (version === undefined || !Number.isInteger(major)) return undefined;
  return { major, version, program: (name) => join(folder, name) };
}

/**
 * The tools to dump a server with: of its own major version, else the next newer one. `pg_dump` refuses a server newer
 * than itself.
 *
 * @throws OperationError when every installed version is older than the server.
 */
export async function toolsForServer(serverMajor: number): Promise<PostgresTools> {
  const installed = await findPostgresTools();
  const usable = installed.find((tools) => tools.major >= serverMajor);
  if (usable) return usable;
  const have = installed.map((tools) => tools.major).join(", ") || "none";
  throw new OperationError(
    `The server is PostgreSQL ${serverMajor} and the newest client tools here are ${have}: install postgresql-client-${serverMajor}, or use the job image built for ${serverMajor}.`,
  );
}

/**
 * The tools to run a throw-away server with: exactly of the backup's major version, because a newer one may hide what
 * only the old one refuses, and the other way round.
 *
 * @throws OperationError when that version's server programs are not installed.
 */
export async function serverToolsFor(major: number): Promise<PostgresTools> {
  const installed = (await findPostgresTools()).filter((tools) => existsSync(tools.program("initdb")));
  const tools = installed.find((candidate) => candidate.major === major);
  if (tools) return tools;
  const have = installed.map((candidate) => candidate.major).join(", ") || "none";
  throw new OperationError(
    `The backup is of PostgreSQL ${major} and the server programs here are ${have}: install postgresql-${major}, or use the job image built for ${major}.`,
  );
}
