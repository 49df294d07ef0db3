/** The part that holds the data directory. */
export const baseArchivePart = "base.tar.zst";

/** The part that tells of the server what its data directory does not. */
export const serverFactsPart = "server.json";

/** What a server needs besides its data directory to be started again as it was. */
export interface ServerFacts {
  readonly formatVersion: 1;
  readonly serverVersion: string;
  /** The copy was taken on a standby. */
  readonly standby: boolean;
  /** The bootstrap superuser, which every server has. */
  readonly superuser: string;
  /** Databases that take connections. */
  readonly databases: readonly string[];
  /** Size of all databases. */
  readonly bytes: number;
  /** What its configuration says, wherever that lies; no paths. */
  readonly settings: Readonly<Record<string, string>>;
}
