/** A program that npm cannot bring, and the Debian package that does. */
export interface SystemProgram {
  /** Absolute path, or a name looked up in PATH; a `*` stands for PostgreSQL's major version. */
  readonly program: string;
  readonly package: string;
  readonly neededFor: string;
}

/** Everything that the runner, the drill and the tests start. */
export const systemPrograms: readonly SystemProgram[] = [
  {
    program: "/usr/lib/postgresql/*/bin/initdb",
    package: "postgresql",
    neededFor: "dumps, restores, throw-away servers",
  },
  {
    program: "/usr/share/postgresql/*/extension/btree_gist.control",
    package: "postgresql-contrib",
    neededFor: "extensions",
  },
  { program: "zstd", package: "zstd", neededFor: "compression" },
  { program: "sqlite3", package: "sqlite3", neededFor: "SQLite databases" },
  { program: "setpriv", package: "util-linux", neededFor: "servers that end with the runner" },
  { program: "/usr/sbin/pgbouncer", package: "pgbouncer", neededFor: "tests: a pooler is recognised" },
  { program: "radosgw", package: "radosgw", neededFor: "tests: a real S3" },
  { program: "ceph-mon", package: "ceph-mon", neededFor: "tests: a real S3" },
  { program: "ceph-osd", package: "ceph-osd", neededFor: "tests: a real S3" },
];

/** What is missing, by a way to look for it. */
export function missingPrograms(exists: (program: string) => boolean): SystemProgram[] {
  return systemPrograms.filter(({ program }) => !exists(program));
}

/** How packages can be installed here. */
export const Privilege = { Root: "root", Sudo: "sudo", None: "none" } as const;
export type Privilege = (typeof Privilege)[keyof typeof Privilege];

/**
 * The steps that install packages, as argument lists, each run as root. Debian would make and start a PostgreSQL
 * cluster on port 5432 and start every new daemon; both are held back, because somebody else may want the port.
 */
export function installSteps(packages: readonly string[]): string[][] {
  return [
    ["apt-get", "update", "-q"],
    ["apt-get", "install", "-q", "-y", "--no-install-recommends", ...new Set(packages)],
  ];
}

/** The one command for a person who may become root with a password. */
export const commandForRoot = 'sudo env "PATH=$PATH" npm run setup';
