import { type DatabaseKind } from "../engine";
import { diagnosePostgres } from "../postgres/doctor";
import { postgresDump } from "../postgres/dump";
import { postgresKind } from "../postgres/kind";
import { diagnoseRds } from "./doctor";
import { rdsStream } from "./rds-stream";

/** PostgreSQL on RDS: dumps as from any server, and RDS's own backups. */
export const rdsKind: DatabaseKind = {
  ...postgresKind,
  engines: [postgresDump],
  stream: rdsStream,
  diagnose: async (database) => [...(await diagnosePostgres(database)), ...(await diagnoseRds(database))],
};
