import { type DatabaseKind } from "../engine";
import { postgresDump } from "../postgres/dump";
import { postgresKind } from "../postgres/kind";
import { rdsStream } from "./rds-stream";

/** PostgreSQL on RDS: dumps as from any server, and RDS's own backups. */
export const rdsKind: DatabaseKind = {
  ...postgresKind,
  engines: [postgresDump],
  stream: rdsStream,
};
