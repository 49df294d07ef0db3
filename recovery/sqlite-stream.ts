import { recoveryDefaults } from "./protection";
import { StorePrefix } from "./store-layout";
import { type StoreLocation } from "./store-url";

/** What Litestream is told about one database file. */
export interface LitestreamSettings {
  /** Absolute path of the database file; for a restore the path that it had when it was streamed does not matter. */
  readonly path: string;
  /** The database's name in the job configuration. */
  readonly database: string;
  readonly location: StoreLocation;
  /** Longest time between a commit and its way to the store. @default 10 */
  readonly flushSeconds?: number;
}

/** A configuration file of Litestream 0.3, as a document: JSON is YAML. */
export interface LitestreamConfig {
  readonly dbs: readonly { readonly path: string; readonly replicas: readonly Record<string, unknown>[] }[];
}

/** Where the stream of a database lies in the store. */
export function streamPrefix(database: string): string {
  return `${StorePrefix.Wal}${database}/`;
}

/** A whole copy so often, so that a restore has little log to replay. */
const snapshotInterval = "6h";

/** Nothing is deleted by whoever writes: the lifecycle of the store does it, and the writer may not. */
const retention = "876000h";

/**
 * Where and how a SQLite file is streamed. One place for whoever replicates and whoever restores: beside the recovery
 * points, under the prefix of the logs, which is never archived.
 */
export function litestreamConfig({
  path,
  database,
  location,
  flushSeconds = recoveryDefaults.sqliteFlushSeconds,
}: LitestreamSettings): LitestreamConfig {
  const folder = streamPrefix(database).slice(0, -1);
  const place =
    location.kind === "directory"
      ? { type: "file", path: `${location.path}/${folder}` }
      : {
          type: "s3",
          bucket: location.bucket,
          path: location.prefix === "" ? folder : `${location.prefix}/${folder}`,
          ...(location.region === undefined ? {} : { region: location.region }),
          ...(location.endpoint === undefined ? {} : { endpoint: location.endpoint }),
          "force-path-style": location.pathStyle,
        };
  const times = { "sync-interval": `${flushSeconds}s`, "snapshot-interval": snapshotInterval, retention };
  return { dbs: [{ path, replicas: [{ ...place, ...times }] }] };
}
